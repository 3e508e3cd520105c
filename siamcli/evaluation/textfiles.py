"""Rows of numbers in text files, as benchmarks and trackers write them.

Commas, semicolons, tabs and spaces separate, also mixed; NaN in any case; UTF-8 with or without a mark,
or UTF-16 with one.  Empty lines at the end are ignored; anything else unusual is an error with its
file and line, because a missing row would shift all later frames.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

import numpy as np

from siamcli.counts import counted
from siamcli.errors import DatasetError
from siamcli.evaluation.overlap import Array
from siamcli.schema import decode

__all__ = ["read_boxes", "read_flat", "read_rows"]

_BETWEEN = re.compile(r"[,;\s]+")


def read_rows(path: Path, counts: Collection[int], *, first_blank: bool = False) -> list[list[float]]:
    """One list of numbers per line; every line has as many as `counts` allows.

    `first_blank` lets the first line be empty (VOT confidences), which reads as NaN.
    Raises DatasetError with file and line.
    """
    lines = _text(path).rstrip().splitlines() or [""]
    rows: list[list[float]] = []
    for number, line in enumerate(lines, 1):
        words = [word for word in _BETWEEN.split(line.strip()) if word]
        if not words and first_blank and number == 1:
            rows.append([np.nan])
            continue
        try:
            row = [float(word) for word in words]
        except ValueError:
            raise DatasetError(f"{path}, line {number}: not numbers: {line.strip()[:60]!r}") from None
        if len(row) not in counts:
            expected = " or ".join(str(count) for count in sorted(counts))
            raise DatasetError(
                f"{path}, line {number}: {counted(len(row), 'number')} where {expected} are expected"
            )
        rows.append(row)
    return rows


def read_boxes(path: Path, *, gaps: bool = False) -> Array:
    """A file of x, y, w, h per line as (N, 4).  With `gaps` a line of a single number is a row of NaN.

    Raises DatasetError with file and line.
    """
    rows = read_rows(path, {1, 4} if gaps else {4})
    return np.array([row if len(row) == 4 else [np.nan] * 4 for row in rows], np.float64)


def read_flat(path: Path) -> Array:
    """All numbers of a file in reading order, whatever their lines (labels, times)."""
    return np.array([v for row in read_rows(path, range(1, 1_000_000)) for v in row], np.float64)


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"cannot read {path}: {error.strerror}") from None
    try:
        return decode(raw)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise DatasetError(
            f"{path}, line {line}: neither UTF-8 nor UTF-16 text", hint="save the file as UTF-8"
        ) from None
