"""siamtrack convert: converts trajectories between formats, and makes data sets of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from siamcli.cli import console
from siamcli.cli.outputs import Overwrite, check_holds_all, check_outputs_differ, left_out
from siamcli.cli.trajectories import TrajectoryOptions
from siamcli.cli.usage import WrongUsage, read_share
from siamcli.errors import OutputError
from siamcli.formats.kinds import FORMATS, is_stream, read_suffixes, track_formats

__all__ = ["convert"]

OWN = "siamtrack"  # another name for json: the way back
NAMES = [*FORMATS, OWN]
DATASETS = [name for name, kind in FORMATS.items() if kind.dataset]


@dataclass(frozen=True, slots=True)
class DatasetOptions:
    """How many trajectories are combined into one data set; the fields are the options."""

    images: Annotated[
        str | None,
        typer.Option(
            help="Write the frames as image files; every:5 writes every fifth frame of a trajectory.",
            metavar="every:N",
            rich_help_panel="Data set",
        ),
    ] = None
    crops: Annotated[
        bool,
        typer.Option(
            "--crops",
            help="Write the content of every box as an image file, in a folder for each target.",
            rich_help_panel="Data set",
        ),
    ] = False
    val: Annotated[
        str,
        typer.Option(help="Share of the clips that becomes the validation set.", rich_help_panel="Data set"),
    ] = "20%"

    @property
    def every(self) -> int:
        """N of --images every:N, 1 without it.  Raises typer.BadParameter."""
        match = re.fullmatch(r"every:([1-9]\d{0,5})", self.images or "every:1")
        if match is None:
            raise typer.BadParameter(f"--images takes every:N, not {self.images!r}")
        return int(match[1])

    @property
    def held_back(self) -> float:
        """The share of --val, from 0 to 1.  Raises typer.BadParameter."""
        return read_share("--val", self.val, below=1)


def convert(
    trajectories: Annotated[
        list[Path],
        typer.Argument(
            help=f"Trajectories that siamtrack wrote ({' '.join(read_suffixes())}), or files in the formats"
            f" {', '.join(track_formats())}.",
            show_default=False,
        ),
    ],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            help="The format to write.  Required.",
            metavar=f"[{'|'.join(NAMES)}]",
            autocompletion=lambda: NAMES,
            show_default=False,
        ),
    ] = "",
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", help="File or folder to write into; a folder's name ends in /.  - is stdout."
        ),
    ] = None,
    drop_lost: Annotated[
        bool, typer.Option("--drop-lost", help="Leave out the boxes of lost frames.")
    ] = False,
    keyframes: Annotated[
        str | None,
        typer.Option(
            help="For cvat: write only key frames, as few as keep the boxes between them this exact, for"
            " example 2px."
        ),
    ] = None,
    media_url: Annotated[
        str | None,
        typer.Option(
            help="For labelstudio: the address of the video; {name} in it is replaced by the video's name."
        ),
    ] = None,
    overwrite: Overwrite = False,
    *,
    reading: TrajectoryOptions,
    dataset: DatasetOptions,
) -> None:
    """Convert trajectories to another format, or combine many into one data set; prints the files written.

    Reads files of other programs, too: --to siamtrack brings trajectories that were corrected there back, one
    for every video that a file holds.

    Examples:
        siamtrack convert video.tracked.json --to coco
        siamtrack convert tracked/*.json --to yolo -o dataset/ --images every:5 --video clips/
        siamtrack convert task.xml --to siamtrack
    """
    to = "json" if to == OWN else to
    if not to and not dataset.crops:
        raise WrongUsage(
            f"missing option '--to'. Choose from: {', '.join(NAMES)}",
            "`siamtrack convert --help` shows what there is",
        )
    if to and to not in FORMATS:
        raise typer.BadParameter(f"--to takes one of {', '.join(NAMES)}, not {to!r}")
    options = _own_options(to, keyframes, media_url)
    if output not in (None, "-") and is_stream(output):
        raise OutputError(f"{output}: convert writes files", hint="`siamtrack run` sends lines as it tracks")
    check_holds_all(output or "")
    many = len(trajectories) > 1 or dataset.images or dataset.crops
    trajectory = trajectories[0]
    read = {} if many else reading.read(trajectory)
    if many or (len(read) > 1 and to in DATASETS):
        _write_dataset(trajectories, to, output, reading, dataset, drop_lost=drop_lost, overwrite=overwrite)
        return

    from siamcli.formats import files

    written = {
        name: text
        for stem, one in read.items()
        for name, text in files.convert(one, to, drop_lost=drop_lost, stem=stem, options=options).items()
    }
    place = Path(output or "")
    is_folder = output is None or output.endswith("/") or (output != "-" and place.is_dir())
    texts = files.with_paths(written, file=None if is_folder else place, folder=place)
    if output == "-":
        console.print_text(texts[place])
    else:
        check_outputs_differ([str(path) for path in texts], [str(trajectory)])
        if is_folder and len(read) == 1:
            files.write_converted(next(iter(read.values())), to, written, place, overwrite=overwrite)
        else:
            files.write_files(texts, overwrite=overwrite)
        for path in texts:
            console.print_path(path)
    if drop_lost:
        points = [point for one in read.values() for point in one.points]
        targets = max(len(one.header.labels) for one in read.values())
        console.info(left_out(sum(point.state == "lost" for point in points), len(points), targets))


def _write_dataset(
    paths: Sequence[Path],
    to: str,
    output: str | None,
    reading: TrajectoryOptions,
    options: DatasetOptions,
    *,
    drop_lost: bool,
    overwrite: bool,
) -> None:
    """Write many trajectories, or images, into one folder.  Raises BadParameter, InputError, OutputError."""
    if to and to not in DATASETS:
        raise typer.BadParameter(
            f"several trajectories, --images and --crops go with --to {' or '.join(DATASETS)}, not {to}"
        )
    if output is None or output == "-" or Path(output).suffix.lower() in (".json", ".txt"):
        raise OutputError("a data set is a folder", hint="name it: -o FOLDER/")

    from siamcli.formats.datasets import make_clips
    from siamcli.session.dataset import find_video, given_video, write_dataset

    read = [(path, stem, one) for path in paths for stem, one in reading.read(path).items()]
    named = [(stem, one) for _, stem, one in read]
    clips = make_clips(named, every=options.every, held_back=options.held_back, drop_lost=drop_lost)
    videos: dict[str, str] = {}
    if options.images or options.crops:
        for clip, (path, _, _) in zip(clips, read, strict=True):
            name = clip.trajectory.header.source.name
            places = [reading.video] if reading.video else [Path(), path.parent, path.parent.parent]
            given = reading.video and given_video(name, reading.video)
            videos[clip.name] = given or find_video(name, places)
    total = sum(clip.trajectory.header.source.count or 0 for clip in clips)
    folder = Path(output)
    with console.progress(folder.name, total) as update:
        for done in write_dataset(
            clips,
            to or None,
            videos,
            folder,
            images=options.images is not None,
            crops=options.crops,
            overwrite=overwrite,
        ):
            update(done)
    if not videos:
        console.info("no pictures: --images every:5 writes those of every fifth frame")
    console.print_path(folder)


def _own_options(to: str, keyframes: str | None, media_url: str | None) -> dict[str, Any]:
    """The options of one format; raises typer.BadParameter for an option of another format."""
    options: dict[str, Any] = {}
    if keyframes is not None:
        match = re.fullmatch(r"(\d{1,4}(?:\.\d*)?)\s*(?:px)?", keyframes.strip())
        if to != "cvat" or match is None:
            raise typer.BadParameter("--keyframes goes with --to cvat, and takes pixels such as 2px")
        options["keyframes"] = float(match[1])
    if media_url is not None:
        if to != "labelstudio":
            raise typer.BadParameter("--media-url goes with --to labelstudio")
        options["media_url"] = media_url
    return options
