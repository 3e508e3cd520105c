"""Pixels in, files out: the only home of capture, encoding and windows."""
