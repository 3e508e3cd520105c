"""Follow: the one loop from frames to trajectories."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from siamcli.boxes import Box
from siamcli.frames import Frame
from siamcli.times import TimePoint
from siamcli.trajectory import TrackPoint

if TYPE_CHECKING:
    from siamcli.tracker.tracker import Tracker, TrackerState

__all__ = ["Following", "Start", "States", "advance", "follow", "track_points"]


@dataclass(frozen=True, slots=True)
class Start:
    """Where a target is when it is pointed at; `at` None is the first frame."""

    box: Box
    at: TimePoint | None = None


States = tuple["TrackerState | None", ...]
"""One state per target of a source, None before its start."""

Following = Generator[tuple[Frame, States], Mapping[int, Box] | None, None]


def follow(tracker: Tracker, frames: Iterable[Frame], starts: Sequence[Start]) -> Following:
    """Track every target from its start on: per frame one state per target, None before its start.

    All targets of a frame go through the network in one batch.  Whoever consumes it may `send`
    boxes by position in `starts`: those targets begin anew in the frame just yielded.
    Raises InputError for a box outside its frame.
    """
    states: States = (None,) * len(starts)
    for frame in frames:
        (states,) = advance(tracker, [(frame, starts, states)])
        again = yield frame, states
        if again:
            states = tuple(
                tracker.start(frame, again[i]) if i in again else state for i, state in enumerate(states)
            )


def advance(tracker: Tracker, sources: Sequence[tuple[Frame, Sequence[Start], States]]) -> list[States]:
    """The next frame of any number of sources: their states after it.

    The targets of all sources go through the network in one batch.  Raises InputError as `follow`.
    """
    places = [(s, t) for s, (_, starts, _) in enumerate(sources) for t in range(len(starts))]
    before = {(s, t): sources[s][2][t] for s, t in places}
    running = [(place, state) for place, state in before.items() if state is not None]
    due = [(s, t) for s, t in places if before[s, t] is None and _is_due(sources[s][1][t], sources[s][0])]
    after: dict[tuple[int, int], TrackerState] = {}
    stepped = tracker.step_all([state for _, state in running], [sources[s][0] for (s, _), _ in running])
    after.update(zip((place for place, _ in running), stepped, strict=True))
    if due:
        boxes = [sources[s][1][t].box for s, t in due]
        after.update(zip(due, tracker.start_all([sources[s][0] for s, _ in due], boxes), strict=True))
    return [tuple(after.get((s, t)) for t in range(len(starts))) for s, (_, starts, _) in enumerate(sources)]


def _is_due(start: Start, frame: Frame) -> bool:
    return start.at is None or start.at.reached(frame.index, frame.time)


def track_points(frame: Frame, states: Sequence[TrackerState | None]) -> tuple[TrackPoint, ...]:
    """What the states say of `frame`, as points of the trajectory; targets count from 1."""
    return tuple(
        TrackPoint(
            frame.index,
            frame.time,
            state.box,
            state.score,
            state.status,
            target,
            raw_score=state.raw_score,
            source="human" if state.status == "init" else "forward",
        )
        for target, state in enumerate(states, start=1)
        if state is not None
    )
