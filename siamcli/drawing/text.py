"""Draws text on a filled background, in a readable size."""

from __future__ import annotations

from typing import NamedTuple

import cv2

from siamcli.drawing.style import Color
from siamcli.frames import Image

__all__ = ["TextBox", "layout_text", "write_text"]

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_DARK: Color = (20, 20, 20)
_LIGHT: Color = (245, 245, 245)


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
