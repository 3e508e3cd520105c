"""Carries name, version and calibration of the first weights over to the trained ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from siamcli.errors import InputError
from siamcli.model.spec import TrackerParams
from siamcli.schema import from_plain

__all__ = ["BaseWeights", "read_origin"]


@dataclass(frozen=True, slots=True)
class BaseWeights:
    """Tracker parameters and licence of the base weights; `base` their name and sha256, or nothing."""

    params: TrackerParams
    license: str = ""
    base: Mapping[str, str] = field(default_factory=dict)


def read_origin(plain: Mapping[str, Any], file: Path) -> BaseWeights:
    """The inverse of `asdict`, for what lies in a checkpoint.  Raises InputError."""
    try:
        return from_plain(BaseWeights, plain)
    except ValueError as error:
        raise InputError(
            f"{file} is no training checkpoint: {error}", hint="delete it to begin anew"
        ) from None
