"""The choices of --panel, in a module that loads quickly for `--help`."""

from __future__ import annotations

__all__ = ["PANELS"]

PANELS = ("path", "heat", "speed", "score")
"""The way of every target over a frame, where they were for how long, how fast, how sure the tracker was."""
