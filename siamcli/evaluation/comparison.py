"""Makes tables that compare trackers with each other and with published figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from siamcli.evaluation.catalog import published_scores
from siamcli.evaluation.scoring import METRICS, Scores
from siamcli.tables import Table

__all__ = ["comparison_tables", "decisive", "of_same_sequences"]

_DECISIVE = ("auc", "ao", "tn_success", "eao", "lt_f")
"""By which the benchmarks rank trackers."""


def comparison_tables(
    scores: Sequence[Scores], *, per: Literal["dataset", "sequence", "attribute"] = "dataset"
) -> list[Table]:
    """One table per benchmark, best tracker first; or per sequence or attribute, one tracker a column."""
    tables = []
    for dataset in dict.fromkeys(s.dataset for s in scores):
        group = [s for s in scores if s.dataset == dataset]
        keys = [key for key in METRICS if any(key in s.values for s in group)]
        group.sort(key=lambda s: np.nan_to_num(s.values.get(decisive(keys), 0.0)), reverse=True)
        tables.append(_overall(group, keys) if per == "dataset" else _detailed(group, keys, per))
    return tables


def decisive(keys: Sequence[str]) -> str:
    """The one of these metrics by which the benchmark ranks trackers."""
    return next((key for key in _DECISIVE if key in keys), keys[0])


def _overall(group: list[Scores], keys: list[str]) -> Table:
    rows = [(scores.label, tuple(scores.values.get(key) for key in keys)) for scores in group]
    partial = any(scores.partial for scores in group)
    published = [] if partial else [p for p in published_scores(group[0].dataset) if p.metric in keys]
    for tracker, source in dict.fromkeys((p.tracker, p.source) for p in published):
        values = {p.metric: p.value for p in published if p.tracker == tracker}
        rows.append((f"published: {tracker} ({source})", tuple(values.get(key) for key in keys)))
    notes = _notes(group, keys)
    if not of_same_sequences(group):
        counts = ", ".join(f"{scores.tracker} {len(scores.sequences)}" for scores in group)
        notes = (*notes, f"not comparable, means over different sequences: {counts}")
    return Table(_title(group), tuple(METRICS[key][0] for key in keys), tuple(rows), notes)


def _detailed(group: list[Scores], keys: list[str], per: Literal["sequence", "attribute"]) -> Table:
    columns = [s.sequences if per == "sequence" else s.attributes for s in group]
    names = dict.fromkeys(name for column in columns for name in column)
    there = {key for column in columns for row in column.values() for key in row}
    key = decisive([key for key in keys if key in there] or keys)  # EAO is one of the data set alone
    rows = tuple((name, tuple(column.get(name, {}).get(key) for column in columns)) for name in names)
    title = f"{_title(group)}: {METRICS[key][0]} per {per}"
    return Table(title, tuple(s.tracker for s in group), rows, _notes(group, [key]))


def of_same_sequences(group: Sequence[Scores]) -> bool:
    """Whether the means of all are over the same sequences; else they cannot be compared."""
    return len({frozenset(scores.sequences) for scores in group}) == 1


def _title(group: list[Scores]) -> str:
    reasons = {scores.partial for scores in group}
    if reasons == {None}:
        return group[0].title
    return f"{group[0].title} (partial{f': {reasons.pop()}' if len(reasons) == 1 else ''})"


def _notes(group: list[Scores], keys: list[str]) -> tuple[str, ...]:
    rules = {
        "official": "official rules: frame 1 is the truth, a broken box repeats the one before",
        "pysot": "PySOT's rules: files as they are, a frame without truth counts as precise",
    }
    notes = [f"{METRICS[key][0]}: {METRICS[key][1]}" for key in keys]
    if "auc" in group[0].values:
        notes += [rules[name] for name in dict.fromkeys(s.rules for s in group)]
    if len({s.partial for s in group}) > 1:
        notes += [f"{s.label}: {s.partial}" for s in group if s.partial]
    if any(s.partial for s in group):
        notes.append("partial data: not comparable with published figures")
    return tuple(notes)
