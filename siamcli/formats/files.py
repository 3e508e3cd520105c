"""Reads and writes trajectory files of any format."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from siamcli.atomic import write_text
from siamcli.errors import InputError, OutputError, why_unread
from siamcli.formats.kinds import FORMATS, FormatKind, find_format, read_suffixes, streamed_suffixes
from siamcli.formats.names import source_stem
from siamcli.formats.stream import TextStream, whole_text
from siamcli.schema import decode
from siamcli.trajectory import TrackHeader, Trajectory

__all__ = [
    "convert",
    "make_stream",
    "read_trajectory",
    "with_paths",
    "write_converted",
    "write_files",
    "write_trajectory",
]


def make_stream(kind: FormatKind, header: TrackHeader, *, drop_lost: bool = False) -> TextStream:
    """The text of a streamed format for one file."""
    stream: TextStream = kind.load().Stream(header, drop_lost=drop_lost)
    return stream


def read_trajectory(path: str | Path) -> Trajectory:
    """Read a trajectory in a .json, .jsonl or .csv file.

    A .jsonl file without a summary, because the program was killed, counts as incomplete.  A .csv file has no
    header: its source and model are unknown, and it counts as complete.  Raises InputError that names file
    and line.
    """
    path = Path(path)
    kind = find_format(path)
    if kind is None or not kind.read:
        raise InputError(f"{path}: not a trajectory", hint=f"known suffixes: {' '.join(read_suffixes())}")
    try:
        trajectory: Trajectory = kind.load().read(path, decode(path.read_bytes()))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {why_unread(error)}") from error
    return trajectory


def write_trajectory(trajectory: Trajectory, path: str | Path, *, overwrite: bool = False) -> None:
    """Write a trajectory to a .json, .jsonl, .csv or .txt (MOT) file, as the suffix says.

    Raises InputError for another suffix, OutputError for a file that exists or cannot be written.
    """
    path = Path(path)
    kind = find_format(path)
    if kind is None:
        raise InputError(
            f"{path}: no format for this suffix", hint=f"known suffixes: {' '.join(streamed_suffixes())}"
        )
    text = whole_text(make_stream(kind, trajectory.header), trajectory)
    write_files({path: text}, overwrite=overwrite)


def convert(
    trajectory: Trajectory,
    name: str,
    *,
    drop_lost: bool = False,
    stem: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> dict[str, str]:
    """Convert a trajectory: file name (with / for folders) -> text of the format `name`.

    `drop_lost` leaves out the boxes of lost frames.  A single file is called `stem`, by default like its
    source.  `options` are those of this format alone.  Raises InputError for a trajectory that the format
    cannot represent.
    """
    kind = FORMATS[name]
    if drop_lost and kind.keeps_lost:
        raise InputError(f"{name} keeps lost frames: {kind.keeps_lost}", hint="leave out --drop-lost")
    if kind.benchmark:
        several: dict[str, str] = kind.load().files(trajectory, kind.benchmark)
        return several
    if not kind.ending:
        several = kind.load().files(trajectory, drop_lost=drop_lost)
        return several
    if kind.streamed:
        text = whole_text(make_stream(kind, trajectory.header, drop_lost=drop_lost), trajectory)
    else:
        text = kind.load().text(trajectory, drop_lost=drop_lost, **(options or {}))
    return {f"{stem or source_stem(trajectory.header.source.name)}{kind.ending}": text}


def with_paths(files: dict[str, str], *, file: Path | None, folder: Path) -> dict[Path, str]:
    """Path -> text, below `folder`, or as `file`, which holds one: else raises InputError."""
    if file is not None and len(files) > 1:
        raise InputError(f"{len(files)} files do not fit into {file}", hint="name a folder: -o FOLDER/")
    return {folder / name if file is None else file: content for name, content in files.items()}


def write_converted(
    trajectory: Trajectory, name: str, files: dict[str, str], folder: Path, *, overwrite: bool
) -> None:
    """Write what `convert` gave into `folder`; raises OutputError before the first file when one exists."""
    kind = FORMATS[name]
    if kind.join:
        kind.load().write_into(folder, trajectory, files, overwrite=overwrite)
    else:
        write_files(with_paths(files, file=None, folder=folder), overwrite=overwrite)


def write_files(texts: dict[Path, str], *, overwrite: bool) -> None:
    """Write every text to its path; raises OutputError before the first one when a file exists."""
    there = next((path for path in texts if path.exists()), None)
    if there is not None and not overwrite:
        raise OutputError(f"{there} exists", hint="-y replaces it")
    for path, content in texts.items():
        write_text(path, content, overwrite=overwrite)
