"""siamtrack tune: searches for the best tracker parameters on a data set."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from siamcli.cli import console
from siamcli.cli.commands.eval import (
    DatasetName,
    Jobs,
    LoadTracker,
    Partial,
    Root,
    load_once,
    run_dataset,
    tracker_identity,
)
from siamcli.cli.options import TrackerOptions
from siamcli.errors import DatasetError
from siamcli.schema import to_toml

__all__ = ["tune"]


def tune(
    dataset: DatasetName,
    root: Root,
    trials: Annotated[int, typer.Option(help="How many random settings to try.", min=1)] = 50,
    grid: Annotated[
        int | None, typer.Option(help="Instead, try a grid with this many values per parameter.", min=1)
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="Folder for the results of every trial, trials.jsonl and best.toml."
        ),
    ] = Path("tuning"),
    jobs: Jobs = 1,
    partial: Partial = False,
    *,
    tracker: TrackerOptions,
) -> None:
    """Search for the values of penalty_k, window_influence and lr with the best score on DATASET.

    The first trial has the parameters of the weights.  The best values are printed and saved, with those of
    --params, in OUTPUT/best.toml, for --params.  Tune on videos of your own or a validation set: figures on
    a set used for tuning are not comparable with published ones.

    Examples:
        siamtrack tune folder --root videos --trials 20
    """
    from siamcli.atomic import make_folder, write_text
    from siamcli.evaluation.catalog import find_spec
    from siamcli.evaluation.comparison import decisive
    from siamcli.evaluation.datasets import open_dataset
    from siamcli.evaluation.evaluate import worker_pool
    from siamcli.evaluation.scoring import METRICS, score_results
    from siamcli.evaluation.search import SearchSpace, grid_points, random_points

    opened = open_dataset(find_spec(dataset), root, partial=partial)
    tracker.check()
    make_folder(output)
    loaded = load_once(tracker, jobs)
    space = SearchSpace()
    points: Iterator[dict[str, float]]
    points = grid_points(space, grid) if grid is not None else random_points(space, trials, seed)
    log: list[str] = []
    best: tuple[float, str] | None = None
    with worker_pool(jobs) as pool:
        for number, point in enumerate([{}, *points]):
            folder = output / f"trial_{number:04d}"
            tried = replace(loaded, params=replace(loaded.params, **dict[str, Any](point)))
            write_text(folder / "params.toml", to_toml(tried.params))
            factory = LoadTracker(tracker, jobs, tried.params)
            started_at = time.perf_counter()
            run_dataset(opened, factory, folder, tracker_identity(tried), 1, pool)
            values = score_results(opened, folder, f"trial {number}").values
            metric = decisive(list(values))
            value = values[metric]
            if math.isnan(value):
                raise DatasetError(
                    f"these sequences of {opened.spec.title} have no {METRICS[metric][0]}, by which it ranks",
                    hint="tune on more or longer ones",
                )
            seconds = round(time.perf_counter() - started_at, 1)
            log.append(json.dumps({"trial": number, "params": point, metric: value, "seconds": seconds}))
            write_text(output / "trials.jsonl", "\n".join(log) + "\n")
            console.info(f"trial {number}: {metric} {value:.4f} {point or '(the defaults)'}")
            if best is None or value > best[0]:
                searched = {name: getattr(tried.params, name) for name in space.ranges()}
                # what else the weights bring stays theirs: another model has another calibration
                params = _lines({**tracker.overrides(), **searched})
                best = (value, params)
                write_text(output / "best.toml", f"# {metric} {value:.4f} on {opened.spec.title}\n{params}")
    assert best is not None
    typer.echo(best[1], nl=False)


def _lines(params: dict[str, Any]) -> str:
    """Numbers and lists of numbers as TOML, by name."""
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in params.items())
