"""Draws boxes, scores and states into frames, legible at any resolution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2

from siamcli.boxes import Box, iou
from siamcli.drawing.colors import COLORS
from siamcli.drawing.labels import place_labels
from siamcli.drawing.style import Color
from siamcli.frames import Image
from siamcli.trajectory import TrackPoint

__all__ = ["draw", "outline", "write_text"]

Point = tuple[int, int]

_SMALL = 20  # sides in thin lines of a target that gets thinner lines
_SHORTEST = 8  # letters of a name that are always shown

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_DARK: Color = (20, 20, 20)
_LIGHT: Color = (245, 245, 245)


def draw(image: Image, points: Sequence[TrackPoint], labels: Sequence[str | None] = ()) -> Image:
    """A copy of `image` with box, label and score of every point, its state unless it is tracked, and the
    frame number.

    The number is left out where it would cover a box, or more than a tenth of the image.
    A lost target has a dashed, darker box; an absent one, or one whose box is not valid, has none.
    `labels` names targets in order.
    """
    canvas: Image = image.copy()
    height, width = canvas.shape[:2]
    thin = line_width(canvas)
    shown = [point for point in points if point.state != "absent" and point.box.valid]
    for point in shown:
        outline(canvas, point.box, _color(point), dashed=point.state == "lost")
    captions = [_caption(canvas, point, labels, len(points)) for point in shown]
    sizes = [layout_text(canvas, text, (0, 0))[2:4] for text in captions]
    places = place_labels([point.box for point in shown], sizes, thin + 1, (width, height))
    for point, text, (x, y), (_, h) in zip(shown, captions, places, sizes, strict=True):
        write_text(canvas, text, (x, y + h), _color(point))
    if points:
        number, corner = f"frame {points[0].index}", (0, canvas.shape[0])
        layout = layout_text(canvas, number, corner)
        boxes = [point.box for point in shown]
        boxes += [Box(x, y, w, h) for (x, y), (w, h) in zip(places, sizes, strict=True)]
        background = Box(layout.x, layout.y, layout.w, layout.h)
        if 10 * background.area <= height * width and not any(iou(background, box) for box in boxes):
            write_text(canvas, number, corner, _DARK)
    return canvas


def line_width(canvas: Image) -> int:
    """Width of a thin line in pixels; margins are multiples of it.  It grows with the image."""
    height, width = canvas.shape[:2]
    return int(max(1, round(min(height, width) / 400)))


def _color(point: TrackPoint) -> Color:
    """That of the target, darker while it is lost."""
    color = COLORS[(point.target - 1) % len(COLORS)]
    return (color[0] * 6 // 10, color[1] * 6 // 10, color[2] * 6 // 10) if point.state == "lost" else color


def _caption(canvas: Image, point: TrackPoint, labels: Sequence[str | None], targets: int) -> str:
    """Name, score and state; a name that would make it wider than half the picture is cut."""
    label = labels[point.target - 1] if point.target <= len(labels) else None
    name = label or (f"#{point.target}" if targets > 1 else "")
    score = "" if point.state == "lost" else f"{point.score:.2f}"
    state = "" if point.state == "tracked" else point.state
    whole = " ".join(filter(None, (name, score, state)))
    for length in range(len(name), _SHORTEST, -1):
        if 2 * layout_text(canvas, whole, (0, 0)).w <= canvas.shape[1]:
            break
        whole = " ".join(filter(None, (f"{name[: length - 1].rstrip()}...", score, state)))
    return whole


def outline(canvas: Image, box: Box, color: Color, *, dashed: bool = False) -> None:
    """Draw the edges of `box` into `canvas`."""
    thin = line_width(canvas)
    # OpenCV takes 32-bit integers: move corners that lie far outside close to the image.
    margin = 8 * thin
    height, width = canvas.shape[:2]
    x0, x1 = (round(min(max(v, -margin), width + margin)) for v in (box.x, box.x + box.w))
    y0, y1 = (round(min(max(v, -margin), height + margin)) for v in (box.y, box.y + box.h))
    corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    sides = list(zip(corners, [*corners[1:], corners[0]], strict=True))
    strokes = [dash for a, b in sides for dash in _dashes(a, b, 10 * thin)] if dashed else sides
    # a dark rim keeps the colour visible on any background; it would cover a small target
    rim, line = (_DARK, 2 * thin + 2), (color, 2 * thin)
    lines = [line if dashed else (color, thin)] if min(box.w, box.h) < _SMALL * thin else [rim, line]
    for line_color, thickness in lines:
        for a, b in strokes:
            cv2.line(canvas, a, b, line_color, thickness, cv2.LINE_AA)


def _dashes(a: Point, b: Point, length: int) -> list[tuple[Point, Point]]:
    """The line from a to b as an odd number of equal pieces, every second one left out."""
    pieces = 2 * max(1, round(math.dist(a, b) / (2 * length))) + 1
    steps = [
        tuple(round(p + (q - p) * n / pieces) for p, q in zip(a, b, strict=True)) for n in range(pieces + 1)
    ]
    return [((p[0], p[1]), (q[0], q[1])) for p, q in zip(steps[::2], steps[1::2], strict=True)]


class TextBox(NamedTuple):
    """Where a text and its background are drawn, in pixels."""

    x: int
    y: int
    w: int
    h: int
    pad: int
    scale: float
    thickness: int


def layout_text(canvas: Image, text: str, corner: tuple[float, float]) -> TextBox:
    """Where `text` is drawn: its lower left corner is `corner`, moved inside the image."""
    height, width = canvas.shape[:2]
    capital = max(9.0, 0.026 * min(height, width))  # height of a capital letter in pixels
    scale = capital / 22  # the font has 22
    text_width = cv2.getTextSize(text, _FONT, scale, 1)[0][0]
    scale *= min(1.0, 0.96 * width / max(text_width, 1))
    thickness = max(1, round(2 * scale))
    (w, h), _ = cv2.getTextSize(text, _FONT, scale, thickness)
    pad = max(2, round(h / 3))
    w, h = w + 2 * pad, h + 2 * pad
    x, y = round(min(max(corner[0], -width), 2 * width)), round(min(max(corner[1], -height), 2 * height))
    x = min(max(x, 0), max(width - w, 0))
    y = min(max(y - h, 0), max(height - h, 0))
    return TextBox(x, y, w, h, pad, scale, thickness)


def write_text(canvas: Image, text: str, corner: tuple[float, float], background: Color) -> None:
    """Write text on a filled background into `canvas`: its lower left corner is `corner`, moved inside."""
    x, y, w, h, pad, scale, thickness = layout_text(canvas, text, corner)
    canvas[y : y + h, x : x + w] = background
    color = _LIGHT if sum(background) < 300 else _DARK
    cv2.putText(canvas, text, (x + pad, y + h - pad), _FONT, scale, color, thickness, cv2.LINE_AA)
