"""Finds the clips of a batch in folders, patterns and lists, and names the outputs of each."""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from siamcli.batch.status import WHOLE
from siamcli.errors import InputError
from siamcli.media.kinds import is_image, source_name
from siamcli.media.suffixes import VIDEO_INPUT_SUFFIXES
from siamcli.natural import natural_key

__all__ = [
    "Clip",
    "FoundClips",
    "Shard",
    "find_clips",
    "missing_shards",
    "output_names",
    "read_names",
]

LONGEST_STEM = 210  # bytes of the 255; -HASH.tracked.jsonl.siamtrack.part.second are 45
OUTPUT_MARK = ".tracked."  # part of every output's name: a folder that holds them too is not tracked twice


_SYSTEM_FOLDERS = frozenset(
    {"@eadir", "#recycle", "@recycle", "lost+found", "$recycle.bin", "system volume information"}
)
"""Thumbnails and what was deleted, as file servers and systems keep them."""


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
        match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text.strip())
        shard = cls(int(match[1]), int(match[2])) if match else cls(0, 0)
        if not 1 <= shard.number <= shard.count:
            raise InputError(f"not a shard: {text!r}", hint="write i/n, from 1/n to n/n, for example 3/8")
        return shard

    @property
    def status_name(self) -> str:
        """What its status file is called; a batch that is not divided is 1/1."""
        return WHOLE if self.count == 1 else f"batch.{self.number}-of-{self.count}.jsonl"

    def holds(self, id: str) -> bool:
        """True when the clip with this id is ours: a hash decides, so that new clips move no others."""
        return int(_digest(id)[:12], 16) % self.count == self.number - 1


def missing_shards(names: Iterable[str]) -> list[str]:
    """The status files of further shards of the same batch, the first hundred of them.

    >>> missing_shards(["batch.3-of-3.jsonl", "batch.1-of-3.jsonl", "other.jsonl"])
    ['batch.2-of-3.jsonl']
    """
    there = set(names)
    counts = {int(match[1]) for name in there if (match := re.fullmatch(r"batch\.\d+-of-(\d+)\.jsonl", name))}
    every = (Shard(i, count).status_name for count in sorted(counts) for i in range(1, count + 1))
    return list(islice((name for name in every if name not in there), 100))


def _digest(id: str) -> str:
    return hashlib.sha256(id.encode(errors="surrogatepass")).hexdigest()  # names need not be UTF-8


def read_names(text: str) -> list[str]:
    """The names of a list: one per line, or separated by NUL as `find -print0` writes them.

    Quotes around a name are left out unless there is a file that has them.
    """
    text = text.removeprefix("\ufeff")
    names = text.split("\0") if "\0" in text else [_unquoted(line.rstrip("\r")) for line in text.split("\n")]
    return [name for name in names if name.strip()]


def _unquoted(name: str) -> str:
    quoted = len(name) > 2 and name[0] == name[-1] and name[0] in "\"'"
    return name[1:-1] if quoted and source_name(name).kind == "missing" else name


class FoundClips(NamedTuple):
    """The clips of a batch in their order, what was named again, and what lies in its folders and was passed
    over: files that are not videos, and folders."""

    clips: list[Clip]
    duplicates: list[str]
    passed: list[Path]


def find_clips(named: Iterable[str], *, recursive: bool) -> FoundClips:
    """The clips of files, folders and patterns, each once, in that order.

    A folder gives its videos in natural order, with `recursive` also those below, each folder once, whatever
    links lead to it; one that has images instead is a clip itself, and so is a pattern that matches images
    alone.  What is not there, or may not be read, stays: it fails by name later.
    """
    found: dict[str, Clip] = {}
    duplicates: list[str] = []
    passed: list[Path] = []
    for name in named:
        for clip in _expand(name, passed, recursive=recursive):
            if found.setdefault(source_name(clip.source).key, clip) is not clip:
                duplicates.append(clip.source)
    return FoundClips(list(found.values()), duplicates, passed)


