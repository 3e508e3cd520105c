"""The commands, each in a file with its name."""
