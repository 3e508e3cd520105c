"""The table of corrections that a review adds to, as `siamtrack fix --fixes` reads it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from siamcli.batch.manifest import read_manifest
from siamcli.boxes import Box
from siamcli.errors import InputError
from siamcli.media.kinds import source_name
from siamcli.session.fix import Moments
from siamcli.sheets import Sheet
from siamcli.targets import ABSENT, Target, number_marks
from siamcli.trajectory import Trajectory

__all__ = ["Corrections", "corrections_in", "table_with"]

COLUMNS = ("clip", "time", "target", "box")

Corrections = Mapping[tuple[int, int], Box | None]
"""What a human says: (target, frame) -> where it is, None where it is absent."""


def corrections_in(
    path: Path, source: str, trajectory: Trajectory, size: tuple[int, int]
) -> dict[tuple[int, int], Box | None]:
    """What the table says of a clip with frames of `size`; nothing where there is no table.

    Raises InputError for a table that cannot be added to, or a row that does not fit the trajectory.
    """
    if not path.exists():
        return {}
    _rows(path)
    found: dict[tuple[int, int], Box | None] = {}
    marks = read_manifest(path, "xywh").of(source)
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
            if mark.at is not None:
                found[number, moments.frame(mark.at)] = mark.box(size)
        else:
            span = moments.between(moments.frame(mark.first), moments.frame(mark.last))
            found.update({(number, index): None for index in span})
    return found


def table_with(path: Path, source: str, corrections: Corrections, labels: Sequence[str | None]) -> str:
    """The text of the table in which these are the corrections of a clip; rows of other clips stay.

    Raises InputError for a table that cannot be added to.
    """
    clip = source_name(source)
    others = [row for row in _rows(path) if source_name(row[0]).within(path.parent).key != clip.key]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(others)
    name = clip.relative_to(path.parent)
    writer.writerows((name, *row) for row in _lines(corrections, labels))
    return text.getvalue()


def _rows(path: Path) -> list[tuple[str, ...]]:
    """All rows of a table that this module may write again; none where there is no table."""
    if not path.exists():
        return []
    try:
        sheet = Sheet(path.read_text(encoding="utf-8-sig"), ())
        if tuple(sheet.columns) != COLUMNS:
            raise InputError(
                f"{path}: its first line is not {','.join(COLUMNS)}, so that no row can be added",
                hint="name another table with --fixes",
            )
        return [tuple(row[name] or "" for name in COLUMNS) for _, row in sheet]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read {path}: {error}") from None


def _lines(corrections: Corrections, labels: Sequence[str | None]) -> Iterator[tuple[str, str, str]]:
    """Time, target and box of every row; frames in succession in which a target is absent are one row."""
    for target, items in groupby(sorted(corrections.items()), key=lambda item: item[0][0]):
        said = {frame: box for (_, frame), box in items}
        label = labels[target - 1] or ("" if len(labels) == 1 else f"#{target}")
        for first, last in _runs(frame for frame, box in said.items() if box is None):
            yield f"{first}f-{last}f" if last > first else f"{first}f", label, ABSENT
        for frame, box in said.items():
            if box is not None:
                yield f"{frame}f", label, ",".join(f"{value:g}" for value in box)


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
