"""Finds the doubtful frames of a trajectory, and ranks trajectories by them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, get_args

from siamcli.trajectory import TrackPoint, Trajectory, shared_boxes

__all__ = ["DOUBTED_BELOW", "Doubt", "Summary", "confidence", "doubts", "summarize"]

DOUBTED_BELOW = 0.5
"""Overlap: of a believed box with its target, or of two passes, below which a point is doubted."""

PAUSE = 10  # points: a stretch that is believed for so short a time is no place to go on from

Reason = Literal["lost", "disagreement", "same box", "low score"]


@dataclass(frozen=True, slots=True)
class Doubt:
    """Successive points of one target that are doubted: first, last and worst frame, and the main reason."""

    target: int
    first: int
    last: int
    worst: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class Summary:
    """How good a trajectory looks: its number of points, the shares of them that are lost, in which both
    passes disagree (None where it was not checked), and which have nearly the box of another target, and the
    lowest score (None without a point).  A point counts in one of the shares, the first that fits.
    """

    points: int
    lost: float
    disagreeing: float | None
    lowest: float | None
    shared: float = 0.0

    @property
    def order(self) -> tuple[float, float]:
        """A key that sorts the worst first: by the share of points that are lost, in disagreement, or not
        apart from another target, then by score."""
        return -(
            self.lost + (self.disagreeing or 0.0) + self.shared
        ), 1.0 if self.lowest is None else self.lowest


def confidence(point: TrackPoint) -> float:
    """The lower of score and agreement, in [0, 1]; 1 where a human spoke.

    >>> from siamcli.boxes import Box
    >>> confidence(TrackPoint(3, None, Box(0, 0, 1, 1), 0.9, "tracked", agreement=0.2))
    0.2
    """
    if point.source == "human" or point.state == "absent":
        return 1.0
    return min(point.score, 1.0 if point.agreement is None else point.agreement)


def _reason(point: TrackPoint, shared: set[tuple[int, int]]) -> Reason | None:
    """Why a point is doubted, with the places that `_shared` gives."""
    if confidence(point) == 1.0:
        return None
    if point.state == "lost":
        return "lost"
    if point.agreement is not None and point.agreement < DOUBTED_BELOW:
        return "disagreement"
    if _place(point) in shared:
        return "same box"
    return "low score" if point.score < DOUBTED_BELOW else None


def doubts(points: Iterable[TrackPoint]) -> list[Doubt]:
    """All stretches that are doubted, in the order of their first frames.

    Stretches with at most PAUSE believed points between them are one.  What is lost anywhere in a stretch is
    its reason, else a disagreement, else that another target has nearly the same box.
    """
    importance: tuple[Reason, ...] = get_args(Reason)
    ordered = sorted(points, key=_place)
    shared = _shared(ordered)
    found: list[Doubt] = []
    for target, own in groupby(ordered, key=lambda point: point.target):
        runs: list[list[tuple[TrackPoint, Reason]]] = []
        believed = PAUSE + 1
        for point in own:
            reason = _reason(point, shared)
            if reason is None:
                believed = PAUSE + 1 if point.source == "human" else believed + 1
                continue
            if believed > PAUSE:
                runs.append([])
            runs[-1].append((point, reason))
            believed = 0
        for run in runs:
            worst = min(run, key=lambda item: confidence(item[0]))[0]
            main = min((reason for _, reason in run), key=importance.index)
            found.append(Doubt(target, run[0][0].index, run[-1][0].index, worst.index, main))
    return sorted(found, key=lambda doubt: (doubt.first, doubt.target))


def _place(point: TrackPoint) -> tuple[int, int]:
    return point.target, point.index


def _shared(points: Sequence[TrackPoint]) -> set[tuple[int, int]]:
    """The places, as `_place` gives them, at which another target has nearly the same box."""
    shared = shared_boxes(sorted(points, key=lambda point: point.index))
    return {
        (target, index)
        for pair, stretches in shared.intervals().items()
        for first, last in stretches
        for index in range(first, last + 1)
        for target in pair
    }


def summarize(trajectory: Trajectory) -> Summary:
    """How good a trajectory looks."""
    points = trajectory.points
    if not points:
        return Summary(0, 0.0, None, None)
    shared = _shared(points)
    reasons = [_reason(point, shared) for point in points]
    disagreeing = reasons.count("disagreement") / len(points) if trajectory.header.checked else None
    lost = reasons.count("lost") / len(points)
    same = reasons.count("same box") / len(points)
    return Summary(len(points), lost, disagreeing, min(map(confidence, points)), same)
