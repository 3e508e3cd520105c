"""The status file of a batch: JSON Lines that are only appended to, readable after any crash."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from siamcli.atomic import as_output_error, lock, make_folder, write_text
from siamcli.errors import InputError, OutputError
from siamcli.schema import FileBelow, Natural, NotNegative, from_record, load_json

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["WHOLE", "Entry", "History", "StatusFile", "latest_entries", "merge", "now", "read_status"]

WHOLE = "batch.jsonl"
"""The status file of a batch that is not divided, or of shards that were merged."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line: clip `id` (its path from the status file's folder) reached `state` at `at` (UTC).

    `clip` is the name that the user gave, `key` the hash of input, boxes, weights and settings, `style` that
    of how its videos are drawn, None for the default.  `outputs` are paths from the status file's folder.
    `lost` counts the frames of all `targets` together, `same_box` those in which two have nearly one box.
    `corrected`: a human has corrected it since it was tracked.  `code` is the exit code that the error has.
    """

    id: str
    clip: str
    key: str
    state: Literal["started", "done", "failed"]
    at: str
    outputs: tuple[FileBelow, ...] = ()
    frames: Natural | None = None
    seconds: NotNegative | None = None
    lost: Natural | None = None
    targets: Natural | None = None
    same_box: Natural | None = None
    style: str | None = None
    corrected: bool | None = None
    error: str | None = None
    hint: str | None = None
    code: int | None = None
    schema: Literal["siamtrack-batch/1"] = "siamtrack-batch/1"

    def line(self) -> str:
        """The entry as JSON, without what is not known."""
        known = {name: value for name, value in asdict(self).items() if value is not None}
        return json.dumps({"schema": self.schema, **known}) + "\n"

    @property
    def lost_share(self) -> float:
        """The part of a finished clip in which its targets were lost, from 0 to 1."""
        if self.state != "done" or not self.lost:
            return 0
        return min(1, self.lost / max(1, (self.frames or self.lost) * (self.targets or 1)))


def read_status(path: Path) -> list[Entry]:
    """The entries of a status file; raises InputError for one that is none.

    A line that a crash or a power cut has left half-written is passed over, and so is any that is none.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    entries = [entry for line in lines if (entry := _parse(line)) is not None]
    ours = [line for line in lines if b"siamtrack-batch/" in line]
    if len(lines) > 1 and not entries and not ours:
        raise InputError(f"{path} is not a status file", hint="siamtrack batch writes batch.jsonl")
    if not entries and any(line.endswith(b"}") for line in ours):  # whole lines, and none that is known
        raise InputError(
            f"{path}: this version of siamtrack knows none of its lines", hint="did another version write it?"
        )
    return entries


def _parse(line: bytes) -> Entry | None:
    try:
        return from_record(Entry, load_json(line))  # what a newer siamtrack may add is passed over
    except ValueError:
        return None


def now() -> str:
    """This moment, as entries have it."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def latest_entries(entries: Iterable[Entry]) -> dict[str, Entry]:
    """Clip id -> the last that is known of it."""
    return {entry.id: entry for entry in entries}


class History:
    """What a status file holds, if there is one: `entries`, the latest of every clip, and `written`, every
    output of a clip that any of its lines names.

    Of clips that were corrected since, the file into which shards were merged says so: their own do not know.
    """

    def __init__(self, path: Path) -> None:
        lines = read_status(path) if path.exists() else []
        self.entries = latest_entries(lines)
        self.written: dict[str, set[str]] = {}
        for entry in lines:
            self.written.setdefault(entry.id, set()).update(entry.outputs)
        for entry in _corrected(path.with_name(WHOLE)) if path.name != WHOLE else ():
            if entry.id in self.entries and self.entries[entry.id].at < entry.at:
                self.entries[entry.id] = entry


def _corrected(path: Path) -> list[Entry]:
    """The lines of clips that are corrected; none where there is no status file."""
    with suppress(InputError):
        return [entry for entry in latest_entries(read_status(path)).values() if entry.corrected]
    return []


class StatusFile(History):
    """A status file that one batch adds to; what it held before is its history.

    Raises OutputError when another batch is writing it, or the system refuses.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        make_folder(path.parent)
        with as_output_error(path):
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            _lock(self._file, path)
            super().__init__(path)
            if _ends_mid_line(path):
                self._write(b"\n")  # what follows must stand alone
        except BaseException:
            os.close(self._file)
            raise

    def add(self, entry: Entry) -> None:
        """Append one entry; it is on the disk when this returns.

        Raises OutputError where the system refuses, and where the file is not at its place any more: no later
        batch would know the outputs.
        """
        if not _is_at(self.path, self._file):
            raise OutputError(
                f"{self.path} was removed, moved or replaced while this batch was writing it",
                hint="move it back, else the same command tracks all clips again; leave it in its place"
                " until the batch ends",
            )
        self._write(entry.line().encode())

    def _write(self, data: bytes) -> None:
        with as_output_error(self.path):
            if os.write(self._file, data) < len(data):
                raise OutputError(
                    f"cannot write {self.path}: no space left", hint="free some space, then run it again"
                )
            os.fsync(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *stopped: object) -> None:
        os.close(self._file)


def _lock(file: int, path: Path) -> None:
    if not lock(file, patient=True):
        raise OutputError(
            f"another batch is writing {path}",
            hint="wait for it; another batch can have its own --output-dir",
        )


def _is_at(path: Path, file: int) -> bool:
    """Whether the open file is what has that name."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except OSError:
        return False


def _ends_mid_line(path: Path) -> bool:
    """True when a crash has left the last line without its end."""
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return False
        file.seek(-1, os.SEEK_END)
        return file.read() != b"\n"


def merge(paths: Iterable[Path], target: Path, *, overwrite: bool) -> dict[str, Entry]:
    """Join status files, the lines in the order of their time; returns the latest of every clip.  What the
    `target` says of corrected clips stays.

    Paths in the lines are from the folder of their own file; `target` lies in the same folder.
    Raises InputError for files that are none, or of different folders, OutputError where a batch is writing
    `target`.
    """
    paths = list(paths)
    lines = [entry for path in paths for entry in read_status(path)]
    entries = sorted(dict.fromkeys([*lines, *_corrected(target)]), key=lambda entry: entry.at)
    folders = {Path(os.path.realpath(path)).parent for path in paths}
    if len(folders) > 1:
        raise InputError(
            "status files of different folders", hint="shards of one batch share their --output-dir"
        )
    if paths and Path(os.path.realpath(target)).parent not in folders:
        raise InputError(
            f"{target} must lie beside {paths[0]}: the lines name their outputs from there",
            hint=f"-o {paths[0].with_name(target.name)}",
        )
    with ExitStack() as stack:
        if target.is_file():
            _lock(stack.enter_context(target.open("rb")).fileno(), target)
        write_text(target, "".join(entry.line() for entry in entries), overwrite=overwrite)
    return latest_entries(entries)
