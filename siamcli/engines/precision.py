"""What is known about the precision of engines: the record that `siamtrack bench --precision` fills."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from siamcli.schema import load_toml

__all__ = ["LIMIT", "fails"]

LIMIT = 0.005
"""How far an engine's AUC may lie from that of float32."""


def fails(model: str, engine: str) -> bool:
    """True when `engine` was measured with the weights of `model` and found too far from float32."""
    return any(
        entry["model"] == model and entry["engine"] == engine and abs(entry["auc_difference"]) > LIMIT
        for entry in _record()
    )


@cache
def _record() -> list[dict[str, Any]]:
    path = Path(__file__).with_name("precision.toml")
    checked: list[dict[str, Any]] = load_toml(path.read_bytes())["checked"]
    return checked
