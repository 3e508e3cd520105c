"""siamtrack report: several trackers in one table, and their plots."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from siamcli.cli import console
from siamcli.cli.commands.eval import TableFormat
from siamcli.errors import InputError
from siamcli.extras import install_extra

__all__ = ["Per", "report"]

Per = Annotated[
    Literal["dataset", "sequence", "attribute"],
    typer.Option("--per", help="One line per tracker, per sequence or per attribute."),
]


def report(
    results: Annotated[
        list[Path], typer.Argument(help="Folders with scores.json below them, or such files.")
    ],
    per: Per = "dataset",
    form: TableFormat = "text",
    plots: Annotated[
        Path | None,
        typer.Option("--plots", help="Draw success and precision plots into this folder, PNG and PDF."),
    ] = None,
    quiet: Annotated[bool, console.Quiet] = False,
    verbose: Annotated[bool, console.Verbose] = False,
    debug: Annotated[bool, console.Debug] = False,
) -> None:
    """Compare trackers that `siamtrack eval` or `siamtrack score` has scored, beside published figures.

    For example: siamtrack report results --format markdown
    """
    from siamcli.evaluation.scoring import read_scores
    from siamcli.evaluation.tables import compare, render

    files = [f for path in results for f in (sorted(path.rglob("scores.json")) if path.is_dir() else [path])]
    if not files:
        raise InputError(
            f"no scores.json below {', '.join(map(str, results))}",
            hint="`siamtrack eval` writes them, `siamtrack score -o` for other people's results",
        )
    scores = [read_scores(file) for file in files]
    typer.echo(render(compare(scores, per=per), form), nl=False)
    if plots is not None:
        try:
            from siamcli.evaluation.plots import draw
        except ModuleNotFoundError:
            raise InputError("plots need matplotlib", hint=install_extra("plots")) from None

        for file in draw(scores, plots):
            console.say(f"wrote {file}")
