"""Boxes, and the geometry that all modules share.

Inside siamcli a box is always `Box`: x, y, w, h in pixels, 0-based, continuous, with
(x, y) the top-left corner.  Other formats (1-based OTB text, VOT polygons, corners)
are turned into `Box` by the module that reads them, and nowhere else.
"""

from __future__ import annotations

import math
from typing import NamedTuple

__all__ = ["Box", "box_problem", "clip_box", "iou", "oddity", "shared_area", "turned"]


class Box(NamedTuple):
    """An axis-aligned rectangle in image pixels: left, top, width, height.  It may leave the image."""

    x: float
    y: float
    w: float
    h: float

    @classmethod
    def from_center(cls, cx: float, cy: float, w: float, h: float) -> Box:
        """The box of size (w, h) whose centre is (cx, cy)."""
        return cls(cx - w / 2, cy - h / 2, w, h)

    @property
    def center(self) -> tuple[float, float]:
        """The point halfway between the edges; `from_center` undoes it."""
        return self.x + self.w / 2, self.y + self.h / 2

    @property
    def area(self) -> float:
        """Width times height, in square pixels."""
        return self.w * self.h

    @property
    def valid(self) -> bool:
        """True when all four numbers are finite and both sides are positive."""
        return all(math.isfinite(v) for v in self) and self.w > 0 and self.h > 0


def clip_box(box: Box, size: tuple[int, int]) -> Box:
    """The part of `box` inside an image of `size` (width, height); sides may become 0.

    >>> clip_box(Box(-5, 10, 20, 20), (100, 25))
    Box(x=0, y=10, w=15, h=15)
    """
    x0, y0 = min(max(box.x, 0), size[0]), min(max(box.y, 0), size[1])
    x1, y1 = min(max(box.x + box.w, 0), size[0]), min(max(box.y + box.h, 0), size[1])
    return Box(x0, y0, x1 - x0, y1 - y0)


def turned(box: Box, degrees: float, pivot: tuple[float, float]) -> Box:
    """The upright box around `box` that is turned clockwise about `pivot`.

    >>> [round(v) for v in turned(Box(10, 20, 30, 10), 90, (10, 20))]
    [0, 20, 10, 30]
    """
    if not math.isfinite(degrees):
        raise ValueError(f"a rotation of {degrees:g} degrees")
    if degrees % 360 == 0:
        return box
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    sides = [(x - pivot[0], y - pivot[1]) for x in (box.x, box.x + box.w) for y in (box.y, box.y + box.h)]
    xs = [pivot[0] + x * cosine - y * sine for x, y in sides]
    ys = [pivot[1] + x * sine + y * cosine for x, y in sides]
    return Box(min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))


def iou(a: Box, b: Box) -> float:
    """Intersection over union, 0 when disjoint.

    >>> iou(Box(0, 0, 10, 10), Box(5, 0, 10, 10))
    0.3333333333333333
    """
    common = shared_area(a, b)
    return common / (a.area + b.area - common) if common else 0.0


def shared_area(a: Box, b: Box) -> float:
    """The area that two boxes share, 0 when disjoint."""
    w = min(a.x + a.w, b.x + b.w) - max(a.x, b.x)
    h = min(a.y + a.h, b.y + b.h) - max(a.y, b.y)
    return 0.0 if w <= 0 or h <= 0 else w * h


def box_problem(box: Box, size: tuple[int, int]) -> str | None:
    """What keeps `box` from being a target in a frame of `size` (width, height), None if nothing does.

    >>> box_problem(Box(10, 10, 0, 5), (100, 50)), box_problem(Box(100, 10, 5, 5), (100, 50))
    ('has no area', 'lies outside the 100x50 frame')
    """
    width, height = size
    if not box.valid:
        return "has no area"
    if box.x >= width or box.y >= height or box.x + box.w <= 0 or box.y + box.h <= 0:
        return f"lies outside the {width}x{height} frame"
    if box.w < 1 or box.h < 1:
        return "is smaller than a pixel"
    if box.w > 2 * width or box.h > 2 * height:
        return f"is more than twice as large as the {width}x{height} frame"
    return None


def oddity(box: Box, size: tuple[int, int]) -> str | None:
    """What is unusual about `box` as a target in a frame of `size` (width, height), None if nothing is.

    >>> oddity(Box(60, 40, 110, 90), (160, 120)), oddity(Box(3, 3, 154, 114), (160, 120))
    ('leaves the 160x120 frame', 'covers most of the 160x120 frame')
    """
    inside = clip_box(box, size).area
    if inside < 0.9 * box.area:
        return f"leaves the {size[0]}x{size[1]} frame"
    return f"covers most of the {size[0]}x{size[1]} frame" if inside > 0.8 * size[0] * size[1] else None
