"""siamtrack: follow an object through a video with SiamRPN++."""

from __future__ import annotations

__version__ = "0.1.0"
