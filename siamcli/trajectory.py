"""A trajectory: its points and its header."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from itertools import combinations, groupby
from typing import Any, Literal

from siamcli.boxes import Box, iou
from siamcli.counts import counted
from siamcli.frames import Image, SourceInfo

__all__ = [
    *("NO_BOX", "CorrectedWith", "LostIntervals", "PointSource", "TrackHeader", "TrackPoint", "TrackState"),
    *("SharedBoxes", "Trajectory", "lost_intervals", "shared_boxes"),
]

TrackState = Literal["init", "tracked", "lost", "found", "absent"]
"""init: the given box. tracked: believed. lost: not believed. found: the first believed frame after
lost. absent: a human says that it is not there."""

PointSource = Literal["human", "forward", "backward", "interpolated"]
"""human: a given box, or the word that there is none. forward, backward: tracked in that
direction. interpolated: between two others."""


NO_BOX = Box(math.nan, math.nan, math.nan, math.nan)
"""The box of an absent target."""


@dataclass(frozen=True, slots=True)
class TrackPoint:
    """One target in one frame.

    `score` is the expected overlap (IoU) of `box` and target, from 0 to 1; a box that a human gave has score
    1.  `raw_score` is the network's own score, None if it is not known.  `target` counts from 1.  `source`
    says where the box comes from.  `agreement` is the overlap (IoU) with the box of a pass in the other
    direction, None if there was none.  In a live source, `at` is the Unix time in seconds at which the frame
    arrived, and `latency` the seconds from then until the point was written.
    """

    index: int
    time: float | None
    box: Box
    score: float
    state: TrackState
    target: int = 1
    raw_score: float | None = None
    source: PointSource = "forward"
    agreement: float | None = None
    at: float | None = None
    latency: float | None = None

    @property
    def has_box(self) -> bool:
        """True if there is a box, even if the target is lost."""
        return self.state != "absent" and self.box.valid

    @property
    def is_located(self) -> bool:
        """True if the box says where the target is: it is neither lost nor absent."""
        return self.has_box and self.state != "lost"


@dataclass(frozen=True, slots=True)
class CorrectedWith:
    """Weights and tracker parameters with which parts of a trajectory were tracked again."""

    model: str
    weights_sha256: str
    params: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TrackHeader:
    """What a trajectory says about its origin, so that its points can be read without the program that wrote
    them.

    `model`, `weights_sha256`, `version` and `params` say what tracked the targets.  `labels` are their labels
    in order, None for a target without one.  `corrected_with` lists other weights and parameters that tracked
    parts of it again.  If `checked`, the points have an `agreement`; if `live`, they have `at` and `latency`.
    `region`, a box in pixels, or the white part of the image file `mask` is where targets were searched for.
    """

    source: SourceInfo
    model: str
    weights_sha256: str
    version: str
    params: Mapping[str, object] = field(default_factory=dict)
    labels: tuple[str | None, ...] = (None,)
    checked: bool = False
    live: bool = False
    region: Box | None = None
    mask: str | None = None
    mask_sha256: str = ""
    corrected_with: tuple[CorrectedWith, ...] = ()

    @property
    def models(self) -> tuple[str, ...]:
        """The names of all models that tracked a part, each once."""
        names = (self.model, *(one.model for one in self.corrected_with))
        return tuple(dict.fromkeys(name for name in names if name))


@dataclass(frozen=True, slots=True, repr=False)
class Trajectory:
    """The points of all targets in one source, ordered by frame, then by target.

    `complete` is false if tracking was stopped.  `frames` is the number of frames that were tracked,
    including those before the first box; None if it is not known.
    """

    header: TrackHeader
    points: tuple[TrackPoint, ...]
    complete: bool
    frames: int | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        name, targets = self.header.source.name, len(self.header.labels)
        ending = "" if self.complete else ", incomplete"
        return f"<trajectory of {name}: {counted(len(self.points), 'point')}, targets: {targets}{ending}>"

    def to_pandas(self) -> Any:  # noqa: ANN401 - a DataFrame, of a library that is not required
        """A pandas DataFrame with one row per point and the columns of a CSV file, not rounded."""
        labels = self.header.labels
        more = ("agreement",) * self.header.checked + ("at", "latency") * self.header.live
        rows = [
            {
                "frame": point.index,
                "time": point.time,
                "target": point.target,
                **point.box._asdict(),
                "score": point.score,
                "state": point.state,
                "label": labels[point.target - 1] if point.target <= len(labels) else None,
                "raw_score": point.raw_score,
                "source": point.source,
                **{name: getattr(point, name) for name in more},
            }
            for point in self.points
        ]
        return import_module("pandas").DataFrame(rows)

    def plot(self, panels: Sequence[str] = (), *, image: Image | None = None) -> Any:  # noqa: ANN401
        """A matplotlib Figure of the `panels` "path", "heat", "speed" and "score"; all of them by default.

        The path is drawn on `image`, a frame of the video.  Needs the extra `plots`.  Raises ValueError for
        an unknown panel.
        """
        return import_module("siamcli.analysis.plots").plot(self, panels, image=image)


def lost_intervals(points: Iterable[TrackPoint]) -> dict[int, tuple[tuple[int, int], ...]]:
    """Target number -> (first, last) frame of every stretch in which it was lost; `points` in frame order."""
    log = LostIntervals()
    for point in points:
        log.add(point)
    return log.intervals()


def shared_boxes(points: Iterable[TrackPoint]) -> SharedBoxes:
    """The stretches in which two targets have nearly the same box; `points` in frame order."""
    shared = SharedBoxes()
    for _, together in groupby(points, key=lambda point: point.index):
        shared.add(together)
    return shared


class LostIntervals:
    """Collects the stretches of frames in which targets are lost, point by point."""

    def __init__(self) -> None:
        self._intervals: dict[int, list[tuple[int, int]]] = {}
        self._open: set[int] = set()

    def add(self, point: TrackPoint) -> None:
        """Add the next point of its target."""
        intervals = self._intervals.setdefault(point.target, [])
        if point.state != "lost":
            self._open.discard(point.target)
        elif point.target in self._open:
            intervals[-1] = (intervals[-1][0], point.index)
        else:
            self._open.add(point.target)
            intervals.append((point.index, point.index))

    def intervals(self) -> dict[int, tuple[tuple[int, int], ...]]:
        """Target -> its lost stretches so far; targets that were never lost have none.

        >>> log = LostIntervals()
        >>> for i, state in enumerate(["init", "lost", "lost", "found", "lost"]):
        ...     log.add(TrackPoint(i, None, Box(0, 0, 1, 1), 0.5, state))
        >>> log.intervals()
        {1: ((1, 2), (4, 4))}
        """
        return {target: tuple(found) for target, found in self._intervals.items()}


class SharedBoxes:
    """Collects the stretches of frames in which two targets have nearly the same box, frame by frame: both
    boxes may follow one target.

    A stretch begins when the overlap (IoU) of the boxes is BEGINS or more, and ends when it is less than
    ENDS.  Lost and absent targets do not count.  `frames` is the number of frames in which any two targets
    share a box.
    """

    BEGINS, ENDS = 0.7, 0.5

    def __init__(self) -> None:
        self.frames = 0
        self._intervals: dict[tuple[int, int], list[tuple[int, int]]] = {}
        self._open: set[tuple[int, int]] = set()

    def add(self, points: Iterable[TrackPoint]) -> None:
        """Add the points of the next frame."""
        believed = [point for point in points if point.is_located]
        overlaps = {(a.target, b.target): iou(a.box, b.box) for a, b in combinations(believed, 2)}
        self._open = {pair for pair in self._open if overlaps.get(pair, 0.0) >= self.ENDS}
        for pair, overlap in overlaps.items():
            index = believed[0].index
            if pair in self._open:
                intervals = self._intervals[pair]
                intervals[-1] = (intervals[-1][0], index)
            elif overlap >= self.BEGINS:
                self._open.add(pair)
                self._intervals.setdefault(pair, []).append((index, index))
        self.frames += bool(self._open)

    def intervals(self) -> dict[tuple[int, int], tuple[tuple[int, int], ...]]:
        """Two targets, the smaller number first -> their stretches so far; without those that have none.

        >>> shared = SharedBoxes()
        >>> for i, x in enumerate([9, 1, 3, 9]):
        ...     boxes = {1: Box(0, 0, 10, 10), 2: Box(x, 0, 10, 10)}
        ...     shared.add(TrackPoint(i, None, box, 0.5, "tracked", t) for t, box in boxes.items())
        >>> shared.intervals()
        {(1, 2): ((1, 2),)}
        """
        return {pair: tuple(found) for pair, found in self._intervals.items()}
