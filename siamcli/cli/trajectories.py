"""Options for reading trajectories, of siamtrack and of other programs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from siamcli.cli.reading import Fps
from siamcli.errors import InputError
from siamcli.formats.kinds import track_formats
from siamcli.times import parse_rate

if TYPE_CHECKING:
    from siamcli.trajectory import Trajectory

__all__ = ["TrajectoryOptions"]


@dataclass(frozen=True, slots=True)
class TrajectoryOptions:
    """What the user knows about the files that are read; the fields are the options."""

    from_format: Annotated[
        str | None,
        typer.Option(
            "--from",
            help=f"Format of a file of another program: {' '.join(track_formats())}.",
            show_default="recognized by its content",
            rich_help_panel="Input",
        ),
    ] = None
    video: Annotated[
        Path | None,
        typer.Option(
            help="The video or folder of images that was tracked, or the folder of the videos of all files. "
            " Needed for --images and --crops, and for frame size and times that a file does not say.",
            rich_help_panel="Input",
        ),
    ] = None
    size: Annotated[
        str | None,
        typer.Option(
            help="Frame size, for example 1920x1080, if a file does not say it.", rich_help_panel="Input"
        ),
    ] = None
    fps: Fps = None

    def read(self, path: Path) -> dict[str, Trajectory]:
        """The trajectories in a file by name; only a file of several videos has more than one.

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

        def known(name: str) -> Known:
            if self.video is not None:
                if name and not self.video.is_dir():
                    raise InputError(
                        f"{path} holds several videos, and --video names one",
                        hint="name the folder that holds them",
                    )
                from siamcli.session.dataset import find_video, frame_times, given_video

                stem = _stem(path)
                if source := find_video(name, [self.video]) if name else given_video(stem, self.video):
                    return frame_times(source, rate)
            return (SourceInfo(name or path.name.split(".")[0], size, rate) if size or rate else None), None

        return {name or _stem(path): one for name, one in read_each(path, self.from_format, known).items()}


def _stem(path: Path) -> str:
    """The file's name without suffix and without `.tracked`."""
    return path.name.removesuffix(path.suffix).removesuffix(".tracked")


def _size(text: str) -> tuple[int, int]:
    """Read `1920x1080`; raises typer.BadParameter."""
    match = re.fullmatch(r"([1-9]\d{0,4})\s*[xX]\s*([1-9]\d{0,4})", text.strip())
    if match is None:
        raise typer.BadParameter(f"--size takes width and height such as 1920x1080, not {text!r}")
    return int(match[1]), int(match[2])
