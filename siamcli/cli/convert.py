"""siamtrack convert: a trajectory in the format of another program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from siamcli.cli import console

__all__ = ["convert"]

Format = Literal[
    "mot", "coco", "cvat", "labelstudio", "yolo", "otb", "got10k", "vot", "lasot", "trackingnet", "webvtt"
]


def convert(
    trajectory: Annotated[Path, typer.Argument(help="A .json, .jsonl or .csv that siamtrack wrote.")],
    to: Annotated[Format, typer.Option("--to", help="The format to write.")],
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", help="File, or folder with a / at its end, for the result."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", "-y", help="Replace files that exist.")] = False,
    quiet: Annotated[bool, console.Quiet] = False,
) -> None:
    """Write TRAJECTORY in the format of another program; says on stdout which files it wrote.

    For example: siamtrack convert video.tracked.json --to coco
    """
    from siamcli.convert.formats import FORMATS, write_files
    from siamcli.media.readers import read_trajectory

    files = FORMATS[to](read_trajectory(trajectory))
    is_folder = output is None or output.endswith("/") or Path(output).is_dir()
    written = write_files(
        files,
        file=None if is_folder else Path(output or ""),
        folder=Path(output or "") if is_folder else Path(),
        overwrite=overwrite,
    )
    for path in written[:3]:
        typer.echo(path)
    if len(written) > 3:
        console.say(f"... {len(written)} files in all")
