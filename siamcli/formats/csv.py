"""CSV: the points as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from siamcli.formats.records import COLUMNS, COLUMNS_1, LIVE_COLUMNS, bad_line, parse_points
from siamcli.formats.select import image_name
from siamcli.formats.stream import TextStream
from siamcli.frames import SourceInfo
from siamcli.sheets import Sheet, SheetError, csv_text
from siamcli.trajectory import TrackHeader, Trajectory

__all__ = ["Stream", "read"]


_NUMBERS = {*COLUMNS, "agreement", *LIVE_COLUMNS} - {"state", "label", "source"}


class Stream(TextStream):
    """A row per point; empty cells where a value is not known.

    For an image source the last column is the name of the frame's file.
    """

    def _head(self, header: dict[str, Any]) -> str:
        return csv_text([[*self._columns, *(["file"] if self._header.source.files else [])]])

    def _point(self, point: dict[str, Any]) -> str:
        file = image_name(self._header.source, point["frame"])
        cells = [] if file is None else [file.encode(errors="replace").decode()]
        return csv_text([[*(point.get(name) for name in self._columns), *cells]])

    @property
    def _columns(self) -> list[str]:
        more = [*["agreement"] * self._header.checked, *LIVE_COLUMNS * self._header.live]
        return [*COLUMNS, *more]


def read(path: Path, text: str) -> Trajectory:
    """The trajectory in the `text` of `path`; raises InputError that names the line.

    A table has no header: source and model stay unknown, and it counts as complete.
    """
    names: dict[int, str | None] = {}

    def records() -> Iterator[tuple[int, Mapping[str, Any]]]:
        for line, row in sheet:
            record = {name: value or None for name, value in row.items() if name is not None}
            yield line, record
            names[int(float(record["target"] or 0))] = record.get("label")

    try:
        sheet = Sheet(text, _NUMBERS, exact=True)
        if missing := [name for name in COLUMNS_1 if name not in sheet.columns]:
            needed = f"the first line must name {','.join(COLUMNS_1)}, and lacks {','.join(missing)}"
            raise bad_line(path, sheet.line, ValueError(needed))
        points = parse_points(path, records())
    except SheetError as error:
        raise bad_line(path, error.line, error) from None
    labels = tuple(names.get(target) for target in range(1, max(names, default=1) + 1))
    checked, live = ("agreement" in sheet.columns), set(LIVE_COLUMNS) <= set(sheet.columns)
    source = SourceInfo(path.stem)
    header = TrackHeader(source, "", "", "", labels=labels, checked=checked, live=live)
    return Trajectory(header, points, complete=True)
