"""siamtrack convert: trajectories in another format, or as a data set; and those of other programs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from siamcli.cli import console
from siamcli.cli.outputs import Overwrite, check_outputs_differ, left_out
from siamcli.cli.reading import Fps
from siamcli.cli.usage import WrongUsage, read_share
from siamcli.errors import InputError, OutputError
from siamcli.formats.kinds import FORMATS, is_stream, read_suffixes, track_formats
from siamcli.times import parse_rate

if TYPE_CHECKING:
    from siamcli.trajectory import Trajectory

__all__ = ["convert"]

OWN = "siamtrack"  # another name for json: the way back
NAMES = [*FORMATS, OWN]
DATASETS = [name for name, kind in FORMATS.items() if kind.dataset]


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What the user knows of the files that are read; the fields are the options."""

    from_format: Annotated[
        str | None,
        typer.Option(
            "--from",
            help=f"Format of a file that siamtrack did not write: {' '.join(track_formats())}.",
            show_default="by its content",
            rich_help_panel="Input",
        ),
    ] = None
    video: Annotated[
        Path | None,
        typer.Option(
            help="The video that was tracked, or the folder that holds those of all files: for pictures,"
            " and for size and times where a file does not say them.",
            rich_help_panel="Input",
        ),
    ] = None
    size: Annotated[
        str | None,
        typer.Option(
            help="Size of the frames, as 1920x1080, where a file does not say it.", rich_help_panel="Input"
        ),
    ] = None
    fps: Fps = None

    def read(self, path: Path) -> dict[str, Trajectory]:
        """The trajectories in `path`, by what their files are called: one, but for files of several videos.

        Raises InputError, typer.BadParameter.
        """
        from siamcli.formats.tracks import Known, read_each
        from siamcli.frames import SourceInfo

        if self.from_format is not None and self.from_format not in track_formats():
            formats = ", ".join(track_formats())
            raise typer.BadParameter(f"--from takes one of {formats}, not {self.from_format!r}")
        rate = None if self.fps is None else parse_rate(self.fps)
        size = None if self.size is None else _size(self.size)
        if self.video and re.match("[a-z]{2,}:/", str(self.video)) and not self.video.exists():
            raise typer.BadParameter("--video takes a file or a folder, not an address: download the video")
        is_folder = self.video is not None and self.video.is_dir()

        def known(name: str) -> Known:
            if self.video is not None and bool(name) == is_folder:
                from siamcli.session.dataset import find_video, frame_times

                return frame_times(find_video(name, [self.video]) if name else str(self.video), rate)
            if self.video is not None and name:
                raise InputError(
                    f"{path} holds several videos, and --video names one",
                    hint="name the folder that holds them",
                )
            return (SourceInfo(name or path.name.split(".")[0], size, rate) if size or rate else None), None

        return {name or _stem(path): one for name, one in read_each(path, self.from_format, known).items()}


@dataclass(frozen=True, slots=True)
class DatasetOptions:
    """How many trajectories become one data set; the fields are the options."""

    images: Annotated[
        str | None,
        typer.Option(
            help="Write the frames as pictures: every:5 is every fifth frame of a trajectory.",
            metavar="every:N",
            rich_help_panel="Data set",
        ),
    ] = None
    crops: Annotated[
        bool,
        typer.Option(
            "--crops",
            help="Write what the boxes hold, a folder for every target.",
            rich_help_panel="Data set",
        ),
    ] = False
    val: Annotated[
        str,
        typer.Option(help="Share of the clips that is held back for validation.", rich_help_panel="Data set"),
    ] = "20%"

    @property
    def every(self) -> int:
        """Every how many-th frame is used.  Raises typer.BadParameter."""
        match = re.fullmatch(r"every:([1-9]\d{0,5})", self.images or "every:1")
        if match is None:
            raise typer.BadParameter(f"--images takes every:N, not {self.images!r}")
        return int(match[1])

    @property
    def held_back(self) -> float:
        """A share from 0 to 1.  Raises typer.BadParameter."""
        return read_share("--val", self.val, below=1)


def convert(
    trajectories: Annotated[
        list[Path],
        typer.Argument(
            help=f"Trajectories that siamtrack wrote, {' '.join(read_suffixes())}, or files of"
            f" {', '.join(track_formats())}.",
            show_default=False,
        ),
    ],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            help="The format to write; must be given.",
            metavar=f"[{'|'.join(NAMES)}]",
            autocompletion=lambda: NAMES,
            show_default=False,
        ),
    ] = "",
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", help="File, or folder with a / at its end, for the result; - is stdout."
        ),
    ] = None,
    drop_lost: Annotated[
        bool, typer.Option("--drop-lost", help="Leave out the boxes of lost frames.")
    ] = False,
    keyframes: Annotated[
        str | None,
        typer.Option(help="For cvat: as few key frames as stay within this distance, as 2px."),
    ] = None,
    media_url: Annotated[
        str | None,
        typer.Option(help="For labelstudio: where it finds the video; {name} in it is the video's name."),
    ] = None,
    overwrite: Overwrite = False,
    *,
    reading: ReadOptions,
    dataset: DatasetOptions,
) -> None:
    """Write trajectories in another format, or many of them as one data set; says which files it wrote.

    Files of other programs are read as well: what was corrected there returns with --to siamtrack, a
    trajectory for every video of a file.

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
    reading: ReadOptions,
    options: DatasetOptions,
    *,
    drop_lost: bool,
    overwrite: bool,
) -> None:
    """Many trajectories, or pictures, into one folder.  Raises BadParameter, InputError, OutputError."""
    if to and to not in DATASETS:
        raise typer.BadParameter(
            f"several trajectories, --images and --crops go with --to {' or '.join(DATASETS)}, not {to}"
        )
    if output is None or output == "-" or Path(output).suffix.lower() in (".json", ".txt"):
        raise OutputError("a data set is a folder", hint="name it: -o FOLDER/")

    from siamcli.formats.datasets import make_clips
    from siamcli.session.dataset import find_video, write_dataset

    read = [(path, stem, one) for path in paths for stem, one in reading.read(path).items()]
    named = [(stem, one) for _, stem, one in read]
    clips = make_clips(named, every=options.every, held_back=options.held_back, drop_lost=drop_lost)
    videos: dict[str, str] = {}
    if options.images or options.crops:
        for clip, (path, _, _) in zip(clips, read, strict=True):
            places = [reading.video] if reading.video else [Path(), path.parent, path.parent.parent]
            videos[clip.name] = find_video(clip.trajectory.header.source.name, places)
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
    """The options of one format alone; raises typer.BadParameter for those of another."""
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


def _stem(path: Path) -> str:
    """Clips of one name have trajectories of their own names."""
    return path.name.removesuffix(path.suffix).removesuffix(".tracked")


def _size(text: str) -> tuple[int, int]:
    """Read `1920x1080`; raises typer.BadParameter."""
    match = re.fullmatch(r"([1-9]\d{0,4})\s*[xX]\s*([1-9]\d{0,4})", text.strip())
    if match is None:
        raise typer.BadParameter(f"--size takes width and height such as 1920x1080, not {text!r}")
    return int(match[1]), int(match[2])
