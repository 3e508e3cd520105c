"""Measures the motion of a target: position, speed, distance and heading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from siamcli.analysis.plane import Plane
from siamcli.analysis.smooth import local_lines
from siamcli.boxes import Box
from siamcli.counts import counted
from siamcli.errors import InputError
from siamcli.labels import shown_name
from siamcli.trajectory import TrackPoint, Trajectory

__all__ = ["Motion", "measure_motion", "moments"]

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

REST = 0.2  # of the target's size per second: what boxes tremble when nothing moves is below


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """One target, a row for each of its N frames; NaN where it is not located.

    `name` is unlike those of the other targets.  Lengths are in the unit of a plane, seconds are those of the
    source.  `pixels` (N, 2) is the smooth centre in the frame; `raw` and `smooth` (N, 2) are centres in the
    plane.  `speed` and `heading` (degrees from the x axis towards the y axis, in (-180, 180]) belong to the
    smooth path, `raw_speed` to the step from the frame before.  `distance` and `raw_distance` add up the
    steps.  `lasts` is how long a row stands for.  No line, step or interval crosses a loss, an absence or a
    gap.
    """

    target: int
    label: str | None
    name: str
    frames: NDArray[np.int64]
    states: tuple[str, ...]
    times: Array
    lasts: Array
    pixels: Array
    raw: Array
    smooth: Array
    raw_speed: Array
    speed: Array
    heading: Array
    raw_distance: Array
    distance: Array
    at_rest: Flags
    rest_below: float

    @property
    def located(self) -> Flags:
        """(N,) true where the target is believed to be."""
        return np.isfinite(self.raw[:, 0])


def measure_motion(
    trajectory: Trajectory, target: int, plane: Plane, window: float, rest: float | None = None
) -> Motion:
    """The motion of one target, smoothed over `window` seconds.

    It is at rest below the speed `rest`, by default REST of its median size per second.  Raises InputError
    where the trajectory has no times, and where the target lies beyond the horizon of the plane.
    """
    points = sorted((p for p in trajectory.points if p.target == target), key=lambda point: point.index)
    frames = np.array([point.index for point in points])
    times = moments(trajectory, points)
    located = np.array([p.is_located for p in points], bool)
    center = np.array(
        [p.box.center if ok else (np.nan, np.nan) for p, ok in zip(points, located, strict=True)]
    )
    count, labels = len(points), trajectory.header.labels
    # a step is shorter where a stride also has frames of given boxes
    gap = 2 * float(np.median(np.diff(frames))) if count > 1 else 2.0
    fps = trajectory.header.source.fps
    usual = float(np.median(np.diff(times))) if count > 1 else float(1 / fps) if fps else 0.0
    pixels, smooth = (np.full((count, 2), np.nan) for _ in range(2))
    raw = plane(center)
    _check_seen(shown_name(labels, target), frames[located & np.isnan(raw[:, 0])])
    velocity = np.full((count, 2), np.nan)
    raw_step, smooth_step = np.zeros(count), np.zeros(count)
    lasts = np.append(np.where(np.diff(frames) < gap, np.diff(times), usual), usual)
    raw_speed = np.full(count, np.nan)
    for part in _stretches(frames, located, gap):
        pixels[part] = local_lines(times[part], center[part], window)[0]
        smooth[part], velocity[part] = local_lines(times[part], raw[part], window)
        inner = slice(part.start + 1, part.stop)
        raw_step[inner] = np.linalg.norm(np.diff(raw[part], axis=0), axis=1)
        smooth_step[inner] = np.linalg.norm(np.diff(smooth[part], axis=0), axis=1)
        raw_speed[inner] = raw_step[inner] / np.diff(times[part])
    speed = np.linalg.norm(velocity, axis=1)
    boxes = [point.box for point in points if point.is_located]
    below = _size(boxes, plane.lengths(center[located])) * REST if rest is None else rest
    return Motion(
        target,
        labels[target - 1] if target <= len(labels) else None,
        shown_name(labels, target),
        frames,
        tuple(point.state for point in points),
        times,
        lasts,
        pixels,
        raw,
        smooth,
        raw_speed,
        speed,
        np.where(speed > 0, np.degrees(np.arctan2(velocity[:, 1], velocity[:, 0])), np.nan),
        np.where(located, np.cumsum(raw_step), np.nan),
        np.where(located, np.cumsum(smooth_step), np.nan),
        speed < below,
        below,
    )


def moments(trajectory: Trajectory, points: Sequence[TrackPoint]) -> Array:
    """(N,) seconds of points in frame order.  Raises InputError where they are not known, or do not rise."""
    fps = trajectory.header.source.fps
    if any(point.time is None for point in points) and fps is None:
        raise InputError(
            f"the trajectory of {trajectory.header.source.name} has no times", hint="give its rate: --fps 25"
        )
    times = np.array([float(p.index / fps) if p.time is None and fps else p.time for p in points], float)
    if (np.diff(times) <= 0).any():
        raise InputError(f"the times in the trajectory of {trajectory.header.source.name} do not rise")
    return times


def _stretches(frames: NDArray[np.int64], located: Flags, gap: float) -> list[slice]:
    """The parts in which the target is located in every frame, and no step is as long as a `gap`."""
    breaks = [
        i for i in range(1, len(frames)) if frames[i] - frames[i - 1] >= gap or located[i] != located[i - 1]
    ]
    edges = [0, *breaks, len(frames)]
    return [slice(a, b) for a, b in pairwise(edges) if b > a and located[a]]


def _check_seen(name: str, beyond: NDArray[np.int64]) -> None:
    """Raises InputError where the centre of a target has no place on the plane in some frames."""
    if len(beyond):
        raise InputError(
            f"{name} lies beyond the horizon of --plane in {counted(len(beyond), 'frame')},"
            f" frame {beyond[0]} first",
            hint="measure what moves on that plane; `siamtrack fix --absent` leaves frames out",
        )


def _size(boxes: Sequence[Box], lengths: Array) -> float:
    """The median of the boxes' sides (geometric mean of width and height); `lengths` are of their pixels."""
    sides = np.sqrt([box.w * box.h for box in boxes])
    return float(np.median(sides * lengths)) if boxes else 0.0
