"""The formats of a trajectory: a row for each; its module in this folder is imported when it is used."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import PurePath
from typing import Any

__all__ = [
    "FORMATS",
    "STREAMS",
    "FormatKind",
    "find_format",
    "is_stream",
    "read_suffixes",
    "start_formats",
    "streamed_suffixes",
    "track_formats",
]

_STATES = "it says the state of every frame"
_EVERY_FRAME = "benchmark files have a line for every frame, lost or not"


@dataclass(frozen=True, slots=True)
class FormatKind:
    """A format of trajectory files.

    `name` is the name for `convert --to`, and of the module, unless `module` names another.  `ending` follows
    the name of the source in the name of the file; it is empty for a format of several files.  `title` is
    shown in help if the suffix does not name the format.

    `streamed`: it can be written while tracking.  `read`: siamtrack reads it as its own format.  Both are
    chosen by the last suffix of `ending`.  `tracks`: it is read as trajectories of another program.
    `starts`: it is read as a box file, which says where targets begin.  `keeps_lost` says why lost frames
    cannot be left out; empty if they can.  `benchmark` is the data set whose result files it writes.  `join`:
    several clips can be added to one folder.  `dataset`: several clips can become a data set with images.

    The module has a class `Stream` (a TextStream) if `streamed`; else `text(trajectory, drop_lost=...)` for
    one file, or `files(trajectory, ...)` for several, with `write_into(folder, ...)` if `join`.  It has
    `read(path, text)` if `read`; `starts(path, text)`, the targets at their first boxes, if `starts`;
    `tracks(text)` if `tracks`; `dataset(clips, classes)`, file name -> text, if `dataset`.  `starts` and
    `tracks` may raise ValueError.
    """

    name: str
    ending: str = ""
    streamed: bool = False
    read: bool = False
    keeps_lost: str = ""
    title: str = ""
    module: str = ""
    benchmark: str = ""
    starts: bool = False
    join: bool = False
    tracks: bool = False
    dataset: bool = False

    @property
    def suffix(self) -> str:
        """The last suffix of `ending`.

        >>> FormatKind("mot", ".mot.txt").suffix
        '.txt'
        """
        return PurePath(f"name{self.ending}").suffix

    def load(self) -> Any:  # noqa: ANN401 - what a module holds is said above
        """Its module."""
        return import_module(f"siamcli.formats.{self.module or self.name}")

    @property
    def said(self) -> str:
        """Its suffix as help shows it, with the title of a format that the suffix does not name."""
        return f"{self.suffix} ({self.title})" if self.title else self.suffix


FORMATS = {
    kind.name: kind
    for kind in (
        FormatKind("json", ".json", streamed=True, read=True, keeps_lost=_STATES),
        FormatKind("jsonl", ".jsonl", streamed=True, read=True, keeps_lost=_STATES),
        FormatKind("csv", ".csv", streamed=True, read=True, keeps_lost=_STATES),
        FormatKind("mot", ".mot.txt", streamed=True, title="MOT", starts=True, tracks=True),
        FormatKind("coco", ".coco.json", starts=True, tracks=True, dataset=True),
        FormatKind("cvat", ".cvat.xml", starts=True, tracks=True),
        FormatKind("labelstudio", ".labelstudio.json", tracks=True),
        FormatKind("yolo", starts=True, join=True, dataset=True),
        FormatKind("otb", keeps_lost=_EVERY_FRAME, module="benchmarks", benchmark="otb2015"),
        FormatKind("got10k", keeps_lost=_EVERY_FRAME, module="benchmarks", benchmark="got10k-test"),
        FormatKind("vot", keeps_lost=_EVERY_FRAME, module="benchmarks", benchmark="vot2018", starts=True),
        FormatKind("lasot", keeps_lost=_EVERY_FRAME, module="benchmarks", benchmark="lasot"),
        FormatKind("trackingnet", keeps_lost=_EVERY_FRAME, module="benchmarks", benchmark="trackingnet"),
        FormatKind("webvtt", ".vtt"),
        FormatKind("aftereffects"),
        FormatKind("nuke", ".nk"),
        FormatKind("blender", ".blender.py"),
        FormatKind("deeplabcut", ".deeplabcut.csv"),
        FormatKind("sleap", ".sleap.csv"),
        FormatKind("napari", ".napari.csv"),
    )
}
"""Name -> format, in the order in which help lists them."""

STREAMS = ("udp://HOST:PORT", "ws://HOST:PORT")
"""Addresses to which JSON Lines are written while tracking, as they are to `-`."""

_ONLY_READ = (FormatKind("via", ".json", tracks=True),)


def track_formats() -> dict[str, FormatKind]:
    """Name -> format of other programs that is read as trajectories.

    >>> list(track_formats())
    ['mot', 'coco', 'cvat', 'labelstudio', 'via']
    """
    return {kind.name: kind for kind in (*FORMATS.values(), *_ONLY_READ) if kind.tracks}


def is_stream(path: str) -> bool:
    """True for an output that is no file: `-`, and the addresses of STREAMS.

    >>> [is_stream(path) for path in ("-", "WS://127.0.0.1:8080", "a.jsonl", "ws/a.jsonl")]
    [True, True, False, False]
    """
    return path == "-" or path.lower().startswith(tuple(known.partition("HOST")[0] for known in STREAMS))


def find_format(path: str | PurePath) -> FormatKind | None:
    """The format that is written to `path` while tracking, by its suffix.

    >>> find_format("a.TXT").name
    'mot'
    """
    suffix = PurePath(path).suffix.lower()
    return next((kind for kind in FORMATS.values() if kind.streamed and kind.suffix == suffix), None)


def streamed_suffixes() -> tuple[str, ...]:
    """Suffixes of the formats that are written while tracking.

    >>> streamed_suffixes()
    ('.json', '.jsonl', '.csv', '.txt')
    """
    return tuple(kind.suffix for kind in FORMATS.values() if kind.streamed)


def read_suffixes() -> tuple[str, ...]:
    """Suffixes of the formats that are read again.

    >>> read_suffixes()
    ('.json', '.jsonl', '.csv')
    """
    return tuple(kind.suffix for kind in FORMATS.values() if kind.read)


def start_formats() -> tuple[str, ...]:
    """Names of the formats that are read as box files.

    >>> start_formats()
    ('mot', 'coco', 'cvat', 'yolo', 'vot')
    """
    return tuple(kind.name for kind in FORMATS.values() if kind.starts)
