"""Trajectories in again: what `writers` wrote, back as values."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from siamcli.errors import InputError
from siamcli.formats.records import COLUMNS_1, parse_header, parse_point
from siamcli.frames import SourceInfo
from siamcli.schema import decode, load_json
from siamcli.trajectory import TrackHeader, TrackPoint, Trajectory

__all__ = ["read_trajectory"]


def read_trajectory(path: str | Path) -> Trajectory:
    """Read a .json, .jsonl or .csv trajectory; raises InputError that names the file and the line.

    JSON Lines without a summary (the program was killed) count as incomplete.  CSV has no header:
    source and model stay unknown, and it counts as complete.
    """
    path = Path(path)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{path}: not a trajectory", hint=f"known suffixes: {' '.join(_READERS)}")
    try:
        return reader(path, decode(path.read_bytes()))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}") from error


def _bad(path: Path, line: int, error: Exception) -> InputError:
    what = f"no {error}" if isinstance(error, KeyError) else str(error)
    return InputError(f"{path}, line {line}: {what}", hint="is it a trajectory that siamtrack wrote?")


def _points(path: Path, records: Iterable[tuple[int, Mapping[str, Any]]]) -> tuple[TrackPoint, ...]:
    """The points of records, which stand at the lines beside them."""
    points: dict[tuple[int, int], TrackPoint] = {}
    for line, record in records:
        try:
            point = parse_point(record)
        except ValueError as error:
            raise _bad(path, line, error) from None
        if points.setdefault((point.index, point.target), point) is not point:
            raise _bad(path, line, ValueError(f"target {point.target} was in frame {point.index} before"))
    return tuple(points.values())


def _read_json(path: Path, text: str) -> Trajectory:
    try:
        document = load_json(text)
        header = parse_header(document)
        complete = bool(document["complete"])
        records = list(document["points"])
    except (KeyError, TypeError, ValueError) as error:
        raise _bad(path, 1, error) from None
    # The writer puts every point on a line of its own, after the line that opens the list.
    first = text[: text.find('"points": [')].count("\n") + 2
    return Trajectory(header, _points(path, enumerate(records, first)), complete)


def _read_jsonl(path: Path, text: str) -> Trajectory:
    header: TrackHeader | None = None
    records: list[tuple[int, Mapping[str, Any]]] = []
    complete = False
    for line, row in enumerate(text.splitlines(), 1):
        try:
            record = load_json(row)
            kind = record["type"]
            if kind == "header":
                header = parse_header(record)
            elif kind == "point":
                records.append((line, record))
            elif kind == "summary":
                complete = bool(record["complete"])
            else:
                raise ValueError(f"unknown type {kind!r}")  # noqa: TRY301 - named with its line below
        except (KeyError, TypeError, ValueError) as error:
            raise _bad(path, line, error) from None
    if header is None:
        raise _bad(path, 1, ValueError("no header"))
    return Trajectory(header, _points(path, records), complete)


def _read_csv(path: Path, text: str) -> Trajectory:
    rows = csv.DictReader(io.StringIO(text, newline=""))
    names: dict[int, str | None] = {}

    def records() -> Iterator[tuple[int, Mapping[str, Any]]]:
        for row in rows:
            record = {name: value or None for name, value in row.items()}
            yield rows.line_num, record
            names[int(row["target"])] = record.get("label")

    try:
        if rows.fieldnames is None or set(COLUMNS_1) - set(rows.fieldnames):
            raise _bad(path, 1, ValueError(f"the first line must name {','.join(COLUMNS_1)}"))
        points = _points(path, records())
    except csv.Error as error:
        raise _bad(path, rows.line_num, error) from None
    labels = tuple(names.get(target) for target in range(1, max(names, default=1) + 1))
    header = TrackHeader(SourceInfo(path.stem), model="", weights_sha256="", version="", labels=labels)
    return Trajectory(header, points, complete=True)


_READERS: dict[str, Callable[[Path, str], Trajectory]] = {
    ".json": _read_json,
    ".jsonl": _read_jsonl,
    ".csv": _read_csv,
}
