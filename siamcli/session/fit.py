"""Matches a source with a trajectory, and refuses a source that was not tracked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby

from siamcli.counts import counted
from siamcli.errors import InputError
from siamcli.frames import Frame, FrameSource, SourceInfo
from siamcli.media.sources import is_beyond
from siamcli.times import TimePoint
from siamcli.trajectory import TrackHeader, TrackPoint, Trajectory

__all__ = [
    *("UNLESS_JOINED", "MisfitError", "check_source", "check_time", "ends_before", "frames_with_points"),
    "with_source",
]

COUNT_TOLERANCE = 2  # frames; what containers announce is an estimate
TIME_TOLERANCE = 0.02  # seconds, where no rate is known
UNLESS_JOINED = "; if it was joined files, give the .json or .jsonl: a .csv does not name them"


class MisfitError(InputError):
    """A trajectory is not one of this source; `unless` it is, as the hint then says."""

    def __init__(self, message: str, *, unless: str = "") -> None:
        super().__init__(message, hint=f"name the video that was tracked{unless}")


def frames_with_points(
    frames: FrameSource, trajectory: Trajectory, *, source: str = "", anyway: bool = False
) -> Iterator[tuple[Frame, tuple[TrackPoint, ...]]]:
    """Every frame of a `source` of that name with its points, ordered by target.

    Raises MisfitError, unless `anyway`, before the first frame when size, announced number of frames or
    the images' names or their number differ from the trajectory's source, and for the video that was drawn
    of it; at a frame whose time differs
    by more than half a frame; and after the last frame when the trajectory goes on, or when the source had
    another number than that of the trajectory, where it announced none or all were tracked.  A trajectory of
    a stretch, of every n-th frame, or cut short fits: index and time of its points are those of the whole
    source.
    Raises what `frames` raises.
    """
    ordered = sorted(trajectory.points, key=lambda point: (point.index, point.target))
    points = {index: tuple(found) for index, found in groupby(ordered, key=lambda point: point.index)}
    if not anyway:
        check_source(frames.info, trajectory.header.source, list(points), source)
    last, tracked = -1, trajectory.header.source
    for frame in frames:
        found = points.get(frame.index, ())
        if found and not anyway:
            check_time(frames.info, frame, found[0].time)
        yield frame, found
        last = frame.index
    if anyway:
        return
    if points and max(points) > last:
        raise ends_before(max(points), frames.info.name, f"ends with frame {last}", tracked)
    all_tracked = trajectory.complete and trajectory.frames == tracked.count
    if frames.info.count is None or all_tracked:
        _check_count(frames.info.name, last + 1, tracked.count)


def check_source(ours: SourceInfo, tracked: SourceInfo, indices: list[int], source: str = "") -> None:
    """Raises MisfitError when what is announced differs from what was tracked in frames with `indices`, and
    for the video that was drawn.

    The name of the `source` says whether the number of frames that it announces can be relied on.
    """
    plain = ours.name.removesuffix(".tracked").removesuffix(".fixed")
    if ours.name != plain and tracked.size is None and tracked.name in (plain, ours.name):
        # a table, which has its own name alone, is called like the video that was drawn beside it
        unless = f"; if it was {ours.name}, rename it, or give the .json or .jsonl: a .csv does not name it"
        raise MisfitError(f"{ours.name} is called like a video that was drawn", unless=unless)
    if ours.name != plain and tracked.name == plain:
        raise MisfitError(f"{ours.name} is what was drawn, {plain} what was tracked")
    if ours.size and tracked.size and ours.size != tracked.size:
        here, there = (f"{width}x{height}" for width, height in (ours.size, tracked.size))
        raise MisfitError(f"the frames of {ours.name} are {here}, but {there} in the trajectory")
    if ours.files and tracked.files:
        for index in indices:
            here, there = (
                info.files[index] if index < len(info.files) else "no image" for info in (ours, tracked)
            )
            if here != there:
                raise MisfitError(f"frame {index} of {ours.name} is {here}, but {there} in the trajectory")
        # many folders name their images alike: 0001.jpg, 0002.jpg, ...
        if len(ours.files) != len(tracked.files):
            there = counted(len(ours.files), "image")
            raise MisfitError(f"{ours.name} has {there}, {len(tracked.files)} when it was tracked")
    else:
        _check_count(ours.name, ours.announced or ours.count, tracked.announced or tracked.count)
    if indices and is_beyond(TimePoint(frame=max(indices)), source, ours):
        raise ends_before(max(indices), ours.name, f"has {counted(ours.count or 0, 'frame')}", tracked)


def ends_before(last: int, name: str, end: str, tracked: SourceInfo) -> MisfitError:
    """The error of a trajectory that goes on to frame `last`; a table does not name joined files."""
    unless = UNLESS_JOINED if tracked.size is None else ""
    return MisfitError(f"the trajectory continues to frame {last}, but {name} {end}", unless=unless)


def _check_count(name: str, ours: int | None, tracked: int | None) -> None:
    if ours and tracked and abs(ours - tracked) > COUNT_TOLERANCE:
        raise MisfitError(f"{name} has {counted(ours, 'frame')}, but the tracked video has {tracked}")


def check_time(source: SourceInfo, frame: Frame, time: float | None) -> None:
    """Raises MisfitError when a frame is not at the time at which it was tracked."""
    tolerance = float(1 / source.fps) / 2 if source.fps else TIME_TOLERANCE
    if frame.time is not None and time is not None and abs(frame.time - time) > tolerance:
        raise MisfitError(
            f"frame {frame.index} of {source.name} is at {frame.time:.3f} s,"
            f" but at {time:.3f} s in the trajectory"
        )


def with_source(header: TrackHeader, info: SourceInfo) -> TrackHeader:
    """The header, of a table with what it does not say of its source."""
    return header if header.source.size else replace(header, source=info)
