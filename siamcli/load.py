"""Assemble a tracker from its parts: weights, network, engine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from siamcli.checkpoints.native import Checkpoint
from siamcli.checkpoints.params import read_params
from siamcli.checkpoints.read import read_checkpoint
from siamcli.checkpoints.store import DEFAULT_MODEL, cache_folder, find
from siamcli.engines.select import make_engine
from siamcli.model.siamrpn import SiamRPN
from siamcli.tracker.tracker import Tracker

__all__ = ["LoadedTracker", "build_model", "engine_cache", "load_tracker"]


@dataclass(frozen=True, slots=True)
class LoadedTracker(Tracker):
    """A tracker that knows its weights: their name, and the SHA-256 of their file."""

    model: str
    sha256: str


def load_tracker(
    model: str | Path = DEFAULT_MODEL,
    *,
    device: str = "auto",
    engine: str = "auto",
    params: Path | None = None,
) -> LoadedTracker:
    """The tracker of a model's name or of a weights file of any family.

    `params` is a TOML file whose values replace the tracker parameters that the weights bring.
    Raises WeightsError for weights that are unknown or damaged, DeviceError for a device that is
    not there.
    """
    path = model if isinstance(model, Path) else find(model)
    checkpoint = read_checkpoint(path)
    chosen = checkpoint.params if params is None else read_params(params, checkpoint.params)
    network = build_model(checkpoint)
    built = make_engine(network, device=device, engine=engine, cache=engine_cache())
    return LoadedTracker(built, chosen, checkpoint.name, checkpoint.sha256)


def engine_cache() -> Path:
    """Where engines keep what need not be made twice."""
    return cache_folder() / "engines"


def build_model(checkpoint: Checkpoint) -> SiamRPN:
    """The network of a checkpoint, ready for inference."""
    with torch.device("meta"):
        network = SiamRPN(checkpoint.spec)
    network.load_state_dict(checkpoint.weights, assign=True)
    return network.eval()
