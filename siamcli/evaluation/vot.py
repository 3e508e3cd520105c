"""VOT's supervised (reset-based) metrics: accuracy, robustness, expected average overlap.

A run is one row per frame: a region, or a code (1 started here, 2 failed here, 0 not tracked).
`official` is the VOT toolkit's own definition of EAO, `pysot` the one in most publications on Siamese
trackers: its interval lies one frame earlier, it ignores failures in the last frames of a sequence (after
which there is no restart), and it can weigh fragments by an attribute.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from siamcli.evaluation.overlap import Array, region_overlap

__all__ = [
    "FAILED",
    "RESTART_AFTER",
    "SKIPPED",
    "STARTED",
    "TRACKED",
    "VotRun",
    "accuracy",
    "eao",
    "expected_overlaps",
]

STARTED, FAILED, SKIPPED, TRACKED = 1, 2, 0, -1
RESTART_AFTER = 5
"""Frames from a failure to the next start (VOT2018 stack: skip_initialize)."""
Variant = Literal["official", "pysot"]


@dataclass(frozen=True, slots=True, eq=False)
class VotRun:
    """One repetition on one sequence: codes (N,); regions (N, 8), NaN where the code is not TRACKED."""

    codes: NDArray[np.int64]
    regions: Array

    @property
    def failures(self) -> int:
        """How many times the tracker lost the target."""
        return int((self.codes == FAILED).sum())

    def overlaps(self, truth: Array, bound: tuple[int, int]) -> Array:
        """Per-frame overlap with the truth polygons (N, 8), NaN where nothing was tracked."""
        return region_overlap(self.regions, truth, bound)


def accuracy(run: VotRun, overlap: Array, burn_in: int = 10) -> Array:
    """The overlaps that count for accuracy: without `burn_in` frames from each start on; NaN elsewhere.

    >>> run = VotRun(np.array([1, -1, -1, -1]), np.zeros((4, 8)))
    >>> accuracy(run, np.array([np.nan, 0.5, 0.6, 0.7]), burn_in=2)
    array([nan, nan, 0.6, 0.7])
    """
    counted: Array = overlap.copy()
    for start in np.flatnonzero(run.codes == STARTED):
        counted[start : start + burn_in] = np.nan
    return counted


def _fragments(run: VotRun, overlap: Array, variant: Variant, tag: Array) -> list[tuple[Array, bool, float]]:
    """Fragments between a start and a failure or the end: (overlaps, ended in failure, weight)."""
    pieces: list[tuple[Array, bool, float]] = []
    failures = np.flatnonzero(run.codes == FAILED)
    values = np.nan_to_num(overlap)
    if variant == "official":
        starts = np.flatnonzero(run.codes == STARTED)
        for start in starts.tolist():
            end = failures[failures > start]
            stop = int(end[0]) if len(end) else len(values)
            pieces.append((values[start:stop], bool(len(end)), 1.0))
        return pieces
    cuts = [0, *(int(f) + RESTART_AFTER for f in failures if f + RESTART_AFTER <= len(values))]
    for i, start in enumerate(cuts):
        failed = i + 1 < len(cuts)
        stop = cuts[i + 1] + 1 if failed else len(values)
        weight = float(tag[start:stop].sum()) / max(stop - start, 1)
        pieces.append((values[start:stop], failed, weight))
    return pieces


def expected_overlaps(
    runs: list[list[VotRun]],
    overlaps: list[list[Array]],
    variant: Variant = "official",
    *,
    tags: list[Array] | None = None,
) -> Array:
    """Expected average overlap for every length: per sequence a list of repetitions -> (longest,)

    Fragments that ended in failure are continued with zeros, the others keep their length.
    Entry i averages frames 1 .. i of each fragment.  `tags` (pysot) weigh fragments by the share of
    frames that carry an attribute.

    Source: vot-toolkit analysis/supervised.py; pysot toolkit eao_benchmark.
    """
    rows: list[tuple[Array, bool, float]] = []
    for i, (repetitions, run_overlaps) in enumerate(zip(runs, overlaps, strict=True)):
        for run, overlap in zip(repetitions, run_overlaps, strict=True):
            tag = tags[i] if tags is not None else np.ones(len(overlap))
            pieces = _fragments(run, overlap, variant, tag)
            # the weight of a sequence does not depend on its number of repetitions
            rows += [(piece, failed, w / len(repetitions)) for piece, failed, w in pieces]
    longest = max(len(overlap) for run_overlaps in overlaps for overlap in run_overlaps)
    values, valid = np.zeros((len(rows), longest)), np.zeros((len(rows), longest), bool)
    for i, (piece, failed, _) in enumerate(rows):
        values[i, : len(piece)] = piece
        valid[i, : longest if failed else len(piece)] = True
    weight = np.array([w for *_, w in rows])[:, None] * valid
    means = np.ones_like(values)
    means[:, 1:] = np.cumsum(values[:, 1:], axis=1) / np.arange(1, longest)
    total = weight.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, (means * weight).sum(axis=0) / total, np.nan)


def eao(curve: Array, interval: tuple[int, int], variant: Variant = "official") -> float:
    """Mean of the expected overlaps over the interval: [low .. high], and one entry earlier in pysot's.

    >>> eao(np.arange(10.0), (4, 6)), eao(np.arange(10.0), (4, 6), "pysot")
    (5.0, 4.0)
    """
    low, high = interval if variant == "official" else (interval[0] - 1, interval[1] - 1)
    window = curve[low : high + 1]
    window = window[np.isfinite(window)]
    return float(window.mean()) if len(window) else float("nan")
