"""Follow: the one loop from frames to trajectories."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass

from siamcli.boxes import Box
from siamcli.frames import Frame
from siamcli.times import TimePoint
from siamcli.tracker.tracker import Tracker, TrackerState
from siamcli.trajectory import TrackPoint

__all__ = ["Start", "follow", "track_points"]


@dataclass(frozen=True, slots=True)
class Start:
    """Where a target is when it is pointed at; `at` None is the first frame."""

    box: Box
    at: TimePoint | None = None


def follow(
    tracker: Tracker, frames: Iterable[Frame], starts: Sequence[Start]
) -> Generator[tuple[Frame, tuple[TrackerState | None, ...]], Mapping[int, Box] | None, None]:
    """Track every target from its start on: per frame one state per target, None before its start.

    All targets of a frame go through the network in one batch.  Whoever consumes it may `send`
    boxes by position in `starts`: those targets begin anew in the frame just yielded.
    Raises InputError for a box outside its frame.
    """
    states: list[TrackerState | None] = [None] * len(starts)
    for frame in frames:
        running = [i for i, state in enumerate(states) if state is not None]
        due = [
            i
            for i, start in enumerate(starts)
            if states[i] is None and (start.at is None or start.at.reached(frame.index, frame.time))
        ]
        known = [state for state in states if state is not None]
        for i, state in zip(running, tracker.step_all(known, [frame] * len(known)), strict=True):
            states[i] = state
        if due:
            begun = tracker.start_all([frame] * len(due), [starts[i].box for i in due])
            for i, state in zip(due, begun, strict=True):
                states[i] = state
        again = yield frame, tuple(states)
        for i, box in (again or {}).items():
            states[i] = tracker.start(frame, box)


def track_points(frame: Frame, states: Sequence[TrackerState | None]) -> tuple[TrackPoint, ...]:
    """What the states say of `frame`, as points of the trajectory; targets count from 1."""
    return tuple(
        TrackPoint(frame.index, frame.time, state.box, state.score, state.status, target)
        for target, state in enumerate(states, start=1)
        if state is not None
    )
