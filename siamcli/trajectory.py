"""The points of a trajectory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from itertools import combinations, groupby
from typing import Any, Literal

from siamcli.boxes import Box, iou
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
    """Where one target is in one frame.

    `score` is the overlap (IoU) to expect between `box` and the target, in [0, 1]; the given box scores 1.
    `raw_score` is what the network says, None where it is not known.  `target` counts from 1.
    `agreement` is the overlap (IoU) of this box with the one of a pass in the other direction, None where
    there was none.  Of a live source `at` is the Unix time in seconds at which the frame arrived, and
    `latency` the seconds from then until the point was written.
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
        """True where there is a box, whether the target is lost or not."""
        return self.state != "absent" and self.box.valid

    @property
    def is_located(self) -> bool:
        """True where the box says where the target is: it is neither lost nor absent."""
        return self.has_box and self.state != "lost"


@dataclass(frozen=True, slots=True)
class CorrectedWith:
    """Weights and tracker parameters with which parts of a trajectory were tracked again."""

    model: str
    weights_sha256: str
    params: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TrackHeader:
    """Everything needed to read the points again without the program that wrote them.

    `labels` names the targets in order (None where the user gave no name); `params` are the
    tracker's parameters as plain values.  `corrected_with`: parts were tracked again with these, which
    are others.  `checked`: the points have an agreement.  `live`: they have `at` and `latency`.  Targets were
    looked for in `region` alone, a box in pixels, or where the image `mask` is white, whose file has that
    SHA-256.
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
        """The names of all weights that tracked some part, each once."""
        names = (self.model, *(one.model for one in self.corrected_with))
        return tuple(dict.fromkeys(name for name in names if name))


@dataclass(frozen=True, slots=True, repr=False)
class Trajectory:
    """The points of all targets in one source, in frame order, then target order.

    `frames` counts the frames that were tracked, also those before the first box; None where it is not known.
    """

    header: TrackHeader
    points: tuple[TrackPoint, ...]
    complete: bool
    frames: int | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        name, targets = self.header.source.name, len(self.header.labels)
        ending = "" if self.complete else ", incomplete"
        return f"<trajectory of {name}: {len(self.points)} points, targets: {targets}{ending}>"

    def to_pandas(self) -> Any:  # noqa: ANN401 - a DataFrame, of a library that is not required
        """A DataFrame with a row per point and the columns of a CSV file, unrounded.  Needs pandas."""
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
        """A matplotlib Figure of the `panels` path, heat, speed and score, by default all of them.

        `image` is a frame to draw the path on.  Needs matplotlib, the extra `plots`; raises ValueError for an
        unknown panel.
        """
        return import_module("siamcli.analysis.plots").plot(self, panels, image=image)


def lost_intervals(points: Iterable[TrackPoint]) -> dict[int, tuple[tuple[int, int], ...]]:
    """Target -> first and last frame index of every stretch in which it was lost; `points` in frame order."""
    log = LostIntervals()
    for point in points:
        log.add(point)
    return log.intervals()


def shared_boxes(points: Iterable[TrackPoint]) -> SharedBoxes:
    """Where two targets have nearly the same box; `points` in frame order."""
    shared = SharedBoxes()
    for _, together in groupby(points, key=lambda point: point.index):
        shared.add(together)
    return shared


class LostIntervals:
    """First and last frame index of every stretch in which a target was lost, as points arrive."""

    def __init__(self) -> None:
        self._intervals: dict[int, list[tuple[int, int]]] = {}
        self._open: set[int] = set()

    def add(self, point: TrackPoint) -> None:
        """Take note of the next point of its target."""
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
    """First and last frame index of every stretch in which two targets have nearly the same box, as points
    arrive: one of them may have gone over to the other.

    A stretch begins where their boxes overlap (IoU) by BEGINS and ends before they overlap less than ENDS.
    Lost and absent targets share nothing.  `frames` counts the frames in which any two do.
    """

    BEGINS, ENDS = 0.7, 0.5

    def __init__(self) -> None:
        self.frames = 0
        self._intervals: dict[tuple[int, int], list[tuple[int, int]]] = {}
        self._open: set[tuple[int, int]] = set()

    def add(self, points: Iterable[TrackPoint]) -> None:
        """Take note of the points of the next frame."""
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
