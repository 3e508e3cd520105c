"""siamtrack render: an annotated video from a trajectory, without tracking again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from siamcli.cli import console
from siamcli.cli.options import Deinterlace, Fps, Stream, TrajectoryFile
from siamcli.cli.outputs import check_outputs_differ
from siamcli.media.kinds import source_name
from siamcli.times import parse_rate

__all__ = ["render"]


def render(
    video: Annotated[str, typer.Argument(help="The video or image folder that was tracked.")],
    trajectory: TrajectoryFile,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The annotated video.", show_default="NAME.rendered.mp4"),
    ] = None,
    fps: Fps = None,
    stream: Stream = None,
    deinterlace: Deinterlace = False,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Draw it although VIDEO is not what was tracked.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", "-y", help="Replace a video that exists.")
    ] = False,
) -> None:
    """Draw TRAJECTORY into VIDEO, all of it: frames without a point stay as they are.

    Size, number of frames and their times must be those of the video that was tracked.

    Examples:
        siamtrack render video.mp4 video.tracked.json
    """
    from siamcli.formats.files import read_trajectory
    from siamcli.session.render import draw_video

    target = output or Path(f"{source_name(video).stem}.rendered.mp4")
    check_outputs_differ([str(target)], [video, str(trajectory)])
    rate = None if fps is None else parse_rate(fps)
    drawn = read_trajectory(trajectory)
    with console.progress(Path(video).name, drawn.header.source.count) as update:
        frames = draw_video(
            video,
            drawn,
            target,
            overwrite=overwrite,
            fps=rate,
            stream=stream,
            deinterlace=deinterlace,
            anyway=anyway,
        )
        for done in frames:
            update(done, "")
    typer.echo(target)
