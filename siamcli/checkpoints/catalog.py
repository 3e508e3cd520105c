"""The catalog of published weights files, and what is known about each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from siamcli.errors import WeightsError
from siamcli.model.spec import TrackerParams
from siamcli.schema import from_toml

__all__ = ["Entry", "catalog", "entry_named"]

CATALOG = Path(__file__).with_name("catalog.toml")


@dataclass(frozen=True, slots=True)
class Entry:
    """One published file.

    `model` is the architecture's name in SPECS, empty for a file that siamtrack cannot run.  `urls`
    are mirrors of the same bytes.  `sha256` is the whole hash or its first digits, empty if it was
    never published.  `params` are the tracker's settings for these weights.  `scores` are as
    published: benchmark -> measure -> value.
    """

    name: str
    family: Literal["pysot", "mmtracking", "other"]
    file: str
    urls: tuple[str, ...]
    license: str
    model: str = ""
    sha256: str = ""
    size: int | None = None
    params: TrackerParams = field(default_factory=TrackerParams)
    scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Catalog:
    checkpoint: tuple[Entry, ...]


def catalog() -> tuple[Entry, ...]:
    """Every entry of catalog.toml, in its order."""
    return from_toml(_Catalog, CATALOG.read_bytes()).checkpoint


def entry_named(name: str) -> Entry:
    """The entry of that name.  Raises WeightsError."""
    for entry in catalog():
        if entry.name == name:
            return entry
    raise WeightsError(
        f"no published weights are called {name!r}", hint="`siamtrack weights list` shows their names"
    )
