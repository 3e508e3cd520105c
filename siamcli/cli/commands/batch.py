"""siamtrack batch: tracks many clips unattended."""

from __future__ import annotations

import re
import shlex
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from siamcli.cli import console
from siamcli.cli.options import AsJson, BoxFormatName, Recursive, TrackerOptions, check_box_format
from siamcli.cli.outputs import DEFAULT_SUFFIXES, OUTPUT_SUFFIXES
from siamcli.cli.picture import PictureOptions
from siamcli.cli.reading import ReadingOptions
from siamcli.cli.search import SearchOptions
from siamcli.cli.signals import told_at_once
from siamcli.cli.tally import Tally, say_passed, say_plan
from siamcli.cli.usage import WrongUsage
from siamcli.counts import counted
from siamcli.engines.kinds import engine_name
from siamcli.errors import InputError, OutputError, PartialError, why_unread
from siamcli.formats.kinds import is_stream
from siamcli.formats.starts import number_format
from siamcli.media.kinds import source_name
from siamcli.media.suffixes import is_video
from siamcli.schema import decode
from siamcli.targets import parse_target

if TYPE_CHECKING:
    from siamcli.batch.manifest import Boxes
    from siamcli.batch.run import Results, TrackAll
    from siamcli.batch.schedule import Events
    from siamcli.session.job import Job

__all__ = ["batch"]

UNDER_WAY = ("the clips under way are given up", "the clips under way are finished as incomplete")
SUFFIX_NAMES = [suffix.lstrip(".") for suffix in OUTPUT_SUFFIXES]


