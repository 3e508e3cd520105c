"""JSON: one document, a line per point."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from siamcli.formats.records import bad_line, parse_frames, parse_header, parse_points, with_all_targets
from siamcli.formats.stream import TextStream
from siamcli.schema import load_json
from siamcli.trajectory import TrackHeader, Trajectory

__all__ = ["Stream", "read"]


class Stream(TextStream):
    """The header's members, the list `points`, and `frames`, `complete` and `lost` at the end."""

    def __init__(self, header: TrackHeader, *, drop_lost: bool = False) -> None:
        super().__init__(header, drop_lost=drop_lost)
        self._separator = ""

    def _head(self, header: dict[str, Any]) -> str:
        return "{\n" + _members(header) + ',\n "points": ['

    def _point(self, point: dict[str, Any]) -> str:
        separator, self._separator = self._separator, ","
        return f"{separator}\n  {json.dumps(point, allow_nan=False)}"

    def _tail(self, summary: dict[str, Any]) -> str:
        return "\n ],\n" + _members(summary) + "\n}\n"


def _members(record: dict[str, Any]) -> str:
    return ",\n".join(
        f" {json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in record.items()
    )


def read(path: Path, text: str) -> Trajectory:
    """The trajectory in the `text` of `path`; raises InputError that names the line."""
    try:
        document = load_json(text)
        header = parse_header(document)
        complete = bool(document["complete"])
        frames = parse_frames(document)
        records = list(document["points"])
    except (KeyError, TypeError, ValueError) as error:
        raise bad_line(path, 1, error) from None
    # The stream puts every point on a line of its own, after the line that opens the list.
    first = text[: text.find('"points": [')].count("\n") + 2
    points = parse_points(path, enumerate(records, first))
    return Trajectory(with_all_targets(header, points), points, complete, frames)
