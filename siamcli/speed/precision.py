"""Do fast engines track as float32 does?  All follow the same sequences, each on its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Sequence as Items
from dataclasses import dataclass

import numpy as np

from siamcli.bench.metrics import area, success_curve
from siamcli.bench.overlap import Array, Mask, box_overlap
from siamcli.bench.protocols import read_frames, run_once
from siamcli.bench.sequence import Sequence
from siamcli.tracker.engine import Engine
from siamcli.tracker.tracker import Tracker

__all__ = ["Agreement", "SequenceAgreement", "agreement", "measure"]

DIFFERS = 0.9
"""Boxes of two engines differ when their overlap is below this."""


@dataclass(frozen=True, slots=True)
class SequenceAgreement:
    """One engine on one sequence: both success AUCs, and the share of frames whose boxes differ."""

    engine: str
    name: str
    frames: int
    reference_auc: float
    auc: float
    differs: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """One engine over all sequences: means over sequences, and over frames for `differs`."""

    engine: str
    sequences: int
    frames: int
    reference_auc: float
    auc: float
    auc_difference: float
    differs: float


def measure(
    reference: Engine, engines: Items[Engine], sequences: Iterable[Sequence]
) -> Iterator[SequenceAgreement]:
    """Run every engine once through every sequence.  Raises DatasetError, InputError."""
    for sequence in sequences:
        frames = list(read_frames(sequence))
        seen = sequence.visible

        def auc(boxes: Array, sequence: Sequence = sequence, seen: Mask = seen) -> float:
            return area(success_curve(box_overlap(boxes[seen], sequence.truth[seen])))

        exact = run_once(Tracker(reference), frames, sequence.box(0)).boxes
        for engine in engines:
            boxes = run_once(Tracker(engine), frames, sequence.box(0)).boxes
            differs = float(np.mean(box_overlap(boxes, exact) < DIFFERS))
            yield SequenceAgreement(engine.name, sequence.name, len(frames), auc(exact), auc(boxes), differs)


def agreement(engine: str, parts: Iterable[SequenceAgreement]) -> Agreement:
    """The verdict on `engine` over all its `parts`."""
    own = [part for part in parts if part.engine == engine]
    frames = sum(part.frames for part in own)
    reference = float(np.mean([part.reference_auc for part in own]))
    auc = float(np.mean([part.auc for part in own]))
    return Agreement(
        engine=engine,
        sequences=len(own),
        frames=frames,
        reference_auc=round(reference, 4),
        auc=round(auc, 4),
        auc_difference=round(auc - reference, 4),
        differs=round(sum(part.differs * part.frames for part in own) / frames, 4),
    )
