"""Fills a target with a colour."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from siamcli.drawing.regions import Region
from siamcli.drawing.style import Color
from siamcli.frames import Image

__all__ = ["apply"]


def apply(canvas: Image, regions: Sequence[Region], color: Color) -> None:
    """Replace every region by `color`."""
    for region in regions:
        region.put(canvas, np.array([[color]], np.uint8))
