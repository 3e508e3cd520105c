"""The command line's front door: it alone turns errors into lines and exit codes."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from siamcli import __version__
from siamcli.cli import batch, bench, console, doctor, report, run, score, train, tune, weights
from siamcli.cli.convert import convert
from siamcli.cli.eval import eval_
from siamcli.cli.export import export
from siamcli.cli.pick import pick
from siamcli.cli.render import render
from siamcli.errors import SiamtrackError

__all__ = ["app", "main"]


class _Group(TyperGroup):
    """Ends quietly when the reader of a pipe went away; Typer itself would exit with 1."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - as Typer has it
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # Keep Python from flushing into the closed pipe; 141 is 128 + SIGPIPE.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(141)


app = typer.Typer(cls=_Group, name="siamtrack", no_args_is_help=True, pretty_exceptions_enable=False)


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


def _terminate(number: int, frame: object) -> None:
    # Like Ctrl-C it unwinds, so that every output is finished; 143 is 128 + SIGTERM.
    raise SystemExit(128 + number)


def main() -> None:
    """Run the app; turn every SiamtrackError into one line and its exit code."""
    signal.signal(signal.SIGTERM, _terminate)
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
