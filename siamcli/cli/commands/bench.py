"""siamtrack bench: measures speed and precision of the engines on this machine."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from siamcli.cli import console
from siamcli.cli.options import AsJson, Device, EngineName, Model, Weights, dataset_names
from siamcli.cli.source import check_sources
from siamcli.counts import counted
from siamcli.tables import align

if TYPE_CHECKING:
    from siamcli.evaluation.sequence import Dataset
    from siamcli.load import Network
    from siamcli.tracker.engine import Engine

__all__ = ["Architecture", "bench"]

Architecture = Annotated[
    str | None,
    typer.Option(
        "--architecture",
        help="Use a network of this architecture with random weights: good for timing, useless for tracking.",
    ),
]


def bench(
    pipeline: Annotated[
        str | None,
        typer.Option("--pipeline", metavar="VIDEO", help="Time every stage of a whole run on this video."),
    ] = None,
    precision: Annotated[
        Path | None,
        typer.Option(
            "--precision",
            metavar="ROOT",
            help="Compare each engine's boxes with those of float32, on the data set in this folder.",
        ),
    ] = None,
    dataset: Annotated[
        str,
        typer.Option(
            "--dataset",
            help="Which data set ROOT holds, by the name that `siamtrack eval` uses.",
            autocompletion=dataset_names,
        ),
    ] = "folder",
    targets: Annotated[
        str,
        typer.Option(
            "--targets", help="Numbers of targets that are tracked at once, for example 1,2,4,8,16."
        ),
    ] = "1",
    rounds: Annotated[
        int,
        typer.Option(
            "--rounds", help="Rounds of measurements; every round measures all engines in turn.", min=1
        ),
    ] = 20,
    model: Model = None,
    weights: Weights = None,
    architecture: Architecture = None,
    device: Device = "auto",
    engine: EngineName = "auto",
    as_json: AsJson = False,
) -> None:
    """Measure how fast the engines are on this machine.

    Times the tracking step of every engine, and of PySOT's way of working for comparison, and prints medians,
    quartiles and ratios, and the cost of the network's backbone, neck and head.  --engine measures one engine
    only, --precision compares the boxes of the engines, --pipeline times a whole run.

    Examples:
        siamtrack bench --engine cpu
        siamtrack bench --pipeline video.mp4
    """
    if pipeline is not None and precision is not None:
        raise typer.BadParameter("choose one of --pipeline and --precision")
    counts = _counts(targets)

    from siamcli.engines.kinds import ENGINES, check_name
    from siamcli.evaluation.catalog import find_spec
    from siamcli.evaluation.datasets import open_dataset

    check_name("engine", engine, ENGINES)
    check_sources([] if pipeline is None else [pipeline])
    data = None if precision is None else open_dataset(find_spec(dataset), precision, partial=True)

    from siamcli.bench.machine import describe_machine
    from siamcli.cli.network import chosen_network
    from siamcli.engines.device import resolve_device

    place = resolve_device(device)
    network = chosen_network(model, weights, architecture, device)
    document: dict[str, Any] = {"machine": asdict(describe_machine(place)), "model": network.name}
    if pipeline is not None:
        document["pipeline"] = _pipeline(network, device, engine, pipeline)
    elif data is not None:
        document["precision"] = _precision(network, device, engine, data, dataset)
    else:
        document |= _compare(network, device, engine, counts, rounds)
    if as_json:
        console.print_json(document)
    else:
        _show(document)


def _counts(text: str) -> list[int]:
    counts = text.split(",")
    if not all(re.fullmatch(r"[1-9]\d{0,5}", count.strip()) for count in counts):
        raise typer.BadParameter(f"--targets takes numbers from 1 to 999999, such as 1,2,4, not {text!r}")
    return [int(count) for count in counts]


def _compare(network: Network, device: str, engine: str, counts: list[int], rounds: int) -> dict[str, Any]:
    import torch

    from siamcli.bench.baseline import PysotBaseline
    from siamcli.bench.cost import module_costs, search_gflop, template_numbers
    from siamcli.bench.machine import matrix_rate
    from siamcli.bench.timing import compare
    from siamcli.cli.network import engines_of
    from siamcli.engines.device import resolve_device
    from siamcli.errors import DeviceError

    place = resolve_device(device)
    engines: list[Engine] = []
    try:
        engines.append(PysotBaseline(network.model, place))
    except DeviceError as error:
        console.info(f"without PySOT's way: {error} ({error.hint})")
    engines += engines_of(network, place, engine)
    rows = []
    for targets in counts:
        console.verbose(
            f"{counted(targets, 'target')}, {counted(rounds, 'round')} of {counted(len(engines), 'engine')}"
        )
        rows += [asdict(row) for row in compare(engines, network.params, targets, rounds)]
    rates = {
        str(dtype).removeprefix("torch."): round(matrix_rate(place, dtype), 1)
        for dtype in (torch.float32, torch.bfloat16)
    }
    spec = network.model.spec
    return {
        "gflop": round(search_gflop(spec), 2),
        "regions": 1 + len(network.params.scales),
        "kernels": template_numbers(spec),
        "parts": [asdict(part) for part in module_costs(network.model, place, rounds)],
        "matrix_gflops": rates,
        "steps": rows,
    }


def _pipeline(network: Network, device: str, engine: str, video: str) -> dict[str, Any]:
    from siamcli.bench.pipeline import time_pipeline
    from siamcli.tracker.tracker import Tracker

    return asdict(time_pipeline(Tracker(network.engine(device=device, engine=engine), network.params), video))


def _precision(
    network: Network, device: str, engine: str, data: Dataset, dataset: str
) -> list[dict[str, Any]]:
    from siamcli.bench.precision import STARTS, SequenceAgreement, agreement, measure
    from siamcli.cli.network import engines_of
    from siamcli.engines.device import resolve_device
    from siamcli.engines.kinds import engine_name

    reference = network.engine(device=device, engine="eager")
    engines = [e for e in engines_of(network, resolve_device(device), engine) if e.kind != reference.kind]
    parts: list[SequenceAgreement] = []
    runs = sum(len(sequence.starts(STARTS)) for sequence in data.sequences)
    with console.progress(counted(len(engines), "engine"), runs * len(engines), "runs") as update:
        for part in measure(reference, engines, network.params, data.sequences):
            parts.append(part)
            update(len(parts), part.name)
    verdicts = []
    for each in engines:
        name = engine_name(each)
        record = {"kind": each.kind, "precision": each.precision, **asdict(agreement(name, parts))}
        own = [asdict(part) for part in parts if part.engine == name]
        verdicts.append({**record, "dataset": dataset, "parts": own})
    return verdicts


def _show(document: dict[str, Any]) -> None:
    """The document as tables."""
    machine = document["machine"]
    lines = [
        f"{machine['cpu']}, {counted(machine['cores'], 'core')}, {counted(machine['threads'], 'thread')},"
        f" {' '.join(machine['instructions'])}; {machine['gpu'] or 'no GPU'}; load {machine['load']};"
        f" torch {machine['versions']['torch']}; {machine['date']}"
    ]
    if "steps" in document:
        rates = ", ".join(f"{value:g} in {name}" for name, value in document["matrix_gflops"].items())
        lines.append(
            f"{document['model']}: {document['gflop']:g} GFLOP per search region,"
            f" {document['regions']} of them and {document['kernels']:,} kept numbers per target"
        )
        head = ["part", "parameters", "GFLOP", "ms in eager float32"]
        lines += align([head, *map(_part_row, document["parts"])])
        lines.append(f"matrix products here, in GFLOP/s: {rates}")
        head = ["engine", "targets", "best ms", "median", "quartiles", "crop", "locate", "GFLOP/s"]
        head += ["cpu ms", "ratio", "cpu ratio"]
        gflop = document["gflop"] * document["regions"]
        lines += align([head, *(_step_row(row, gflop) for row in document["steps"])])
    elif "pipeline" in document:
        found = document["pipeline"]
        width, height = found["size"]
        lines.append(
            f"{counted(found['frames'], 'frame')} of {width}x{height},"
            f" {document['model']} on {found['engine']}"
        )
        stages = found["stages"] | {"slowest thread": found["slowest"], "end to end": found["end_to_end"]}
        rows = [[name, f"{value:.2f}"] for name, value in stages.items()]
        lines += align([["stage", "ms per frame"], *rows])
        lines.append(f"{found['fps']:.1f} frames per second")
    else:
        lines.append(document["model"])
        head = ["engine", "sequences", "runs", "float32 AUC", "AUC", "difference", "boxes that differ"]
        lines += align([head, *map(_precision_row, document["precision"])])
    console.print_table("\n".join(lines) + "\n")


def _part_row(part: dict[str, Any]) -> list[str]:
    return [part["name"], f"{part['parameters']:,}", f"{part['gflop']:.2f}", f"{part['ms']:.1f}"]


def _step_row(row: dict[str, Any], gflop: float) -> list[str]:
    step = row["step"]
    rate = gflop * row["targets"] / row["locate"]["best"] * 1000
    return [
        row["engine"],
        str(row["targets"]),
        f"{step['best']:.1f}",
        f"{step['median']:.1f}",
        f"{step['low']:.1f}-{step['high']:.1f}",
        f"{row['crop']['median']:.1f}",
        f"{row['locate']['median']:.1f}",
        f"{rate:.0f}",
        f"{row['cpu']['median']:.1f}",
        f"{row['ratio']:.2f}",
        f"{row['cpu_ratio']:.2f}",
    ]


def _precision_row(found: dict[str, Any]) -> list[str]:
    return [
        found["engine"],
        str(found["sequences"]),
        str(found["runs"]),
        f"{found['reference_auc']:.4f}",
        f"{found['auc']:.4f}",
        f"{found['auc_difference']:+.4f}",
        f"{100 * found['differs']:.1f} %",
    ]
