"""siamtrack fix: corrects a trajectory, and tracks again only the frames that a correction affects."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from siamcli.cli import console
from siamcli.cli.again import loader_again
from siamcli.cli.options import ItsTrajectory, TrackedVideo, TrackerOptions
from siamcli.cli.outputs import OUTPUT_SUFFIXES, check_new_outputs, check_writable
from siamcli.cli.picture import PictureOptions
from siamcli.cli.reading import ReadingOptions
from siamcli.cli.search import SearchOptions
from siamcli.cli.source import batch_folder
from siamcli.cli.tally import about
from siamcli.cli.usage import WrongUsage
from siamcli.counts import counted
from siamcli.errors import InputError, PartialError
from siamcli.media.kinds import source_name
from siamcli.media.suffixes import is_video
from siamcli.targets import BoxFormat, TargetMark, parse_absent, parse_timed_target

if TYPE_CHECKING:
    from siamcli.load import LoadedTracker
    from siamcli.session.passes import TrackStep
    from siamcli.session.reading import Reading
    from siamcli.trajectory import Trajectory

__all__ = ["fix"]


def fix(
    video: TrackedVideo,
    trajectory: ItsTrajectory = None,
    box_at: Annotated[
        list[str] | None,
        typer.Option(
            help="Correct box of a target: TIME=[LABEL=]x,y,w,h.  LABEL may be a number, #1.  Repeatable.",
            rich_help_panel="Corrections",
        ),
    ] = None,
    absent: Annotated[
        list[str] | None,
        typer.Option(
            help="Frames in which a target is not visible: [LABEL=]FIRST-LAST.  Repeatable.",
            rich_help_panel="Corrections",
        ),
    ] = None,
    fixes: Annotated[
        Path | None,
        typer.Option(
            help="Table of corrections (.csv .json .jsonl) with the columns clip, time, target, and box or"
            " absent.",
            rich_help_panel="Corrections",
        ),
    ] = None,
    box_format: Annotated[
        BoxFormat, typer.Option(help="What the four numbers of a box mean.", rich_help_panel="Corrections")
    ] = "xywh",
    new_targets: Annotated[
        bool,
        typer.Option(
            "--new-targets",
            help="Add a target for every label that the trajectory does not have.",
            rich_help_panel="Corrections",
        ),
    ] = False,
    output: Annotated[
        list[str] | None,
        typer.Option(
            "--output",
            "-o",
            help=f"Output file; its suffix is its format: {' '.join(OUTPUT_SUFFIXES)}.  Repeatable.",
            show_default="NAME.fixed with the suffix of TRAJECTORY",
            rich_help_panel="Output",
        ),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", "-y", help="Replace outputs that exist, even TRAJECTORY.", rich_help_panel="Output"
        ),
    ] = False,
    *,
    reading: ReadingOptions,
    search: SearchOptions,
    picture: PictureOptions,
    tracker: TrackerOptions,
) -> None:
    """Correct TRAJECTORY with boxes and absences, and track again only the frames that they affect.

    VIDEO may be the output folder of a batch: then the outputs of every clip in --fixes are replaced.

    Examples:
        siamtrack fix video.mp4 video.tracked.json --box-at 60f=280,110,72,90
        siamtrack fix video.mp4 video.tracked.json --absent bug=63f-80f -o video.fixed.json -o video.fixed.mp4
        siamtrack fix tracked/ --fixes fixes.csv
    """
    marks: list[TargetMark] = [parse_timed_target(text, box_format) for text in box_at or []]
    marks += [parse_absent(text) for text in absent or []]
    if trajectory is None:
        usage = "siamtrack fix VIDEO TRAJECTORY, or BATCH_FOLDER --fixes FILE"
        folder = batch_folder(video, usage)
        if marks or output or fixes is None:
            raise WrongUsage("which trajectory?", hint=usage)
        from siamcli.batch.fix import has_videos

        drawn = has_videos(folder)
        opening = reading.opening(picture.style(drawn=drawn), search, drawn=drawn)
        _fix_batch(folder, fixes, box_format, tracker, opening, new_targets)
        return
    if not marks and fixes is None:
        raise WrongUsage("what is wrong?", hint="give --box-at TIME=x,y,w,h, --absent or --fixes FILE")
    paths = output or [f"{source_name(video).stem}.fixed{trajectory.suffix}"]

    from siamcli.batch.manifest import read_manifest
    from siamcli.formats.files import read_trajectory
    from siamcli.session.fix import correct
    from siamcli.session.render import write_again

    wrong = read_trajectory(trajectory)  # whose suffix the output has
    inputs = [video, *map(str, filter(None, (fixes, tracker.weights, tracker.params)))]
    check_new_outputs(paths, inputs, suffixes=OUTPUT_SUFFIXES, overwrite=overwrite)
    if fixes is not None:
        marks += read_manifest(fixes, box_format).of(video)
        if not marks:
            raise InputError(
                f"{fixes} has no row for {video}", hint="a clip is named from the table's folder"
            )
    tracker.check()
    name = source_name(video).short
    drawn = any(map(is_video, paths))
    source = reading.opening(picture.style(drawn=drawn), search, drawn=drawn)(video)
    source.style.check(wrong.header.labels)
    load = partial(_load, tracker, wrong, source, paths, overwrite=overwrite)
    right = _shown(correct(wrong, marks, source, load, new_targets=new_targets), name)
    with console.progress(name, right.header.source.count) as update:
        for done in write_again(source, right, paths, overwrite=overwrite):
            update(done)
    same = len(set(wrong.points) & set(right.points))
    console.info(
        f"{counted(len(right.points) - same, 'box', 'are', of=len(right.points))} given or tracked anew"
    )
    for path in paths:
        console.print_path(path)


def _load(
    tracker: TrackerOptions, wrong: Trajectory, source: Reading, paths: Sequence[str], *, overwrite: bool
) -> LoadedTracker:
    """Load the tracker, after checking that the result can be written."""
    from siamcli.session.render import check_videos

    check_videos(source, wrong, paths)
    check_writable(paths, overwrite=overwrite)
    return loader_again(tracker)(wrong)


def _shown(work: Generator[TrackStep, None, Trajectory], name: str) -> Trajectory:
    """The result of `work`, with a progress bar if something is tracked."""
    fixed: list[Trajectory] = []

    def steps() -> Iterator[TrackStep]:
        fixed.append((yield from work))

    left = steps()
    if (first := next(left, None)) is not None:
        with console.progress(f"tracking {name}", first.total) as update:
            for step in left:
                update(step.done)
    return fixed[0]


def _fix_batch(
    folder: Path,
    fixes: Path,
    box_format: BoxFormat,
    options: TrackerOptions,
    opening: Callable[[str], Reading],
    new_targets: bool,
) -> None:
    """Correct every clip of a batch that is named in `fixes`.  Raises PartialError when clips failed."""
    from siamcli.batch.fix import fix_batch
    from siamcli.batch.manifest import read_manifest

    options.check()
    manifest = read_manifest(fixes, box_format)
    failures = 0
    with console.progress("fix", len(manifest.clips), "clips") as update:
        work = fix_batch(folder, manifest, loader_again(options), opening, new_targets=new_targets)
        for number, (clip, error) in enumerate(work, 1):
            update(number, clip)
            if error is None:
                console.print_path(clip)
            else:
                failures += 1
                console.prompt(f"failed: {about(clip, str(error))}")
    if failures:
        raise PartialError(
            f"{counted(failures, 'clip', 'are', of=len(manifest.clips))} not corrected",
            hint="fix the problems above, and run it again with the rows of these clips alone",
        )
