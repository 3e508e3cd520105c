"""A file per command, named like it."""
