"""Converts pixels to lengths by a scale or by four points of a plane, and sets the origin of the axes."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from siamcli.analysis.origin import Origin

__all__ = ["Plane", "flat_plane", "parse_scale", "seen_plane"]

Array = NDArray[np.float64]

_SCALE = re.compile(r"([\d.]+)\s*px\s*/\s*([^\W\d]+)")
_RECTANGLE = re.compile(r"([\d.]+)\s*x\s*([\d.]+)\s*([^\W\d]+)")


@dataclass(frozen=True, slots=True)
class Plane:
    """Maps pixels to `unit`: `matrix` (3, 3) applies to (x, y, 1); the third row is positive on this side of
    the horizon."""

    matrix: Array
    unit: str
    origin: Origin

    def __call__(self, pixels: Array) -> Array:
        """(N, 2) points in pixels -> (N, 2) in the unit of the plane, NaN from the horizon on."""
        points: Array = pixels @ self.matrix[:2, :2].T + self.matrix[:2, 2]
        return points / self._depth(pixels)[:, None]

    def lengths(self, pixels: Array) -> Array:
        """How long a pixel is at (N, 2) points, as the root of its area: (N,) in the unit of the plane."""
        area = abs(np.linalg.det(self.matrix)) / self._depth(pixels) ** 3
        return np.asarray(np.sqrt(area))

    def _depth(self, pixels: Array) -> Array:
        depth = pixels @ self.matrix[2, :2] + self.matrix[2, 2]
        return np.where(depth > 0, depth, np.nan)


def parse_scale(text: str) -> tuple[float, str]:
    """Read `3.2px/mm`: pixels per unit.

    >>> parse_scale("3.2px/mm")
    (3.2, 'mm')

    Raises ValueError.
    """
    match = _SCALE.fullmatch(text.strip())
    if match is None or not 0 < _number(match[1]) < math.inf:
        raise ValueError(f"not a scale: {text!r}; write pixels per unit: 3.2px/mm")
    return float(match[1]), match[2]


def flat_plane(
    scale: float,
    unit: str,
    size: tuple[int, int],
    origin: Origin,
    pixel_aspect: Fraction = Fraction(1),
) -> Plane:
    """The plane of the picture, of `size` (width, height), with `scale` pixels per unit.

    Pixels that are not square are made so: as wide as they are high.
    """
    wide = float(pixel_aspect)
    axes = _axes((size[0] * wide, size[1]), origin) / np.array([[scale], [scale], [1.0]])
    return Plane(axes * [wide, 1, 1], unit, origin)


def seen_plane(text: str, origin: Origin) -> Plane:
    """Read `X,Y,X,Y,X,Y,X,Y=WxHmm`: four corners of a rectangle of that size, in pixels.

    They go clockwise from its top left; the origin is that of the rectangle.  Raises ValueError.
    """
    corners, sign, rectangle = text.rpartition("=")
    numbers = [_number(cell) for cell in re.split(r"[,;\s]+", corners.strip())]
    match = _RECTANGLE.fullmatch(rectangle.strip())
    if not sign or len(numbers) != 8 or match is None or not np.isfinite(numbers).all():
        raise ValueError(
            f"not a plane: {text!r}; write four corners and the size: 100,50,540,60,600,400,40,390=200x100mm"
        )
    width, height = _number(match[1]), _number(match[2])
    seen = np.reshape(numbers, (4, 2))
    sides = np.roll(seen, -1, 0) - seen
    turns = sides[:, 0] * np.roll(sides[:, 1], -1) - sides[:, 1] * np.roll(sides[:, 0], -1)
    if not (turns > 1e-6).all() or not (0 < width < math.inf and 0 < height < math.inf):
        raise ValueError(f"not a plane: {text!r}; the corners go clockwise from the top left")
    real = np.array([[0, 0], [width, 0], [width, height], [0, height]], float)
    rows, right = [], []
    for (x, y), (u, v) in zip(seen, real, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        right += [u, v]
    matrix = np.append(np.linalg.solve(np.array(rows), np.array(right)), 1).reshape(3, 3)
    matrix *= np.sign(matrix[2] @ [*seen[0], 1])  # the picture's own corner may lie beyond the horizon
    return Plane(_axes((width, height), origin) @ matrix, match[3], origin)


def _axes(size: tuple[float, float], origin: Origin) -> Array:
    """(3, 3): from axes that begin at the top left to those of `origin`."""
    width, height = size
    x, y, up = {
        "top-left": (0.0, 0.0, 1.0),
        "bottom-left": (0.0, height, -1.0),
        "center": (-width / 2, height / 2, -1.0),
    }[origin]
    return np.array([[1, 0, x], [0, up, y], [0, 0, 1]], float)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
