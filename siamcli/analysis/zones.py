"""Zones of the frame: how long and how often a target is inside."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from siamcli.targets import parse_target

__all__ = ["Stay", "Zone", "parse_zone", "stay"]

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Zone:
    """A polygon in pixels, (N, 2)."""

    name: str
    corners: Array

    def holds(self, points: Array) -> Flags:
        """(N,) true for the (N, 2) points inside; NaN is outside."""
        inside = np.zeros(len(points), bool)
        x, y = points[:, 0], points[:, 1]
        for (x0, y0), (x1, y1) in zip(self.corners, np.roll(self.corners, -1, 0), strict=True):
            if y0 != y1:
                crosses = ((y0 > y) != (y1 > y)) & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
                inside ^= crosses
        return inside


@dataclass(frozen=True, slots=True)
class Stay:
    """`seconds` in a zone, `visits`, and the moment of the first, None where there was none."""

    seconds: float
    visits: int
    first: float | None


def parse_zone(text: str, size: tuple[int, int]) -> Zone:
    """Read `NAME=x,y,w,h`, in pixels or percent of a frame of `size`, or `NAME=x,y,x,y,x,y,...`, a polygon.

    Raises ValueError, InputError.
    """
    name, sign, numbers = text.partition("=")
    cells = re.split(r"[,;\s]+", numbers.strip())
    if not sign or not name.strip():
        raise ValueError(f"not a zone: {text!r}; write NAME=x,y,w,h or NAME=x,y,x,y,x,y")
    if len(cells) == 4:
        x, y, w, h = parse_target(numbers).box_in(size)
        corners = [[x, y], [x + w, y], [x + w, y + h], [x, y + h]]
        if not (w > 0 and h > 0):
            raise ValueError(f"the zone {text!r} has no area")
    else:
        try:
            values = [float(cell) for cell in cells]
        except ValueError:
            values = []
        if len(values) < 6 or len(values) % 2 or not np.isfinite(values).all():
            raise ValueError(f"not a zone: {text!r}; write NAME=x,y,w,h or NAME=x,y,x,y,x,y")
        corners = np.reshape(values, (-1, 2)).tolist()
    return Zone(name.strip(), np.array(corners, float))


def stay(inside: Flags, located: Flags, times: Array, lasts: Array) -> Stay:
    """How long and how often a target is in a zone, from N moments and how long each `lasts`.

    `inside` says in which it is there, `located` in which that is known.
    A visit begins where the target is seen inside after it was seen outside, or for the first time.
    """
    known = inside[located]
    before = np.concatenate([[False], known[:-1]])
    entries = times[located][known & ~before]
    return Stay(float(lasts[located][known].sum()), len(entries), float(entries[0]) if len(entries) else None)