def batch(
    clips: Annotated[
        list[str] | None,
        typer.Argument(
            help="Videos, folders, quoted patterns, or - for names on stdin.  Default: the clips that"
            " --boxes names.",
            show_default=False,
        ),
    ] = None,
    from_file: Annotated[
        Path | None, typer.Option("--from-file", "-a", help="Text file with one clip per line.")
    ] = None,
    recursive: Recursive = False,
    boxes: Annotated[
        Path | None,
        typer.Option(
            help="Manifest (.csv .tsv .json .jsonl) with the columns clip, time, box and label; `siamtrack"
            " pick` writes one."
        ),
    ] = None,
    box: Annotated[
        list[str] | None,
        typer.Option(
            help="Box of a target in every clip that has neither a row in the manifest nor a file CLIP.box:"
            " [LABEL=]x,y,w,h.  Repeatable."
        ),
    ] = None,
    box_format: BoxFormatName = "xywh",
    output_dir: Annotated[
        Path, typer.Option(help="Folder for the outputs; it is created if missing.")
    ] = Path("tracked"),
    format: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            "-f",
            help=f"Suffix of an output: {' '.join(SUFFIX_NAMES)}.  Repeatable.",
            autocompletion=lambda: SUFFIX_NAMES,
            show_default=" ".join(DEFAULT_SUFFIXES),
        ),
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Track again the clips that failed before.")
    ] = False,
    stop_on_error: Annotated[
        bool, typer.Option("--stop-on-error/--keep-going", help="Start no further clip after one has failed.")
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            "-y",
            help="Replace files that no batch into this folder wrote, and what was corrected.",
        ),
    ] = False,
    jobs: Annotated[
        str, typer.Option("--jobs", "-j", help="How many clips each process tracks at a time, or auto.")
    ] = "auto",
    shard: Annotated[
        str,
        typer.Option(
            help="Track only part i of n: i/n.  `siamtrack merge` joins the status files of all parts."
        ),
    ] = "1/1",
    ray: Annotated[
        str | None,
        typer.Option(
            help="Track on a Ray cluster: its address, auto for the running one, or local to start one."
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Print what would be done with each clip; write nothing."),
    ] = False,
    as_json: AsJson = False,
    *,
    reading: ReadingOptions,
    search: SearchOptions,
    picture: PictureOptions,
    tracker: TrackerOptions,
) -> None:
    """Track every clip that is not finished yet; OUTPUT_DIR/batch.jsonl records the state of each.

    Examples:
        siamtrack batch clips/ --boxes boxes.csv --output-dir tracked
    """
    if jobs != "auto" and not re.fullmatch(r"[1-9]\d{0,5}", jobs):
        raise typer.BadParameter(f"--jobs takes a number from 1 or auto, not {jobs!r}")
    if sent := next(filter(is_stream, format or []), None):
        raise typer.BadParameter(f"a batch writes files: {sent} is for `siamtrack run`, one source at a time")
    suffixes = tuple(dict.fromkeys(f".{name.lstrip('.')}" for name in format or DEFAULT_SUFFIXES))
    for suffix in suffixes:
        if Path(f"clip{suffix}").suffix.lower() not in OUTPUT_SUFFIXES:
            raise typer.BadParameter(f"--format takes one of {' '.join(OUTPUT_SUFFIXES)}, not {suffix}")
    check_box_format(box_format, files_only=not box)
    numbers = number_format(box_format)
    for_all = tuple(parse_target(text, numbers) for text in box or [])
    named = _named(clips, from_file)
    if not named and boxes is None:
        raise WrongUsage("which clips?", hint="name folders, files or patterns, or give --boxes")

    from siamcli.batch.clips import Shard, find_clips
    from siamcli.batch.manifest import Boxes, Manifest, read_manifest
    from siamcli.batch.plan import plan
    from siamcli.batch.run import Policy, foresee, run_batch
    from siamcli.batch.settings import Settings
    from siamcli.batch.status import History, StatusFile
    from siamcli.checkpoints.header import sha256_of

    part = Shard.parse(shard)
    manifest = Manifest() if boxes is None else read_manifest(boxes, numbers)
    found, duplicates, passed = find_clips(named or manifest.clips, recursive=recursive)
    say_passed(passed, [output_dir, *filter(None, (boxes, from_file))])
    _say_repeated([*manifest.repeated, *(f"{name} is named more than once" for name in duplicates)])
    targets = Boxes(manifest, for_all, box_format)
    _require_a_box(targets, [clip.source for clip in found], named)
    tracker.check()
    ids = [source_name(clip.source).relative_to(output_dir) for clip in found]
    # torch and the weights are loaded when there is something to track
    track = partial(_here, tracker, jobs) if ray is None else _on_ray(ray, jobs, tracker)
    drawn = any(is_video(f"clip{suffix}") for suffix in suffixes)
    settings = Settings(
        suffixes,
        sha256_of(tracker.file()),
        tracker.overrides(),
        **reading.given(drawn=drawn),
        **search.given(),
        style=picture.style(drawn=drawn),
    )
    policy = Policy(retry_failed, stop_on_error, overwrite)
    path = output_dir / part.status_name
    if dry_run:
        history = History(path)
        tasks = plan(found, ids, targets, settings, output_dir, history.entries, part)
        say_plan(foresee(tasks, history, output_dir, policy), as_json=as_json)
        return
    with StatusFile(path) as status:
        tasks = plan(found, ids, targets, settings, output_dir, status.entries, part)
        results = run_batch(tasks, track, status, output_dir, policy)
        _report(results, sum(map(part.holds, ids)), path, kept=ray is None, as_json=as_json)


def _say_repeated(lines: Iterable[str]) -> None:
    for line in lines:
        console.info(f"{line}: used once", style="yellow")


def _require_a_box(boxes: Boxes, clips: Sequence[str], named: Sequence[str]) -> None:
    """Raises WrongUsage if no clip has a box: one error for all of them, and no clip counts as failed."""
    if clips and not any(map(boxes.has, clips)):
        which = f"none of {len(clips)} clips has a box" if len(clips) > 1 else f"{clips[0]} has no box"
        raise WrongUsage(
            f"where are the targets? {which}",
            hint=f"draw them with `siamtrack pick {shlex.join(named)} -o boxes.csv` and give"
            " --boxes boxes.csv, or give --box x,y,w,h for all clips",
        )


