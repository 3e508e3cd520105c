"""A benchmark sequence with its truth, and a data set of sequences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from siamcli.boxes import Box
from siamcli.evaluation.catalog import DatasetSpec
from siamcli.evaluation.overlap import Array, Mask, present

__all__ = ["Dataset", "Sequence", "from_starts"]


@dataclass(frozen=True, slots=True, eq=False)
class Sequence:
    """Frames of one target and its true boxes.

    `frames` are image files, one per row of `truth`; or the frames are those of the file `video` from
    `offset` on; or both are empty where only annotations were opened.
    `truth` (N, 4) is 0-based x, y, w, h; NaN where the target is absent or only the server has the truth.
    `polygons` (N, 8) is the truth of VOT.  `absent` (N,) marks frames that the benchmark declares not to
    count.  `attributes` hold for the whole sequence, `tags` (N,) frame by frame.  `size` is (width, height).
    """

    name: str
    truth: Array
    frames: tuple[Path, ...] = ()
    video: Path | None = None
    offset: int = 0
    polygons: Array | None = None
    absent: Mask | None = None
    attributes: frozenset[str] = frozenset()
    tags: Mapping[str, Mask] = field(default_factory=dict)
    size: tuple[int, int] | None = None

    def __len__(self) -> int:
        return len(self.truth)

    def box(self, index: int) -> Box:
        """The truth in frame `index` of the sequence."""
        x, y, w, h = (float(value) for value in self.truth[index])
        return Box(x, y, w, h)

    @property
    def visible(self) -> Mask:
        """Frames in which the target is visible, (N,): there is a box, and the benchmark does not call it
        absent."""
        there = present(self.truth)
        return there if self.absent is None else there & ~self.absent

    def starts(self, count: int) -> list[int]:
        """At most `count` frames to begin at, evenly spread, in each of which there is a box."""
        (usable,) = self.visible.nonzero()
        positions = np.searchsorted(usable, np.arange(count) * len(self) // count)
        return sorted({int(usable[i]) for i in positions[positions < len(usable)]})

    def since(self, start: int) -> Sequence:
        """The sequence from frame `start` on, named NAME@START."""
        return replace(
            self,
            name=f"{self.name}@{start}",
            truth=self.truth[start:],
            frames=self.frames[start:],
            offset=self.offset + start,
            polygons=None if self.polygons is None else self.polygons[start:],
            absent=None if self.absent is None else self.absent[start:],
            tags={tag: mask[start:] for tag, mask in self.tags.items()},
        )


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Sequences of one benchmark.  `partial` says what is missing, or is None when it is complete."""

    spec: DatasetSpec
    sequences: tuple[Sequence, ...]
    partial: str | None = None


def from_starts(dataset: Dataset, count: int) -> Dataset:
    """Every sequence from each of its `count` starts, as a sequence of its own; the note says so.

    From one start chance decides: a target that is nearly lost moves a sequence's AUC by 0.1.
    """
    runs = tuple(s.since(start) for s in dataset.sequences for start in s.starts(count))
    notes = filter(None, [dataset.partial, f"{len(runs)} runs from up to {count} starts a sequence"])
    return replace(dataset, sequences=runs, partial=", ".join(notes))
