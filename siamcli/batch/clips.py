"""Which clips: folders, patterns and lists become names, each with a place for its outputs."""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from siamcli.errors import InputError
from siamcli.media.folders import is_image, natural_key

__all__ = [
    "Clip",
    "Shard",
    "find_clips",
    "identity",
    "is_address",
    "name_from",
    "output_names",
    "read_names",
    "same_file",
]

SUFFIXES = frozenset(
    {
        ".3gp",
        ".asf",
        ".avi",
        ".flv",
        ".m2ts",
        ".m4v",
        ".mkv",
        ".mov",
        ".mp4",
        ".mpeg",
        ".mpg",
        ".mts",
        ".mxf",
        ".ogv",
        ".ts",
        ".vob",
        ".webm",
        ".wmv",
        ".y4m",
    }
)
OWN = ".tracked."  # part of every output's name: a folder that holds them too is not tracked twice
_ADDRESS = re.compile(r"[a-z][a-z0-9+]+://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Clip:
    """A source as the user named it, and `stem`, what its outputs would like to be called."""

    source: str
    stem: str


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `number` of `count`: every clip belongs to exactly one, whatever else is in the list."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read `i/n`, from 1/n to n/n; raises InputError."""
        match = re.fullmatch(r"(\d+)/(\d+)", text.strip())
        shard = cls(int(match[1]), int(match[2])) if match else cls(0, 0)
        if not 1 <= shard.number <= shard.count:
            raise InputError(f"not a shard: {text!r}", hint="write i/n, from 1/n to n/n, for example 3/8")
        return shard

    @property
    def status_name(self) -> str:
        """What its status file is called; a batch that is not divided is 1/1."""
        return "batch.jsonl" if self.count == 1 else f"batch.{self.number}-of-{self.count}.jsonl"

    def holds(self, id: str) -> bool:
        """True when the clip with this id is ours: a hash decides, so that new clips move no others."""
        return int(_digest(id)[:12], 16) % self.count == self.number - 1


def _digest(id: str) -> str:
    return hashlib.sha256(id.encode(errors="surrogatepass")).hexdigest()  # names need not be UTF-8


def is_address(source: str) -> bool:
    """True for http://, rtsp:// and their like."""
    return _ADDRESS.match(source) is not None


def same_file(source: str) -> str:
    """A name that is equal for two spellings of one path."""
    return source if is_address(source) else os.path.abspath(source)  # noqa: PTH100 - links stay links


def name_from(source: str, folder: Path) -> str:
    """The path of a source as seen from `folder`: the same in every working directory."""
    if is_address(source):
        return source
    try:
        return Path(os.path.relpath(source, folder)).as_posix()
    except ValueError:  # another drive
        return Path(source).absolute().as_posix()


def read_names(text: str) -> list[str]:
    """The names of a list: one per line, or separated by NUL as `find -print0` writes them."""
    names = text.split("\0") if "\0" in text else [line.rstrip("\r") for line in text.split("\n")]
    return [name for name in names if name.strip()]


def find_clips(named: Iterable[str], *, recursive: bool) -> tuple[list[Clip], list[str]]:
    """The clips of files, folders and patterns, each once, in that order; and what was named again.

    A folder gives its videos in natural order, with `recursive` also those below; one that has
    images instead is a clip itself.  A name that is not there stays: it fails by name later.
    """
    found: dict[str, Clip] = {}
    again: list[str] = []
    for name in named:
        for clip in _expand(name, recursive=recursive):
            if found.setdefault(same_file(clip.source), clip) is not clip:
                again.append(clip.source)
    return list(found.values()), again


def _expand(name: str, *, recursive: bool) -> Iterator[Clip]:
    path = Path(name)
    if is_address(name):
        yield Clip(name, Path(name.split("?")[0].rstrip("/")).stem or "stream")
    elif path.is_dir():
        below = list(_in_folder(path, path, recursive=recursive))
        yield from below or [Clip(name, path.resolve().name)]
    elif not path.exists() and any(mark in name for mark in "*?["):
        matches = sorted(glob.glob(name, recursive=True), key=natural_key)  # noqa: PTH207 - absolute too
        for match in matches:
            if OWN not in match:
                yield from _expand(match, recursive=recursive)
        if not matches:
            yield Clip(name, path.stem)
    else:
        yield Clip(name, path.stem)


def _in_folder(folder: Path, root: Path, *, recursive: bool) -> Iterator[Clip]:
    inside = sorted(folder.iterdir(), key=lambda path: natural_key(path.name))
    for path in inside:
        if path.name.startswith("."):
            continue
        if path.is_dir() and recursive:
            below = list(_in_folder(path, root, recursive=True))
            if not below and any(map(is_image, path.iterdir())):
                below = [Clip(str(path), str(path.relative_to(root)))]
            yield from below
        elif path.suffix.lower() in SUFFIXES and OWN not in path.name and path.is_file():
            yield Clip(str(path), str(path.relative_to(root).with_suffix("")))


def output_names(clips: Sequence[Clip], ids: Sequence[str], taken: Mapping[str, str]) -> list[str]:
    """What the outputs of each clip are called, never the same for two.

    Equal stems get a part of the hash of their id, as does a stem that `taken` (folded stem -> id)
    gives to a clip of an earlier batch.
    """
    count = Counter(clip.stem.casefold() for clip in clips)
    names = []
    for clip, id in zip(clips, ids, strict=True):
        alone = count[clip.stem.casefold()] == 1 and taken.get(clip.stem.casefold(), id) == id
        mark = "" if alone else f"-{_digest(id)[:8]}"
        names.append(f"{clip.stem}{mark}")
    return names


def identity(source: str) -> object:
    """What changes when the content of a source changes: size and time of its files.

    As `make` and `rsync` do: it costs one look per file and never takes a changed file for the
    old one; a file that was only touched is tracked again.
    """
    if is_address(source):
        return source
    path = Path(source)
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files if file.is_file()]
