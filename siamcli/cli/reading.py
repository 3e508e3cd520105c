"""Options for reading a source."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from siamcli.cli.search import SearchOptions
from siamcli.times import parse_rate

if TYPE_CHECKING:
    from siamcli.drawing.style import Style
    from siamcli.media.sound import AudioChoice
    from siamcli.session.reading import Reading
    from siamcli.trajectory import Trajectory

__all__ = ["Fps", "ReadingOptions", "RecordedFps", "SourceOptions", "read_tracked"]

Fps = Annotated[
    str | None,
    typer.Option(
        "--fps",
        help="Frames per second of images and raw streams, which have no times: for example 25 or"
        " 30000/1001.",
        rich_help_panel="Input",
    ),
]
RecordedFps = Annotated[
    str | None,
    typer.Option(
        "--fps",
        help="Frames per second that were recorded: of images, which have no times, and of slow motion, which"
        " is played at another rate.",
        rich_help_panel="Input",
    ),
]
Stream = Annotated[
    int | None,
    typer.Option(
        "--stream",
        min=0,
        help="Which video stream to read, counted from 0, in a file that has several.",
        show_default="the one that players show by default",
        rich_help_panel="Input",
    ),
]
Deinterlace = Annotated[
    bool,
    typer.Option(
        "--deinterlace", help="Deinterlace the video: remove its comb-like edges.", rich_help_panel="Input"
    ),
]


Audio = Annotated[
    str | None,
    typer.Option(
        "--audio",
        help="Which audio stream to keep in the written video: its number, counted from 1, or all.",
        show_default="the one that players play by default",
        rich_help_panel="Video",
    ),
]


class SourceOptions(TypedDict):
    """The options with which `open_source` opens a source, and the audio streams that are kept."""

    fps: Fraction | None
    stream: int | None
    deinterlace: bool
    audio: AudioChoice


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """How the source is read; the fields are the options, written once for all commands."""

    fps: Fps = None
    stream: Stream = None
    deinterlace: Deinterlace = False
    audio: Audio = None

    def given(self, *, drawn: bool = True) -> SourceOptions:
        """The values of the options.  Raises InputError for a wrong rate, typer.BadParameter for a wrong
        --audio, and for --audio if no video is `drawn`.
        """
        if self.audio is not None and not drawn:
            raise typer.BadParameter("--audio needs a video among the outputs")
        rate = None if self.fps is None else parse_rate(self.fps)
        return {
            "fps": rate,
            "stream": self.stream,
            "deinterlace": self.deinterlace,
            "audio": _sound(self.audio),
        }

    def opening(
        self, style: Style, search: SearchOptions | None = None, *, drawn: bool = True
    ) -> Callable[[str], Reading]:
        """How a source is read again, searched and drawn.  Raises what `given` and `SearchOptions.given`
        raise.
        """
        from siamcli.session.reading import Reading

        place = (search or SearchOptions()).given()
        return partial(Reading, **self.given(drawn=drawn), **place, style=style)


def read_tracked(path: Path, fps: str | None) -> Trajectory:
    """Read a trajectory file; its frames count at the rate of --fps, if given.  Raises InputError."""
    from siamcli.formats.files import read_trajectory

    tracked = read_trajectory(path)
    if fps is None:
        return tracked
    rate = parse_rate(fps)
    header = replace(tracked.header, source=replace(tracked.header.source, fps=rate))
    points = tuple(replace(point, time=float(point.index / rate)) for point in tracked.points)
    return replace(tracked, header=header, points=points)


def _sound(text: str | None) -> AudioChoice:
    """Read `2` or `all`; raises typer.BadParameter."""
    if text is None:
        return None
    if text == "all":
        return "all"
    if not re.fullmatch(r"[1-9]\d{0,2}", text):
        raise typer.BadParameter(f"--audio takes the number of a sound, from 1, or all, not {text!r}")
    return int(text)
