"""The command line's front door: it alone turns errors into lines and exit codes."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from typing import Annotated

import typer

from siamcli.cli import console
from siamcli.cli.commands import batch, bench, doctor, report, run, score, train, tune, weights
from siamcli.cli.commands.convert import convert
from siamcli.cli.commands.eval import eval_
from siamcli.cli.commands.export import export
from siamcli.cli.commands.help import help_
from siamcli.cli.commands.pick import pick
from siamcli.cli.commands.render import render
from siamcli.cli.endings import heed, ignore
from siamcli.cli.logs import show_logs
from siamcli.errors import SiamtrackError
from siamcli.version import __version__

__all__ = ["app", "main"]


app = typer.Typer(
    name="siamtrack",
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


app.command("run")(run.run)
app.command("doctor")(doctor.doctor)
app.command("train")(train.train)
app.command("eval")(eval_)
app.command("score")(score.score)
app.command("report")(report.report)
app.command("tune")(tune.tune)
app.command("batch")(batch.batch)
app.command("merge")(batch.merge)
app.command("pick")(pick)
app.command("bench")(bench.bench)
app.command("export")(export)
app.command("convert")(convert)
app.command("render")(render)
app.add_typer(weights.app)
app.command("help")(help_)


def _end(number: int, frame: object) -> None:
    """Unwind, so that every output is finished; once, whatever else is sent meanwhile."""
    ignore()
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)


def main() -> None:
    """Run the app; turn every SiamtrackError into one line and its exit code."""
    heed(_end)
    console.guard_streams()
    show_logs()
    # Threads that wait by spinning starve the decoder, the encoder and each other on a busy machine (ten
    # times slower on two shared cores).  OpenMP reads this when torch is imported, which comes later.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    try:
        app()
    except SiamtrackError as error:
        if console.debugging():
            traceback.print_exc()
        console.error(str(error), error.hint)
        sys.exit(error.exit_code)
