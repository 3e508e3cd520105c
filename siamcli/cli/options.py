"""Options that several commands share, written once."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from siamcli.cli import console
from siamcli.errors import OutputError, WeightsError, unread_as
from siamcli.formats.kinds import read_suffixes, start_formats
from siamcli.targets import BoxFormat

if TYPE_CHECKING:
    from siamcli.load import LoadedTracker

__all__ = [
    "BoxFormatName",
    "Device",
    "EngineName",
    "ItsTrajectory",
    "Model",
    "TrackedVideo",
    "TrackerOptions",
    "TrajectoryFile",
    "Weights",
    "check_box_format",
    "dataset_names",
    "model_names",
    "with_options",
]

_signature = functools.cache(functools.partial(inspect.signature, eval_str=True))  # commands share options


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
    """What --box-format takes: what four numbers are, and the box files of other programs."""
    return [*get_args(BoxFormat), *start_formats()]


def check_box_format(name: str, *, files_only: bool) -> None:
    """Raises typer.BadParameter for a name that is unknown, or of whole files where there are none."""
    if name not in box_format_names():
        raise typer.BadParameter(f"--box-format takes one of {' '.join(box_format_names())}, not {name!r}")
    if name in start_formats() and not files_only:
        raise typer.BadParameter(f"--box-format {name} is for box files: {get_args(BoxFormat)} are for boxes")


Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="light, fast, accurate, or weights by name; `siamtrack weights list` shows them.",
        show_default="fix, review: what it was first tracked with; else accurate on a CUDA GPU, else fast",
        autocompletion=model_names,
        rich_help_panel="Model",
    ),
]
Weights = Annotated[
    Path | None,
    typer.Option(
        "--weights",
        help="Weights by file: siamtrack's own, PySOT's or mmtracking's.",
        rich_help_panel="Model",
    ),
]
Params = Annotated[
    Path | None,
    typer.Option(
        "--params",
        help="TOML file with tracker parameters that replace those of the weights.",
        rich_help_panel="Model",
    ),
]
BoxFormatName = Annotated[
    str,
    typer.Option(
        "--box-format",
        help=f"What the four numbers of a box are: {' '.join(get_args(BoxFormat))}; or what a box file is:"
        f" {' '.join(start_formats())}.",
        autocompletion=box_format_names,
        rich_help_panel="Target",
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        help="auto (a CUDA GPU, else the CPU), cpu, cuda, cuda:N or mps (an Apple GPU).",
        autocompletion=device_names,
        rich_help_panel="Model",
    ),
]
TrackedVideo = Annotated[
    str,
    typer.Argument(
        help="The video or image folder that was tracked, or the first of joined ones, or a batch."
    ),
]
ItsTrajectory = Annotated[
    Path | None,
    typer.Argument(
        help=f"Its trajectory: {' '.join(read_suffixes())}; none for a batch.", show_default=False
    ),
]
TrajectoryFile = Annotated[
    Path, typer.Argument(help=f"A trajectory that siamtrack wrote: {' '.join(read_suffixes())}.")
]
EngineName = Annotated[
    str,
    typer.Option(
        "--engine",
        help="How the network runs; `siamtrack bench` compares them.",
        autocompletion=engine_names,
        rich_help_panel="Model",
    ),
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
        with unread_as(WeightsError, self.weights):
            there = self.weights is None or self.weights.is_file()
        if not there:
            raise WeightsError(f"no such file: {self.weights}", hint="--weights takes a file, --model a name")
        return self.model if self.weights is None else self.weights

    def chosen(self) -> str | Path:
        """What is wanted, or the default of the device.  Raises what `wanted` raises."""
        from siamcli.engines.kinds import default_model

        wanted = self.wanted()
        return default_model(self.device) if wanted is None else wanted

    def file(self) -> Path:
        """The weights file that is chosen.  Raises what `wanted` raises, WeightsError for an unknown name."""
        from siamcli.checkpoints.store import find

        chosen = self.chosen()
        return chosen if isinstance(chosen, Path) else find(chosen)

    def check(self) -> None:
        """Raise now what can be known without torch and without the weights themselves."""
        from siamcli.checkpoints.header import read_header
        from siamcli.engines.kinds import ENGINES, check_device, check_name

        check_name("engine", self.engine, ENGINES)
        check_device(self.device)
        if self.wanted() is not None and (file := self.file()).suffix == ".safetensors":
            read_header(file)  # of the default, the device decides, and torch knows the device
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


@dataclass(frozen=True, slots=True)
class MessageOptions:
    """How much the user wants to hear; every command takes them."""

    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", help="Only results and errors.", rich_help_panel="Messages"),
    ] = False
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Say more.", rich_help_panel="Messages")
    ] = False
    debug: Annotated[
        bool,
        typer.Option(
            "--debug",
            help="Show where time goes, and the traceback of an error.",
            rich_help_panel="Messages",
        ),
    ] = False


def _require_working_folder() -> None:
    """Raises OutputError where it was removed: relative names mean nothing, and torch cannot be loaded."""
    try:
        Path.cwd()
    except FileNotFoundError:
        raise OutputError("the working folder is gone", hint="change into one that is there") from None


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """`command` as Typer reads it: its dataclasses of options as options, the MessageOptions after them; with
    the names of what are `paths`.

    Typer itself has no way to name several options at once.
    """
    own, messages = _signature(command), _signature(MessageOptions).parameters
    kinds = {
        p.name: p.annotation
        for p in own.parameters.values()
        if inspect.isclass(p.annotation) and is_dataclass(p.annotation)
    }
    bundles = {name: _signature(kind).parameters for name, kind in kinds.items()}

    @functools.wraps(command)
    def wrapper(**given: Any) -> None:  # noqa: ANN401 - whatever the command takes
        console.set_level(**{name: given.pop(name) for name in messages})
        _require_working_folder()
        for bundle, members in bundles.items():
            given[bundle] = kinds[bundle](**{name: given.pop(name) for name in members})
        command(**given)

    parameters: list[inspect.Parameter] = []
    for parameter in own.parameters.values():
        parameters += bundles[parameter.name].values() if parameter.name in bundles else [parameter]
    keyword = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in [*parameters, *messages.values()]]
    wrapper.__signature__ = own.replace(parameters=keyword)  # type: ignore[attr-defined]
    wrapper.paths = {p.name for p in keyword if _holds_path(p.annotation)}  # type: ignore[attr-defined]
    return wrapper


def _holds_path(kind: object) -> bool:
    return kind is Path or any(map(_holds_path, get_args(kind)))
