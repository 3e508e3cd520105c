"""All that can be checked of a training run before its data are read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from siamcli.checkpoints.native import Checkpoint
from siamcli.checkpoints.read import read_checkpoint
from siamcli.checkpoints.store import find
from siamcli.errors import InputError
from siamcli.load import build_model
from siamcli.model.siamrpn import SiamRPN
from siamcli.model.spec import default_params
from siamcli.train.config import TrainConfig, dump_config
from siamcli.train.data import check_there
from siamcli.train.distill import Distiller, load_teacher
from siamcli.train.grow import check_growth
from siamcli.train.origin import BaseWeights, read_origin
from siamcli.train.resume import TrainingState, check_compatible, read_progress
from siamcli.train.teach import load_tutor

__all__ = ["CHECKPOINT", "Run", "prepare"]

CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A run that may begin: its config, its networks before the first step, and where it stands.

    `source` is the tracker to grow from, if there is that to do; `tutor` is the one whose answers are goals;
    `origin` is what the weights take over from those they began with.
    """

    config: TrainConfig
    model: SiamRPN
    distiller: Distiller | None
    source: SiamRPN | None
    tutor: SiamRPN | None
    before: TrainingState | None
    origin: BaseWeights


def prepare(config: TrainConfig, *, start: Checkpoint | None = None, resume: bool = False) -> Run:
    """A run from nothing, or as its config says from a teacher or a smaller tracker.  Writes nothing.

    It begins with `start` (weights of the same architecture) if they are given; with `resume` it goes on
    from the checkpoint in the output folder as if it had never stopped.  Raises InputError, WeightsError.
    """
    file = Path(config.output) / CHECKPOINT
    torch.manual_seed(config.seed)
    model = SiamRPN(config.spec)
    unknown = set(config.track.resting) - dict(model.backbone.named_modules()).keys()
    if unknown:
        parts = ", ".join(name for name, _ in model.backbone.named_children())
        raise InputError(f"track.resting: {config.model} has no {min(unknown)!r}", hint=f"its parts: {parts}")
    before = read_progress(file) if resume else None
    if before is None and file.exists():
        raise InputError(
            f"{config.output} holds a training already", hint="add --resume, or name another output"
        )
    origin = BaseWeights(default_params(config.spec))
    phase = "" if before is None else before.phase
    if before is not None:
        check_compatible(before.config, dump_config(config))
        if phase == "distill" and not config.distill.teacher:
            raise InputError(f"{file} is in the middle of distilling", hint="set distill.teacher again")
        origin = read_origin(before.origin, file) if before.origin else origin
    elif start is not None:
        model.load_state_dict(start.weights)
        origin = _origin(start)
    distiller, source = None, None
    learns = config.distill.teacher if start is None and phase in ("", "distill") else ""
    check_there(config.data, learns)
    if learns:
        distiller = Distiller(config.spec, load_teacher(learns))
    if config.grow.source and start is None and phase in ("", "grow"):
        small = read_checkpoint(find(config.grow.source))
        check_growth(small.spec, config.spec)
        source = build_model(small)
        origin = _origin(small)
    tutor = load_tutor(config.loss.teacher, config.spec) if config.loss.teacher else None
    return Run(config, model, distiller, source, tutor, before, origin)


def _origin(base: Checkpoint) -> BaseWeights:
    return BaseWeights(base.params, base.license, {"name": base.name, "sha256": base.sha256})
