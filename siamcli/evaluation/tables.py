"""Several trackers in one table, beside what was published."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence as Items
from dataclasses import dataclass
from typing import Literal

import numpy as np

from siamcli.evaluation.catalog import anchors
from siamcli.evaluation.scoring import METRICS, Scores

__all__ = ["compare", "render"]

TableFormat = Literal["text", "json", "csv", "markdown", "latex"]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of numbers under named columns.  `notes` say what each column is and what is not official."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[float | None, ...]], ...]
    notes: tuple[str, ...]


def compare(
    scores: Items[Scores], *, per: Literal["dataset", "sequence", "attribute"] = "dataset"
) -> list[Table]:
    """One table per benchmark, best tracker first; or per sequence or attribute, one tracker a column."""
    tables = []
    for dataset in dict.fromkeys(s.dataset for s in scores):
        group = [s for s in scores if s.dataset == dataset]
        keys = [key for key in METRICS if any(key in s.values for s in group)]
        group.sort(key=lambda s: -s.values.get(keys[0], 0.0))
        tables.append(_overall(group, keys) if per == "dataset" else _detailed(group, keys[0], per))
    return tables


def _overall(group: list[Scores], keys: list[str]) -> Table:
    rows = []
    for scores in group:
        name = scores.tracker if scores.rules == "official" else f"{scores.tracker} ({scores.rules} rules)"
        rows.append((name, tuple(scores.values.get(key) for key in keys)))
    partial = any(scores.partial for scores in group)
    published = [] if partial else [a for a in anchors(group[0].dataset) if a.metric in keys]
    for tracker, source in dict.fromkeys((a.tracker, a.source) for a in published):
        known = {a.metric: a.value for a in published if a.tracker == tracker}
        rows.append((f"published: {tracker} ({source})", tuple(known.get(key) for key in keys)))
    return Table(_title(group), tuple(METRICS[key][0] for key in keys), tuple(rows), _notes(group, keys))


def _detailed(group: list[Scores], key: str, per: Literal["sequence", "attribute"]) -> Table:
    parts = [s.sequences if per == "sequence" else s.attributes for s in group]
    names = dict.fromkeys(name for part in parts for name in part)
    rows = tuple((name, tuple(part.get(name, {}).get(key) for part in parts)) for name in names)
    title = f"{_title(group)}: {METRICS[key][0]} per {per}"
    return Table(title, tuple(s.tracker for s in group), rows, _notes(group, [key]))


def _title(group: list[Scores]) -> str:
    partial = next((s.partial for s in group if s.partial), None)
    return f"{group[0].title} (partial: {partial})" if partial else group[0].title


def _notes(group: list[Scores], keys: list[str]) -> tuple[str, ...]:
    rules = {
        "official": "official rules: frame 1 is the truth, a broken box repeats the one before",
        "pysot": "PySOT's rules: files as they are, a frame without truth counts as precise",
    }
    notes = [f"{METRICS[key][0]}: {METRICS[key][1]}" for key in keys]
    if "auc" in group[0].values:
        notes += [rules[name] for name in dict.fromkeys(s.rules for s in group)]
    if any(s.partial for s in group):
        notes.append("partial data: not comparable with published figures")
    return tuple(notes)


def render(tables: Items[Table], form: TableFormat) -> str:
    """The tables as text for people, JSON, CSV, Markdown or LaTeX (booktabs)."""
    if form == "json":
        return json.dumps([_document(table) for table in tables], indent=2) + "\n"
    if form == "csv":
        return "".join(_csv(table) for table in tables)
    draw = {"text": _text, "markdown": _markdown, "latex": _latex}[form]
    return "\n".join(draw(table) for table in tables)


def _document(table: Table) -> dict[str, object]:
    rows = [{"tracker": name, **dict(zip(table.columns, values, strict=True))} for name, values in table.rows]
    return {"title": table.title, "rows": rows, "notes": table.notes}


def _csv(table: Table) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["benchmark", "name", *table.columns])
    writer.writerows(
        [table.title, name, *("" if v is None else repr(float(v)) for v in values)]
        for name, values in table.rows
    )
    return text.getvalue()


def _cells(table: Table) -> list[list[str]]:
    """Header and rows as short text: three decimals, one for what is not a share."""
    rows = [[name, *(_number(v) for v in values)] for name, values in table.rows]
    return [["", *table.columns], *rows]


def _number(value: float | None) -> str:
    if value is None or not np.isfinite(value):
        return "-"
    return f"{value:.1f}" if value >= 10 else f"{value:.3f}"


def _text(table: Table) -> str:
    cells = _cells(table)
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
        for row in cells
    ]
    rule = "-" * len(lines[0])
    return (
        "\n".join([table.title, lines[0], rule, *lines[1:], "", *(f"  {note}" for note in table.notes)])
        + "\n"
    )


def _markdown(table: Table) -> str:
    cells = _cells(table)
    lines = ["| " + " | ".join(row) + " |" for row in cells]
    rule = "|" + "---|" + "---:|" * len(table.columns)
    notes = [f"- {note}" for note in table.notes]
    return "\n".join([f"**{table.title}**", "", lines[0], rule, *lines[1:], "", *notes]) + "\n"


def _latex(table: Table) -> str:
    escaped = str.maketrans({"%": r"\%", "_": r"\_", "&": r"\&", "#": r"\#"})
    lines = [" & ".join(cell.translate(escaped) for cell in row) + r" \\" for row in _cells(table)]
    notes = [f"% {note}" for note in table.notes]
    columns = "l" + "r" * len(table.columns)
    head = [
        f"% {table.title}",
        *notes,
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        lines[0],
        r"\midrule",
    ]
    return "\n".join([*head, *lines[1:], r"\bottomrule", r"\end{tabular}"]) + "\n"
