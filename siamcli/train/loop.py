"""The training loop: a generator of records, one per step."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from siamcli.checkpoints.native import Checkpoint, write_native
from siamcli.errors import InputError
from siamcli.model.siamrpn import SiamRPN
from siamcli.model.spec import default_params
from siamcli.train.config import TrainConfig, dump_config
from siamcli.train.distill import Distiller, load_teacher
from siamcli.train.draws import Draws
from siamcli.train.losses import TrackerLoss
from siamcli.train.pairs import PairSampler
from siamcli.train.phases import DistillPhase, Phase, TrackPhase
from siamcli.train.resume import Progress, read_progress, write_progress
from siamcli.train.schedule import backbone_trains, make_optimizer, rate_at
from siamcli.train.store import Footage

__all__ = ["CHECKPOINT", "Step", "train"]

CHECKPOINT = "checkpoint.pt"

M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True, slots=True)
class Step:
    """One finished step.  `rate` is the learning rate, `seconds` and `data_seconds` what it took in all
    and to make the batch, `pairs` all pairs (or distillation crops) of this phase so far."""

    phase: str
    step: int
    steps: int
    pairs: int
    rate: float
    seconds: float
    data_seconds: float
    losses: Mapping[str, float]


def train(
    config: TrainConfig,
    footage: Footage,
    device: torch.device,
    *,
    start: Mapping[str, Tensor] | None = None,
    resume: bool = False,
) -> Iterator[Step]:
    """Run the phases of `config`, from `start` (weights of the same architecture) or from nothing.

    Writes `checkpoint.pt` and the weights into the output folder every `save_every` steps, at the end
    (also of no steps at all), and when the generator is closed between two steps.  With `resume` it
    goes on from that checkpoint as if it had never stopped.  Under torchrun every process calls this.
    """
    output = Path(config.output)
    torch.manual_seed(config.seed)
    model = SiamRPN(config.spec)
    unknown = set(config.track.resting) - dict(model.backbone.named_modules()).keys()
    if unknown:
        parts = ", ".join(name for name, _ in model.backbone.named_children())
        raise InputError(f"track.resting: {config.model} has no {min(unknown)!r}", hint=f"its parts: {parts}")
    if start is not None:
        model.load_state_dict(start)
    _place(model, device)
    before = read_progress(output / CHECKPOINT) if resume else None
    if before is None and (output / CHECKPOINT).exists():
        raise InputError(f"{output} holds a training already", hint="add --resume, or name another output")
    if config.distill.teacher and start is None and (before is None or before.phase == "distill"):
        teacher = _place(load_teacher(Path(config.distill.teacher)), device)
        distiller = _place(Distiller(config.spec, teacher), device)
        yield from _run(DistillPhase(config, footage, distiller), config, before, None)
        model.backbone.load_state_dict(distiller.student.state_dict())
        before = None
    shares = [d.share for d in config.data]
    loss = TrackerLoss(model, config.loss, config.targets).to(device)
    yield from _run(TrackPhase(config, footage, PairSampler(footage, shares), loss), config, before, model)


def _run(phase: Phase, config: TrainConfig, before: Progress | None, model: SiamRPN | None) -> Iterator[Step]:
    settings = phase.config
    rank, world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    device = next(phase.module.parameters()).device
    draws = Draws(config.seed * 1000 + rank, device)
    optimizer = make_optimizer(phase.module, phase.backbone, settings)
    first = 0
    if before is not None:
        first = before.step
        phase.module.load_state_dict(before.module)
        optimizer.load_state_dict(before.optimizer)
        draws.set_state(before.random[rank])
    batch = max(settings.batch // world, 1)

    def save(done: int) -> None:
        states = _gather(draws.get_state())
        if rank == 0:
            _save(phase, config, optimizer, states, done, done * batch * world, model)

    done = first
    saved = -1
    module: nn.Module | None = None
    try:
        for step in range(first, settings.steps):
            began = time.perf_counter()
            if module is None or (
                step > 0 and backbone_trains(step, settings) != backbone_trains(step - 1, settings)
            ):
                module = _prepare(phase, backbone_trains(step, settings), world)
            arguments = phase.batch(step, batch, draws)
            _wait(device)
            fetched = time.perf_counter()
            rate = rate_at(step, settings)
            losses = _step(module, arguments, optimizer, rate, settings.clip, config.precision, device)
            values = {name: float(value) for name, value in losses.items()}
            now = time.perf_counter()
            done = step + 1
            if done % config.save_every == 0:
                save(done)
                saved = done
            pairs = done * batch * world
            yield Step(phase.name, done, settings.steps, pairs, rate, now - began, fetched - began, values)
    except GeneratorExit:  # closed between two steps: what comes next would be the same
        if saved != done:
            save(done)
        raise
    if saved != done:
        save(done)


def _place(module: M, device: torch.device) -> M:
    """On the device, in the memory format whose convolutions are fastest on CPUs and GPUs alike."""
    return module.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _prepare(phase: Phase, backbone_learns: bool, world: int) -> nn.Module:
    """Set modes and gradients for what follows; wrapped for several processes where there are."""
    phase.module.train()
    if phase.backbone is not None:
        phase.backbone.requires_grad_(backbone_learns)
        for name in phase.config.resting:
            phase.backbone.get_submodule(name).requires_grad_(False)
        if phase.config.fixed_norm or not backbone_learns:
            for part in phase.backbone.modules():
                if isinstance(part, nn.BatchNorm2d):
                    part.eval()
    return DistributedDataParallel(phase.module) if world > 1 else phase.module


def _step(
    module: nn.Module,
    arguments: tuple[object, ...],
    optimizer: torch.optim.Optimizer,
    rate: float,
    clip: float,
    precision: str,
    device: torch.device,
) -> dict[str, Tensor]:
    for group in optimizer.param_groups:
        group["lr"] = rate * group["scale"]
    with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
        losses: dict[str, Tensor] = module(*arguments)
    optimizer.zero_grad(set_to_none=True)
    losses["total"].backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(module.parameters(), clip)
    optimizer.step()
    return {name: value.detach() for name, value in losses.items()}


def _gather(state: Tensor) -> list[Tensor]:
    if not dist.is_initialized():
        return [state]
    states: list[Tensor] = [state] * dist.get_world_size()
    dist.all_gather_object(states, state)
    return states


def _wait(device: torch.device) -> None:
    """GPU work is queued; the clock must not run ahead of it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _save(
    phase: Phase,
    config: TrainConfig,
    optimizer: torch.optim.Optimizer,
    random: list[Tensor],
    step: int,
    pairs: int,
    model: SiamRPN | None,
) -> None:
    output = Path(config.output)
    text = dump_config(config)
    module = phase.module.state_dict()
    write_progress(
        Progress(phase.name, step, pairs, text, module, optimizer.state_dict(), random), output / CHECKPOINT
    )
    if model is not None:
        weights = {name: tensor.cpu() for name, tensor in model.state_dict().items()}
        provenance = {"trained_by": "siamtrack train", "pairs": pairs, "config": text}
        checkpoint = Checkpoint(
            config.spec,
            replace(default_params(config.spec), context=config.pairs.context),
            weights,
            config.model,
            provenance=provenance,
        )
        write_native(checkpoint, output / f"{config.model}.safetensors", config.export)
