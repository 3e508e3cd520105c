"""The catalog: which weights exist elsewhere, and what is known of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from siamcli import toml
from siamcli.checkpoints.header import checked
from siamcli.errors import WeightsError
from siamcli.model.spec import TrackerParams

__all__ = ["Entry", "catalog", "entry_named"]

CATALOG = Path(__file__).with_name("catalog.toml")


@dataclass(frozen=True, slots=True)
class Entry:
    """One file that somebody publishes.

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


def catalog() -> tuple[Entry, ...]:
    """Every entry of catalog.toml, in its order."""
    return tuple(_entry(table) for table in toml.loads(CATALOG.read_text(encoding="utf-8"))["checkpoint"])


def entry_named(name: str) -> Entry:
    """The entry of that name.  Raises WeightsError."""
    for entry in catalog():
        if entry.name == name:
            return entry
    raise WeightsError(
        f"no checkpoint {name!r} in the catalog", hint="`siamtrack weights list` shows them all"
    )


def _entry(table: dict[str, Any]) -> Entry:
    where = f"catalog entry {table.get('name')!r}"
    params = replace(TrackerParams(), **checked(TrackerParams, table.pop("params", {}), f"{where}: params"))
    scores = table.pop("scores", {})
    return Entry(**checked(Entry, table, where), params=params, scores=scores)
