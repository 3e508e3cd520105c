"""Tracks one source and writes its files."""
