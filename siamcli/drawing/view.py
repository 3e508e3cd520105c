"""A part of the picture as a picture of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import cv2
import numpy as np

from siamcli.boxes import Box
from siamcli.frames import Image
from siamcli.trajectory import TrackPoint

__all__ = ["View", "cut", "seen_through"]


class View(Protocol):
    """Which part of each frame is shown, as a picture of `size` (width, height)."""

    @property
    def size(self) -> tuple[int, int]: ...

    def window(self, index: int) -> Box:
        """In pixels of the frame with that index; it lies inside."""


def cut(image: Image, window: Box, size: tuple[int, int]) -> Image:
    """The pixels of `window` as a picture of `size` (width, height).

    Without a change of size they stay as they are, at whole pixels; enlarged they are interpolated,
    made smaller they are averaged.
    """
    scale = size[0] / window.w
    if scale > 1:
        matrix = np.array([[scale, 0, scale / 2 - 0.5], [0, scale, scale / 2 - 0.5]])
        matrix[:, 2] -= scale * np.array([window.x, window.y])
        enlarged = cv2.warpAffine(
            image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(enlarged, np.uint8)
    height, width = image.shape[:2]
    w, h = max(round(window.w), size[0]), max(round(window.h), size[1])
    x, y = min(max(round(window.x), 0), width - w), min(max(round(window.y), 0), height - h)
    part = image[y : y + h, x : x + w]
    if (w, h) == size:
        return part
    return np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)


def seen_through(window: Box, size: tuple[int, int], points: Sequence[TrackPoint]) -> tuple[TrackPoint, ...]:
    """The points in pixels of the picture that is made of `window`."""
    across, down = size[0] / window.w, size[1] / window.h
    return tuple(
        replace(
            p,
            box=Box(
                (p.box.x - window.x) * across, (p.box.y - window.y) * down, p.box.w * across, p.box.h * down
            ),
        )
        for p in points
    )
