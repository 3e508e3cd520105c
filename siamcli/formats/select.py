"""Selects what a format writes of a trajectory: visible points, times, frame size, names.

Lost frames keep their box unless they are dropped.  Absent ones carry no box, or one that is switched off
where the format has a switch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import groupby, pairwise
from statistics import median

from siamcli.counts import counted
from siamcli.errors import InputError
from siamcli.frames import SourceInfo
from siamcli.labels import target_name
from siamcli.trajectory import TrackPoint, Trajectory

__all__ = [
    "MOST_FRAMES",
    "class_names",
    "frame_indices",
    "frame_rate",
    "frame_size",
    "frame_times",
    "image_name",
    "is_visible",
    "seen_by_editors",
    "targets",
    "unique_names",
    "visible_by_target",
    "visible_points",
]

MOST_FRAMES = 2_000_000
"""To be filled in or written one by one: a day of them.  Where there are more, a frame number is wrong."""

_STEADY = 0.5  # frames by which the times of a constant rate may differ from their numbers
SHORTEST = 0.0001  # seconds; frames that are closer have no time of their own


def is_visible(point: TrackPoint, *, drop_lost: bool) -> bool:
    """True for a point whose box belongs into an export: not absent, and not lost with `drop_lost`."""
    return point.is_located if drop_lost else point.has_box


def visible_points(trajectory: Trajectory, *, drop_lost: bool) -> list[TrackPoint]:
    """The points for which `is_visible` holds, in their order."""
    return [point for point in trajectory.points if is_visible(point, drop_lost=drop_lost)]


def visible_by_target(trajectory: Trajectory, *, drop_lost: bool) -> dict[int, list[TrackPoint]]:
    """Target number -> its visible points in frame order, none for one that is never seen."""
    return {
        target: [point for point in points if is_visible(point, drop_lost=drop_lost)]
        for target, points in targets(trajectory).items()
    }


def seen_by_editors(trajectory: Trajectory, *, drop_lost: bool) -> dict[int, dict[int, TrackPoint]]:
    """Target number -> the frames of an editing program, from 0, with its visible points.

    Such a program shows a movie by its times, at one rate.  Where a movie leaves frames out, a picture has
    another number there than in the movie, and stands until the next one: so does its box.
    """
    ticks = {point.index: float(point.index) for point in trajectory.points}
    if all(point.time is not None for point in trajectory.points):
        rate = frame_rate(trajectory)
        timed = {point.index: float((point.time or 0) * rate) for point in trajectory.points}
        early = [tick - index for index, tick in timed.items()]
        if early and max(early) - min(early) > _STEADY:
            ticks = timed
    seen: dict[int, dict[int, TrackPoint]] = {}
    for target, points in visible_by_target(trajectory, drop_lost=drop_lost).items():
        seen[target] = {}
        for point in points:
            begins = round(ticks[point.index])
            ends = round(ticks.get(point.index + 1, begins + 1))
            seen[target] |= {begins: point, max(begins, ends - 1): point}
    return seen


def frame_indices(trajectory: Trajectory, *, drop_lost: bool) -> list[int]:
    """The frames that belong into a data set, in order.

    With `drop_lost` a frame in which every target is lost is none of them: without a box it would
    claim to be background.
    """
    return sorted({p.index for p in trajectory.points if not (drop_lost and p.state == "lost")})


def targets(trajectory: Trajectory) -> Mapping[int, Sequence[TrackPoint]]:
    """Target number -> its points in frame order; raises InputError when there are none."""
    if not trajectory.points:
        raise InputError(f"no point in the trajectory of {trajectory.header.source.name}")
    ordered = sorted(trajectory.points, key=lambda point: (point.target, point.index))
    return {target: list(points) for target, points in groupby(ordered, key=lambda point: point.target)}


def image_name(source: SourceInfo, index: int) -> str | None:
    """What the image of a frame is called, None where the source is no image source.

    Raises InputError when there are fewer images.
    """
    files = source.files
    if files and index >= len(files):
        raise InputError(f"{source.name}: frame {index} of {counted(len(files), 'image')}")
    return files[index] if files else None


def class_names(trajectory: Trajectory) -> list[str]:
    """The labels of all targets, each once, in the order of the targets."""
    return list(
        dict.fromkeys(target_name(trajectory.header.labels, target) for target in targets(trajectory))
    )


def unique_names(trajectory: Trajectory) -> dict[int, str]:
    """Target number -> its name, with its number behind where a target before it has the same."""
    names: dict[int, str] = {}
    for target in targets(trajectory):
        name = target_name(trajectory.header.labels, target)
        while name in names.values():
            name = f"{name} {target}"
        names[target] = name
    return names


def frame_size(trajectory: Trajectory) -> tuple[int, int]:
    """(width, height) of the frames; raises InputError when the trajectory does not know it."""
    size = trajectory.header.source.size
    if size is None:
        raise InputError(
            f"the trajectory of {trajectory.header.source.name} does not say how large its frames are",
            hint="convert the .json or .jsonl trajectory; .csv has no header",
        )
    return size


def frame_rate(trajectory: Trajectory) -> Fraction:
    """Frames per second: the source's, else what the median time from frame to frame says, else 25."""
    if trajectory.header.source.fps is not None:
        return trajectory.header.source.fps
    starts = [start for start, _ in frame_times(trajectory).values()]
    steps = [after - before for before, after in pairwise(starts) if after - before > SHORTEST]
    return 1 / Fraction(median(steps)).limit_denominator(1_000_000) if steps else Fraction(25)


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
                hint="give its rate: --fps 25",
            )
        shown[index] = time if time is not None else float(index / fps) if fps else 0.0
    starts = list(shown.values())
    last = float(1 / fps) if fps else (starts[-1] - starts[-2] if len(starts) > 1 else 0.04)
    ends = [*starts[1:], starts[-1] + last]
    return {index: (start, end) for (index, start), end in zip(shown.items(), ends, strict=True)}
