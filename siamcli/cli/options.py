"""Options that several commands share, written once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from siamcli.cli import console
from siamcli.errors import WeightsError, unread_as
from siamcli.formats.kinds import read_suffixes, start_formats
from siamcli.targets import BoxFormat

if TYPE_CHECKING:
    from siamcli.load import LoadedTracker

__all__ = [
    "AsJson",
    "BoxFormatName",
    "Device",
    "EngineName",
    "ItsTrajectory",
    "Model",
    "Recursive",
    "TrackedVideo",
    "TrackerOptions",
    "TrajectoryFile",
    "Weights",
    "check_box_format",
    "dataset_names",
    "model_names",
]


def model_names() -> list[str]:
    """The names of all weights, for completion in the shell."""
    from siamcli.checkpoints.catalog import catalog
    from siamcli.checkpoints.store import ROLES, available

    return sorted({*ROLES, *available(), *(entry.name for entry in catalog())})


def engine_names() -> list[str]:
    """What --engine takes, for completion in the shell."""
    from siamcli.engines.kinds import ENGINES

    return ["auto", *ENGINES]


def device_names() -> list[str]:
    """What --device takes, for completion in the shell."""
    return ["auto", "cpu", "cuda", "mps"]


def dataset_names() -> list[str]:
    """The data sets that `siamtrack eval` knows, for completion in the shell."""
    from siamcli.evaluation.catalog import specs

    return list(specs())


def box_format_names() -> list[str]:
    """The values of --box-format: meanings of four numbers, and formats of box files."""
    return [*get_args(BoxFormat), *start_formats()]


def check_box_format(name: str, *, files_only: bool) -> None:
    """Raises typer.BadParameter for an unknown name, and for a format of box files unless `files_only`."""
    if name not in box_format_names():
        raise typer.BadParameter(f"--box-format takes one of {' '.join(box_format_names())}, not {name!r}")
    if name in start_formats() and not files_only:
        raise typer.BadParameter(f"--box-format {name} is for box files: {get_args(BoxFormat)} are for boxes")


Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="light, fast, accurate, or another name that `siamtrack weights list` shows.",
        show_default="for fix and review, the model that tracked it before; else accurate on a CUDA GPU,"
        " fast elsewhere",
        autocompletion=model_names,
        rich_help_panel="Model",
    ),
]
Weights = Annotated[
    Path | None,
    typer.Option(
        "--weights",
        help="Weights file, of siamtrack, PySOT or mmtracking.",
        rich_help_panel="Model",
    ),
]
Params = Annotated[
    Path | None,
    typer.Option(
        "--params",
        help="TOML file with tracker parameters that replace those in the weights file.",
        rich_help_panel="Model",
    ),
]
BoxFormatName = Annotated[
    str,
    typer.Option(
        "--box-format",
        help=f"What the four numbers of a box mean: {' '.join(get_args(BoxFormat))}; or the format of the box"
        f" file: {' '.join(start_formats())}.",
        autocompletion=box_format_names,
        rich_help_panel="Target",
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        help="auto (a CUDA GPU if there is one, else the CPU), cpu, cuda, cuda:N or mps (an Apple GPU).",
        autocompletion=device_names,
        rich_help_panel="Model",
    ),
]
TrackedVideo = Annotated[
    str,
    typer.Argument(
        help="The video or image folder that was tracked (the first video of joined ones), or the output"
        " folder of a batch."
    ),
]
ItsTrajectory = Annotated[
    Path | None,
    typer.Argument(
        help=f"The trajectory of VIDEO: {' '.join(read_suffixes())}.  Leave it out for a batch.",
        show_default=False,
    ),
]
TrajectoryFile = Annotated[
    Path, typer.Argument(help=f"A trajectory that siamtrack wrote: {' '.join(read_suffixes())}.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the results as JSON on stdout.")]
Recursive = Annotated[bool, typer.Option("--recursive", "-r", help="Search folders inside folders too.")]
EngineName = Annotated[
    str,
    typer.Option(
        "--engine",
        help="What computes the network; `siamtrack bench` compares the engines.",
        autocompletion=engine_names,
        rich_help_panel="Model",
    ),
]


@dataclass(frozen=True, slots=True)
class TrackerOptions:
    """The tracker that the user wants; the fields are the options."""

    model: Model = None
    weights: Weights = None
    params: Params = None
    device: Device = "auto"
    engine: EngineName = "auto"

    def wanted(self) -> str | Path | None:
        """The value of --model or --weights, None for the default.

        Raises typer.BadParameter if both are given, WeightsError for a file that does not exist.
        """
        if self.model is not None and self.weights is not None:
            raise typer.BadParameter("give --model or --weights, not both")
        if self.weights is None:
            return self.model
        with unread_as(WeightsError, self.weights):
            there, is_file = self.weights.exists(), self.weights.is_file()
        if not is_file:
            what = "not a file" if there else "no such file"
            raise WeightsError(f"{what}: {self.weights}", hint="--weights takes a file, --model a name")
        return self.weights

    def chosen(self) -> str | Path:
        """The wanted weights, or the device's default.  Raises what `wanted` raises."""
        from siamcli.engines.kinds import default_model

        wanted = self.wanted()
        return default_model(self.device) if wanted is None else wanted

    def file(self) -> Path:
        """The weights file.  Raises what `wanted` raises, WeightsError for an unknown name."""
        from siamcli.checkpoints.store import find

        chosen = self.chosen()
        return chosen if isinstance(chosen, Path) else find(chosen)

    def check(self) -> None:
        """Raise errors now that can be found without torch and without loading the weights."""
        from siamcli.checkpoints.header import read_header
        from siamcli.engines.kinds import ENGINES, check_device, check_name

        check_name("engine", self.engine, ENGINES)
        check_device(self.device)
        if self.wanted() is not None and (file := self.file()).suffix == ".safetensors":
            read_header(file)  # of the default, the device decides, and torch knows the device
        self.overrides()

    def overrides(self) -> dict[str, Any]:
        """The tracker parameters in the file of --params.  Raises WeightsError."""
        from siamcli.checkpoints.params import read_overrides

        return {} if self.params is None else read_overrides(self.params)

    def load(self) -> LoadedTracker:
        """Load the tracker; a message says if it takes long.  Raises what `file` and `load_tracker` raise."""
        with console.patience(self._loading()):
            return self._load()

    def begin_loading(self) -> Callable[[], LoadedTracker]:
        """Start loading in a thread; the function returned waits for it, and raises what `load` raises."""
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
