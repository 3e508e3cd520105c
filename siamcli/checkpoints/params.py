"""Tracker parameters as a TOML file, to replace those that the weights bring."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from siamcli.errors import WeightsError
from siamcli.model.spec import TrackerParams
from siamcli.schema import from_plain, load_toml

__all__ = ["read_params"]


def read_params(path: Path, defaults: TrackerParams) -> TrackerParams:
    """`defaults` with what the file names replaced; raises WeightsError for what it cannot mean."""
    try:
        return from_plain(TrackerParams, {**asdict(defaults), **load_toml(path.read_bytes())})
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"cannot read tracker parameters from {path}: {error}",
            hint="write lines such as penalty_k = 0.05; `siamtrack weights info` shows the names",
        ) from None
