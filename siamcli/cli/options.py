"""Options that several commands share, written once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from siamcli.errors import WeightsError

if TYPE_CHECKING:
    from siamcli.load import LoadedTracker

__all__ = ["Device", "EngineName", "Model", "Params", "Weights", "chosen_weights", "load_chosen"]

Model = Annotated[
    str | None,
    typer.Option(
        "--model", help="Weights by name; `siamtrack weights list` shows them.", show_default="siamrpnpp-r18"
    ),
]
Weights = Annotated[
    Path | None,
    typer.Option("--weights", help="Weights by file: siamtrack's own, PySOT's or mmtracking's."),
]
Params = Annotated[
    Path | None,
    typer.Option("--params", help="TOML file with tracker parameters that replace those of the weights."),
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps.")]
EngineName = Annotated[
    str, typer.Option("--engine", help="How the network runs; `siamtrack bench` compares them.")
]


def chosen_weights(model: str | None, weights: Path | None) -> str | Path | None:
    """What --model and --weights name, None for the default.

    Raises typer.BadParameter when both are given, WeightsError for a file that is not there.
    """
    if model is not None and weights is not None:
        raise typer.BadParameter("give --model or --weights, not both")
    if weights is not None and not weights.is_file():
        raise WeightsError(f"no such file: {weights}", hint="--weights takes a file, --model a name")
    return weights or model


def load_chosen(wanted: str | Path | None, params: Path | None, device: str, engine: str) -> LoadedTracker:
    """The tracker that the shared options name; raises what `load_tracker` raises."""
    from siamcli.load import DEFAULT_MODEL, load_tracker

    return load_tracker(wanted or DEFAULT_MODEL, device=device, engine=engine, params=params)
