"""Where results go: the files that a run writes, by default or by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from siamcli.errors import OutputError
from siamcli.media.parts import target_paths

__all__ = ["DEFAULT_SUFFIXES", "VIDEO_SUFFIXES", "existing", "output_paths", "source_stem"]

DEFAULT_SUFFIXES = (".mp4", ".json", ".csv")
VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv")


def source_stem(source: str) -> str:
    """A file name for the results of a source that may be a path, a pattern, a camera or an address.

    >>> source_stem("clips/day one.mov"), source_stem("0"), source_stem("-"), source_stem("img/*.jpg")
    ('day one', 'camera0', 'stdin', 'img')
    """
    if source == "-":
        return "stdin"
    if source.isdigit() and not Path(source).exists():
        return f"camera{source}"
    if "://" in source:
        last = source.split("?")[0].rstrip("/").rsplit("/", 1)[-1]
        return Path(last).stem.replace(":", "_") or "stream"
    path = Path(source)
    if any(mark in source for mark in "*?[") and not path.exists():
        return path.parent.resolve().name
    return path.resolve().name if path.is_dir() else path.stem


def output_paths(
    source: str, outputs: Sequence[str], *, folder: Path | None, jsonl: str | None, video: bool
) -> list[str]:
    """The files to write: what was named, else NAME.tracked.mp4, .json and .csv; `-` is stdout.

    A named folder takes the default names.  Raises OutputError when two outputs are the same, or one
    is the source.
    """
    suffixes = [s for s in DEFAULT_SUFFIXES if video or s not in VIDEO_SUFFIXES]
    base = folder or Path()
    paths: list[str] = []
    for name in outputs:
        if name != "-" and (name.endswith("/") or Path(name).is_dir()):
            paths += [str(Path(name) / f"{source_stem(source)}.tracked{s}") for s in suffixes]
        else:
            paths.append(name if name == "-" else str(base / name))
    if jsonl is not None:
        paths.append(jsonl if jsonl == "-" else str(base / jsonl))
    if not paths:
        paths = [str(base / f"{source_stem(source)}.tracked{s}") for s in suffixes]
    twice = {path for path in paths if paths.count(path) > 1}
    if twice:
        raise OutputError(f"{min(twice)} is named twice as an output", hint="give each output its own name")
    for path in paths:
        if path != "-" and Path(path).exists() and Path(source).exists() and Path(path).samefile(source):
            raise OutputError(f"{path} is the source", hint="name another output")
    return paths


def existing(paths: Sequence[str], labels: Sequence[str | None]) -> list[str]:
    """Those of `paths` that are already there, with {target} replaced by each of `labels`."""
    named = [name for path in paths if path != "-" for name in target_paths(path, labels)]
    return [name for name in named if Path(name).exists()]
