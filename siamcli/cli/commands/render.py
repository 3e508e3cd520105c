"""siamtrack render: draws a trajectory into its video, without tracking again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from siamcli.cli import console
from siamcli.cli.crop import CropOptions
from siamcli.cli.options import TrajectoryFile
from siamcli.cli.outputs import Overwrite, check_outputs_differ, frames_in_words, require_found
from siamcli.cli.picture import PictureOptions
from siamcli.cli.reading import ReadingOptions
from siamcli.errors import InputError
from siamcli.labels import shown_name
from siamcli.media.kinds import source_name

__all__ = ["render"]


def render(
    video: Annotated[
        str,
        typer.Argument(help="The video or image folder that was tracked (the first video of joined ones)."),
    ],
    trajectory: TrajectoryFile,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Annotated video to write.", show_default="NAME.rendered.mp4"),
    ] = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Draw even if VIDEO is not the video that was tracked.")
    ] = False,
    overwrite: Overwrite = False,
    fail_if_lost: Annotated[
        bool,
        typer.Option(
            "--fail-if-lost",
            help="Exit with code 10 if a target was lost; if targets are hidden, only those count.",
        ),
    ] = False,
    *,
    reading: ReadingOptions,
    picture: PictureOptions,
    crop: CropOptions,
) -> None:
    """Draw TRAJECTORY into VIDEO, hide targets in it, or follow one target with a crop.

    VIDEO must have the frame size, number of frames and frame times of the video that was tracked.  With an
    effect or a crop, no boxes are drawn.

    Examples:
        siamtrack render video.mp4 video.tracked.json
        siamtrack render video.mp4 video.tracked.json --pixelate plate
        siamtrack render video.mp4 video.tracked.json --crop player --aspect 9:16
    """
    from siamcli.formats.files import read_trajectory
    from siamcli.session.fit import MisfitError
    from siamcli.session.render import draw_video, unlocated
    from siamcli.trajectory import lost_intervals

    target = output or Path(f"{source_name(video).stem}.rendered.mp4")
    check_outputs_differ([str(target)], [video, str(trajectory)])
    drawn = read_trajectory(trajectory)
    style = picture.style()
    style.check(drawn.header.labels)
    window = crop.wanted(drawn.header.labels)
    written = 0
    with console.progress(source_name(video).short, drawn.header.source.count) as update:
        source = reading.opening(style)(video)
        steps = draw_video(source, drawn, target, overwrite=overwrite, anyway=anyway, crop=window)
        try:
            for written in steps:
                update(written, "")
        except MisfitError as error:
            error.hint = f"{error.hint}; --anyway takes this one"
            raise
        except InputError:
            if written:
                console.info(f"kept, incomplete: {target}")
            raise
    console.print_path(target)
    labels = drawn.header.labels
    hidden = style.hidden(labels)
    lost = {number: unlocated(drawn, number, written) for number in hidden}
    for number in hidden:
        if lost[number]:
            there = "a larger area is hidden" if style.when_lost == "cover" else "nothing is hidden"
            frames = frames_in_words(lost[number])
            console.info(f"{shown_name(labels, number)}: {there} in {frames}", style="yellow")
    if fail_if_lost:
        require_found(labels, lost if hidden else lost_intervals(drawn.points))