def _expand(text: str, passed: list[Path], *, recursive: bool) -> Iterator[Clip]:
    name = source_name(text)
    if name.kind == "folder":
        walk = _Walk(name.path, recursive, passed)
        yield from list(walk.clips(name.path)) or [Clip(text, name.stem)]
    elif name.kind == "pattern":
        matches = sorted(glob.glob(text, recursive=True), key=natural_key)  # noqa: PTH207 - absolute too
        others = [match for match in matches if not is_image(Path(match))]
        for match in others:
            if OUTPUT_MARK not in match:
                yield from _expand(match, passed, recursive=recursive)
        if not others:  # images, which are one clip as in a folder; or nothing, which fails by name
            yield Clip(text, name.stem if matches else name.path.stem)
    else:
        yield Clip(text, name.stem)


class _Walk:
    """A way through a folder, and with `recursive` those below; notes what it passes over."""

    def __init__(self, root: Path, recursive: bool, passed: list[Path]) -> None:
        self._root, self._recursive, self._passed = root, recursive, passed
        self._entered: set[tuple[int, int]] = set()
        self._enters(root)

    def clips(self, folder: Path) -> Iterator[Clip]:
        """The clips of a folder that has been entered; one that may not be read is a clip that will fail."""
        try:
            inside = [(path, path.is_dir()) for path in folder.iterdir() if not path.name.startswith(".")]
            images = any(is_image(path) for path, is_folder in inside if not is_folder)
        except OSError:
            if folder != self._root:
                yield Clip(str(folder), str(folder.relative_to(self._root)))
            return
        found = False
        passed: list[Path] = []
        for path, is_folder in sorted(inside, key=lambda item: natural_key(item[0].name)):
            if is_folder and path.name.lower() in _SYSTEM_FOLDERS:
                continue
            if is_folder and self._recursive:
                if self._enters(path):
                    below = list(self.clips(path))
                    found = found or bool(below)
                    yield from below
            elif is_folder or path.suffix.lower() not in VIDEO_INPUT_SUFFIXES or _is_special(path):
                passed.append(path)
            elif OUTPUT_MARK not in path.name:
                found = True
                yield Clip(str(path), str(path.relative_to(self._root).with_suffix("")))
        if found or not images:
            self._passed += [path for path in passed if not _is_ours(path)]
        elif folder != self._root:
            yield Clip(str(folder), str(folder.relative_to(self._root)))

    def _enters(self, folder: Path) -> bool:
        """False for a folder that was entered before, by another name or as one that holds it."""
        status = folder.stat()
        here = (status.st_dev, status.st_ino)
        if here in self._entered:
            return False
        self._entered.add(here)
        return True


def _is_special(path: Path) -> bool:
    """True for a pipe or a device; a link to a video that is gone is a clip, which will fail."""
    return path.exists() and not path.is_file()


def _is_ours(path: Path) -> bool:
    """True for an output of a batch, and for the box of a clip."""
    return OUTPUT_MARK in path.name or path.suffix == ".box"


def output_names(clips: Sequence[Clip], ids: Sequence[str], taken: Mapping[str, str]) -> list[str]:
    """What the outputs of each clip are called, never the same for two.

    Equal stems get a part of the hash of their id, as does a stem that `taken` (folded stem -> id)
    gives to a clip of an earlier batch, and one that is shortened.
    """
    count = Counter(clip.stem.casefold() for clip in clips)
    names = []
    for clip, id in zip(clips, ids, strict=True):
        alone = count[clip.stem.casefold()] == 1 and taken.get(clip.stem.casefold(), id) == id
        stem = _shortened(clip.stem)
        mark = "" if alone and stem == clip.stem else f"-{_digest(id)[:8]}"
        names.append(f"{stem}{mark}")
    return names


def _shortened(stem: str) -> str:
    """The stem, its name cut where no file system takes it with all that is added.

    >>> _shortened("in/a"), len(_shortened("in/" + "ü" * 120).encode())
    ('in/a', 213)
    """
    folder, slash, name = stem.rpartition("/")
    raw = os.fsencode(name)
    if len(raw) <= LONGEST_STEM:
        return stem
    return f"{folder}{slash}{raw[:LONGEST_STEM].decode(errors='ignore')}"
