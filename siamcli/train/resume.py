"""Checkpoints of a running training: everything that makes the next step what it would have been."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from siamcli.errors import InputError, OutputError
from siamcli.parts import whole_file

__all__ = ["Progress", "read_progress", "write_progress"]


@dataclass(frozen=True, slots=True, eq=False)
class Progress:
    """Where a run stands: `step` steps of `phase` are done and `pairs` pairs seen in all.

    `module` and `optimizer` are state dicts, `random` one generator state per process.
    """

    phase: str
    step: int
    pairs: int
    config: str
    module: dict[str, Any]
    optimizer: dict[str, Any]
    random: list[torch.Tensor]


def write_progress(progress: Progress, path: Path) -> None:
    """Atomic: a full disk leaves the previous checkpoint in place.  Raises OutputError."""
    plain = {name: getattr(progress, name) for name in Progress.__slots__}
    try:
        with whole_file(path, overwrite=True) as part, part.open("wb") as file:
            torch.save(plain, file)
    except RuntimeError as error:  # torch reports a failed write so
        raise OutputError(
            f"cannot write {path}: {error}", hint="the previous checkpoint is untouched; free some space"
        ) from error


def read_progress(path: Path) -> Progress:
    """What `write_progress` wrote.  Raises InputError for anything else."""
    try:
        plain = torch.load(path, map_location="cpu", weights_only=True)
        return Progress(**plain)
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror}", hint="start without --resume to begin a run"
        ) from error
    except (RuntimeError, TypeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise InputError(f"{path} is no training checkpoint", hint="delete it to begin anew") from error
