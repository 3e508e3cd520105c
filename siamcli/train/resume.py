"""Checkpoints of a running training: all that the next step depends on."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from siamcli.atomic import atomic_file
from siamcli.errors import InputError, OutputError
from siamcli.schema import load_toml

__all__ = ["PHASES", "TrainingState", "check_compatible", "read_progress", "write_progress"]

PHASES = ("distill", "grow", "track")
"""In the order in which a run goes through them."""

_OPTIMIZER = ("optimizer", "batch", "momentum", "weight_decay", "backbone_rate", "average")
FIXED = (
    *("model", "seed", "precision", "pairs", "targets", "loss", "grow.source"),
    *(f"{phase}.{key}" for phase in ("track", "distill.phase", "grow.phase") for key in _OPTIMIZER),
)
"""What a run keeps from its first step to its last: it gives the stored numbers their meaning."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainingState:
    """Where a run stands: `step` steps of `phase` are done and `pairs` pairs seen in all.

    `module` and `optimizer` are state dicts, `random` one generator state per process, `origin` what
    the weights take over from those they began with, as plain values, `average` the averaged part of
    `module`, if the run averages.
    """

    phase: str
    step: int
    pairs: int
    config: str
    module: dict[str, Any]
    optimizer: dict[str, Any]
    random: list[torch.Tensor]
    origin: dict[str, Any] = field(default_factory=dict)
    average: dict[str, Any] = field(default_factory=dict)


def write_progress(progress: TrainingState, path: Path) -> None:
    """Atomic: a full disk leaves the previous checkpoint in place.  Raises OutputError."""
    plain = {name: getattr(progress, name) for name in TrainingState.__slots__}
    try:
        with atomic_file(path, overwrite=True) as part, part.open("wb") as file:
            torch.save(plain, file)
    except RuntimeError as error:  # torch reports a failed write so, in words about its own source
        kept = "; the checkpoint from before is untouched" if path.exists() else ""
        raise OutputError(
            f"cannot write {path}: the disk took only a part of it", hint=f"free some space{kept}"
        ) from error


def read_progress(path: Path) -> TrainingState:
    """What `write_progress` wrote.  Raises InputError for anything else."""
    try:
        with path.open("rb") as file:
            if file.read(2) != b"PK":  # else torch would take it for one of its old formats
                raise ValueError("no archive")
        progress = TrainingState(**torch.load(path, map_location="cpu", weights_only=True))
        load_toml(progress.config)
        if type(progress.step) is not int or progress.phase not in PHASES:
            raise ValueError("no place to go on from")
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror}", hint="start without --resume to begin a run"
        ) from error
    except (
        *(RuntimeError, TypeError, ValueError, LookupError, AttributeError, EOFError),
        *(struct.error, pickle.UnpicklingError),
    ) as error:
        raise InputError(f"{path} is no training checkpoint", hint="delete it to begin anew") from error
    return progress


def check_compatible(before: str, now: str) -> None:
    """Raise InputError that names a setting of the TOML text `before` that `now` may not change."""
    then, new = dict(_flat(load_toml(before))), dict(_flat(load_toml(now)))
    for key in sorted(then.keys() & new.keys()):
        fixed = any(key == name or key.startswith(f"{name}.") for name in FIXED)
        if fixed and then[key] != new[key]:
            raise InputError(
                f"--resume: {key} was {then[key]!r} and is now {new[key]!r}",
                hint="set it back, or begin a run in another output folder",
            )


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """`track.steps` and so on; what is no table is a value."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
