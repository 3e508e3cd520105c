"""siamtrack export: exports the network for other programs, or prepares the int8 engine."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from siamcli.atomic import check_new_folder
from siamcli.cli import console
from siamcli.cli.commands.bench import Architecture
from siamcli.cli.options import Model, Weights
from siamcli.cli.source import check_sources

if TYPE_CHECKING:
    from siamcli.frames import Image

__all__ = ["export"]


def export(
    to: Annotated[
        Literal["onnx", "torch", "int8"],
        typer.Option(
            "--to",
            help="onnx and torch write graphs into a folder; int8 prepares the network for `--engine"
            " openvino-int8`.",
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The folder to write.", show_default="MODEL-onnx")
    ] = None,
    calibrate: Annotated[
        list[str] | None,
        typer.Option("--calibrate", metavar="VIDEO", help="Video to calibrate int8 on.  Repeatable."),
    ] = None,
    model: Model = None,
    weights: Weights = None,
    architecture: Architecture = None,
) -> None:
    """Export the network as two graphs that run without siamtrack.

    `template` turns an exemplar into correlation kernels, `search` compares a search region with
    them; both are checked against float32 before they are kept.  --to int8 makes the network of the
    OpenVINO int8 engine instead, calibrated on crops from your videos, and keeps it in the cache.

    Examples:
        siamtrack export --to onnx -o graphs
    """
    if (to == "int8") != bool(calibrate):
        raise typer.BadParameter("--calibrate VIDEO and --to int8 belong together")

    if to == "int8" and output is not None:
        raise typer.BadParameter("--to int8 keeps the network in the cache: leave out -o")

    if output is not None:
        check_new_folder(output)
    check_sources(calibrate or [])

    from siamcli.cli.network import chosen_network

    network = chosen_network(model, weights, architecture, "auto")
    if to == "int8":
        from siamcli.engines.calibrate import COUNT, calibration_crops
        from siamcli.engines.openvino import quantize
        from siamcli.load import engine_cache

        crops = calibration_crops(read_images(calibrate or [], COUNT), network.model.spec, network.params)
        bars = sys.stderr if console.shows_progress() else io.StringIO()
        with contextlib.redirect_stdout(bars):  # where NNCF draws them
            path = quantize(network.model, crops, engine_cache())
        console.print_path(path)
        return

    from siamcli.engines.export import write_graphs

    target = output or Path(f"{network.model.spec.name}-{to}")
    for graph, difference in write_graphs(network.model, network.params, target, to).items():
        console.info(f"{graph}: differs from float32 by {difference:.1e} of the largest value")
    console.print_path(target)


def read_images(sources: Iterable[str], count: int) -> list[Image]:
    """Up to `count` images, evenly spaced in all sources.  Raises InputError."""
    from siamcli.errors import InputError
    from siamcli.media.sources import open_source

    images: list[Image] = []
    for name in sources:
        with open_source(name) as source:
            stride = max(1, (source.info.count or 0) // count)
            images += [frame.image for frame in source if frame.index % stride == 0]
    if not images:
        raise InputError("nothing to calibrate on", hint="give videos or folders of images")
    step = max(1, len(images) // count)
    return images[::step]
