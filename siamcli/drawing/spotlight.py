"""Darkens everything but the targets."""

from __future__ import annotations

from collections.abc import Sequence

import cv2

from siamcli.drawing.regions import Region
from siamcli.drawing.style import Color
from siamcli.frames import Image

__all__ = ["apply"]

LIGHT = 0.35  # of the brightness that is left outside


def apply(canvas: Image, regions: Sequence[Region], color: Color) -> None:
    """Darken what lies outside all regions; without one the picture stays as it is."""
    if not regions:
        return
    lit = [canvas[region.pixels(canvas)].copy() for region in regions]
    cv2.convertScaleAbs(canvas, canvas, LIGHT)
    for region, picture in zip(regions, lit, strict=True):
        region.put(canvas, picture)
