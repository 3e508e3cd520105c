"""Tables: rows under named columns, as aligned text, Markdown, LaTeX, CSV or JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from siamcli.sheets import csv_text

__all__ = ["Table", "TableFormat", "align", "render"]

TableFormat = Literal["text", "json", "csv", "markdown", "latex"]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of numbers under named columns, each row with the name of a tracker or of a sequence.

    `notes` say what each column is.  Text shows three decimals, CSV and JSON the whole number.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[float | None, ...]], ...]
    notes: tuple[str, ...]


def align(rows: Sequence[Sequence[str]], left: int = 1, widths: Sequence[int] = ()) -> list[str]:
    """One line of text per row, with columns of equal width, two spaces apart.

    The first `left` columns are aligned left, the others, which hold numbers, right.  A column is as wide
    as its longest cell, or as `widths` says where that is more.

    >>> align([["engine", "ms"], ["cpu", "12.5"]])
    ['engine    ms', 'cpu     12.5']
    >>> align([["ok", "torch", "2.6"]], left=3, widths=(6, 8))
    ['ok      torch     2.6']
    """
    columns = list(zip(*rows, strict=True))
    minimum = [*widths, *([0] * (len(columns) - len(widths)))]
    sizes = [max(least, *map(len, column)) for least, column in zip(minimum, columns, strict=True)]
    return [
        "  ".join(
            cell.ljust(size) if i < left else cell.rjust(size)
            for i, (cell, size) in enumerate(zip(row, sizes, strict=True))
        ).rstrip()
        for row in rows
    ]


def render(tables: Iterable[Table], form: TableFormat) -> str:
    """The tables as one document: text, Markdown, LaTeX (booktabs), CSV or JSON."""
    if form == "json":
        return json.dumps([_document(table) for table in tables], indent=2) + "\n"
    if form == "csv":
        return "".join(_csv(table) for table in tables)
    draw = {"text": _text, "markdown": _markdown, "latex": _latex}[form]
    return "\n".join("\n".join(draw(table)) + "\n" for table in tables)


def _document(table: Table) -> dict[str, object]:
    rows = [{"tracker": name, **dict(zip(table.columns, values, strict=True))} for name, values in table.rows]
    return {"title": table.title, "rows": rows, "notes": table.notes}


def _csv(table: Table) -> str:
    rows = (
        [table.title, name, *("" if v is None else repr(float(v)) for v in values)]
        for name, values in table.rows
    )
    return csv_text([["benchmark", "name", *table.columns], *rows])


def _text(table: Table) -> list[str]:
    head, *lines = align(_cells(table))
    width = max(map(len, [head, *lines]))
    return [table.title, head, "-" * width, *lines, "", *(f"  {note}" for note in table.notes)]


def _markdown(table: Table) -> list[str]:
    head, *lines = ["| " + " | ".join(row) + " |" for row in _cells(table)]
    rule = "|" + "---|" + "---:|" * len(table.columns)
    return [f"**{table.title}**", "", head, rule, *lines, "", *(f"- {note}" for note in table.notes)]


def _latex(table: Table) -> list[str]:
    escaped = str.maketrans({sign: rf"\{sign}" for sign in "%_&#${}"})
    head, *lines = [" & ".join(cell.translate(escaped) for cell in row) + r" \\" for row in _cells(table)]
    return [
        f"% {table.title}",
        *(f"% {note}" for note in table.notes),
        rf"\begin{{tabular}}{{l{'r' * len(table.columns)}}}",
        r"\toprule",
        head,
        r"\midrule",
        *lines,
        r"\bottomrule",
        r"\end{tabular}",
    ]


def _cells(table: Table) -> list[list[str]]:
    """Header and rows as text, the name of the row first."""
    rows = [[name, *map(_number, values)] for name, values in table.rows]
    return [["", *table.columns], *rows]


def _number(value: float | None) -> str:
    """Three decimals, which shares need; one for values from 10 on."""
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:.1f}" if value >= 10 else f"{value:.3f}"
