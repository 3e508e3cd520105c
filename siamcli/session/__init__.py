"""One source, its targets, its files."""
