"""Weights on disk: the native format, files of other programs, and downloads."""
