"""Reads a weights file of any family."""

from __future__ import annotations

from pathlib import Path

from siamcli.checkpoints.begin import first_bytes
from siamcli.checkpoints.convert import convert
from siamcli.checkpoints.mmtracking import mmtracking_name
from siamcli.checkpoints.native import Checkpoint, read_native
from siamcli.checkpoints.pysot import pysot_name
from siamcli.checkpoints.torchfile import load_state

__all__ = ["read_checkpoint"]

TORCH_MAGIC = (b"PK", b"\x80\x02")
"""torch.save's zip archives, and the bare pickles from before them."""


def read_checkpoint(path: Path, model: str | None = None) -> Checkpoint:
    """The checkpoint in a native, PySOT or mmtracking file; the family follows from the content.

    `model` names the architecture of a PySOT or mmtracking file where names and shapes are
    not to decide.  Raises WeightsError.
    """
    start = first_bytes(path)
    if start.startswith(TORCH_MAGIC):
        state = load_state(path)
        if any(name.startswith("head.cls_heads.") for name in state):
            return convert(state, path, "mmtracking", mmtracking_name, model)
        return convert(state, path, "pysot", pysot_name, model)
    return read_native(path)
