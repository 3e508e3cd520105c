"""Reads and writes the tables that the page adds to: corrections and first boxes."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from siamcli.batch.manifest import COLUMNS, name_in_table, read_manifest
from siamcli.boxes import Box
from siamcli.errors import InputError, OutputError, why_unread
from siamcli.labels import written_name
from siamcli.media.kinds import source_name
from siamcli.session.fix import Moments
from siamcli.session.reading import Reading
from siamcli.sheets import Sheet, csv_text
from siamcli.targets import ABSENT, Target, TargetMark, number_marks, parse_mark
from siamcli.trajectory import Trajectory
from siamcli.ui.review.changes import Said

__all__ = [
    *("FIXES", "Rows", "check_rows", "corrections_in", "fixes_table", "picked_marks", "picks_table"),
    "rows_of",
]

Rows = list[tuple[str, ...]]

FIXES = ("clip", "time", "target", "box")
"""The columns of a table of corrections."""


def corrections_in(
    path: Path, reading: Reading, trajectory: Trajectory, size: tuple[int, int]
) -> dict[tuple[int, int], Box | None]:
    """What the table says of a clip with frames of `size`; nothing where there is no table.

    Raises InputError for a table that cannot be added to, or a row that does not fit the trajectory.
    """
    if not path.exists():
        return {}
    _rows(path, FIXES)
    found: dict[tuple[int, int], Box | None] = {}
    marks = reading.without_timecodes(read_manifest(path, "xywh").of(reading.source))
    if not marks:
        return found
    labels, moments = trajectory.header.labels, Moments(trajectory)
    for mark in marks:
        number = 1 if mark.label is None and len(labels) == 1 else number_marks([mark], labels)[0]
        if number > len(labels):
            raise InputError(
                f"{path}: no target {mark.label!r} in the trajectory", hint="name another table with --fixes"
            )
        if isinstance(mark, Target):
            frame = moments.first if mark.at is None else moments.frame(mark.at)  # as in a manifest
            found[number, frame] = mark.box(size)
        else:
            span = moments.between(moments.frame(mark.first), moments.frame(mark.last))
            found.update({(number, index): None for index in span})
    return found


def fixes_table(path: Path, source: str, corrections: Said, labels: Sequence[str | None]) -> str:
    """The text of the table in which these are the corrections of a clip; rows of other clips stay.

    Raises InputError for a table that cannot be added to.
    """
    alone = len(labels) == 1 and not labels[0]
    rows = [
        (time, "" if alone else written_name(labels, target), box)
        for target, time, box in _lines(corrections)
    ]
    return _table(path, source, FIXES, rows)


def rows_of(path: Path, source: str, columns: Sequence[str]) -> Rows:
    """The rows of a clip, as they stand there.  Raises InputError for a table that cannot be added to."""
    key = source_name(source).key
    return [row for row in _rows(path, columns) if source_name(row[0]).within(path.parent).key == key]


def check_rows(path: Path, source: str, columns: Sequence[str], known: Rows) -> None:
    """Raises OutputError where the rows of a clip are not those that are `known` any more: somebody has
    written them by hand, or another program has.
    """
    if rows_of(path, source, columns) != known:
        raise OutputError(
            f"{path}: what it says of {source_name(source).shown} was changed since it was read",
            hint="make it what it was to save what is drawn here, or start siamtrack again, which reads it",
        )


def picks_table(path: Path, source: str, boxes: Said, labels: Sequence[str | None]) -> str:
    """The text of the manifest in which these are the boxes of a clip; rows of other clips stay.

    Raises InputError for a manifest that cannot be added to.
    """
    rows = [("" if time == "0f" else time, box, name) for time, box, name in _picks(boxes, labels)]
    return _table(path, source, COLUMNS, rows)


def picked_marks(boxes: Said, labels: Sequence[str | None]) -> list[TargetMark]:
    """The boxes of one clip as a user writes them.

    >>> [mark.text for mark in picked_marks({(1, 7): Box(1, 2, 3, 4), (1, 9): None}, ["bug"])]
    ['7f=bug=1,2,3,4', '9f=bug=absent']
    """
    return [parse_mark(f"{time}={name}={box}") for time, box, name in _picks(boxes, labels)]


def _picks(boxes: Said, labels: Sequence[str | None]) -> Iterator[tuple[str, str, str]]:
    """Time, box and name of every row."""
    known = set[int]()
    for target, time, box in _lines(boxes):
        # without a label the first box is a target of its own, and the others name it
        yield time, box, labels[target - 1] or (f"#{target}" if target in known else "")
        known.add(target)


def _table(path: Path, source: str, columns: Sequence[str], rows: Iterable[tuple[str, ...]]) -> str:
    own = rows_of(path, source, columns)
    others = [row for row in _rows(path, columns) if row not in own]
    name = name_in_table(source, path.parent)
    return csv_text([columns, *others, *((name, *row) for row in rows)])


def _rows(path: Path, columns: Sequence[str]) -> Rows:
    """All rows of a table that this module may write again; none where there is no table."""
    if not path.exists() or not path.stat().st_size:
        return []
    try:
        sheet = Sheet(path.read_text(encoding="utf-8-sig"), ())
        if sheet.columns != list(columns):
            raise InputError(
                f"{path}: its first line is not {','.join(columns)}, so that no row can be added",
                hint="name another table",
            )
        return [tuple(row.get(name, "") for name in columns) for _, row in sheet]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read {path}: {why_unread(error)}") from None


def _lines(said: Said) -> Iterator[tuple[int, str, str]]:
    """Target, time and box of every row, boxes before absences; frames in succession in which a target is
    absent are one row.
    """
    for target, items in groupby(sorted(said.items()), key=lambda item: item[0][0]):
        own = {frame: box for (_, frame), box in items}
        for frame, box in own.items():
            if box is not None:
                yield target, f"{frame}f", ",".join(f"{value:g}" for value in box)
        for first, last in _runs(frame for frame, box in own.items() if box is None):
            yield target, f"{first}f-{last}f" if last > first else f"{first}f", ABSENT


def _runs(frames: Iterable[int]) -> list[tuple[int, int]]:
    """First and last of the frames that follow each other.

    >>> _runs([3, 4, 5, 9])
    [(3, 5), (9, 9)]
    """
    runs: list[tuple[int, int]] = []
    for frame in frames:
        if runs and frame == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], frame)
        else:
            runs.append((frame, frame))
    return runs
