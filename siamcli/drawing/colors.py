"""Colours by name."""

from __future__ import annotations

import re

from siamcli.drawing.style import Color

__all__ = ["COLORS", "COLOR_NAMES", "hex_color", "parse_color", "target_color"]

COLORS: tuple[Color, ...] = (
    (233, 180, 86),
    (0, 159, 230),
    (115, 158, 0),
    (167, 121, 204),
    (66, 228, 240),
    (0, 94, 213),
    (178, 114, 0),
    (190, 190, 190),
)
"""BGR, one per target; they repeat after the last.  People with any colour blindness can tell them apart:
Okabe and Ito, Color Universal Design (2008), with grey in place of black."""

COLOR_NAMES: dict[str, Color] = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "gray": (128, 128, 128),
    "red": (40, 40, 230),
    "green": (80, 200, 60),
    "blue": (230, 120, 30),
    "yellow": (60, 220, 250),
    "orange": (30, 150, 250),
    "purple": (190, 70, 160),
    "pink": (190, 130, 250),
    "cyan": (240, 210, 60),
}
"""Name -> BGR."""


def target_color(target: int) -> Color:
    """The colour of a target, which counts from 1, where none was chosen: in videos, plots and pages.

    >>> target_color(2) == target_color(10) == COLORS[1]
    True
    """
    return COLORS[(target - 1) % len(COLORS)]


def hex_color(color: Color) -> str:
    """As `parse_color` reads it, and a page.

    >>> hex_color((0, 128, 255))
    '#ff8000'
    """
    return f"#{bytes(reversed(color)).hex()}"


def parse_color(text: str) -> Color:
    """Read a name, or `#rrggbb`.

    >>> parse_color("white"), parse_color("#ff8000")
    ((255, 255, 255), (0, 128, 255))

    Raises ValueError.
    """
    name = text.strip().lower()
    if name in COLOR_NAMES:
        return COLOR_NAMES[name]
    if not re.fullmatch(r"#[0-9a-f]{6}", name):
        raise ValueError(f"not a colour: {text!r}; there are {' '.join(COLOR_NAMES)}, and #rrggbb")
    red, green, blue = bytes.fromhex(name[1:])
    return blue, green, red
