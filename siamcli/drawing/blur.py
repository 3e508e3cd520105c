"""Blurs a target: smooths its coarse blocks, because a Gaussian blur of the picture can be undone."""

from __future__ import annotations

from collections.abc import Sequence

import cv2

from siamcli.drawing.pixelate import replace
from siamcli.drawing.regions import Region
from siamcli.drawing.style import Color
from siamcli.frames import Image

__all__ = ["apply"]


def apply(canvas: Image, regions: Sequence[Region], color: Color) -> None:
    """Replace every region by the mean colours of `pixelate`, interpolated."""
    replace(canvas, regions, cv2.INTER_CUBIC)
