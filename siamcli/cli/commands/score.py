"""siamtrack score: scores result files, also of other trackers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from siamcli.cli import console
from siamcli.cli.commands.eval import DatasetName, Form, Partial, Root, Rules, say_absent
from siamcli.cli.commands.report import Per
from siamcli.tables import render

__all__ = ["score"]


def score(
    dataset: DatasetName,
    results: Annotated[list[Path], typer.Argument(help="Folders with result files, one folder per tracker.")],
    root: Root,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder to save the scores in, for `siamtrack report`."),
    ] = None,
    partial: Partial = False,
    rules: Rules = "official",
    per: Per = "dataset",
    form: Form = "text",
) -> None:
    """Score the result files of any tracker, in DATASET's official format or PySOT's.  ROOT needs annotations
    only: the benchmark's folder, a folder of NAME.txt, or PySOT's .json.

    Examples:
        siamtrack score otb2015 results/SiamFC-3s --root data/OTB
    """
    from siamcli.atomic import write_text
    from siamcli.evaluation.catalog import find_spec
    from siamcli.evaluation.comparison import comparison_tables
    from siamcli.evaluation.datasets import open_dataset
    from siamcli.evaluation.scoring import score_results

    opened = open_dataset(find_spec(dataset), root, partial=partial, frames=False)
    say_absent(opened)
    scores = [score_results(opened, folder, name, rules) for folder, name in _named(results).items()]
    if output is not None:
        for one in scores:
            write_text(output / one.dataset / one.tracker / "scores.json", one.to_json())
    console.print_table(render(comparison_tables(scores, per=per), form))


def _named(results: list[Path]) -> dict[Path, str]:
    """Every folder with its tracker's name: its own, or as much of its path as tells it from the others."""
    given = {Path(os.path.realpath(folder)): folder for folder in results}
    for depth in range(1, 1 + max(len(path.parts) for path in given)):
        names = ["/".join(path.parts[1:][-depth:]) for path in given]
        if len(set(names)) == len(names):
            break
    return dict(zip(given.values(), names, strict=True))
