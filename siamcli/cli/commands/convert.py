"""siamtrack convert: a trajectory in another format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from siamcli.cli import console
from siamcli.cli.options import TrajectoryFile
from siamcli.cli.outputs import check_outputs_differ, left_out
from siamcli.cli.usage import WrongUsage
from siamcli.formats.kinds import FORMATS

__all__ = ["convert"]

NAMES = list(FORMATS)


def convert(
    trajectory: TrajectoryFile,
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
    overwrite: Annotated[bool, typer.Option("--overwrite", "-y", help="Replace files that exist.")] = False,
) -> None:
    """Write TRAJECTORY in another format; says on stdout which files it wrote.

    Examples:
        siamtrack convert video.tracked.json --to coco
    """
    if not to:
        raise WrongUsage(
            f"missing option '--to'. Choose from: {', '.join(NAMES)}",
            "`siamtrack convert --help` shows what there is",
        )
    if to not in FORMATS:
        raise typer.BadParameter(f"--to takes one of {', '.join(NAMES)}, not {to!r}")

    from siamcli.formats import files

    read = files.read_trajectory(trajectory)
    # clips of one name have trajectories of their own names
    stem = trajectory.name.removesuffix(trajectory.suffix).removesuffix(".tracked")
    written = files.convert(read, to, drop_lost=drop_lost, stem=stem)
    place = Path(output or "")
    is_folder = output is None or output.endswith("/") or (output != "-" and place.is_dir())
    texts = files.with_paths(written, file=None if is_folder else place, folder=place)
    if output == "-":
        console.print_text(texts[place])
    else:
        check_outputs_differ([str(path) for path in texts], [str(trajectory)])
        if is_folder:
            files.write_converted(read, to, written, place, overwrite=overwrite)
        else:
            files.write_files(texts, overwrite=overwrite)
        for path in texts:
            typer.echo(path)
    if drop_lost:
        lost = sum(point.state == "lost" for point in read.points)
        console.info(left_out(lost, len(read.points), len(read.header.labels)))
