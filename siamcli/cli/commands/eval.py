"""siamtrack eval: runs a tracker over a benchmark and scores it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from siamcli.cli import console
from siamcli.cli.options import TrackerOptions, dataset_names
from siamcli.counts import counted
from siamcli.engines.kinds import engine_name
from siamcli.tables import TableFormat, render
from siamcli.version import __version__

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from siamcli.evaluation.sequence import Dataset
    from siamcli.load import LoadedTracker
    from siamcli.model.spec import TrackerParams

__all__ = [
    "DatasetName",
    "Form",
    "LoadTracker",
    "Partial",
    "Root",
    "Rules",
    "eval_",
    "load_once",
    "run_dataset",
    "say_absent",
    "tracker_identity",
]

DatasetName = Annotated[
    str,
    typer.Argument(
        help="otb2015, otb2013, otb50, uav123, uav20l, lasot, nfs, got10k-val, got10k-test, trackingnet,"
        " vot2018, vot2018-lt, or folder: NAME/img with NAME/groundtruth.txt, or NAME.mp4 with NAME.txt,"
        " pixels counted from 0.",
        autocompletion=dataset_names,
    ),
]
Root = Annotated[
    Path, typer.Option("--root", help="Folder with the benchmark's files in their official layout.")
]
Partial = Annotated[
    bool,
    typer.Option("--partial", help="Accept missing and shortened sequences; the table of scores says so."),
]
Rules = Annotated[
    Literal["official", "pysot"],
    typer.Option("--rules", help="How first frames, broken boxes and absent targets are scored."),
]
Form = Annotated[TableFormat, typer.Option("--format", help="Format of the table on stdout.")]
Jobs = Annotated[int, typer.Option("--jobs", "-j", help="How many processes share the sequences.", min=1)]


@dataclass(frozen=True, slots=True)
class LoadTracker:
    """Loads the tracker, in this process or another one; `params` replace the parameters of the options."""

    options: TrackerOptions
    jobs: int = 1
    params: TrackerParams | None = None

    def __call__(self) -> LoadedTracker:
        if self.jobs > 1:
            console.hush()  # one of several processes: the command has said that it loads
        tracker = load_once(self.options, self.jobs)
        return tracker if self.params is None else replace(tracker, params=self.params)


@lru_cache(maxsize=1)
def load_once(options: TrackerOptions, jobs: int) -> LoadedTracker:
    """Load the tracker of the options for one of several processes; equal calls return the same one."""
    if jobs > 1:
        import torch

        from siamcli.cores import usable_cores

        torch.set_num_threads(max(1, usable_cores() // jobs))
    return options.load()


def tracker_identity(tracker: LoadedTracker) -> dict[str, object]:
    """Everything on which the boxes depend."""
    return {
        "model": tracker.model,
        "weights_sha256": tracker.sha256,
        "params": asdict(tracker.params),
        "engine": engine_name(tracker.engine),
        "version": __version__,
    }


def run_dataset(
    dataset: Dataset,
    factory: LoadTracker,
    folder: Path,
    identity: Mapping[str, object],
    repetitions: int,
    pool: Executor | None,
) -> None:
    """Run the sequences that are not finished, with a progress bar."""
    from siamcli.evaluation.evaluate import evaluate, finished_sequences, unlogged_sequences
    from siamcli.evaluation.log import others_in_words

    finished = finished_sequences(dataset, folder, identity, repetitions=repetitions)
    if finished:
        which = counted(len(finished), "sequence", "were", of=len(dataset.sequences))
        console.info(f"{which} finished before, and kept")
    if said := others_in_words(folder, identity, [s.name for s in dataset.sequences]):
        console.info(said, style="yellow")
    if unlogged := unlogged_sequences(dataset, folder):
        first = unlogged[0] + (f" and {len(unlogged) - 1} more" if len(unlogged) > 1 else "")
        what = f"results that eval did not write, or that changed since, are replaced: {first}"
        console.info(f"{folder}: {what}; another -o keeps them", style="yellow")
    frames = tracked = 0  # of finished sequences; in all, each repetition of VOT, too
    total = sum(len(s) for s in dataset.sequences if s.name not in finished)
    with console.progress(dataset.spec.title, total) as update:

        def watch(sequence: str, frame: int) -> None:
            nonlocal tracked
            tracked += 1
            update(frames + frame, sequence, tracked)

        for result in evaluate(
            dataset, factory, folder, identity, pool=pool, repetitions=repetitions, watch=watch
        ):
            if result.resumed:
                continue
            frames += result.frames
            tracked = max(tracked, frames)  # the processes of a pool do not say what they track
            update(frames, result.sequence, tracked)
            speed = result.frames / max(result.seconds, 1e-9)
            console.verbose(f"{result.sequence}: {counted(result.frames, 'frame')}, {speed:.1f} frames/s")


def say_absent(dataset: Dataset) -> None:
    """Say that frames without a target lower the success of every tracker, where there are any."""
    absent = sum(int((~s.visible).sum()) for s in dataset.sequences)
    if absent and dataset.spec.protocol == "ope":
        which = counted(absent, "frame", "have", of=sum(map(len, dataset.sequences)))
        console.info(f"{which} no target: counted as missed, whatever a tracker says there")


def eval_(
    dataset: DatasetName,
    root: Root,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")] = Path("results"),
    name: Annotated[
        str | None,
        typer.Option(
            "--name", help="The tracker's name in tables and folders.  Default: the name of its model."
        ),
    ] = None,
    jobs: Jobs = 1,
    repetitions: Annotated[
        int, typer.Option(help="Runs per VOT sequence; three identical runs are enough.", min=1)
    ] = 15,
    sequence: Annotated[list[str] | None, typer.Option(help="Run only this sequence.  Repeatable.")] = None,
    partial: Partial = False,
    starts: Annotated[
        int,
        typer.Option(
            help="From how many frames of a sequence to start, evenly spread (one-pass benchmarks only).",
            min=1,
        ),
    ] = 1,
    rules: Rules = "official",
    form: Form = "text",
    *,
    tracker: TrackerOptions,
) -> None:
    """Run a tracker over DATASET, write official result files, and print its scores.

    A second run keeps the results of every sequence whose weights, parameters and files are unchanged, and
    prints which results it replaces.  Results go to OUTPUT/DATASET/NAME.

    Examples:
        siamtrack eval otb2015 --root data/OTB
    """
    if name is not None and (name in ("", "..") or Path(name).name != name):
        raise typer.BadParameter(f"--name is a folder in OUTPUT/DATASET: a plain name, not {name!r}")

    from siamcli.atomic import make_folder, write_text
    from siamcli.evaluation.catalog import find_spec
    from siamcli.evaluation.comparison import comparison_tables
    from siamcli.evaluation.datasets import open_dataset
    from siamcli.evaluation.evaluate import worker_pool
    from siamcli.evaluation.results import pack
    from siamcli.evaluation.scoring import score_results
    from siamcli.evaluation.sequence import from_starts

    opened = open_dataset(find_spec(dataset), root, partial=partial, only=sequence or ())
    if starts > 1:
        if opened.spec.protocol != "ope":
            raise typer.BadParameter(f"--starts is for one-pass benchmarks, {opened.spec.title} is none")
        opened = from_starts(opened, starts)
    tracker.check()
    make_folder(output / opened.spec.key)
    factory = LoadTracker(tracker, jobs)
    loaded = load_once(tracker, jobs)
    title = loaded.model if name is None else name
    folder = output / opened.spec.key / title
    with worker_pool(jobs) as pool:
        run_dataset(opened, factory, folder, tracker_identity(loaded), repetitions, pool)
    if opened.spec.server:
        names = [s.name for s in opened.sequences]
        archive = pack(folder, opened.spec, names, folder.with_name(f"{title}.zip"))
        console.info(f"{archive} is ready for {opened.spec.server}")
        return
    say_absent(opened)
    scores = score_results(opened, folder, title, rules)
    write_text(folder / "scores.json", scores.to_json())
    console.print_table(render(comparison_tables([scores]), form))
