"""Options that several commands share, written once."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Annotated, Any

import typer

from siamcli.cli import console
from siamcli.errors import WeightsError
from siamcli.formats.kinds import read_suffixes

if TYPE_CHECKING:
    from siamcli.load import LoadedTracker

__all__ = [
    "Device",
    "EngineName",
    "Fps",
    "Model",
    "TrackerOptions",
    "TrajectoryFile",
    "Weights",
    "takes_tracker",
]

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
Fps = Annotated[
    str | None,
    typer.Option(
        "--fps", help="Frames per second of images and raw streams, which have no times: 25, 30000/1001."
    ),
]
TrajectoryFile = Annotated[
    Path, typer.Argument(help=f"A trajectory that siamtrack wrote: {' '.join(read_suffixes())}.")
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

    def file(self) -> Path:
        """The weights file that is wanted.  Raises what `wanted` raises, WeightsError for an unknown name."""
        from siamcli.checkpoints.store import DEFAULT_MODEL, find

        wanted = self.wanted() or DEFAULT_MODEL
        return wanted if isinstance(wanted, Path) else find(wanted)

    def check(self) -> None:
        """Raise now what can be known without torch and without the weights themselves."""
        from siamcli.checkpoints.header import read_header
        from siamcli.engines.kinds import ENGINES, check_device, check_name

        check_name("engine", self.engine, ENGINES)
        check_device(self.device)
        file = self.file()
        if file.suffix == ".safetensors":
            read_header(file)
        self.overrides()

    def overrides(self) -> dict[str, Any]:
        """The tracker parameters that --params replaces; raises WeightsError."""
        from siamcli.checkpoints.params import read_overrides

        return {} if self.params is None else read_overrides(self.params)

    def load(self) -> LoadedTracker:
        """The tracker itself, and a word where it takes long; raises what `file` and `load_tracker` raise."""
        with console.patience(self._loading()):
            return self._load()

    def begin_loading(self) -> Callable[[], LoadedTracker]:
        """Load in another thread from now on; what this returns waits for it, and raises what `load` does."""
        outcome: Future[LoadedTracker] = Future()

        def work() -> None:
            try:
                outcome.set_result(self._load())
            except BaseException as error:  # noqa: BLE001 - raised where the tracker is asked for
                outcome.set_exception(error)

        def loaded() -> LoadedTracker:
            with console.patience(self._loading()):
                return outcome.result()

        Thread(target=work, name="loading").start()
        return loaded

    def _load(self) -> LoadedTracker:
        from siamcli.load import load_tracker

        return load_tracker(self.file(), device=self.device, engine=self.engine, params=self.params)

    def _loading(self) -> str:
        return f"loading {self.file().stem} …"


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
