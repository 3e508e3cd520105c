"""Which network the measuring and exporting commands mean, and its engines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import typer

from siamcli.checkpoints.read import read_checkpoint
from siamcli.checkpoints.store import DEFAULT_MODEL, find
from siamcli.cli import console
from siamcli.engines.kinds import ENGINES
from siamcli.engines.select import make_engine
from siamcli.errors import DeviceError, WeightsError
from siamcli.load import build_model, engine_cache
from siamcli.model.siamrpn import SiamRPN
from siamcli.model.spec import SPECS, TrackerParams, default_params
from siamcli.tracker.engine import Engine

__all__ = ["Network", "chosen_network"]


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A network with its tracker parameters, and what people call it."""

    name: str
    model: SiamRPN
    params: TrackerParams

    def engine(self, device: str, engine: str) -> Engine:
        """One engine.  Raises DeviceError."""
        return make_engine(self.model, device=device, engine=engine, cache=engine_cache())

    def engines(self, device: torch.device, engine: str) -> Iterator[Engine]:
        """Every engine that runs on `device` (or the one named); people hear why others do not."""
        if engine != "auto":
            yield self.engine(str(device), engine)
            return
        for name, kinds in ENGINES.items():
            if device.type in kinds:
                try:
                    yield self.engine(str(device), name)
                except DeviceError as error:
                    console.say(f"without {name}: {error} ({error.hint})")


def chosen_network(model: str | None, weights: Path | None, architecture: str | None) -> Network:
    """The network that the options name.

    Raises typer.BadParameter when they contradict each other, WeightsError for what is not there.
    """
    if sum(option is not None for option in (model, weights, architecture)) > 1:
        raise typer.BadParameter("give one of --model, --weights and --architecture")
    if architecture is not None:
        if architecture not in SPECS:
            raise WeightsError(f"unknown architecture {architecture!r}", hint=f"choose {', '.join(SPECS)}")
        torch.manual_seed(0)  # the same weights every time: what was calibrated once fits again
        spec = SPECS[architecture]
        return Network(f"{architecture}, random weights", SiamRPN(spec).eval(), default_params(spec))
    checkpoint = read_checkpoint(weights or find(model or DEFAULT_MODEL))
    return Network(checkpoint.name, build_model(checkpoint), checkpoint.params)
