"""siamtrack report: compares trackers in a table and in plots."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from siamcli.cli import console
from siamcli.cli.commands.eval import Form
from siamcli.errors import InputError
from siamcli.extras import install_extra
from siamcli.tables import render

__all__ = ["Per", "report"]

Per = Annotated[
    Literal["dataset", "sequence", "attribute"],
    typer.Option("--per", help="Print one line per tracker, per sequence or per attribute."),
]


def report(
    results: Annotated[
        list[Path], typer.Argument(help="Folders that contain scores.json files, or such files.")
    ],
    per: Per = "dataset",
    form: Form = "text",
    plots: Annotated[
        Path | None,
        typer.Option("--plots", help="Draw success and precision plots into this folder, PNG and PDF."),
    ] = None,
) -> None:
    """Compare trackers that `siamtrack eval` or `siamtrack score` has scored, next to published scores.

    Examples:
        siamtrack report results --format markdown
    """
    from siamcli.evaluation.comparison import comparison_tables
    from siamcli.evaluation.scoring import read_scores

    found = [f for path in results for f in (sorted(path.rglob("scores.json")) if path.is_dir() else [path])]
    files = list({os.path.realpath(file): file for file in found}.values())
    if not files:
        raise InputError(
            f"no scores.json below {', '.join(map(str, results))}",
            hint="`siamtrack eval` writes them, `siamtrack score -o` for results of other trackers",
        )
    scores = [read_scores(file) for file in files]
    console.print_table(render(comparison_tables(scores, per=per), form))
    if plots is not None:
        try:
            from siamcli.evaluation.plots import write_plots
        except ModuleNotFoundError:
            raise InputError("plots need matplotlib", hint=install_extra("plots")) from None

        for file in write_plots(scores, plots):
            console.info(f"wrote {file}")
