"""Metrics of one-pass evaluation: curves over thresholds, and the numbers that papers quote from them.

Arguments hold NaN in frames without a usable truth.  These never count as overlapping; whether they count
as precise differs between toolkits (`absent_is_hit`).  The divisor is always the number of frames given.
"""

from __future__ import annotations

import numpy as np

from siamcli.evaluation.overlap import Array, Mask

__all__ = [
    "NORMALISED",
    "PIXELS",
    "SUCCESS",
    "area",
    "average_overlap",
    "longterm_f",
    "precision_curve",
    "repair",
    "success_auc",
    "success_curve",
    "success_rate",
]

SUCCESS = np.linspace(0, 1, 21)
"""IoU 0, 0.05 ... 1."""
PIXELS = np.arange(51, dtype=np.float64)
"""Centre error 0, 1 ... 50 pixels; OTB quotes the value at 20."""
NORMALISED = np.linspace(0, 0.5, 51)
"""Centre error over target size 0, 0.01 ... 0.5; LaSOT quotes the value at 0.2."""
_PICKS = 98  # of the 100 confidence thresholds of VOT-LT; the other two are infinite (vot-toolkit, PySOT)


def repair(predicted: Array, truth: Array) -> Array:
    """Predictions as the official toolkits score them: frame 1 is the truth, and a broken box
    repeats the one before it.

    >>> repair(np.array([[9, 9, 9, 9], [1, 1, 0, 5], [2, 2, 5, 5.0]]), np.ones((3, 4))).tolist()
    [[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0], [2.0, 2.0, 5.0, 5.0]]
    """
    repaired: Array = predicted.copy()
    repaired[0] = truth[0]
    broken = ~np.isfinite(repaired).all(axis=1) | (repaired[:, 2:] <= 0).any(axis=1)
    for i in np.flatnonzero(broken & np.isfinite(truth).all(axis=1)):
        if i > 0:
            repaired[i] = repaired[i - 1]
    return repaired


def success_curve(overlap: Array, *, strict: bool = True, thresholds: Array = SUCCESS) -> Array:
    """Share of frames whose IoU exceeds each threshold: (N,) -> (T,)

    `strict` compares with >, as OTB and the benchmarks after it do; TrackingNet compares with >=.
    """
    with np.errstate(invalid="ignore"):
        hit = overlap[:, None] > thresholds if strict else overlap[:, None] >= thresholds
    return np.asarray(hit.mean(axis=0))


def success_auc(curve: Array) -> float:
    """Success AUC: the mean of a success curve over its thresholds (OTB, LaSOT, PySOT).

    A perfect tracker reaches 20/21, never 1, because the last threshold is 1 and the comparison strict:

    >>> success_auc(success_curve(np.ones(5))) == 20 / 21
    True
    >>> success_auc(success_curve(np.ones(5), strict=False))
    1.0
    """
    return float(curve.mean())


def precision_curve(error: Array, thresholds: Array = PIXELS, *, absent_is_hit: bool = False) -> Array:
    """Share of frames whose centre error is at most each threshold: (N,) -> (T,)

    With `absent_is_hit` a frame without truth counts as precise at every threshold, because OTB's and
    PySOT's code marks it with an error of -1.

    >>> precision_curve(np.array([3.0, 30.0, np.nan]))[20].round(3)
    np.float64(0.333)
    >>> precision_curve(np.array([3.0, 30.0, np.nan]), absent_is_hit=True)[20].round(3)
    np.float64(0.667)
    """
    counted = np.where(np.isnan(error), -1.0 if absent_is_hit else np.inf, error)
    return np.asarray((counted[:, None] <= thresholds).mean(axis=0))


def area(curve: Array) -> float:
    """Area under a curve by the trapezoid rule, over a range of 1: TrackingNet's summary of every curve.

    >>> area(np.array([1.0, 1.0, 0.0]))
    0.75
    """
    return float((curve[1:] + curve[:-1]).mean() / 2)


def average_overlap(overlap: Array) -> float:
    """AO of GOT-10k: mean IoU over frames pooled from all sequences (first frames left out by the caller).

    >>> average_overlap(np.array([0.5, 1.0]))
    0.75
    """
    return float(overlap.mean())


def success_rate(overlap: Array, threshold: float) -> float:
    """SR of GOT-10k: share of pooled frames with IoU above the threshold.

    >>> success_rate(np.array([0.4, 0.6, 0.8, 0.9]), 0.75)
    0.5
    """
    return float((overlap > threshold).mean())


def longterm_f(overlaps: list[Array], scores: list[Array], visible: list[Mask]) -> tuple[float, float, float]:
    """Precision, recall and F of VOT-LT at the threshold of the best F; one array per sequence.

    `overlaps` are 0 where the target is absent; `scores` are the tracker's confidences, NaN in the first
    frame, which counts as visible but was not predicted, so that recall ends at (N - 1) / N.
    Thresholds are +inf, -inf and 98 picks at equal steps down through all the scores of all sequences (or
    every score, where there are no more).  Source: vot-toolkit analysis/longterm.py, determine_thresholds.
    Precision is 1 where nothing is reported.  At -inf all frames with a score above 0 count (PySOT).

    >>> overlap, score, seen = np.array([0, 0.8, 0.6]), np.array([np.nan, 0.9, 0.2]), np.ones(3, bool)
    >>> [round(v, 3) for v in longterm_f([overlap], [score], [seen])]
    [0.7, 0.467, 0.56]
    """
    every = np.concatenate(scores)
    ordered = np.sort(every[np.isfinite(every)])[::-1]
    if len(ordered) > _PICKS:
        step = len(ordered) // _PICKS
        ordered = ordered[np.linspace(step, len(ordered) - step, _PICKS).round().astype(int)]
    best = (0.0, 0.0, 0.0)
    for threshold in (np.inf, *ordered, -np.inf):
        precision, recall = [], []
        for overlap, score, seen in zip(overlaps, scores, visible, strict=True):
            reported = score >= threshold if np.isfinite(threshold) or threshold > 0 else score > 0
            precision.append(float(overlap[reported].mean()) if reported.any() else 1.0)
            recall.append(float(overlap[reported].sum()) / max(int(seen.sum()), 1))
        p, r = float(np.mean(precision)), float(np.mean(recall))
        f = 2 * p * r / (p + r) if p + r > 0 else 0.0
        if f > best[2]:
            best = (p, r, f)
    return best
