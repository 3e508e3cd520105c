"""Success and precision plots.  Needs matplotlib, the extra `plots`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from siamcli.evaluation import metrics
from siamcli.evaluation.comparison import of_same_sequences
from siamcli.evaluation.scoring import Scores
from siamcli.figures import save_figure

__all__ = ["write_plots"]

# curve: title, label and values of the x axis, metric in the legend and its label
_PLOTS = {
    "success": ("Success plot of OPE", "overlap threshold", metrics.SUCCESS, "auc", "AUC"),
    "precision": (
        "Precision plot of OPE",
        "centre error threshold, pixels",
        metrics.PIXELS,
        "precision",
        "20 px",
    ),
    "norm_precision": (
        "Normalised precision plot of OPE",
        "centre error threshold over target size",
        metrics.NORMALISED,
        "norm_precision",
        "0.2",
    ),
}


def write_plots(scores: Sequence[Scores], folder: Path) -> list[Path]:
    """Write DATASET_success, _precision and _norm_precision as .png and .pdf; return the files.

    Benchmarks without these curves (VOT, TrackingNet) are left out.  Raises OutputError.
    """
    files: list[Path] = []
    for dataset in dict.fromkeys(s.dataset for s in scores):
        for name in _PLOTS:
            group = [s for s in scores if s.dataset == dataset and name in s.curves and "auc" in s.values]
            if group:
                files += _write(_plot(group, name), folder / f"{dataset}_{name}")
    return files


def _plot(group: list[Scores], name: str) -> Figure:
    title, axis, thresholds, key, quoted = _PLOTS[name]
    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    axes = figure.add_subplot()
    for i, scores in enumerate(sorted(group, key=lambda s: -s.values[key])):
        style = ("-", "--", ":", "-.")[i // 10 % 4]  # ten colours, then the next dash
        label = f"{scores.label} [{quoted} {scores.values[key]:.3f}]"
        axes.plot(thresholds, np.asarray(scores.curves[name]), style, linewidth=2, label=label)
    partial = " (partial)" if any(s.partial for s in group) else ""
    unlike = "" if of_same_sequences(group) else "\nnot comparable: over different sequences"
    axes.set(title=f"{title} - {group[0].title}{partial}{unlike}", xlabel=axis, ylabel="share of frames")
    axes.set(xlim=(0, float(thresholds[-1])), ylim=(0, 1))
    axes.grid(visible=True, linestyle=":")
    axes.legend(fontsize="small")
    return figure


def _write(figure: Figure, stem: Path) -> list[Path]:
    files = [stem.with_suffix(".png"), stem.with_suffix(".pdf")]
    for file in files:
        save_figure(figure, file, overwrite=True)
    return files
