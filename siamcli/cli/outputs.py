"""Names and checks the output files of a command."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from siamcli.atomic import AtomicFile, as_output_error, make_folder
from siamcli.counts import counted
from siamcli.errors import LostError, OutputError
from siamcli.formats.kinds import STREAMS, is_stream, streamed_suffixes
from siamcli.labels import shown_name
from siamcli.media.kinds import source_name
from siamcli.media.suffixes import VIDEO_SUFFIXES
from siamcli.session.endpoint import parse_endpoint

__all__ = [
    "DEFAULT_SUFFIXES",
    "OUTPUT_SUFFIXES",
    "Overwrite",
    "check_holds_all",
    "check_new_outputs",
    "check_outputs_differ",
    "check_writable",
    "files_that_exist",
    "frames_in_words",
    "left_out",
    "output_paths",
    "require_found",
]

DEFAULT_SUFFIXES = (".mp4", ".json", ".csv")
OUTPUT_SUFFIXES = (*VIDEO_SUFFIXES, *streamed_suffixes())

Overwrite = Annotated[bool, typer.Option("--overwrite", "-y", help="Replace files that exist.")]


def output_paths(
    source: str, outputs: Sequence[str], *, folder: Path | None, jsonl: str | None, video: bool
) -> list[str]:
    """The output files: those of -o, else NAME.tracked.mp4, .json and .csv; `-` is stdout.

    If -o names a folder, the default names are used in it.  Raises OutputError for an unknown suffix, and for
    an address that cannot be opened.
    """
    suffixes = [s for s in DEFAULT_SUFFIXES if video or s not in VIDEO_SUFFIXES]
    base = folder or Path()
    paths: list[str] = []
    for name in outputs:
        if not name:
            raise OutputError("an output without a name", hint="give -o a file, a folder or -")
        if is_stream(name):
            if name != "-":
                parse_endpoint(name).check()
            paths.append(name)
            continue
        if "://" in name:  # the name of a file would have its folders made
            raise OutputError(f"{name}: no address to write to", hint=f"{' and '.join(STREAMS)} send lines")
        place = base / name
        with as_output_error(place):
            folder_named = name.endswith("/") or place.is_dir()
        if folder_named:
            paths += [str(place / f"{source_name(source).stem}.tracked{s}") for s in suffixes]
        else:
            paths.append(str(place))
    if jsonl is not None and jsonl != "-" and Path(jsonl).suffix.lower() != ".jsonl":
        raise OutputError(f"{jsonl} does not end in .jsonl", hint="--jsonl takes NAME.jsonl, or - for stdout")
    if jsonl is not None:
        paths.append(jsonl if jsonl == "-" else str(base / jsonl))
    if not paths:
        paths = [str(base / f"{source_name(source).stem}.tracked{s}") for s in suffixes]
    for path in paths:
        if not is_stream(path) and Path(path).suffix.lower() not in OUTPUT_SUFFIXES:
            known = " ".join(OUTPUT_SUFFIXES)
            hint = f"known suffixes: {known}; - is stdout; {' and '.join(STREAMS)} send lines"
            raise OutputError(f"{path}: unknown format", hint=hint)
    return paths


def check_new_outputs(
    paths: Sequence[str], inputs: Sequence[str], *, suffixes: Sequence[str], overwrite: bool
) -> None:
    """Raises OutputError for a path with another suffix than `suffixes` or for one target, for one that is
    named twice or is an input, and, unless `overwrite`, for one that exists.
    """
    for path in paths:
        check_holds_all(path)
        if Path(path).suffix.lower() not in suffixes:
            raise OutputError(f"{path}: unknown format", hint=f"known suffixes: {' '.join(suffixes)}")
    check_outputs_differ(paths, inputs)
    if (there := files_that_exist(paths)) and not overwrite:
        raise OutputError(f"{there[0]} exists", hint="-y replaces it")


def check_holds_all(path: str) -> None:
    """Raises OutputError for a name that stands for a file of every target, which only `run` writes."""
    if "{target}" in path:
        raise OutputError(
            f"{path}: this command writes all targets into one file",
            hint="leave {target} out; `siamtrack run` writes a file for every target",
        )


def check_outputs_differ(paths: Sequence[str], inputs: Sequence[str]) -> None:
    """Raises OutputError if two outputs are the same file, or if one is among `inputs`."""
    seen: set[Path] = set()
    for path in paths:
        with as_output_error(Path(path)):
            place = Path(path).absolute()
            place = Path(path) if is_stream(path) else Path(os.path.realpath(place.parent)) / place.name
            taken = place in seen
            read = not is_stream(path) and place.exists() and [n for n in inputs if _same(place, Path(n))]
        if taken:
            raise OutputError(f"{path} is named twice as an output", hint="give each output its own name")
        if read:
            raise OutputError(f"{path} is read in this run", hint="name another output")
        seen.add(place)


def _same(place: Path, name: Path) -> bool:
    return name.exists() and place.samefile(name)


def files_that_exist(paths: Sequence[str]) -> list[str]:
    """The `paths` that exist already."""
    there = []
    for name in paths:
        with as_output_error(Path(name)):
            if not is_stream(name) and Path(name).exists():
                there.append(name)
    return there


def left_out(lost: int, total: int, targets: int) -> str:
    """What --drop-lost did: `lost` of `total` points are not in the output.

    >>> left_out(64, 113, targets=1), left_out(1, 1, targets=2)
    ('64 of 113 frames left out as lost', '1 of 1 box left out as lost')
    """
    return f"{counted(lost, 'frame' if targets == 1 else 'box', of=total)} left out as lost"


def frames_in_words(intervals: Sequence[tuple[int, int]]) -> str:
    """Stretches of frames, the first eight of them.

    >>> frames_in_words([(70, 70)]), frames_in_words([(59, 60)])
    ('frame 70', 'frames 59-60')
    >>> frames_in_words([(n, n) for n in range(0, 20, 2)])
    'frames 0, 2, 4, 6, 8, 10, 12, 14 and 2 more'
    """
    shown = ", ".join(f"{a}-{b}" if b > a else f"{a}" for a, b in intervals[:8])
    more = f" and {len(intervals) - 8} more" if len(intervals) > 8 else ""
    return f"frame{'s' * (not shown.isdecimal())} {shown}{more}"


def require_found(labels: Sequence[str | None], lost: Mapping[int, Sequence[tuple[int, int]]]) -> None:
    """Raises LostError if a target was `lost`; it names the targets and frames."""
    words = [
        f"{shown_name(labels, target)} in {frames_in_words(found)}" for target, found in lost.items() if found
    ]
    if words:
        raise LostError(f"lost: {'; '.join(words)}", hint="the outputs are whole; look at these frames")


def check_writable(paths: Sequence[str], *, overwrite: bool) -> None:
    """Raises OutputError unless all `paths` can be written; creates their folders."""
    for name in paths:
        make_folder(Path(name).parent)
        AtomicFile(Path(name), overwrite=overwrite).discard()
