"""Cuts a part out of a frame and resizes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import cv2
import numpy as np

from siamcli.boxes import Box
from siamcli.frames import Image
from siamcli.trajectory import TrackPoint

__all__ = ["Center", "View", "cut", "path_in", "points_in"]

Center = tuple[float, float] | None
"""Of a target, None where it is not located."""


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
    if scale > 1 + 1e-9:  # sides that are smoothed are not exact
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


def points_in(window: Box, size: tuple[int, int], points: Sequence[TrackPoint]) -> tuple[TrackPoint, ...]:
    """The points in pixels of the picture of `size` that is made of `window`."""
    across, down = size[0] / window.w, size[1] / window.h
    moved = []
    for point in points:
        x, y, w, h = point.box
        box = Box((x - window.x) * across, (y - window.y) * down, w * across, h * down)
        moved.append(replace(point, box=box))
    return tuple(moved)


def path_in(window: Box, size: tuple[int, int], path: Sequence[Center]) -> list[Center]:
    """The centres in pixels of that picture."""
    across, down = size[0] / window.w, size[1] / window.h
    return [c if c is None else ((c[0] - window.x) * across, (c[1] - window.y) * down) for c in path]
