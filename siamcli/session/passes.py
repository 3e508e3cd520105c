"""Tracks the gaps between boxes, one pass forward and one backward."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from siamcli.boxes import Box
from siamcli.frames import Frame
from siamcli.media.kinds import source_name
from siamcli.media.reverse import Reopen, frames_at, reversed_frames
from siamcli.session.fit import UNLESS_JOINED, MisfitError
from siamcli.session.gaps import Gap, Given
from siamcli.tracker.follow import track_points
from siamcli.trajectory import PointSource, TrackPoint

if TYPE_CHECKING:
    from siamcli.tracker.area import SearchArea
    from siamcli.tracker.tracker import Tracker, TrackerState

__all__ = ["Footage", "Passes", "TrackStep", "frames_to_track", "track_gaps"]


@dataclass(frozen=True, slots=True)
class Footage:
    """A file or images that can be read several times: the indices of the frames that are used, rising.

    `size` is (width, height).  `check` is given every frame that is read, and raises for a wrong one.
    `area` is where targets are looked for, None for the whole frame.
    """

    source: str
    reopen: Reopen
    size: tuple[int, int]
    indices: Sequence[int]
    check: Callable[[Frame], None] = lambda frame: None
    area: SearchArea | None = None


class Passes(NamedTuple):
    """Both passes over one gap, in frame order; a pass that was not made is empty."""

    forward: tuple[TrackPoint, ...]
    backward: tuple[TrackPoint, ...]


class TrackStep(NamedTuple):
    """One more frame of a gap is tracked: how many of how many, and its point in this direction."""

    done: int
    total: int
    point: TrackPoint


@dataclass(frozen=True, slots=True)
class _Run:
    """One gap in one direction: it begins with the box in the frame `start` and ends with the frame `end`."""

    place: int  # of the gap among all
    gap: Gap
    start: int
    end: int
    box: Box
    absent: AbstractSet[int]


def frames_to_track(gaps: Iterable[Gap]) -> int:
    """How many frames `track_gaps` yields for these gaps: every frame counts once per gap and direction."""
    return sum(len(gap.frames) * ((gap.left is not None) + (gap.right is not None)) for gap in gaps)


def track_gaps(
    tracker: Tracker,
    footage: Footage,
    gaps: Sequence[Gap],
    given: Mapping[int, Given],
    *,
    before: int = 0,
    after: int = 0,
) -> Generator[TrackStep, None, list[Passes]]:
    """Track every gap from the box at its left, and from the one at its right; returns the passes
    of each.

    Yields every point, counted up to `frames_to_track`, and with those that the caller tracks `before` and
    `after` them; a gap without a box gives nothing.  All targets of a frame go through the network in one
    batch.  Only the frames of the gaps and of their boxes are tracked.  Raises InputError for a box outside
    its frame, and what `footage.check` raises.
    """
    forward: list[list[TrackPoint]] = [[] for _ in gaps]
    backward: list[list[TrackPoint]] = [[] for _ in gaps]
    directions: tuple[tuple[PointSource, list[list[TrackPoint]]], ...]
    directions = (("forward", forward), ("backward", backward))
    done, total = before, before + frames_to_track(gaps) + after
    for direction, points in directions:
        runs = _runs(gaps, given, direction)
        frames = _read(footage, runs, direction)
        for place, point in _track(tracker, frames, runs, footage.area):
            tracked = point if point.source == "human" else replace(point, source=direction)
            points[place].append(tracked)
            done += 1
            yield TrackStep(done, total, tracked)
        for run in runs:
            if len(points[run.place]) < len(run.gap.frames):
                name = source_name(footage.source).shown
                missing = f"{name}: a frame between {run.start} and {run.end} is not there"
                raise MisfitError(missing, unless=UNLESS_JOINED)
    return [Passes(tuple(a), tuple(reversed(b))) for a, b in zip(forward, backward, strict=True)]


def _runs(gaps: Sequence[Gap], given: Mapping[int, Given], direction: PointSource) -> list[_Run]:
    runs = []
    for place, gap in enumerate(gaps):
        start = gap.left if direction == "forward" else gap.right
        if start is not None:
            end = gap.frames[-1 if direction == "forward" else 0]
            said = given[gap.target]
            runs.append(_Run(place, gap, start, end, said.boxes[start], said.absent))
    return runs


def _read(footage: Footage, runs: Sequence[_Run], direction: PointSource) -> Iterator[Frame]:
    """The frames of all runs, in the order of the direction; frames that lie between them are passed over."""
    needed = {index for run in runs for index in (run.start, *run.gap.frames)}
    stretches: list[list[int]] = []
    follows = False
    for index in footage.indices:
        if index in needed:
            if not follows:
                stretches.append([])
            stretches[-1].append(index)
        follows = index in needed
    for stretch in stretches if direction == "forward" else reversed(stretches):
        if direction == "forward":
            frames = frames_at(footage.reopen, stretch)
        else:
            frames = reversed_frames(footage.reopen, stretch, footage.size)
        for frame in frames:
            footage.check(frame)
            yield frame


def _track(
    tracker: Tracker, frames: Iterable[Frame], runs: Sequence[_Run], area: SearchArea | None
) -> Iterator[tuple[int, TrackPoint]]:
    """The points of every run with the place of its gap, without the boxes that runs begin with."""
    due: dict[int, list[_Run]] = {}
    for run in runs:
        due.setdefault(run.start, []).append(run)
    active: list[tuple[_Run, TrackerState]] = []
    for frame in frames:
        hidden = [(run, tracker.hide(state)) for run, state in active if frame.index in run.absent]
        seen = [(run, state) for run, state in active if frame.index not in run.absent]
        stepped = tracker.step_all([state for _, state in seen], [frame] * len(seen))
        active = [*hidden, *((run, state) for (run, _), state in zip(seen, stepped, strict=True))]
        for run, state in active:
            (point,) = track_points(frame, [state])
            yield run.place, replace(point, target=run.gap.target)
        active = [(run, state) for run, state in active if run.end != frame.index]
        if frame.index in due:
            begin = due[frame.index]
            boxes = [run.box for run in begin]
            states = tracker.start_all([frame] * len(begin), boxes, [area] * len(begin))
            active += zip(begin, states, strict=True)
