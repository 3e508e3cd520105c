"""The choices of --origin, in a module that loads quickly for `--help`."""

from __future__ import annotations

from typing import Literal

__all__ = ["Origin"]

Origin = Literal["top-left", "bottom-left", "center"]
"""Where x and y are 0.  From the top left y grows downward, from the other two upward."""
