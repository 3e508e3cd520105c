"""JSON Lines: a record per line, the header, the points as they are found, the summary."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from siamcli.formats.records import bad_line, parse_frames, parse_header, parse_points, with_all_targets
from siamcli.formats.stream import TextStream
from siamcli.schema import load_json
from siamcli.trajectory import TrackHeader, Trajectory

__all__ = ["Stream", "read"]


class Stream(TextStream):
    """Every record has a `type`: header, point or summary."""

    def _head(self, header: dict[str, Any]) -> str:
        return _line("header", header)

    def _point(self, point: dict[str, Any]) -> str:
        return _line("point", point)

    def _tail(self, summary: dict[str, Any]) -> str:
        return _line("summary", summary)


def _line(kind: str, record: dict[str, Any]) -> str:
    return json.dumps({"type": kind, **record}, allow_nan=False) + "\n"


def read(path: Path, text: str) -> Trajectory:
    """The trajectory in the `text` of `path`; raises InputError that names the line.

    Without a summary (the program was killed) it counts as incomplete.
    """
    header: TrackHeader | None = None
    records: list[tuple[int, Mapping[str, Any]]] = []
    complete, frames = False, None
    for line, row in enumerate(text.splitlines(), 1):
        try:
            record = load_json(row)
            kind = record["type"]
            if kind == "header":
                header = parse_header(record)
            elif kind == "point":
                records.append((line, record))
            elif kind == "summary":
                complete, frames = bool(record["complete"]), parse_frames(record)
            else:
                raise ValueError(f"unknown type {kind!r}")  # noqa: TRY301 - named with its line below
        except (KeyError, TypeError, ValueError) as error:
            raise bad_line(path, line, error) from None
    if header is None:
        raise bad_line(path, 1, ValueError("no header"))
    points = parse_points(path, records)
    return Trajectory(with_all_targets(header, points), points, complete, frames)
