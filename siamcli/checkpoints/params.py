"""Tracker parameters as a TOML file, to replace those that the weights bring."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from siamcli import toml
from siamcli.checkpoints.header import checked
from siamcli.errors import WeightsError
from siamcli.model.spec import TrackerParams

__all__ = ["read_overrides", "read_params"]

HINT = "write lines such as penalty_k = 0.05; `siamtrack weights info` shows the names"


def read_params(path: Path, defaults: TrackerParams) -> TrackerParams:
    """`defaults` with what the file names replaced; raises WeightsError for what it cannot mean."""
    values = read_overrides(path)
    try:
        return replace(defaults, **values)
    except ValueError as error:
        raise WeightsError(f"{path}: {error}", hint="correct the value, or leave it out") from None


def read_overrides(path: Path) -> dict[str, Any]:
    """The parameters that the file names, of the right types; raises WeightsError."""
    try:
        table = toml.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, toml.TOMLDecodeError) as error:
        raise WeightsError(f"cannot read tracker parameters from {path}: {error}", hint=HINT) from None
    return checked(TrackerParams, table, str(path), HINT)
