"""Trajectory out, one class per format: written as frames arrive, readable whatever happens."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import sys
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from siamcli.errors import OutputError
from siamcli.media.base import Output
from siamcli.media.records import COLUMNS, header_record, mot_line, point_record
from siamcli.media.suffixes import TRACK_SUFFIXES, VIDEO_SUFFIXES
from siamcli.parts import PartFile, Unfinished, reporting
from siamcli.trajectory import LostIntervals, TrackHeader, TrackPoint, Trajectory

__all__ = ["WRITERS", "TrackWriter", "open_writer", "write_trajectory"]


class TrackWriter(Output):
    """Takes the points of one frame after the other; `close` ends the file and gives it its name.

    With `drop_lost` a format without states has no lines for lost frames.  Raises OutputError when the
    system refuses to write.
    """

    def __init__(
        self, file: TextIO, part: PartFile | None, header: TrackHeader, *, drop_lost: bool = False
    ) -> None:
        self._file = file
        self._part = part
        self._drop_lost = drop_lost
        self._lost = LostIntervals()
        self._frames = 0
        self._points = 0
        self._open = True
        self._labels = header.labels
        self._emit(self.head(header_record(header)))

    @abstractmethod
    def head(self, header: dict[str, Any]) -> str:
        """What stands before the first point."""

    @abstractmethod
    def body(self, point: dict[str, Any], first: bool) -> str:
        """One point."""

    @abstractmethod
    def tail(self, summary: dict[str, Any]) -> str:
        """What stands after the last point."""

    def write(self, points: Sequence[TrackPoint]) -> None:
        """The points of all targets in one frame."""
        start = self._points
        records = (point_record(point, self._labels) for point in points)
        self._emit("".join(self.body(record, not n) for n, record in enumerate(records, start)))
        self._frames += 1
        self._points += len(points)
        for point in points:
            self._lost.add(point)

    def close(self, complete: bool) -> None:
        """End the file; not `complete` says that frames are missing at the end."""
        if not self._open:
            return
        lost = {str(target): found for target, found in self._lost.intervals().items()}
        self._emit(self.tail({"frames": self._frames, "complete": complete, "lost": lost}))
        self._open = False
        if self._part:
            with reporting(self._part.target):
                self._file.close()
            self._part.commit(complete=complete)

    def _emit(self, text: str) -> None:
        try:
            with reporting(self._part.target if self._part else Path("standard output")):
                self._file.write(text)
                self._file.flush()
        except OutputError:
            self.discard()
            raise

    def discard(self) -> None:
        self._open = False
        if self._part:
            # close() would try once more to write what did not fit, and fail again
            with contextlib.suppress(OSError):
                self._file.close()
            self._part.discard()

    @property
    def begun(self) -> bool:
        return self._frames > 0

    @property
    def kept(self) -> Path | None:
        return self._part.kept if self._part else None


class JsonWriter(TrackWriter):
    """One document, a line per point."""

    def head(self, header: dict[str, Any]) -> str:
        return "{\n" + _members(header) + ',\n "points": ['

    def body(self, point: dict[str, Any], first: bool) -> str:
        return f"{'' if first else ','}\n  {json.dumps(point, allow_nan=False)}"

    def tail(self, summary: dict[str, Any]) -> str:
        return "\n ],\n" + _members(summary) + "\n}\n"


def _members(record: dict[str, Any]) -> str:
    return ",\n".join(
        f" {json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in record.items()
    )


class JsonLinesWriter(TrackWriter):
    """A record per line: the header, the points as they are found, the summary."""

    def head(self, header: dict[str, Any]) -> str:
        return json.dumps({"type": "header", **header}, allow_nan=False) + "\n"

    def body(self, point: dict[str, Any], first: bool) -> str:
        return json.dumps({"type": "point", **point}, allow_nan=False) + "\n"

    def tail(self, summary: dict[str, Any]) -> str:
        return json.dumps({"type": "summary", **summary}, allow_nan=False) + "\n"


class CsvWriter(TrackWriter):
    """The points as a table; empty cells where a value is not known.

    For an image source the last column is the name of the frame's file.
    """

    def head(self, header: dict[str, Any]) -> str:
        self._files = header["source"].get("files")
        return _row([*COLUMNS, *(["file"] if self._files else [])])

    def body(self, point: dict[str, Any], first: bool) -> str:
        file = [self._files[point["frame"]].encode(errors="replace").decode()] if self._files else []
        return _row([*(point[name] for name in COLUMNS), *file])

    def tail(self, summary: dict[str, Any]) -> str:
        return ""


def _row(cells: Sequence[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


class MotWriter(TrackWriter):
    """MOTChallenge results."""

    def head(self, header: dict[str, Any]) -> str:
        return ""

    def body(self, point: dict[str, Any], first: bool) -> str:
        return mot_line(point, drop_lost=self._drop_lost)

    def tail(self, summary: dict[str, Any]) -> str:
        return ""


WRITERS: dict[str, type[TrackWriter]] = dict(
    zip(TRACK_SUFFIXES, (JsonWriter, JsonLinesWriter, CsvWriter, MotWriter), strict=True)
)


def open_writer(
    path: str,
    header: TrackHeader,
    *,
    overwrite: bool,
    format: str | None = None,
    drop_lost: bool = False,
    unfinished: Unfinished = "kept",
) -> TrackWriter:
    """A writer by the suffix of `path`, or by `format` (such as `.jsonl`); `-` is standard output.

    `drop_lost` is for formats without states, `unfinished` for what an exception ends.  Raises OutputError
    when the file exists, cannot be written, or has a suffix that nobody knows.
    """
    suffix = format or Path(path).suffix.lower()
    if suffix not in WRITERS:
        raise OutputError(
            f"{path}: unknown format", hint=f"known: {' '.join((*TRACK_SUFFIXES, *VIDEO_SUFFIXES))}"
        )
    if path == "-":
        if sys.stdout is None:
            raise OutputError("standard output is closed", hint="name a file")
        return WRITERS[suffix](sys.stdout, None, header, drop_lost=drop_lost)
    part = PartFile(Path(path), overwrite=overwrite, unfinished=unfinished)
    with reporting(part.target):
        file = part.path.open("w", encoding="utf-8", newline="\n")
    return WRITERS[suffix](file, part, header, drop_lost=drop_lost)


def write_trajectory(path: str, trajectory: Trajectory, *, frames: int) -> None:
    """Write what `siamtrack run` wrote of the same tracking, of `frames` frames; replaces the file.

    Raises OutputError.
    """
    found: dict[int, list[TrackPoint]] = {}
    for point in sorted(trajectory.points, key=lambda point: (point.index, point.target)):
        found.setdefault(point.index, []).append(point)
    with open_writer(path, trajectory.header, overwrite=True, unfinished="removed") as writer:
        for _ in range(frames - len(found)):
            writer.write(())  # before the first target began
        for points in found.values():
            writer.write(points)
