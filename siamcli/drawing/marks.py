"""The mark of a target: box, corners, ellipse or dot, legible at any resolution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np

from siamcli.boxes import Box
from siamcli.drawing.style import Color, Mark
from siamcli.frames import Image

__all__ = ["line_width", "outline", "trail"]

Point = tuple[int, int]
Stroke = tuple[Point, Point]

_SMALL = 20  # sides in thin lines of a target that gets thinner lines
_DARK: Color = (20, 20, 20)
_FAR = 30_000  # pixels; OpenCV draws with 16 bits before the point
_ARCS = 48  # pieces of an ellipse


def line_width(canvas: Image) -> int:
    """Width of a thin line in pixels; margins are multiples of it.  It grows with the image."""
    height, width = canvas.shape[:2]
    return int(max(1, round(min(height, width) / 400)))


def outline(
    canvas: Image,
    box: Box,
    color: Color,
    *,
    mark: Mark = "box",
    dashed: bool = False,
    line: float | None = None,
) -> None:
    """Draw the mark of `box` into `canvas`, in a `line` of so many pixels, by default by the image's size.

    A small target has thinner lines.
    """
    thin = line_width(canvas)
    thick = 2 * thin if line is None else max(1, round(line))
    if mark == "dot":
        _dot(canvas, box, color, thick, hollow=dashed)
        return
    small = min(box.w, box.h) < _SMALL * thin
    # a dark rim keeps the colour visible on any background; it would cover a small target
    lines = [(_DARK, thick + 2), (color, thick)]
    if small:
        lines = [(color, thick if dashed else max(1, thick // 2))]
    strokes = {"box": _sides, "corners": _corners, "ellipse": _ellipse, "none": _nothing}[mark](box, canvas)
    if dashed:
        strokes = [dash for a, b in strokes for dash in _dashes(a, b, 10 * thin)]
        if mark == "ellipse":
            strokes = [stroke for i, stroke in enumerate(strokes) if i % 4 < 2]
    for line_color, thickness in lines:
        for a, b in strokes:
            cv2.line(canvas, a, b, line_color, thickness, cv2.LINE_AA)


def trail(
    canvas: Image, path: Sequence[tuple[float, float] | None], color: Color, line: float | None
) -> None:
    """Draw where a target was, oldest first, thinner the longer ago; None interrupts the path."""
    thick = 2 * line_width(canvas) if line is None else max(1, round(line))
    for line_color, rim in ((_DARK, 2), (color, 0)):
        for number, (before, after) in enumerate(pairwise(path), start=1):
            if before is not None and after is not None:
                thickness = max(1, round(thick * number / len(path))) + rim
                cv2.line(canvas, _whole(*before), _whole(*after), line_color, thickness, cv2.LINE_AA)


def _whole(x: float, y: float) -> Point:
    return round(min(max(x, -_FAR), _FAR)), round(min(max(y, -_FAR), _FAR))


def _nothing(box: Box, canvas: Image) -> list[Stroke]:
    return []


def _sides(box: Box, canvas: Image) -> list[Stroke]:
    # move corners that lie far outside close to the image, so that dashes there cost nothing
    margin = 8 * line_width(canvas)
    height, width = canvas.shape[:2]
    x0, x1 = (round(min(max(v, -margin), width + margin)) for v in (box.x, box.x + box.w))
    y0, y1 = (round(min(max(v, -margin), height + margin)) for v in (box.y, box.y + box.h))
    corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    return list(zip(corners, [*corners[1:], corners[0]], strict=True))


def _corners(box: Box, canvas: Image) -> list[Stroke]:
    """A quarter of the sides at each corner."""
    arm = max(2.0, min(box.w, box.h) / 4)
    strokes = []
    for x, across in ((box.x, arm), (box.x + box.w, -arm)):
        for y, down in ((box.y, arm), (box.y + box.h, -arm)):
            corner = _whole(x, y)
            strokes += [(corner, _whole(x + across, y)), (corner, _whole(x, y + down))]
    return strokes


def _ellipse(box: Box, canvas: Image) -> list[Stroke]:
    """The ellipse that touches the sides of the box."""
    angles = np.linspace(0, 2 * np.pi, _ARCS + 1)
    (cx, cy), a, b = box.center, box.w / 2, box.h / 2
    points = [_whole(cx + a * x, cy + b * y) for x, y in zip(np.cos(angles), np.sin(angles), strict=True)]
    return list(pairwise(points))


def _dot(canvas: Image, box: Box, color: Color, thick: int, *, hollow: bool) -> None:
    """A disc in the centre, a ring where it is `hollow`."""
    center, radius = _whole(*box.center), 2 * thick
    if hollow:
        cv2.circle(canvas, center, radius, _DARK, thick + 2, cv2.LINE_AA)
        cv2.circle(canvas, center, radius, color, thick, cv2.LINE_AA)
    else:
        cv2.circle(canvas, center, radius + 1, _DARK, cv2.FILLED, cv2.LINE_AA)
        cv2.circle(canvas, center, radius, color, cv2.FILLED, cv2.LINE_AA)


def _dashes(a: Point, b: Point, length: int) -> list[Stroke]:
    """The line from a to b as an odd number of equal pieces, every second one left out."""
    pieces = 2 * max(1, round(math.dist(a, b) / (2 * length))) + 1
    steps = [
        tuple(round(p + (q - p) * n / pieces) for p, q in zip(a, b, strict=True)) for n in range(pieces + 1)
    ]
    return [((p[0], p[1]), (q[0], q[1])) for p, q in zip(steps[::2], steps[1::2], strict=True)]
