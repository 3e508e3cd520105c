"""The command-line application; the only place that turns errors into messages and exit codes."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Callable
from typing import Annotated

import typer

from siamcli.cli import console
from siamcli.cli.commands import batch, bench, doctor, report, run, score, train, tune, weights
from siamcli.cli.commands.convert import convert
from siamcli.cli.commands.eval import eval_
from siamcli.cli.commands.export import export
from siamcli.cli.commands.fix import fix
from siamcli.cli.commands.help import help_
from siamcli.cli.commands.measure import measure
from siamcli.cli.commands.merge import merge
from siamcli.cli.commands.pick import pick
from siamcli.cli.commands.plot import plot
from siamcli.cli.commands.render import render
from siamcli.cli.commands.review import review
from siamcli.cli.logs import show_logs
from siamcli.cli.signals import end_on_signals
from siamcli.cli.streams import protect_streams
from siamcli.cli.usage import Commands, add_command, explain
from siamcli.errors import InputError, SiamtrackError
from siamcli.version import __version__

__all__ = ["app", "main"]


app = typer.Typer(
    name="siamtrack",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"siamtrack {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Follow an object through a video with SiamRPN++."""


_TRACK: dict[str, Callable[..., None]] = {
    "run": run.run,
    "pick": pick,
    "batch": batch.batch,
    "merge": merge,
    "convert": convert,
    "fix": fix,
    "review": review,
    "render": render,
    "measure": measure,
    "plot": plot,
    "doctor": doctor.doctor,
    "help": help_,
}
_RESEARCH: dict[str, Callable[..., None]] = {
    "train": train.train,
    "tune": tune.tune,
    "eval": eval_,
    "score": score.score,
    "report": report.report,
    "bench": bench.bench,
    "export": export,
}
for _panel, _commands in (("Track", _TRACK), ("Research", _RESEARCH)):
    for _name, _command in _commands.items():
        add_command(app, _name, _panel)(_command)
app.add_typer(weights.app, rich_help_panel="Track")


def main() -> None:
    """Run the app; turn wrong usage and every SiamtrackError into a message, a hint and an exit code."""
    end_on_signals()
    protect_streams()
    show_logs()
    # Threads that wait by spinning starve the decoder, the encoder and each other on a busy machine (ten
    # times slower on two shared cores).  OpenMP reads this when torch is imported, which comes later.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    try:
        sys.exit(app(prog_name="siamtrack", standalone_mode=False) or 0)
    except typer.TyperException as error:
        if error.format_message():  # none where siamtrack without arguments has shown its help
            console.error(*explain(error))
        sys.exit(error.exit_code)
    except SiamtrackError as error:
        if console.is_debugging():
            traceback.print_exc()
        console.error(str(error), error.hint)
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno not in (errno.ENAMETOOLONG, errno.EACCES) or error.filename is None:
            raise
        # no file and no folder can be looked up under a name too long, or in a folder that is closed to us
        console.error(f"cannot read {os.fspath(error.filename)}: {error.strerror}")
        sys.exit(InputError.exit_code)
