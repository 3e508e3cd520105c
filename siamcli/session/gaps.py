"""The gaps between the boxes that a human gave, and how two passes over a gap are joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise

from siamcli.boxes import Box, iou
from siamcli.trajectory import NO_BOX, TrackPoint

__all__ = [
    "MEETING",
    "Gap",
    "Given",
    "gaps_of",
    "human_point",
    "in_frame_order",
    "join",
    "position_of_change",
]

CLOSE = 0.02  # overlaps that differ by less are equal
MEETING = 0.5  # overlap from which two passes are taken to follow the same thing


@dataclass(frozen=True, slots=True)
class Given:
    """What a human says of one target: boxes by frame, and the frames in which it is absent."""

    boxes: Mapping[int, Box] = field(default_factory=dict)
    absent: AbstractSet[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Gap:
    """Frames of one target without a box, in order: those between the boxes in the frames `left` and
    `right`.  None: there is no box on that side, or none to track from.
    """

    target: int
    left: int | None
    right: int | None
    frames: tuple[int, ...]


def gaps_of(target: int, frames: Sequence[int], given: Given) -> list[Gap]:
    """The gaps of one target in a clip of `frames`, which rise; those before the first and after the last
    box included.

    >>> gaps_of(1, range(4), Given({2: Box(0, 0, 1, 1)}))
    [Gap(target=1, left=None, right=2, frames=(0, 1)), Gap(target=1, left=2, right=None, frames=(3,))]
    """
    edges = [None, *sorted(given.boxes), None]
    gaps = []
    for left, right in pairwise(edges):
        between = tuple(
            frame for frame in frames if (left is None or frame > left) and (right is None or frame < right)
        )
        if between:
            gaps.append(Gap(target, left, right, between))
    return gaps


def human_point(target: int, index: int, time: float | None, box: Box | None) -> TrackPoint:
    """The point of a given box, or of a frame in which the target is said to be absent (None)."""
    if box is None:
        return TrackPoint(index, time, NO_BOX, 0.0, "absent", target, raw_score=0.0, source="human")
    return TrackPoint(index, time, box, 1.0, "init", target, raw_score=1.0, source="human")


def join(forward: Sequence[TrackPoint], backward: Sequence[TrackPoint]) -> list[TrackPoint]:
    """One pass out of two over the same frames, both in frame order: forward up to the frame in which they
    agree best, backward after it.  One of them may be empty.
    """
    if not (forward and backward):
        return list(forward or backward)
    change = position_of_change(forward, backward)
    return [*forward[:change], *backward[change:]]


def position_of_change(forward: Sequence[TrackPoint], backward: Sequence[TrackPoint]) -> int:
    """How many points to take from the forward pass.

    Where the overlap is equal the sum of the scores decides: a pass that has lost its target says so.  It
    decides alone where the passes never meet: in no frame both believe in boxes that overlap by MEETING or
    more.  A frame in which the target is absent is the best place to change.
    """
    before = [0.0, *accumulate(point.score for point in forward)]
    after = [*reversed([*accumulate(point.score for point in reversed(backward))]), 0.0]
    agreement = [_agreement(a, b) for a, b in zip(forward, backward, strict=True)]
    best = max(agreement)
    places = [place for place, overlap in enumerate(agreement) if overlap >= best - CLOSE]
    if best < MEETING:
        places = list(range(len(before)))
    return max(places, key=lambda place: before[place] + after[place])


def _agreement(a: TrackPoint, b: TrackPoint) -> float:
    """The overlap of two points of one frame, 0 where one of them is not believed."""
    if a.state == "absent":
        return 1.0
    return 0.0 if "lost" in (a.state, b.state) else iou(a.box, b.box)


def in_frame_order(points: Sequence[TrackPoint]) -> list[TrackPoint]:
    """The points of one target with states as they read from the first frame on: `found` is the first
    believed frame after those without the target, whichever way it was tracked.
    """
    ordered: list[TrackPoint] = []
    was_lost = False
    for point in sorted(points, key=lambda point: point.index):
        if point.state in ("tracked", "found"):
            point = replace(point, state="found" if was_lost else "tracked")
        was_lost = point.state in ("lost", "absent")
        ordered.append(point)
    return ordered
