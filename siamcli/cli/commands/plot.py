"""siamtrack plot: plots a trajectory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from siamcli.analysis.panels import PANELS
from siamcli.cli import console
from siamcli.cli.options import TrajectoryFile
from siamcli.cli.outputs import Overwrite, check_new_outputs
from siamcli.cli.reading import RecordedFps, read_tracked
from siamcli.errors import InputError
from siamcli.extras import install_extra
from siamcli.figures import FIGURE_SUFFIXES
from siamcli.times import parse_seconds

if TYPE_CHECKING:
    from siamcli.frames import Image
    from siamcli.trajectory import Trajectory

__all__ = ["plot"]


def plot(
    trajectory: TrajectoryFile,
    video: Annotated[
        str | None,
        typer.Argument(
            help="The video that was tracked; its first frame becomes the background of the path."
        ),
    ] = None,
    panel: Annotated[
        list[str] | None,
        typer.Option(
            help=f"What to show: {', '.join(PANELS)}.  Repeatable.",
            autocompletion=lambda: list(PANELS),
            show_default="all",
        ),
    ] = None,
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "--output",
            "-o",
            help=f"Figure file; its suffix is its format: {' '.join(FIGURE_SUFFIXES)}.  Repeatable.",
            show_default="NAME.png",
        ),
    ] = None,
    scale: Annotated[
        str | None, typer.Option(help="Pixels per unit of length, for example 3.2px/mm.")
    ] = None,
    smooth: Annotated[str, typer.Option(help="Smooth the path over this many seconds.")] = "0.5s",
    fps: RecordedFps = None,
    overwrite: Overwrite = False,
) -> None:
    """Draw path, heat map, speed and score of all targets of TRAJECTORY in one figure.

    Examples:
        siamtrack plot video.tracked.json video.mp4 -o video.pdf
        siamtrack plot video.tracked.json --panel speed --scale 3.2px/mm -o speed.svg
    """
    paths = output or [Path(f"{trajectory.stem.removesuffix('.tracked')}.png")]
    inputs = [str(trajectory), *([video] if video else [])]
    check_new_outputs([str(path) for path in paths], inputs, suffixes=FIGURE_SUFFIXES, overwrite=overwrite)
    window = parse_seconds(smooth)
    if wrong := [name for name in panel or [] if name not in PANELS]:
        raise typer.BadParameter(f"--panel takes {', '.join(PANELS)}, not {wrong[0]!r}")

    from siamcli.analysis.plane import flat_plane, parse_scale
    from siamcli.figures import save_figure

    try:
        from siamcli.analysis import plots
    except ModuleNotFoundError:
        raise InputError("plots need matplotlib", hint=install_extra("plots")) from None
    tracked = read_tracked(trajectory, fps)
    try:
        factor, unit = (1.0, "px") if scale is None else parse_scale(scale)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    image = None if video is None else _first_frame(video, tracked)
    plane = flat_plane(factor, unit, (0, 0), "top-left", tracked.header.source.pixel_aspect)
    figure = plots.plot(tracked, panel or (), image=image, plane=plane, window=window)
    for path in paths:
        save_figure(figure, path, overwrite=overwrite)
        console.print_path(path)


def _first_frame(video: str, tracked: Trajectory) -> Image:
    """The image of the frame in which the first target begins.  Raises InputError for another video."""
    from siamcli.session.fit import check_source
    from siamcli.session.reading import Reading
    from siamcli.times import TimePoint

    indices = sorted({point.index for point in tracked.points})
    reading = Reading(video).of(tracked)
    with reading.open(start=TimePoint(frame=indices[0] if indices else 0)) as frames:
        check_source(frames.info, tracked.header.source, indices, reading.source)
        return next(iter(frames)).image
