"""siamtrack convert: a trajectory in the format of another program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from siamcli.cli import console
from siamcli.cli.outputs import keep_apart, left_out

__all__ = ["convert"]

Format = Literal[
    "mot", "coco", "cvat", "labelstudio", "yolo", "otb", "got10k", "vot", "lasot", "trackingnet", "webvtt"
]


def convert(
    trajectory: Annotated[Path, typer.Argument(help="A .json, .jsonl or .csv that siamtrack wrote.")],
    to: Annotated[Format, typer.Option("--to", help="The format to write.")],
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
    """Write TRAJECTORY in the format of another program; says on stdout which files it wrote.

    Examples:
        siamtrack convert video.tracked.json --to coco
    """
    from siamcli.convert.formats import FORMATS, placed, write_files
    from siamcli.media.readers import read_trajectory

    read = read_trajectory(trajectory)
    files = FORMATS[to](read, drop_lost=drop_lost)
    place = Path(output or "")
    is_folder = output is None or output.endswith("/") or (output != "-" and place.is_dir())
    texts = placed(files, file=None if is_folder else place, folder=place)
    if output == "-":
        console.text(texts[place])
    else:
        keep_apart([str(path) for path in texts], [str(trajectory)])
        write_files(texts, overwrite=overwrite)
        for path in texts:
            typer.echo(path)
    if drop_lost:
        lost = sum(point.state == "lost" for point in read.points)
        console.say(left_out(lost, len(read.points), len(read.header.labels)))
