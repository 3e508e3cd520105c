"""Checkpoints of a running training: everything that makes the next step what it would have been."""

from __future__ import annotations

import os
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from siamcli.errors import InputError, OutputError

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
    part = path.with_name(path.name + ".part")
    plain = {name: getattr(progress, name) for name in Progress.__slots__}
    try:
        with part.open("wb") as file:
            torch.save(plain, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except (OSError, RuntimeError) as error:  # torch reports a failed write as RuntimeError
        part.unlink(missing_ok=True)
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
