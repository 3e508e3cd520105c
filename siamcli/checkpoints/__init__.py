"""Weights on disk: our own format, other people's files, and where to get them."""
