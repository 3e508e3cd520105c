"""The command line's front door: it alone turns errors into lines and exit codes."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Annotated

import typer

from siamcli import __version__
from siamcli.cli import console, report, run, score, train, tune, weights
from siamcli.cli.eval import eval_
from siamcli.errors import SiamtrackError

__all__ = ["app", "main"]

app = typer.Typer(name="siamtrack", no_args_is_help=True, pretty_exceptions_enable=False)


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
app.command("train")(train.train)
app.command("eval")(eval_)
app.command("score")(score.score)
app.command("report")(report.report)
app.command("tune")(tune.tune)
app.add_typer(weights.app)


def main() -> None:
    """Run the app; turn every SiamtrackError into one line and its exit code."""
    try:
        app()
    except SiamtrackError as error:
        if console.debugging():
            traceback.print_exc()
        console.error(str(error), error.hint)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader went away: there is nobody to tell.  Keep Python from flushing into the closed pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
