"""Trajectories in again: what `writers` wrote, back as values."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

from siamcli.errors import InputError
from siamcli.frames import SourceInfo
from siamcli.media.records import COLUMNS, parse_header, parse_point
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
        return reader(path, path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}") from error


def _bad(path: Path, line: int, error: Exception) -> InputError:
    what = f"no {error}" if isinstance(error, KeyError) else str(error)
    return InputError(f"{path}, line {line}: {what}", hint="is it a trajectory that siamtrack wrote?")


def _read_json(path: Path, text: str) -> Trajectory:
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise _bad(path, error.lineno, error) from error
    try:
        header = parse_header(document)
        complete = bool(document["complete"])
        records = list(document["points"])
    except (KeyError, TypeError, ValueError) as error:
        raise _bad(path, 1, error) from error
    # The writer puts every point on a line of its own, after the line that opens the list.
    first = text[: text.find('"points": [')].count("\n") + 2
    points: list[TrackPoint] = []
    for line, record in enumerate(records, first):
        try:
            points.append(parse_point(record))
        except (KeyError, TypeError, ValueError) as error:
            raise _bad(path, line, error) from error
    return Trajectory(header, tuple(points), complete)


def _read_jsonl(path: Path, text: str) -> Trajectory:
    header: TrackHeader | None = None
    points: list[TrackPoint] = []
    complete = False
    for line, row in enumerate(text.splitlines(), 1):
        try:
            record = json.loads(row)
            kind = record["type"]
            if kind == "header":
                header = parse_header(record)
            elif kind == "point":
                points.append(parse_point(record))
            elif kind == "summary":
                complete = bool(record["complete"])
            else:
                raise ValueError(f"unknown type {kind!r}")  # noqa: TRY301 - named with its line below
        except (KeyError, TypeError, ValueError) as error:
            raise _bad(path, line, error) from error
    if header is None:
        raise _bad(path, 1, ValueError("no header"))
    return Trajectory(header, tuple(points), complete)


def _read_csv(path: Path, text: str) -> Trajectory:
    rows = csv.DictReader(io.StringIO(text))  # line ends inside quotes belong to names
    if rows.fieldnames is None or set(COLUMNS) - set(rows.fieldnames):
        raise _bad(path, 1, ValueError(f"the first line must name {','.join(COLUMNS)}"))
    points: list[TrackPoint] = []
    for row in rows:
        try:
            points.append(parse_point(row))
        except (KeyError, TypeError, ValueError) as error:
            raise _bad(path, rows.line_num, error) from error
    labels = (None,) * max((point.target for point in points), default=1)
    header = TrackHeader(SourceInfo(path.stem), model="", weights_sha256="", version="", labels=labels)
    return Trajectory(header, tuple(points), complete=True)


_READERS: dict[str, Callable[[Path, str], Trajectory]] = {
    ".json": _read_json,
    ".jsonl": _read_jsonl,
    ".csv": _read_csv,
}
