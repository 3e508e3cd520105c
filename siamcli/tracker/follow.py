"""Follow: the one loop from frames to trajectories."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from siamcli.boxes import Box
from siamcli.errors import InputError
from siamcli.frames import Frame
from siamcli.times import TimePoint
from siamcli.trajectory import NO_BOX, TrackPoint

if TYPE_CHECKING:
    from siamcli.tracker.area import SearchArea
    from siamcli.tracker.tracker import Tracker, TrackerState

__all__ = [
    *("Absence", "Following", "Mark", "Progress", "Start", "States"),
    *("advance", "begin", "due", "follow", "is_over", "track_points"),
]


@dataclass(frozen=True, slots=True)
class Start:
    """Where a target is when it is pointed at; `at` None is the first frame.

    Every start of one `target` (from 1) begins it anew.  None: a target of its own, the next number.
    """

    box: Box
    at: TimePoint | None = None
    target: int | None = None


@dataclass(frozen=True, slots=True)
class Absence:
    """A target (from 1) is known not to be there, from the frame at `first` to the one at `last`.

    Both are included.  Afterwards it is looked for as a lost one.
    """

    target: int
    first: TimePoint
    last: TimePoint


Mark = Start | Absence
"""What a human says of a target."""

States = tuple["TrackerState | None", ...]
"""One state per target of a source, None before its start."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the targets of a source are: their states, and the marks that still count; `area` is where
    they are looked for, None for the whole frame."""

    states: States
    marks: tuple[Mark, ...]
    area: SearchArea | None = None


Following = Generator[tuple[Frame, States], Mapping[int, Box] | None, None]


def begin(marks: Sequence[Mark | Box], area: SearchArea | None = None) -> Progress:
    """Before the first frame: every mark with the number of its target, no target with a state."""
    highest = 0
    numbered: list[Mark] = []
    for mark in (Start(mark) if isinstance(mark, Box) else mark for mark in marks):
        number = highest + 1 if mark.target is None else mark.target
        highest = max(highest, number)
        numbered.append(replace(mark, target=number))
    return Progress((None,) * highest, tuple(numbered), area)


def follow(
    tracker: Tracker,
    frames: Iterable[Frame],
    starts: Sequence[Mark | Box],
    area: SearchArea | None = None,
) -> Following:
    """Track every target from its start on: per frame one state per target, None before its start.

    A box is a start in the first frame.  Targets are looked for in `area` alone, if there is one.  All
    targets of a frame go through the network in one batch.
    The consumer may `send` boxes by position in the states: those targets begin anew in the frame just
    yielded.
    Raises InputError for a box outside its frame, for two of one target in a frame, for one in a frame in
    which the target is absent, and for an absence that ends before it begins.
    """
    progress = begin(starts, area)
    for frame in frames:
        (progress,) = advance(tracker, [(frame, progress)])
        again = yield frame, progress.states
        if again:
            states = (
                tracker.start(frame, again[i], area) if i in again else state
                for i, state in enumerate(progress.states)
            )
            progress = replace(progress, states=tuple(states))


def advance(tracker: Tracker, sources: Sequence[tuple[Frame, Progress]]) -> list[Progress]:
    """The next frame of any number of sources: how far they are after it.

    The targets of all sources go through the network in one batch.  Raises InputError as `follow`.
    """
    after: dict[tuple[int, int], TrackerState] = {}
    running: list[tuple[tuple[int, int], TrackerState]] = []
    pointed: list[tuple[tuple[int, int], Box]] = []
    for s, (frame, progress) in enumerate(sources):
        starts, absent = due(frame, progress.marks)
        pointed += [((s, target), box) for target, box in starts.items()]
        for target, state in enumerate(progress.states, start=1):
            if state is None or target in starts:
                continue
            if target in absent:
                after[s, target] = tracker.hide(state)
            else:
                running.append(((s, target), state))
    stepped = tracker.step_all([state for _, state in running], [sources[s][0] for (s, _), _ in running])
    after.update(zip((place for place, _ in running), stepped, strict=True))
    if pointed:
        begun = tracker.start_all(
            [sources[s][0] for (s, _), _ in pointed],
            [box for _, box in pointed],
            [sources[s][1].area for (s, _), _ in pointed],
        )
        after.update(zip((place for place, _ in pointed), begun, strict=True))
    return [
        Progress(
            tuple(after.get((s, t)) for t in range(1, len(progress.states) + 1)),
            tuple(mark for mark in progress.marks if not is_over(mark, frame)),
            progress.area,
        )
        for s, (frame, progress) in enumerate(sources)
    ]


def due(frame: Frame, marks: Sequence[Mark]) -> tuple[dict[int, Box], set[int]]:
    """The boxes of the targets that begin in `frame`, and the targets that are absent from it.

    Raises InputError as `follow`.
    """
    starts: dict[int, Box] = {}
    for mark in marks:
        if isinstance(mark, Start) and is_over(mark, frame):
            assert mark.target is not None
            if mark.target in starts:
                raise InputError(
                    f"two boxes for target {mark.target} in frame {frame.index}", hint="leave one of them out"
                )
            starts[mark.target] = mark.box
    absent = set()
    for mark in marks:
        if not isinstance(mark, Absence):
            continue
        if mark.first.is_reached(frame.index, frame.time):
            absent.add(mark.target)
        elif is_over(mark, frame):  # a frame and seconds, of which only the source says which is earlier
            raise InputError(
                f"target {mark.target} is said to be absent up to {mark.last}, which is before {mark.first}",
                hint="write the earlier time first",
            )
    if both := absent & starts.keys():
        raise InputError(
            f"target {min(both)} has a box in frame {frame.index}, and is said to be absent there",
            hint="leave the box out, or shorten the absence",
        )
    return starts, absent


def is_over(mark: Mark, frame: Frame) -> bool:
    """True when `mark` has no effect on frames after this one."""
    moment = mark.at if isinstance(mark, Start) else mark.last
    return moment is None or moment.is_reached(frame.index, frame.time)


def track_points(frame: Frame, states: Sequence[TrackerState | None]) -> tuple[TrackPoint, ...]:
    """What the states say of `frame`, as points of the trajectory; targets count from 1."""
    return tuple(
        TrackPoint(
            frame.index,
            frame.time,
            NO_BOX if state.status == "absent" else state.box,
            state.score,
            state.status,
            target,
            raw_score=state.raw_score,
            source="human" if state.status in ("init", "absent") else "forward",
        )
        for target, state in enumerate(states, start=1)
        if state is not None
    )
