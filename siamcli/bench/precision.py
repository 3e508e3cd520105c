"""Compares the boxes of fast engines with those of float32, on the same sequences.

Where a target is nearly lost, the last digits decide, and one such moment would decide the verdict on
an engine: so every sequence is tracked several times, from several frames on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Sequence as Items
from dataclasses import dataclass

import numpy as np

from siamcli.engines.kinds import engine_name
from siamcli.evaluation.metrics import success_auc, success_curve
from siamcli.evaluation.overlap import Array, box_overlap
from siamcli.evaluation.protocols import read_frames, run_once
from siamcli.evaluation.sequence import Sequence
from siamcli.model.spec import TrackerParams
from siamcli.tracker.engine import Engine
from siamcli.tracker.tracker import Tracker

__all__ = ["Agreement", "SequenceAgreement", "agreement", "measure"]

DIFFERS = 0.9
"""Boxes of two engines differ when their overlap is below this."""

STARTS = 4
"""Tracked from the first frame on, from a quarter of the sequence on, and so forth."""


@dataclass(frozen=True, slots=True)
class SequenceAgreement:
    """One engine on one sequence from frame `start` on: both success AUCs, and the share of frames whose
    boxes differ."""

    engine: str
    name: str
    start: int
    frames: int
    reference_auc: float
    auc: float
    differs: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """One engine over all sequences: means over runs, and over frames for `differs`."""

    engine: str
    sequences: int
    runs: int
    frames: int
    reference_auc: float
    auc: float
    auc_difference: float
    differs: float


def measure(
    reference: Engine, engines: Items[Engine], params: TrackerParams, sequences: Iterable[Sequence]
) -> Iterator[SequenceAgreement]:
    """Run every engine through every sequence from each of its starts.  Raises DatasetError, InputError."""
    for sequence in sequences:
        frames = list(read_frames(sequence))
        for start in sequence.starts(STARTS):
            remaining, truth, seen = frames[start:], sequence.truth[start:], sequence.visible[start:]
            exact = run_once(Tracker(reference, params), remaining, sequence.box(start)).boxes
            reference_auc = _auc(exact[seen], truth[seen])
            for engine in engines:
                boxes = run_once(Tracker(engine, params), remaining, sequence.box(start)).boxes
                yield SequenceAgreement(
                    engine=engine_name(engine),
                    name=sequence.name,
                    start=start,
                    frames=len(remaining),
                    reference_auc=reference_auc,
                    auc=_auc(boxes[seen], truth[seen]),
                    differs=float(np.mean(box_overlap(boxes, exact) < DIFFERS)),
                )


def _auc(boxes: Array, truth: Array) -> float:
    return success_auc(success_curve(box_overlap(boxes, truth)))


def agreement(engine: str, parts: Iterable[SequenceAgreement]) -> Agreement:
    """The verdict on `engine` over all its `parts`."""
    results = [part for part in parts if part.engine == engine]
    frames = sum(part.frames for part in results)
    reference = float(np.mean([part.reference_auc for part in results]))
    auc = float(np.mean([part.auc for part in results]))
    return Agreement(
        engine=engine,
        sequences=len({part.name for part in results}),
        runs=len(results),
        frames=frames,
        reference_auc=round(reference, 4),
        auc=round(auc, 4),
        auc_difference=round(auc - reference, 4),
        differs=round(sum(part.differs * part.frames for part in results) / frames, 4),
    )
