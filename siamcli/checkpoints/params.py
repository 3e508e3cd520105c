"""Tracker parameters as a TOML file, to replace those that the weights bring."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from siamcli.checkpoints.header import checked
from siamcli.errors import WeightsError
from siamcli.model.spec import TrackerParams

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["read_params"]


def read_params(path: Path, defaults: TrackerParams) -> TrackerParams:
    """`defaults` with what the file names replaced; raises WeightsError for what it cannot mean."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise WeightsError(
            f"cannot read tracker parameters from {path}: {error}",
            hint="write lines such as penalty_k = 0.05; `siamtrack weights info` shows the names",
        ) from None
    return replace(defaults, **checked(TrackerParams, table, str(path)))
