"""The measured precision of engines: the record that `siamtrack bench --precision` fills."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from siamcli.schema import from_toml

__all__ = ["LIMIT", "loses_precision"]

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


def loses_precision(weights: str, kind: str, precision: str) -> bool:
    """True when such an engine was measured with these weights and found too far from float32."""
    return any(
        (entry.weights, entry.kind, entry.precision) == (weights, kind, precision)
        and abs(entry.auc_difference) > LIMIT
        for entry in _record()
    )


@cache
def _record() -> tuple[Measured, ...]:
    return from_toml(_Record, Path(__file__).with_name("precision.toml").read_bytes()).checked
