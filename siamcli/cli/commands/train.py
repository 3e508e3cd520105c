"""siamtrack train: trains or fine-tunes a model as a TOML file describes."""

from __future__ import annotations

import os
import signal
from collections import Counter
from contextlib import closing, contextmanager, suppress
from itertools import chain, groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from siamcli.cli import console
from siamcli.cli.options import Device, model_names
from siamcli.cli.signals import on_signal
from siamcli.counts import counted
from siamcli.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    import torch

    from siamcli.checkpoints.native import Checkpoint
    from siamcli.train.config import TrainConfig
    from siamcli.train.loop import Step
    from siamcli.train.store import TrainingImages

__all__ = ["train"]

SHOWN_OVER = 50
"""Steps over which the rate and the losses on the bar are averaged."""


def train(
    config: Annotated[
        str,
        typer.Argument(
            help="A TOML file, or the name of a built-in config: siamrpnpp-r50, siamrpnpp-r18 or"
            " siamrpnpp-alexnet."
        ),
    ],
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="NAME",
            help="Start from these weights (a name or a file).",
            autocompletion=model_names,
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue from the checkpoint in the output folder.")
    ] = False,
    device: Device = "auto",
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print the config with all defaults, and exit.")
    ] = False,
) -> None:
    """Train a tracker, or fine-tune one with --from.

    Writes checkpoint.pt (for --resume), log.csv and the weights into the config's output folder.
    Ctrl-C, SIGTERM or SIGHUP stops after the current step and keeps everything.  Several GPUs: torchrun
    --nproc-per-node N -m siamcli train CONFIG.

    Examples:
        siamtrack train siamrpnpp-r18 --print-config
        siamtrack train mine.toml --from siamrpnpp-r18
    """
    from siamcli.train.config import dump_config, load_config

    if resume and start is not None:
        raise typer.BadParameter("--resume continues with the weights of its checkpoint: leave out --from")
    wanted = load_config(config)
    if print_config:
        typer.echo(dump_config(wanted), nl=False)
        return
    import torch

    from siamcli.engines.device import resolve_device
    from siamcli.train.data import load_footage
    from siamcli.train.log import begin_log
    from siamcli.train.loop import train as run
    from siamcli.train.prepare import prepare

    where = resolve_device(device)
    ready = prepare(wanted, start=None if start is None else _weights(start, wanted), resume=resume)
    where = _join_group(where)
    main = int(os.environ.get("RANK", "0")) == 0
    if not main:
        console.hush()  # the first of the processes speaks for all
    output = Path(wanted.output)
    with _folder(output, alone=main):
        console.info("reading the training data")
        footage = load_footage(wanted.data)
        _report(footage)
        log = output / "log.csv" if main else None
        if log is not None:
            begin_log(log, ready.before)
        stopped = _follow(run(ready, footage.to(where), where), log)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    if ready.before is not None and ready.before.phase == "track" and ready.before.step >= wanted.track.steps:
        done = counted(ready.before.step, "step", "are")
        console.info(f"nothing to do: {done} done, the config names {wanted.track.steps}")
    if stopped:
        console.info("stopped; --resume continues from here")
        raise typer.Exit(128 + stopped)
    console.info(f"weights: {output / (wanted.model + '.safetensors')}")


def _weights(name: str, config: TrainConfig) -> Checkpoint:
    """The weights that --from names.  Raises WeightsError if the config trains another architecture."""
    from siamcli.checkpoints.read import read_checkpoint
    from siamcli.checkpoints.store import find
    from siamcli.errors import WeightsError

    checkpoint = read_checkpoint(find(name))
    if checkpoint.spec != config.spec:
        raise WeightsError(f"{name} is not a {config.model}", hint=f'set model = "{checkpoint.spec.name}"')
    return checkpoint


def _join_group(device: torch.device) -> torch.device:
    """Join the processes under torchrun, each with its own GPU; otherwise the device as it is."""
    import torch

    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return device
    torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    if device.type != "cuda":
        return device
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    torch.cuda.set_device(device)
    return device


def _report(footage: TrainingImages) -> None:
    """Print what was read, and what could not be used."""
    size = footage.pixels.numel() / 2**30
    console.info(
        f"{counted(len(footage.start), 'image')}, {counted(len(footage.tracks), 'object')},"
        f" {size:.1f} GiB in memory"
    )
    for reason, count in Counter(skip.reason for skip in footage.skipped).most_common():
        first = next(s.where for s in footage.skipped if s.reason == reason)
        console.info(f"skipped {count}: {reason} (first: {first})")


@contextmanager
def _folder(path: Path, *, alone: bool) -> Iterator[None]:
    """The output folder, created before the data are read; it is removed again if the start fails.  No other
    process can have it `alone` meanwhile: checkpoint and log would be of both."""
    from siamcli.atomic import lock, make_folder

    new = [folder for folder in (path, *path.parents) if not folder.exists()]
    make_folder(path)
    held = os.open(path, os.O_RDONLY)
    try:
        if alone and not lock(held):
            raise OutputError(f"another training writes into {path}", hint="name another output")
        yield
    finally:
        os.close(held)
        for folder in new:
            with suppress(OSError):  # what is not empty stays
                folder.rmdir()


def _follow(steps: Generator[Step, None, None], log: Path | None) -> int:
    """Show every step, and log it in the process that writes the log; returns the signal that ended training,
    or 0.
    """
    signals: list[int] = []
    # A flag instead of an exception: a step is never torn, so what follows stays exact.
    before = on_signal(lambda number, _: signals.append(number))
    try:
        with closing(steps):
            for phase, some in groupby(steps, key=lambda step: step.phase):
                if _follow_phase(phase, some, log, signals):
                    break
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return signals[0] if signals else 0


def _follow_phase(phase: str, steps: Iterator[Step], log: Path | None, signals: list[int]) -> bool:
    """Show the steps of one phase; true if a signal ended it, false if the next phase begins."""
    from siamcli.train.log import add_step

    first = next(steps)
    recent: list[Step] = []
    with console.progress(phase, first.steps, "steps") as update:
        for step in chain([first], steps):
            recent = [*recent[1 - SHOWN_OVER :], step]
            update(step.step, _note(recent))
            if log is not None:
                add_step(log, step)
            if stopped := bool(signals):
                break
    console.info(f"{phase}: {recent[-1].step} of {first.steps} steps, {_note(recent)}")
    return stopped


def _note(recent: list[Step]) -> str:
    last = recent[-1]
    seconds = sum(s.seconds for s in recent)
    pairs = last.pairs / last.step * len(recent)
    data = sum(s.data_seconds for s in recent) / seconds
    losses = " ".join(
        f"{k} {sum(s.losses[k] for s in recent) / len(recent):.3f}"
        for k in last.losses
        if k in recent[0].losses
    )
    return f"{losses}, {pairs / seconds:.1f} pairs/s, data {data:.0%}, rate {last.rate:.3g}"
