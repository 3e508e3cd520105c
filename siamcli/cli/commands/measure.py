"""siamtrack measure: measures positions, speeds, distances and times in zones."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from siamcli.analysis.origin import Origin
from siamcli.cli import console
from siamcli.cli.options import AsJson, TrajectoryFile
from siamcli.cli.outputs import Overwrite, check_new_outputs
from siamcli.cli.reading import RecordedFps, read_tracked
from siamcli.errors import InputError
from siamcli.tables import align
from siamcli.times import parse_seconds

if TYPE_CHECKING:
    from siamcli.analysis.plane import Plane
    from siamcli.trajectory import Trajectory

__all__ = ["measure"]

SUFFIXES = (".csv", ".json")
ORIGINS = get_args(Origin)


def measure(
    trajectory: TrajectoryFile,
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "--output",
            "-o",
            help=f"File to write the values of every frame into: {' or '.join(SUFFIXES)}.  Repeatable.",
        ),
    ] = None,
    scale: Annotated[
        str | None,
        typer.Option(
            help="Pixels per unit of length, for example 3.2px/mm.", show_default="lengths in pixels"
        ),
    ] = None,
    plane: Annotated[
        str | None,
        typer.Option(
            help="Four corners of a rectangle in pixels, clockwise from its top left, and its real size:"
            " x,y,x,y,x,y,x,y=200x100mm.  Replaces --scale if the camera looks at an angle."
        ),
    ] = None,
    origin: Annotated[
        Origin,
        typer.Option(
            help=f"Where x and y are 0: {', '.join(ORIGINS)}.  y grows upward, but downward from top-left."
        ),
    ] = "top-left",
    smooth: Annotated[
        str, typer.Option(help="Smooth the path over this many seconds; 0 does not smooth it.")
    ] = "0.5s",
    rest: Annotated[
        str | None,
        typer.Option(
            help="Speed below which a target is at rest, in units of length per second.",
            show_default="a fifth of its size per second",
        ),
    ] = None,
    zone: Annotated[
        list[str] | None,
        typer.Option(
            help="Part of the frame in which time is measured: NAME=x,y,w,h in pixels or percent, or a"
            " polygon NAME=x,y,x,y,x,y.  Repeatable."
        ),
    ] = None,
    fps: RecordedFps = None,
    as_json: AsJson = False,
    overwrite: Overwrite = False,
) -> None:
    """Measure how the targets of TRAJECTORY move: position, speed, distance, heading, rest, time in zones.

    Prints a summary.  Speeds and distances are not measured across frames in which a target is lost.

    Examples:
        siamtrack measure video.tracked.json --scale 3.2px/mm -o motion.csv
        siamtrack measure video.tracked.json --zone nest=0,0,200,150 --origin bottom-left
    """
    paths = output or []
    check_new_outputs(
        [str(path) for path in paths], [str(trajectory)], suffixes=SUFFIXES, overwrite=overwrite
    )
    if scale is not None and plane is not None:
        raise typer.BadParameter("give --scale or --plane, not both")
    window = parse_seconds(smooth)

    from siamcli.analysis.report import measure as measure_all
    from siamcli.analysis.zones import parse_zone
    from siamcli.formats.files import write_files

    tracked = read_tracked(trajectory, fps)
    if not tracked.points:
        raise InputError(f"no point in {trajectory}", hint="`siamtrack run` makes a trajectory")
    try:
        mapped = _plane(tracked, scale, plane, origin)
        if any("%" in text for text in zone or []):
            _size(tracked, "a zone in percent")
        zones = [parse_zone(text, tracked.header.source.size or (0, 0)) for text in zone or []]
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if len({one.name for one in zones}) < len(zones):
        raise typer.BadParameter("give every --zone a name of its own")
    below = None if rest is None else _speed(rest, mapped.unit)
    measured = measure_all(tracked, mapped, window=window, rest=below, zones=zones)
    texts = {path: measured.csv() if path.suffix.lower() == ".csv" else measured.json() for path in paths}
    write_files(texts, overwrite=overwrite)
    if as_json:
        console.print_json({"units": measured.sum_units, "targets": measured.summary()})
    else:
        console.print_table("\n".join(align(measured.table())) + "\n")
    for path in paths:
        console.info(f"wrote {path}")


def _plane(tracked: Trajectory, scale: str | None, plane: str | None, origin: Origin) -> Plane:
    """The conversion of pixels to lengths.  Raises ValueError, InputError."""
    from siamcli.analysis.plane import flat_plane, parse_scale, seen_plane

    if plane is not None:
        return seen_plane(plane, origin)
    size = (0, 0) if origin == "top-left" else _size(tracked, "--origin")
    factor, unit = (1.0, "px") if scale is None else parse_scale(scale)
    return flat_plane(factor, unit, size, origin, tracked.header.source.pixel_aspect)


def _size(tracked: Trajectory, needs: str) -> tuple[int, int]:
    """Width and height of the frames, for an option that needs them.  Raises InputError."""
    if tracked.header.source.size is None:
        raise InputError(
            f"the trajectory does not say how large its frames are, which {needs} needs",
            hint="measure the .json or .jsonl trajectory; .csv has no header",
        )
    return tracked.header.source.size


def _speed(text: str, unit: str) -> float:
    """Read `5` or `5mm/s`; raises typer.BadParameter."""
    match = re.fullmatch(rf"(\d+(?:\.\d*)?)\s*(?:{re.escape(unit)}/s)?", text.strip())
    if match is None or math.isinf(float(match[1])):
        raise typer.BadParameter(f"--rest takes a speed in {unit}/s, not {text!r}")
    return float(match[1])
