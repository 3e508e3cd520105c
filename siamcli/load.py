"""Loads a tracker: weights, network and engine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from siamcli.checkpoints.native import Checkpoint
from siamcli.checkpoints.params import read_params
from siamcli.checkpoints.read import read_checkpoint
from siamcli.checkpoints.store import cache_folder, find
from siamcli.engines.kinds import default_model, engine_name
from siamcli.engines.select import make_engine
from siamcli.model.siamrpn import SiamRPN
from siamcli.model.spec import TrackerParams
from siamcli.tracker.engine import Engine
from siamcli.tracker.tracker import Tracker

__all__ = ["LoadedTracker", "Network", "build_model", "engine_cache", "load_network", "load_tracker"]


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A network and what its weights bring: tracker parameters, name, version, SHA-256 of their file."""

    model: SiamRPN
    params: TrackerParams
    name: str
    version: str = ""
    sha256: str = ""

    def engine(self, *, device: str = "auto", engine: str = "auto") -> Engine:
        """The engine that runs the network; `make_engine` chooses it.  Raises DeviceError."""
        weights = f"{self.name} {self.version}"
        return make_engine(self.model, weights=weights, device=device, engine=engine, cache=engine_cache())


@dataclass(frozen=True, slots=True, repr=False)
class LoadedTracker(Tracker):
    """A tracker, the name of its model, and the SHA-256 of its weights file."""

    model: str
    sha256: str

    def __repr__(self) -> str:
        return f"<tracker {self.model} on {engine_name(self.engine)}>"


def load_tracker(
    model: str | Path | None = None,
    *,
    device: str = "auto",
    engine: str = "auto",
    params: Path | None = None,
) -> LoadedTracker:
    """Load a tracker.

    `model` is the name of a model, or the path of a weights file of siamtrack, PySOT or mmtracking; by
    default it is "accurate" on a CUDA GPU and "fast" elsewhere.  `device` and `engine` are those of
    `siamtrack run`.  `params` is a TOML file with tracker parameters that replace those in the weights file.

    Raises WeightsError for unknown or damaged weights, DeviceError for a device that does not exist.
    """
    network = load_network(model, device=device)
    chosen = network.params if params is None else read_params(params, network.params)
    return LoadedTracker(network.engine(device=device, engine=engine), chosen, network.name, network.sha256)


def load_network(model: str | Path | None = None, *, device: str = "auto") -> Network:
    """Load a network; `model` and `device` are those of `load_tracker`.  Raises WeightsError, DeviceError."""
    wanted = default_model(device) if model is None else model
    checkpoint = read_checkpoint(wanted if isinstance(wanted, Path) else find(wanted))
    return Network(
        build_model(checkpoint), checkpoint.params, checkpoint.name, checkpoint.version, checkpoint.sha256
    )


def engine_cache() -> Path:
    """The folder in which engines keep what takes long to compute."""
    return cache_folder() / "engines"


def build_model(checkpoint: Checkpoint) -> SiamRPN:
    """The network of a checkpoint, ready for inference."""
    with torch.device("meta"):
        network = SiamRPN(checkpoint.spec)
    network.load_state_dict(checkpoint.weights, assign=True)
    return network.eval()
