"""Reads the boxes of clips: from a manifest (CSV or JSON), from a file beside a clip, or one for all."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from siamcli.errors import InputError, why_unread
from siamcli.formats.starts import read_starts
from siamcli.media.kinds import SourceName, source_name
from siamcli.media.sources import announced_count
from siamcli.schema import can_be_named, decode, load_json
from siamcli.sheets import Sheet, SheetError
from siamcli.targets import ABSENT, AbsentTarget, BoxFormat, TargetMark, check_label, parse_target
from siamcli.times import parse_span, parse_time

__all__ = ["COLUMNS", "Boxes", "Manifest", "NoBoxError", "name_in_table", "read_manifest"]

COLUMNS = ("clip", "time", "box", "label")
SIDES = ("x", "y", "w", "h")


@dataclass(frozen=True, slots=True)
class Manifest:
    """Targets and troubles by clip (the key of its source), `clips` as they were named, and repeated rows."""

    clips: tuple[str, ...] = ()
    targets: Mapping[str, tuple[TargetMark, ...]] = field(default_factory=dict)
    problems: Mapping[str, InputError] = field(default_factory=dict)
    repeated: tuple[str, ...] = ()

    def of(self, source: str) -> tuple[TargetMark, ...]:
        """The rows of a clip, none where it is not named; raises InputError for a wrong one."""
        key = source_name(source).key
        if key in self.problems:
            raise self.problems[key]
        return self.targets.get(key, ())


class NoBoxError(InputError):
    """A clip without a box."""


@dataclass(frozen=True, slots=True)
class Boxes:
    """Where boxes come from: a row of the manifest, else CLIP.box, else the boxes for all."""

    manifest: Manifest
    for_all: tuple[TargetMark, ...]
    format: str
    """What a file CLIP.box is, as `read_starts` takes it."""

    def has(self, source: str) -> bool:
        """True when a clip has a box, right or wrong."""
        try:
            return bool(self.of(source))
        except NoBoxError:
            return False
        except InputError:
            return True

    def of(self, source: str) -> tuple[TargetMark, ...]:
        """The targets of a clip; raises InputError when there are none or they cannot be read."""
        name = source_name(source)
        if rows := self.manifest.of(source):
            return rows
        path = name.absolute().path  # `.` has no name of its own
        if name.is_path and path.name:
            for sidecar in (path.with_name(f"{path.name}.box"), path.with_suffix(".box")):
                if os.path.isfile(sidecar):  # noqa: PTH113 - no error for a name that no system takes
                    return tuple(read_starts(sidecar, self.format, lambda: announced_count(source)))
        if self.for_all:
            return self.for_all
        raise NoBoxError(
            f"no box for {source}", hint="draw it with `siamtrack pick`, or give --box for all clips"
        )


def name_in_table(source: str, folder: Path) -> str:
    """The source as a table in `folder` names it.  Raises InputError for a name that is not UTF-8."""
    name = source_name(source).relative_to(folder)
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InputError(
            f"{name}: no table can hold this name, which is not UTF-8", hint="rename it"
        ) from None
    return name


def read_manifest(path: Path, format: BoxFormat) -> Manifest:
    """Read rows of clip, time, box and label; clips are named relative to the manifest's folder.

    A table with those column names (.csv, .tsv; time and label may be missing, label may be called target), a
    JSON list of objects, or JSON Lines.  A box is text as for --box, a list of four numbers, `absent`, or
    stands in the columns x, y, w and h.  A wrong row is kept as the problem of its clip.  Raises InputError
    when the file as a whole cannot be read.
    """
    clips: dict[str, str] = {}
    targets: dict[str, tuple[TargetMark, ...]] = {}
    problems: dict[str, InputError] = {}
    repeated: list[str] = []
    for place, row in _rows(path):
        name = str(row.get("clip") or "").strip()
        if not name:
            raise InputError(f"{place}: no clip", hint=f"columns: {','.join(COLUMNS)}")
        source = _source("".join(c if can_be_named(c) else "\ufffd" for c in name), path.parent)
        key = source.key
        clips.setdefault(key, source.text)
        try:
            target = _target(row, format)
        except InputError as error:
            problems.setdefault(key, InputError(f"{place}: {error}", hint=error.hint))
            continue
        if target in targets.get(key, ()):
            repeated.append(f"{place}: {name} has this box already")
        else:
            targets[key] = (*targets.get(key, ()), target)
    return Manifest(tuple(clips.values()), targets, problems, tuple(repeated))


def _source(name: str, folder: Path) -> SourceName:
    """The clip of a row.  Manifests that were written on Windows separate folders with backslashes."""
    source = source_name(name).within(folder)
    if source.kind == "missing" and "\\" in name:
        return source_name(name.replace("\\", "/")).within(folder)
    return source


def _target(row: Mapping[Any, Any], format: BoxFormat) -> TargetMark:
    box, time = row.get("box"), row.get("time")
    label = next(
        (str(row[name]).strip() for name in ("label", "target") if row.get(name) not in (None, "")), ""
    )
    if not can_be_named(name := str(row.get("clip"))):
        raise InputError(f"no file can be called {name!r}", hint="correct the name of the clip")
    if not box and any(row.get(side) not in (None, "") for side in SIDES):
        box = [row.get(side, "") for side in SIDES]
    if isinstance(box, Sequence) and not isinstance(box, str):
        box = ",".join(map(str, box))
    if None in row:  # what has spilled over the columns
        raise InputError(
            'more values than columns: the box must be in quotes, as "40,60,40,30"',
            hint=f"columns: {','.join(COLUMNS)}",
        )
    if not box:
        raise InputError("no box", hint='write x,y,w,h in quotes, for example "10,20,30,40"')
    check_label(label)
    if str(box).strip() == ABSENT:
        first, last = parse_span("" if time is None else str(time))
        return AbsentTarget(f"{time} {box}", first, last, label or None)
    target = parse_target(str(box), format)
    at = None if time in (None, "") else parse_time(str(time))
    return replace(target, label=label or target.label, at=at)


def _rows(path: Path) -> Iterator[tuple[str, Mapping[Any, Any]]]:
    """Every row, with its file and line."""
    try:
        text = decode(path.read_bytes())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {why_unread(error)}") from None
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv"):
        yield from _table(path, text)
    elif suffix == ".json":
        yield from ((f"{path}, entry {n}", row) for n, row in enumerate(_objects(path, text), start=1))
    elif suffix == ".jsonl":
        for n, line in enumerate(text.split("\n"), start=1):
            if line.strip():
                yield from ((f"{path}, line {n}", row) for row in _objects(f"{path}, line {n}", f"[{line}]"))
    else:
        raise InputError(f"{path}: not a manifest", hint="known suffixes: .csv .tsv .json .jsonl")


def _table(path: Path, text: str) -> Iterator[tuple[str, Mapping[Any, Any]]]:
    try:
        sheet = Sheet(text, SIDES)
        names = set(sheet.columns)
        if not ({"clip", "box"} <= names or {"clip", *SIDES} <= names):
            given = ", ".join(sheet.columns) or "none"
            raise InputError(
                f"{path}, line {sheet.line}: columns clip and box are needed, not {given}",
                hint=f"columns: {','.join(COLUMNS)}; {','.join(SIDES)} may stand in place of box",
            )
        for line, row in sheet:
            yield f"{path}, line {line}", row
    except SheetError as error:
        raise InputError(f"{path}, line {error.line}: {error}") from None


def _objects(place: object, text: str) -> list[Mapping[str, Any]]:
    try:
        rows = load_json(text)
    except ValueError as error:
        raise InputError(f"{place}: {error}") from None
    rows = [rows] if isinstance(rows, dict) and "clip" in rows else rows
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{place} must be a list of objects", hint=f"with {', '.join(COLUMNS)}")
    return rows
