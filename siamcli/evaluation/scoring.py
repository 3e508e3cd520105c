"""Scores result files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from siamcli.errors import DatasetError, why_unread
from siamcli.evaluation import metrics, vot
from siamcli.evaluation.overlap import Array, box_corners, box_overlap, center_error, region_overlap
from siamcli.evaluation.results import TrackerOutput, read_output, read_runs
from siamcli.evaluation.sequence import Dataset, Sequence
from siamcli.schema import Number, from_json

__all__ = ["METRICS", "Scores", "read_scores", "score_results"]

Rules = Literal["official", "pysot"]

METRICS: dict[str, tuple[str, str]] = {
    "auc": ("success AUC", "mean of 21 success rates, IoU > 0, 0.05 ... 1, mean over sequences"),
    "precision": ("P@20px", "centre error <= 20 pixels, mean over sequences"),
    "norm_precision": ("NP@0.2", "centre error over target size <= 0.2, mean over sequences (LaSOT, PySOT)"),
    "norm_mean": ("NP mean", "mean of the normalised precision over 0 ... 0.5, 51 steps (got10k toolkit)"),
    "ao": ("AO", "mean IoU of all frames pooled, first frames left out, boxes cut at the image (GOT-10k)"),
    "sr50": ("SR.50", "share of pooled frames with IoU > 0.5 (GOT-10k)"),
    "sr75": ("SR.75", "share of pooled frames with IoU > 0.75 (GOT-10k)"),
    "tn_success": ("TN success", "rounded boxes, IoU >=, area by the trapezoid rule (TrackingNet)"),
    "tn_precision": ("TN precision", "area over 0 ... 50 pixels, 21 steps (TrackingNet)"),
    "tn_norm": ("TN norm. prec.", "area over 0 ... 0.5, 21 steps (TrackingNet)"),
    "accuracy": ("accuracy", "overlap in pixels without 10 frames after each start, frames pooled (VOT)"),
    "failures": ("failures", "mean number of failures per repetition (VOT)"),
    "robustness": ("robustness", "failures per 100 frames (PySOT's VOT toolkit)"),
    "eao": ("EAO official", "mean of the expected overlaps over the interval (vot-toolkit)"),
    "eao_pysot": (
        "EAO PySOT",
        "one frame earlier; a failure in the last 5 frames is forgiven (PySOT)",
    ),
    "lt_precision": ("LT precision", "at the confidence threshold of the best F, overlap in pixels (VOT-LT)"),
    "lt_recall": ("LT recall", "at the confidence threshold of the best F, overlap in pixels (VOT-LT)"),
    "lt_f": ("LT F", "best 2PR / (P + R) over 100 confidence thresholds (VOT-LT)"),
    "fps": ("frames/s", "frames over seconds as timed by the tracker's run"),
}
"""Short title and exact meaning of every number that siamtrack prints."""


@dataclass(frozen=True, slots=True)
class Scores:
    """One tracker on one benchmark.  `values` by metric key; the same per sequence and per attribute.

    `rules` decides on first frames, broken boxes and absent targets: official repeats the box before a
    broken one and starts from the truth; pysot takes the files as they are.  `partial` says why the
    numbers are not the benchmark's, or is None.
    """

    dataset: str
    title: str
    tracker: str
    rules: Rules
    values: Mapping[str, Number]
    sequences: Mapping[str, Mapping[str, Number]]
    attributes: Mapping[str, Mapping[str, Number]] = field(default_factory=dict)
    curves: Mapping[str, list[Number]] = field(default_factory=dict)
    partial: str | None = None

    @property
    def label(self) -> str:
        """The tracker, and the rules where they are not the usual ones."""
        return self.tracker if self.rules == "official" else f"{self.tracker} ({self.rules} rules)"

    def to_json(self) -> str:
        """The record that `read_scores` reads; NaN becomes null."""
        return json.dumps(_without_nan(asdict(self)), indent=1) + "\n"


def score_results(dataset: Dataset, folder: Path, tracker: str, rules: Rules = "official") -> Scores:
    """Score the result files below `folder`.  Raises DatasetError."""
    spec = dataset.spec
    if spec.server is not None:
        raise DatasetError(
            f"{spec.title} keeps its truth: only {spec.server} can score it",
            hint="`siamtrack eval` writes the zip to hand in",
        )
    if spec.protocol == "supervised":
        values, sequences, attributes, curves = _supervised(dataset, folder)
    else:
        outputs = [read_output(folder, spec, sequence) for sequence in dataset.sequences]
        by_protocol = {"got10k": _got10k, "longterm": _longterm, "trackingnet": _trackingnet}.get(
            spec.protocol, _ope
        )
        values, sequences, attributes, curves = by_protocol(dataset, outputs, rules)
        seconds = [t.seconds for t in outputs if t.seconds is not None]
        if seconds:
            values["fps"] = sum(len(s) for s in seconds) / max(float(sum(s.sum() for s in seconds)), 1e-9)
    plain = {name: curve.tolist() for name, curve in curves.items()}
    return Scores(spec.key, spec.title, tracker, rules, values, sequences, attributes, plain, dataset.partial)


def read_scores(path: Path) -> Scores:
    """Read what `Scores.to_json` wrote.  Raises DatasetError."""
    try:
        return from_json(Scores, path.read_bytes())
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} is not a score file: {why_unread(error)}") from None


# values of the data set, of its sequences and of its attributes; curves
_ScoreTables = tuple[
    dict[str, float], dict[str, dict[str, float]], dict[str, dict[str, float]], dict[str, Array]
]


def _ope(dataset: Dataset, outputs: list[TrackerOutput], rules: Rules) -> _ScoreTables:
    spec = dataset.spec
    sequences: dict[str, dict[str, float]] = {}
    curves: dict[str, list[Array]] = {"success": [], "precision": [], "norm_precision": []}
    for sequence, output in zip(dataset.sequences, outputs, strict=True):
        truth = sequence.truth
        boxes = metrics.repair(output.boxes, truth) if rules == "official" else output.boxes
        counted = np.ones(len(truth), bool) if sequence.absent is None else ~sequence.absent
        hit = spec.absent_is_hit or rules == "pysot"
        share = counted.mean()  # frames that are declared absent stay in the divisor
        success = metrics.success_curve(box_overlap(boxes, truth)[counted]) * share
        precision, norm = (
            metrics.precision_curve(
                center_error(boxes, truth, normalised=normalised)[counted], thresholds, absent_is_hit=hit
            )
            * share
            for normalised, thresholds in ((False, metrics.PIXELS), (True, metrics.NORMALISED))
        )
        for name, curve in zip(curves, (success, precision, norm), strict=True):
            curves[name].append(curve)
        sequences[sequence.name] = {
            "auc": metrics.success_auc(success),
            "precision": float(precision[20]),
            "norm_precision": float(norm[20]),
            "norm_mean": float(norm.mean()),
        }
    means = {name: np.mean(rows, axis=0) for name, rows in curves.items()}
    return _mean(sequences), sequences, _by_attribute(dataset, sequences), means


def _got10k(dataset: Dataset, outputs: list[TrackerOutput], rules: Rules) -> _ScoreTables:
    sequences: dict[str, dict[str, float]] = {}
    pooled: list[Array] = []
    for sequence, output in zip(dataset.sequences, outputs, strict=True):
        counted = (np.arange(len(sequence)) > 0) & np.isfinite(sequence.truth).all(axis=1)
        if sequence.absent is not None:
            counted &= ~sequence.absent
        truth = _cut(sequence.truth, sequence.size)[counted]
        repetitions = [_cut(boxes, sequence.size)[counted] for boxes in (output.boxes, *output.repeats)]
        # a target of which nothing is inside the image counts as missed
        pooled.append(np.nan_to_num(np.concatenate([box_overlap(boxes, truth) for boxes in repetitions])))
        sequences[sequence.name] = _got10k_values(pooled[-1])
    overlap = np.concatenate(pooled)
    curves = {}
    if len(overlap):
        curves["success"] = metrics.success_curve(overlap, thresholds=np.linspace(0, 1, 101))
    return _got10k_values(overlap), sequences, {}, curves


def _got10k_values(overlap: Array) -> dict[str, float]:
    if not len(overlap):  # a single frame, which is the given one
        return dict.fromkeys(("ao", "sr50", "sr75"), float("nan"))
    return {
        "ao": metrics.average_overlap(overlap),
        "sr50": metrics.success_rate(overlap, 0.5),
        "sr75": metrics.success_rate(overlap, 0.75),
    }


def _cut(boxes: Array, size: tuple[int, int] | None) -> Array:
    """Each box as the got10k toolkit cuts it at the image: one that leaves it at the left or the top is
    moved inside, with its sides.  Untouched where the size is unknown."""
    if size is None:
        return boxes
    low = np.clip(boxes[:, :2], 0, size)
    return np.concatenate([low, np.clip(boxes[:, 2:], 0, size - low)], axis=1)


def _trackingnet(dataset: Dataset, outputs: list[TrackerOutput], rules: Rules) -> _ScoreTables:
    sequences: dict[str, dict[str, float]] = {}
    for sequence, output in zip(dataset.sequences, outputs, strict=True):
        boxes, truth = np.round(output.boxes), np.round(sequence.truth)
        error, norm = center_error(boxes, truth), center_error(boxes, truth, normalised=True)
        sequences[sequence.name] = {
            "tn_success": metrics.area(metrics.success_curve(box_overlap(boxes, truth), strict=False)),
            "tn_precision": metrics.area(metrics.precision_curve(error, np.linspace(0, 50, 21))),
            "tn_norm": metrics.area(metrics.precision_curve(norm, np.linspace(0, 0.5, 21))),
        }
    return _mean(sequences), sequences, {}, {}


def _longterm(dataset: Dataset, outputs: list[TrackerOutput], rules: Rules) -> _ScoreTables:
    overlaps, scores, visible = [], [], []
    for sequence, output in zip(dataset.sequences, outputs, strict=True):
        bound = (sequence.size[0] - 1, sequence.size[1] - 1) if sequence.size else (1 << 14, 1 << 14)
        overlap = region_overlap(box_corners(output.boxes), box_corners(sequence.truth), bound)
        overlaps.append(np.nan_to_num(overlap))
        scores.append(np.zeros(len(output.boxes)) if output.scores is None else output.scores)
        visible.append(sequence.visible)

    def values(indices: list[int]) -> dict[str, float]:
        precision, recall, f = metrics.longterm_f(
            [overlaps[i] for i in indices], [scores[i] for i in indices], [visible[i] for i in indices]
        )
        return {"lt_precision": precision, "lt_recall": recall, "lt_f": f}

    sequences = {s.name: values([i]) for i, s in enumerate(dataset.sequences)}
    return values(list(range(len(overlaps)))), sequences, {}, {}


def _supervised(dataset: Dataset, folder: Path) -> _ScoreTables:
    runs = [read_runs(folder, dataset.spec, sequence) for sequence in dataset.sequences]
    overlaps = [
        [run.overlaps(_polygons(s), _bound(s)) for run in repetitions]
        for s, repetitions in zip(dataset.sequences, runs, strict=True)
    ]
    accurate = [
        _mean_of_runs([vot.accuracy(r, o) for r, o in zip(rs, os, strict=True)])
        for rs, os in zip(runs, overlaps, strict=True)
    ]
    failures = [float(np.mean([run.failures for run in repetitions])) for repetitions in runs]
    frames = sum(len(s) for s in dataset.sequences)
    interval = dataset.spec.interval
    curves = {
        "eao": vot.expected_overlaps(runs, overlaps, "official"),
        "eao_pysot": vot.expected_overlaps(runs, overlaps, "pysot"),
    }
    values = {
        "accuracy": _nanmean(np.concatenate(accurate)),
        "failures": sum(failures),
        "robustness": sum(failures) / frames * 100,
        "eao": vot.eao(curves["eao"], interval, "official"),
        "eao_pysot": vot.eao(curves["eao_pysot"], interval, "pysot"),
    }
    sequences = {
        s.name: {"accuracy": _nanmean(accurate[i]), "failures": failures[i]}
        for i, s in enumerate(dataset.sequences)
    }
    attributes = {}
    for tag in sorted({tag for s in dataset.sequences for tag in s.tags}):
        marks = [s.tags.get(tag, np.zeros(len(s), bool)) for s in dataset.sequences]
        weights = [m.astype(np.float64) for m in marks]
        curve = vot.expected_overlaps(runs, overlaps, "pysot", tags=weights)
        tagged = np.concatenate([a[m] for a, m in zip(accurate, marks, strict=True)])
        attributes[tag] = {"accuracy": _nanmean(tagged), "eao_pysot": vot.eao(curve, interval, "pysot")}
    return values, sequences, attributes, curves


def _mean_of_runs(counted: list[Array]) -> Array:
    """Per frame the mean over those repetitions in which it counts (PySOT), NaN where it counts in none."""
    values = np.array(counted)
    times = np.isfinite(values).sum(axis=0)
    return np.where(times > 0, np.nansum(values, axis=0) / np.maximum(times, 1), np.nan)


def _polygons(sequence: Sequence) -> Array:
    return box_corners(sequence.truth) if sequence.polygons is None else sequence.polygons


def _bound(sequence: Sequence) -> tuple[int, int]:
    """The last pixel that counts.  PySOT takes it for EAO and one more for accuracy; 4 digits are equal."""
    if sequence.size is None:
        raise DatasetError(f"{sequence.name}: the image size is unknown, but VOT clips regions to the image")
    return sequence.size[0] - 1, sequence.size[1] - 1


def _mean(sequences: Mapping[str, Mapping[str, Number]]) -> dict[str, float]:
    """Means over sequences, each with the same weight."""
    keys = next(iter(sequences.values()))
    return {key: float(np.mean([row[key] for row in sequences.values()])) for key in keys}


def _by_attribute(
    dataset: Dataset, sequences: Mapping[str, Mapping[str, Number]]
) -> dict[str, dict[str, float]]:
    names = sorted({a for s in dataset.sequences for a in s.attributes})
    return {
        name: _mean({s.name: sequences[s.name] for s in dataset.sequences if name in s.attributes})
        for name in names
    }


def _nanmean(values: Array) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def _without_nan(value: object) -> object:
    if isinstance(value, dict):
        return {k: _without_nan(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_without_nan(v) for v in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
