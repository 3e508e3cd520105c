"""Combines many trajectories into one data set: names its clips and splits them into train and val."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from siamcli.formats.names import file_stems
from siamcli.formats.select import class_names, frame_indices
from siamcli.trajectory import Trajectory

__all__ = ["PARTS", "DatasetClip", "class_list", "make_clips"]

PARTS = ("train", "val")


@dataclass(frozen=True, slots=True)
class DatasetClip:
    """A trajectory and those of its frames that are used.  `name` is its own in the data set."""

    name: str
    trajectory: Trajectory
    part: str
    frames: tuple[int, ...]
    drop_lost: bool = False

    def image(self, index: int) -> str:
        """The file of a frame."""
        return f"{self.name}_{index:06d}.jpg"


def make_clips(
    named: Sequence[tuple[str, Trajectory]], *, every: int, held_back: float, drop_lost: bool
) -> list[DatasetClip]:
    """A clip per trajectory, with every n-th of its frames; whole clips are held back for validation.

    Which ones depends on their names alone; of two clips or more one at least stays on either side, where
    `held_back`, a share, is not 0.
    """
    names = file_stems([name for name, _ in named])
    count = round(held_back * len(names))
    if held_back and len(names) > 1:
        count = min(max(count, 1), len(names) - 1)
    drawn = sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())[:count]
    return [
        DatasetClip(
            name,
            trajectory,
            PARTS[name in drawn],
            tuple(frame_indices(trajectory, drop_lost=drop_lost)[::every]),
            drop_lost,
        )
        for name, (_, trajectory) in zip(names, named, strict=True)
    ]


def class_list(clips: Sequence[DatasetClip]) -> list[str]:
    """The labels of all targets of all clips, each once, in order."""
    return list(dict.fromkeys(name for clip in clips for name in class_names(clip.trajectory)))
