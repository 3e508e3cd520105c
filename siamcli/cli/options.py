"""Options that several commands share, written once."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from siamcli.errors import WeightsError

if TYPE_CHECKING:
    from siamcli.load import LoadedTracker

__all__ = ["Device", "EngineName", "Model", "TrackerOptions", "Weights", "takes_tracker"]

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


@dataclass(frozen=True, slots=True)
class TrackerOptions:
    """Which tracker the user wants; the fields are the options, written once for all commands."""

    model: Model = None
    weights: Weights = None
    params: Params = None
    device: Device = "auto"
    engine: EngineName = "auto"

    def wanted(self) -> str | Path | None:
        """What --model and --weights name, None for the default.

        Raises typer.BadParameter when both are given, WeightsError for a file that is not there.
        """
        if self.model is not None and self.weights is not None:
            raise typer.BadParameter("give --model or --weights, not both")
        if self.weights is not None and not self.weights.is_file():
            raise WeightsError(f"no such file: {self.weights}", hint="--weights takes a file, --model a name")
        return self.weights or self.model

    def load(self) -> LoadedTracker:
        """The tracker itself; raises what `wanted` and `load_tracker` raise."""
        from siamcli.load import DEFAULT_MODEL, load_tracker

        model = self.wanted() or DEFAULT_MODEL
        return load_tracker(model, device=self.device, engine=self.engine, params=self.params)


def takes_tracker(command: Callable[..., None]) -> Callable[..., None]:
    """`command` as Typer shall read it: with the options above in place of its parameter `tracker`.

    Typer itself has no way to name several options at once.
    """
    options = inspect.signature(TrackerOptions, eval_str=True).parameters

    @functools.wraps(command)
    def spread(**given: Any) -> None:  # noqa: ANN401 - whatever the command takes
        tracker = TrackerOptions(**{name: given.pop(name) for name in options})
        command(tracker=tracker, **given)

    own = inspect.signature(command, eval_str=True)
    parameters: list[inspect.Parameter] = []
    for parameter in own.parameters.values():
        shared = [option.replace(kind=parameter.kind) for option in options.values()]
        parameters += shared if parameter.name == "tracker" else [parameter]
    spread.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    return spread