def _here(tracker: TrackerOptions, jobs: str, waiting: Iterator[Job]) -> Events:
    """Tracks in this process."""
    first = next(waiting, None)
    if first is None:
        return
    from siamcli.batch.schedule import default_concurrency, track_jobs

    loaded = tracker.load()
    engine = loaded.engine
    width = default_concurrency(on_gpu=engine.device.type != "cpu") if jobs == "auto" else int(jobs)
    console.verbose(f"{loaded.model} on {engine_name(engine)}, {counted(width, 'clip')} at a time")
    yield from track_jobs(loaded, chain([first], waiting), width)


def _on_ray(address: str, jobs: str, tracker: TrackerOptions) -> TrackAll:
    """Tracks on a Ray cluster."""
    from siamcli.batch.cluster import WorkerConfig, track_on_ray

    # here, not on the workers, whose devices may be others: the keys of the clips name these weights
    chosen, params = tracker.chosen(), tracker.params
    weights = chosen.absolute() if isinstance(chosen, Path) else chosen
    config = WorkerConfig(weights, tracker.device, tracker.engine, params and params.absolute())
    width = None if jobs == "auto" else int(jobs)
    return partial(track_on_ray, address=address, config=config, width=width)


def _named(clips: Iterable[str] | None, from_file: Path | None) -> list[str]:
    """All clips that arguments, stdin and the list file name.  Raises InputError where these name none."""
    from siamcli.batch.clips import read_names

    named: list[str] = []
    for name in clips or []:
        named += read_names(sys.stdin.read() if sys.stdin else "") if name == "-" else [name]
    if from_file is not None:
        try:
            named += read_names(decode(from_file.read_bytes()))
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"cannot read {from_file}: {why_unread(error)}", hint="one clip per line"
            ) from None
    if "" in named:
        raise InputError("a clip without a name", hint="is the shell variable set?")
    if not named and (clips or from_file):
        raise InputError(f"{from_file or 'stdin'} names no clip", hint="one clip per line")
    return named


def _report(results: Results, total: int, status: Path, *, kept: bool, as_json: bool) -> None:
    """Count results as they come, and print a summary at the end, also after an interruption, which says
    whether what there is of the clips under way is `kept`.  Raises PartialError if clips are not done.
    """
    from siamcli.batch.run import Result
    from siamcli.batch.schedule import Moved, Started

    began = time.perf_counter()
    tally = Tally(total)
    try:
        with (
            told_at_once(lambda: console.info(f"stopping: {UNDER_WAY[kept]}")),
            closing(results),
            console.progress("batch", total, "clips", passing="frames") as update,
        ):
            for event in results:
                if isinstance(event, Started):
                    tally.begin(event.job)
                    continue
                under_way = event if isinstance(event, Moved) else Moved(0, 0)
                if isinstance(event, Result):
                    tally.add(event)
                note = f"{len(tally.failures)} failed" if tally.failures else ""
                update(tally.number + under_way.jobs, note, tally.frames + under_way.frames)
    except (KeyboardInterrupt, SystemExit, OutputError) as stopped:
        _conclude(tally, time.perf_counter() - began, status, as_json=as_json)
        if not isinstance(stopped, OutputError):  # which says itself what to do
            console.info("run the same command again to continue")
        raise
    _conclude(tally, time.perf_counter() - began, status, as_json=as_json)
    if tally.not_done:
        raise PartialError(
            tally.not_done,
            hint="fix the problems above and run the same command again; clips that have not changed since"
            " they failed are tried again with --retry-failed",
        )


def _conclude(tally: Tally, seconds: float, status: Path, *, as_json: bool) -> None:
    tally.say(seconds, status)
    if as_json:
        console.print_json(tally.document(seconds, status))
