"""The training loop: a generator of records, one per step."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from siamcli.checkpoints.native import Checkpoint, write_native
from siamcli.counts import counted
from siamcli.errors import InputError
from siamcli.train.average import Average
from siamcli.train.config import dump_config
from siamcli.train.distill import distill_crops
from siamcli.train.draws import RandomSource
from siamcli.train.grow import grow
from siamcli.train.imitate import Imitator
from siamcli.train.losses import TrackerLoss
from siamcli.train.phases import DistillPhase, GrowPhase, Phase, TrackPhase
from siamcli.train.prepare import CHECKPOINT, Run
from siamcli.train.resume import TrainingState, write_progress
from siamcli.train.sampler import PairSampler
from siamcli.train.schedule import backbone_trains, make_optimizer, rate_at
from siamcli.train.store import TrainingImages

__all__ = ["Step", "train"]

GROWTH_CROPS = 16
"""What a grown network is measured on."""


@dataclass(frozen=True, slots=True)
class Step:
    """One finished step.  `rate` is the learning rate, `seconds` and `data_seconds` what it took in all
    and to make the next batch (on a GPU: to queue it), `pairs` all pairs (or distillation crops) of this
    phase so far."""

    phase: str
    step: int
    steps: int
    pairs: int
    rate: float
    seconds: float
    data_seconds: float
    losses: Mapping[str, float]


def train(run: Run, footage: TrainingImages, device: torch.device) -> Generator[Step, None, None]:
    """Run the phases that are left.

    Writes `checkpoint.pt` and the weights into the output folder every `save_every` steps, at the end
    (also of no steps at all), and when the generator is closed between two steps.  A loss that is not
    finite ends the run with InputError; what was written before stays.  Under torchrun every process
    calls this.
    """
    config, before = run.config, run.before
    _place(run.model, device)
    first = _first_phase(run, footage, device)
    if first is not None:
        yield from _run(first, run, before)
        before = None
    if isinstance(first, DistillPhase):
        run.model.backbone.load_state_dict(first.module.student.state_dict())
    sampler = PairSampler(footage, [d.share for d in config.data], [d.loose for d in config.data])
    if run.tutor is not None:
        _place(run.tutor, device)
    loss = TrackerLoss(run.model, config.loss, config.targets, run.tutor).to(device)
    yield from _run(TrackPhase(config, footage, sampler, loss), run, before)


def _first_phase(run: Run, footage: TrainingImages, device: torch.device) -> DistillPhase | GrowPhase | None:
    """What comes before tracking, with its network on the device."""
    config = run.config
    if run.distiller is not None:
        _place(run.distiller.teacher, device)
        _place(run.distiller, device)
        return DistillPhase(config, footage, run.distiller)
    if run.source is None:
        return None
    torch.manual_seed(config.seed)  # a resumed run grows the same network again
    source, draws = run.source.to(device), RandomSource(config.seed, device)
    crops, regions = (
        distill_crops(footage, GROWTH_CROPS, size, config.pairs.color, draws)
        for size in (config.spec.exemplar_size, config.spec.search_size)
    )
    run.model.load_state_dict(grow(source, config.spec, crops, regions).state_dict())
    imitator = Imitator(run.model, source)
    _place(imitator.source, device)
    return GrowPhase(config, footage, imitator)


def _run(phase: Phase, run: Run, before: TrainingState | None) -> Generator[Step, None, None]:
    config, settings = run.config, phase.settings
    rank, world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    device = next(phase.module.parameters()).device
    draws = RandomSource(config.seed * 1000 + rank, device)
    optimizer = make_optimizer(phase.module, phase.backbone, settings)
    first, averaged = 0, None
    if before is not None:
        first, averaged = before.step, before.average
        _restore(before, phase.module, optimizer, draws, rank, world)
    average = Average(phase.module, settings.average, averaged)
    batch = max(settings.batch // world, 1)

    saved, random = -1, draws.get_state()  # from which what comes next is drawn

    def save(done: int) -> None:
        nonlocal saved
        if done == saved:
            return
        _check_finite(run, phase, done)
        states = _gather(random)
        if rank == 0:
            _save(phase, run, optimizer, average, states, done, done * batch * world)
        saved = done

    done = first
    module: nn.Module | None = None
    arguments: tuple[object, ...] | None = None
    try:
        for step in range(first, settings.steps):
            began = time.perf_counter()
            if module is None or (
                step > 0 and backbone_trains(step, settings) != backbone_trains(step - 1, settings)
            ):
                module = _prepare(phase, backbone_trains(step, settings), world)
            if arguments is None:
                arguments = phase.batch(step, batch, draws)
            rate = rate_at(step, settings)
            losses = _step(module, arguments, optimizer, rate, settings.clip, config.precision, device)
            random = draws.get_state()
            learned = time.perf_counter()
            # a GPU still learns: its next batch is made before it is waited for
            if step + 1 < settings.steps:
                arguments = phase.batch(step + 1, batch, draws)
            drawn = time.perf_counter()
            values = dict(zip(losses, torch.stack(list(losses.values())).tolist(), strict=True))
            if not math.isfinite(values["total"] + values.pop("gradient")):
                raise _diverged(run, phase, step + 1, "the loss or its gradient is not finite")
            average.update(step + 1)
            now = time.perf_counter()
            done = step + 1
            pairs = done * batch * world
            yield Step(phase.name, done, settings.steps, pairs, rate, now - began, drawn - learned, values)
            if done % config.save_every == 0:  # after the step is logged: a kill leaves no gap in the log
                save(done)
    except GeneratorExit:  # closed between two steps: what comes next would be the same
        save(done)
        raise
    save(done)
    phase.module.load_state_dict(average.state())


def _check_finite(run: Run, phase: Phase, done: int) -> None:
    for name, tensor in phase.module.state_dict().items():
        if not tensor.isfinite().all():
            raise _diverged(run, phase, done, f"{name} is no longer finite")


def _place(module: nn.Module, device: torch.device) -> None:
    """On the device, in the memory format whose convolutions are fastest on CPUs and GPUs alike."""
    module.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _prepare(phase: Phase, backbone_learns: bool, world: int) -> nn.Module:
    """Set modes and gradients for what follows; wrapped for several processes where there are."""
    phase.module.train()
    if phase.backbone is not None:
        phase.backbone.requires_grad_(backbone_learns)
        for name in phase.settings.resting:
            phase.backbone.get_submodule(name).requires_grad_(False)
        if phase.settings.fixed_norm or not backbone_learns:
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
    norm = nn.utils.clip_grad_norm_(module.parameters(), clip)
    optimizer.step()
    return {name: value.detach() for name, value in losses.items()} | {"gradient": norm}


def _diverged(run: Run, phase: Phase, step: int, what: str) -> InputError:
    key = "track" if phase.name == "track" else f"{phase.name}.phase"
    file = Path(run.config.output) / CHECKPOINT
    kept = f"; --resume goes on from {file}" if file.exists() else ""
    return InputError(
        f"{phase.name} step {step}: {what}: the training diverged",
        hint=f"lower {key}.rate, which is {phase.settings.rate:g}{kept}",
    )


def _restore(
    before: TrainingState,
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    draws: RandomSource,
    rank: int,
    world: int,
) -> None:
    """Put everything back to where it was; InputError when it is of another run."""
    if len(before.random) < world:
        raise InputError(
            f"--resume: the run had {counted(len(before.random), 'process')}, not {world}",
            hint="start no more than that",
        )
    try:
        module.load_state_dict(before.module)
        optimizer.load_state_dict(before.optimizer)
        draws.set_state(before.random[rank])
    except (RuntimeError, TypeError, ValueError, LookupError) as error:
        raise InputError(
            f"the {CHECKPOINT} does not fit {module.__class__.__name__}", hint="delete it to begin anew"
        ) from error


def _gather(state: Tensor) -> list[Tensor]:
    if not dist.is_initialized():
        return [state]
    states: list[Tensor] = [state] * dist.get_world_size()
    dist.all_gather_object(states, state)
    return states


def _save(
    phase: Phase,
    run: Run,
    optimizer: torch.optim.Optimizer,
    average: Average,
    random: list[Tensor],
    step: int,
    pairs: int,
) -> None:
    config, origin = run.config, run.origin
    output = Path(config.output)
    text = dump_config(config)
    states = phase.module.state_dict(), optimizer.state_dict()
    progress = TrainingState(phase.name, step, pairs, text, *states, random, asdict(origin), average.mean())
    write_progress(progress, output / CHECKPOINT)
    if isinstance(phase, TrackPhase):
        averaged = average.state()
        weights = {name: averaged[f"model.{name}"].cpu() for name in run.model.state_dict()}
        provenance = {"trained_by": "siamtrack train", "pairs": pairs, "config": text}
        provenance |= {"base": dict(origin.base)} if origin.base else {}
        checkpoint = Checkpoint(
            config.spec,
            replace(origin.params, context=config.pairs.context),
            weights,
            config.model,
            license=origin.license,
            provenance=provenance,
        )
        write_native(checkpoint, output / f"{config.model}.safetensors", config.export)
