"""Loads the network and engines for the commands that measure or export them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
import typer

from siamcli.cli import console
from siamcli.engines.kinds import ENGINES
from siamcli.errors import DeviceError, WeightsError
from siamcli.load import Network, load_network
from siamcli.model.siamrpn import SiamRPN
from siamcli.model.spec import SPECS, default_params
from siamcli.tracker.engine import Engine

__all__ = ["chosen_network", "engines_of"]


def chosen_network(model: str | None, weights: Path | None, architecture: str | None, device: str) -> Network:
    """The network that the options name, by default that of the device.

    Raises typer.BadParameter if options contradict each other, WeightsError for unknown weights.
    """
    if sum(option is not None for option in (model, weights, architecture)) > 1:
        raise typer.BadParameter("give one of --model, --weights and --architecture")
    if architecture is None:
        return load_network(model if weights is None else weights, device=device)
    if architecture not in SPECS:
        raise WeightsError(f"unknown architecture {architecture!r}", hint=f"choose {', '.join(SPECS)}")
    torch.manual_seed(0)  # the same weights every time: what was calibrated once fits again
    spec = SPECS[architecture]
    return Network(SiamRPN(spec).eval(), default_params(spec), f"{architecture}, random weights")


def engines_of(network: Network, device: torch.device, engine: str) -> Iterator[Engine]:
    """Every engine that runs on `device`, or the named one; prints why others do not run."""
    if engine != "auto":
        yield network.engine(device=str(device), engine=engine)
        return
    for name, kind in ENGINES.items():
        if device.type in kind.devices:
            try:
                yield network.engine(device=str(device), engine=name)
            except DeviceError as error:
                console.info(f"without {name}: {error} ({error.hint})")
