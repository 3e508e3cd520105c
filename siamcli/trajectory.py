"""Trajectory out: what a tracker says, whoever reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from siamcli.boxes import Box
from siamcli.frames import SourceInfo

__all__ = ["TrackHeader", "TrackPoint", "TrackState", "Trajectory", "lost_intervals"]

TrackState = Literal["init", "tracked", "lost", "found", "absent"]
"""init: the given box. tracked: believed. lost: not believed. found: the first believed frame after
lost. absent: known not to be there (annotations only)."""


@dataclass(frozen=True, slots=True)
class TrackPoint:
    """Where one target is in one frame.

    `score` is in [0, 1]; the given box scores 1.  `target` counts from 1.
    """

    index: int
    time: float | None
    box: Box
    score: float
    state: TrackState
    target: int = 1


@dataclass(frozen=True, slots=True)
class TrackHeader:
    """Everything needed to read the points again without the program that wrote them.

    `labels` names the targets in order (None where the user gave no name); `params` are the
    tracker's parameters as plain values.
    """

    source: SourceInfo
    model: str
    weights_sha256: str
    version: str
    params: Mapping[str, object] = field(default_factory=dict)
    labels: tuple[str | None, ...] = (None,)


@dataclass(frozen=True, slots=True)
class Trajectory:
    """The points of all targets in one source, in frame order, then target order."""

    header: TrackHeader
    points: tuple[TrackPoint, ...]
    complete: bool


def lost_intervals(points: tuple[TrackPoint, ...], target: int = 1) -> tuple[tuple[int, int], ...]:
    """First and last frame index of every stretch in which `target` was lost.

    >>> states = ["init", "lost", "lost", "found", "lost"]
    >>> lost_intervals(tuple(TrackPoint(i, None, Box(0, 0, 1, 1), 0.5, s) for i, s in enumerate(states)))
    ((1, 2), (4, 4))
    """
    intervals: list[tuple[int, int]] = []
    open_since: int | None = None
    last = -1
    for point in points:
        if point.target != target:
            continue
        if point.state == "lost" and open_since is None:
            open_since = point.index
        if point.state != "lost" and open_since is not None:
            intervals.append((open_since, last))
            open_since = None
        last = point.index
    if open_since is not None:
        intervals.append((open_since, last))
    return tuple(intervals)
