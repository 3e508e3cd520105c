"""What every format asks of a trajectory: names, times, frame size, the points that count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from siamcli.errors import InputError
from siamcli.trajectory import TrackPoint, Trajectory

__all__ = ["believed", "frame_size", "frame_times", "is_believed", "target_name", "targets"]


def is_believed(point: TrackPoint) -> bool:
    """True for a box that the tracker stands by: not lost, not absent."""
    return point.state not in ("lost", "absent") and point.box.valid


def believed(trajectory: Trajectory) -> list[TrackPoint]:
    """The points whose box may be imported as the place of the target."""
    return [point for point in trajectory.points if is_believed(point)]


def targets(trajectory: Trajectory) -> Mapping[int, Sequence[TrackPoint]]:
    """Target number -> its points in frame order; raises InputError when there are none."""
    if not trajectory.points:
        raise InputError(f"no point in the trajectory of {trajectory.header.source.name}")
    ordered = sorted(trajectory.points, key=lambda point: (point.target, point.index))
    return {target: list(points) for target, points in groupby(ordered, key=lambda point: point.target)}


def target_name(trajectory: Trajectory, target: int) -> str:
    """The label that the user gave, else `target N`."""
    labels = trajectory.header.labels
    return (labels[target - 1] if target <= len(labels) else None) or f"target {target}"


def frame_size(trajectory: Trajectory) -> tuple[int, int]:
    """(width, height) of the frames; raises InputError when the trajectory does not know it."""
    size = trajectory.header.source.size
    if size is None:
        raise InputError(
            f"the trajectory of {trajectory.header.source.name} does not say how large its frames are",
            hint="convert the .json or .jsonl trajectory; .csv has no header",
        )
    return size


def frame_times(trajectory: Trajectory) -> dict[int, tuple[float, float]]:
    """Frame index -> when it is shown and when it goes, in seconds.

    Where there are no timestamps the frame rate says it; the last frame lasts as long as the one
    before.  Raises InputError when neither is known.
    """
    fps = trajectory.header.source.fps
    times = {point.index: point.time for point in trajectory.points}
    shown: dict[int, float] = {}
    for index, time in sorted(times.items()):
        if time is None and fps is None:
            raise InputError(
                f"the trajectory of {trajectory.header.source.name} has neither times nor a frame rate",
                hint="track a video rather than an image folder for formats that need times",
            )
        shown[index] = time if time is not None else float(index / fps) if fps else 0.0
    starts = list(shown.values())
    last = float(1 / fps) if fps else (starts[-1] - starts[-2] if len(starts) > 1 else 0.04)
    ends = [*starts[1:], starts[-1] + last]
    return {index: (start, end) for (index, start), end in zip(shown.items(), ends, strict=True)}
