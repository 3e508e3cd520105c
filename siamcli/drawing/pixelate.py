"""Pixelates a target into coarse blocks."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from siamcli.drawing.regions import Region
from siamcli.drawing.style import Color
from siamcli.frames import Image

__all__ = ["apply", "replace"]

BLOCKS = 6  # along the longer side of a box: fewer than it takes to know a face or to read a plate


def apply(canvas: Image, regions: Sequence[Region], color: Color) -> None:
    """Replace every region by BLOCKS nearly square blocks along its longer side, each in its mean colour."""
    replace(canvas, regions, cv2.INTER_NEAREST)


def replace(canvas: Image, regions: Sequence[Region], interpolation: int) -> None:
    """Replace every region by its blocks, enlarged again."""
    for region in regions:
        picture = canvas[region.pixels(canvas)]
        if picture.size:
            height, width = picture.shape[:2]
            side = max(height, width) / BLOCKS
            size = (max(1, round(width / side)), max(1, round(height / side)))
            blocks = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
            enlarged = cv2.resize(blocks, (width, height), interpolation=interpolation)
            region.put(canvas, np.asarray(enlarged, np.uint8))
