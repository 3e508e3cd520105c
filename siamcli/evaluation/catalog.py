"""The catalog of benchmarks: data/datasets.toml, the tables of sequences beside it, and published scores."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from siamcli.errors import DatasetError
from siamcli.schema import from_plain, load_toml

__all__ = ["DatasetSpec", "SequenceEntry", "find_spec", "published_scores", "sequence_entries", "specs"]

DATA = files("siamcli.evaluation") / "data"
Protocol = Literal["ope", "got10k", "trackingnet", "supervised", "longterm"]


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """One benchmark: the paths and format of its files, and the rules by which it is scored.

    Paths are templates of {name}, {folder}, {target} and {group}, tried in order below the root.
    `table` and `subset` name rows of a sequence table; else `lists` name a file of sequence names; else
    every file that fits a `truth` template is a sequence.  `sequences` is how many the benchmark has, 0 for
    any number.  `origin` is the coordinate of the first pixel.
    In the data file `like` takes over the fields of another benchmark.
    """

    key: str
    title: str
    protocol: Protocol
    frames: tuple[str, ...]
    truth: tuple[str, ...]
    table: str | None = None
    subset: str | None = None
    lists: tuple[str, ...] = ()
    sequences: int = 0
    origin: int = 0
    format: Literal["xywh", "vatic"] = "xywh"
    absent: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    absent_is_hit: bool = False
    truncate: bool = False
    server: str | None = None
    interval: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class SequenceEntry:
    """A row of a sequence table.  Frames `first` .. `last` count from 1 as in the file names; None is all."""

    name: str
    folder: str
    target: str = ""
    first: int | None = None
    last: int | None = None
    attributes: frozenset[str] = frozenset()

    @property
    def length(self) -> int | None:
        """How many frames it has, None where that is not known."""
        return None if self.first is None or self.last is None else self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class PublishedScore:
    """A published score of a tracker: metric key, value, and the publication."""

    tracker: str
    metric: str
    value: float
    source: str


@cache
def specs() -> dict[str, DatasetSpec]:
    """All benchmarks by key, in the order of the data file."""
    raw = load_toml((DATA / "datasets.toml").read_bytes())
    return {
        key: from_plain(DatasetSpec, {"key": key, **raw.get(fields.pop("like", ""), {}), **fields})
        for key, fields in raw.items()
    }


def find_spec(name: str) -> DatasetSpec:
    """The benchmark called `name`, in any case, with or without dashes.  Raises DatasetError."""
    plain = _plain(name)
    for spec in specs().values():
        if plain in {_plain(n) for n in (spec.key, spec.title, *spec.aliases)}:
            return spec
    raise DatasetError(f"no benchmark is called {name!r}", hint="known: " + ", ".join(specs()))


def sequence_entries(spec: DatasetSpec) -> tuple[SequenceEntry, ...]:
    """The rows of the spec's table that belong to its subset; empty where it has none."""
    if spec.table is None:
        return ()
    rows = [row for row in _table(spec.table) if spec.subset in row["sets"].split()]
    return tuple(
        SequenceEntry(
            row["name"],
            row.get("folder") or row["name"],
            row.get("target") or "",
            int(row["first"]) if row.get("first") else None,
            int(row["last"]) if row.get("last") else None,
            frozenset((row.get("attributes") or "").split()),
        )
        for row in rows
    )


def published_scores(dataset: str) -> tuple[PublishedScore, ...]:
    """Published scores on the benchmark with this key."""
    rows = [row for row in _table("published_scores.csv") if row["dataset"] == dataset]
    return tuple(
        PublishedScore(row["tracker"], row["metric"], float(row["value"]), row["source"]) for row in rows
    )


def _table(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((DATA / name).read_text(encoding="utf-8").splitlines()))


def _plain(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())
