"""The version number, for files that are written and for `--version`."""

__all__ = ["__version__"]

__version__ = "0.1.0"
