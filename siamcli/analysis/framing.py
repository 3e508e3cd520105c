"""Computes a crop that follows a target smoothly through the video."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from siamcli.analysis.motion import moments
from siamcli.analysis.smooth import local_lines
from siamcli.boxes import Box
from siamcli.errors import InputError
from siamcli.trajectory import Trajectory

__all__ = ["Crop", "Framing", "follow_target"]

Array = NDArray[np.float64]

SHARE = 3  # sides of the target in a side of the window, with zoom "auto"
FARTHEST = 4  # the smallest window of zoom "auto" is that part of the largest
SMALLEST = 16  # pixels a side
MARGIN = 0.1  # of the window, which the centre of the target does not enter


@dataclass(frozen=True, slots=True)
class Crop:
    """What is wanted: the number of a `target`, and how the window follows it.

    `aspect` is width by height as shown, None that of the frame.  `smooth` is a time in seconds.  `zoom`
    enlarges by that factor; with None the window grows and shrinks with the target, and nothing is enlarged.
    """

    target: int = 1
    aspect: Fraction | None = None
    smooth: float = 1.0
    zoom: float | None = 1.0


class Framing:
    """The window of every frame, inside it, and the even `size` (width, height) of what is made of it."""

    def __init__(self, size: tuple[int, int], frames: Array, windows: Array) -> None:
        self.size = size
        self._frames = frames
        self._windows = windows

    def window(self, index: int) -> Box:
        """The window in the frame with that index; before the first and after the last point it rests."""
        x, y, w, h = (float(np.interp(index, self._frames, column)) for column in self._windows.T)
        return Box(x, y, w, h)


def follow_target(
    trajectory: Trajectory, crop: Crop, size: tuple[int, int], pixel_aspect: Fraction = Fraction(1)
) -> Framing:
    """The windows of a crop in frames of `size` (width, height).

    Across a loss the window goes straight from where the target was to where it is found.  It is smoothed
    over the whole trajectory at once, so that it does not lag, and shifted where it would leave the frame.
    Raises InputError for a shape that leaves too few pixels, and a target that is nowhere seen.
    """
    largest = _largest(size, crop.aspect, pixel_aspect)
    frames, times, boxes = _boxes(trajectory, crop.target)
    centers = local_lines(times, boxes[:, :2], crop.smooth)[0]
    if crop.zoom is None:
        wanted = SHARE * np.maximum(boxes[:, 2] / largest[0], boxes[:, 3] / largest[1])
        shares = np.clip(local_lines(times, wanted[:, None], 2 * crop.smooth)[0][:, 0], 1 / FARTHEST, 1)
        out = _even(largest, float(shares.min()))
        shares = np.maximum(shares, out[0] / largest[0])
    else:
        shares = np.full(len(frames), 1 / crop.zoom)
        out = largest
    sides = shares[:, None] * np.array(largest, float)
    # what is smooth may leave a fast target behind: it stays in the picture
    reach = sides * (0.5 - MARGIN)
    centers = np.clip(centers, boxes[:, :2] - reach, boxes[:, :2] + reach)
    corners = np.clip(centers - sides / 2, 0, np.array(size, float) - sides)
    return Framing(out, frames, np.column_stack([corners, sides]))


def _boxes(trajectory: Trajectory, target: int) -> tuple[Array, Array, Array]:
    """(N,) frames, (N,) seconds and (N, 4) boxes (centre, sides) of a target, interpolated across losses."""
    points = sorted((p for p in trajectory.points if p.target == target), key=lambda point: point.index)
    seen = [i for i, p in enumerate(points) if p.is_located]
    if not seen:
        raise InputError(f"target {target} of {trajectory.header.source.name} is never seen")
    times = moments(trajectory, points)
    known = np.array([(*points[i].box.center, points[i].box.w, points[i].box.h) for i in seen])
    columns = [np.interp(times, times[seen], column) for column in known.T]
    return np.array([point.index for point in points], float), times, np.column_stack(columns)


def _largest(size: tuple[int, int], aspect: Fraction | None, pixel_aspect: Fraction) -> tuple[int, int]:
    """The largest even (width, height) of that aspect in a frame.  Raises InputError."""
    width, height = size
    ratio = Fraction(width, height) if aspect is None else aspect / pixel_aspect
    fitting = (width, width / ratio) if ratio * height > width else (height * ratio, height)
    sides = _even((float(fitting[0]), float(fitting[1])), 1)
    if min(sides) < SMALLEST:
        raise InputError(
            f"--aspect leaves {sides[0]}x{sides[1]} of {width}x{height} pixels",
            hint="choose one that is closer to the frame's, such as 9:16 or 1:1",
        )
    return sides


def _even(sides: tuple[float, float], share: float) -> tuple[int, int]:
    """Both sides by `share`, as even numbers that are not larger."""
    return int(sides[0] * share + 1e-6) // 2 * 2, int(sides[1] * share + 1e-6) // 2 * 2
