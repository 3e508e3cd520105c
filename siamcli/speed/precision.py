"""Does a fast engine track as float32 does?  Both follow the same sequences, each on its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from siamcli.bench.metrics import area, success_curve
from siamcli.bench.overlap import box_overlap
from siamcli.bench.protocols import read_frames, run_once
from siamcli.bench.sequence import Sequence
from siamcli.tracker.engine import Engine
from siamcli.tracker.tracker import Tracker

__all__ = ["Agreement", "SequenceAgreement", "agreement", "measure"]

DIFFERS = 0.9
"""Boxes of two engines differ when their overlap is below this."""


@dataclass(frozen=True, slots=True)
class SequenceAgreement:
    """One sequence: both success AUCs, and the share of frames whose boxes differ by more than 0.1 IoU."""

    name: str
    frames: int
    reference_auc: float
    auc: float
    differs: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """Means over sequences; `differs` is over frames."""

    engine: str
    sequences: int
    frames: int
    reference_auc: float
    auc: float
    auc_difference: float
    differs: float


def measure(reference: Engine, engine: Engine, sequences: Iterable[Sequence]) -> Iterator[SequenceAgreement]:
    """Run both engines once through every sequence.  Raises DatasetError, InputError."""
    for sequence in sequences:
        frames = list(read_frames(sequence))
        first, second = (
            run_once(Tracker(each), frames, sequence.box(0)).boxes for each in (reference, engine)
        )
        seen = sequence.visible
        slow, fast = (
            area(success_curve(box_overlap(boxes[seen], sequence.truth[seen]))) for boxes in (first, second)
        )
        differs = float(np.mean(box_overlap(second, first) < DIFFERS))
        yield SequenceAgreement(sequence.name, len(frames), slow, fast, differs)


def agreement(engine: str, parts: list[SequenceAgreement]) -> Agreement:
    """The verdict over all sequences."""
    frames = sum(part.frames for part in parts)
    reference = float(np.mean([part.reference_auc for part in parts]))
    auc = float(np.mean([part.auc for part in parts]))
    differs = sum(part.differs * part.frames for part in parts) / frames
    return Agreement(
        engine,
        len(parts),
        frames,
        round(reference, 4),
        round(auc, 4),
        round(auc - reference, 4),
        round(differs, 4),
    )
