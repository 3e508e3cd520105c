"""The record of each engine's measured precision, which `siamtrack bench --precision` fills."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from siamcli.schema import from_toml

__all__ = ["LIMIT", "keeps_precision"]

LIMIT = 0.005
"""How far an engine's AUC may lie from that of float32."""


@dataclass(frozen=True, slots=True)
class Measured:
    """An engine of some kind and precision with the `weights` of some name and version, against float32."""

    weights: str
    kind: str
    precision: str
    reference_auc: float
    auc_difference: float
    differs: float


@dataclass(frozen=True, slots=True)
class _Record:
    checked: tuple[Measured, ...]


def keeps_precision(weights: str, kind: str, precision: str) -> bool | None:
    """True when such an engine was measured with these weights and lies close to float32, False when it was
    found too far from it, None when nothing is known."""
    for entry in _record():
        if (entry.weights, entry.kind, entry.precision) == (weights, kind, precision):
            return abs(entry.auc_difference) <= LIMIT
    return None


@cache
def _record() -> tuple[Measured, ...]:
    return from_toml(_Record, Path(__file__).with_name("precision.toml").read_bytes()).checked
