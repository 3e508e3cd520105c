"""A benchmark sequence with its truth, and a data set of sequences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from siamcli.boxes import Box
from siamcli.evaluation.catalog import DatasetSpec
from siamcli.evaluation.overlap import Array, Mask

__all__ = ["Dataset", "Sequence"]


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
        """Frames in which the target is visible, (N,)."""
        annotated = np.asarray(np.isfinite(self.truth).all(axis=1))
        return annotated if self.absent is None else annotated & ~self.absent


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Sequences of one benchmark.  `partial` says what is missing, or is None when it is complete."""

    spec: DatasetSpec
    sequences: tuple[Sequence, ...]
    partial: str | None = None
