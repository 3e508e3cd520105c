"""Distils features into an untrained backbone: it learns those of a trained teacher.

The teacher is a ResNet-18 of ours that tracks, or one trained on ImageNet whose stages keep their strides;
rebuilt with our dilated, unpadded stages that computes the same features on our stride-8 grid.  The
teacher's weights are not in the result.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from siamcli.checkpoints.read import read_checkpoint
from siamcli.checkpoints.store import find
from siamcli.errors import DatasetError, InputError
from siamcli.load import build_model
from siamcli.model.resnet import ResNet, resnet18
from siamcli.model.siamrpn import build_backbone
from siamcli.model.spec import ModelSpec
from siamcli.train.augment import ColorConfig, color
from siamcli.train.draws import RandomSource
from siamcli.train.store import TrainingImages
from siamcli.train.warp import warp

__all__ = ["DISTILLED", "Distiller", "distill_crops", "load_teacher", "unexplained"]

DISTILLED = (1, 2, 3)
"""The stages that the teacher has."""

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # RGB in [0, 1]


def load_teacher(source: str) -> ResNet:
    """The backbone of a tracker of ours (a name or a file), or what a folder of arrays holds.

    It takes BGR crops in [0, 255].  Raises InputError, WeightsError.
    """
    if Path(source).is_dir():
        return _load_arrays(Path(source))
    checkpoint = read_checkpoint(find(source))
    teacher = build_backbone(replace(checkpoint.spec, levels=DISTILLED))
    if not isinstance(teacher, ResNet):
        raise InputError(
            f"distill.teacher: {checkpoint.name} has no ResNet",
            hint="name a ResNet tracker, or a folder of arrays",
        )
    learned = build_model(checkpoint).backbone.state_dict()
    teacher.load_state_dict({name: learned[name] for name in teacher.state_dict()})
    return teacher.eval().requires_grad_(False)


def _load_arrays(folder: Path) -> ResNet:
    """An ImageNet ResNet-18 from its folded convolutions."""
    tensors = {p.stem: torch.from_numpy(np.load(p)).float() for p in sorted(folder.glob("*.npy"))}
    names = sorted(n.removesuffix(".weight") for n in tensors if n.endswith(".weight"))
    if "conv1" not in names:
        raise DatasetError(f"{folder} holds no teacher", hint="expected conv1.weight.npy and so on")
    teacher = resnet18(DISTILLED, 1)
    for module in list(teacher.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):  # folded into the convolutions
                module.add_module(name, nn.Identity())
    weight, mean, std = tensors["conv1.weight"], torch.tensor(_MEAN), torch.tensor(_STD)
    # conv((x / 255 - mean) / std) = conv'(x); exact because our first convolution has no padding
    tensors["conv1.bias"] = tensors["conv1.bias"] - (weight * (mean / std)[:, None, None]).sum((1, 2, 3))
    tensors["conv1.weight"] = (weight / (255 * std)[:, None, None]).flip(1)
    for name in names:
        conv = teacher.get_submodule(name)
        conv.weight = nn.Parameter(tensors[f"{name}.weight"])
        conv.bias = nn.Parameter(tensors[f"{name}.bias"])
    return teacher.eval().requires_grad_(False)


def distill_crops(
    footage: TrainingImages, n: int, out: int, colors: ColorConfig, draws: RandomSource
) -> Tensor:
    """Random crops from all over the footage -> (n, 3, out, out) in [0, 255]

    Scales are those of the tracker: anything from a small object enlarged to a whole image.
    """
    images = (draws.uniform(n) * len(footage.start)).long()
    size = footage.size[images].float()
    widest = (size.amin(1) / out).clamp(min=0.5)
    step = torch.exp(torch.lerp(torch.full_like(widest, 0.4).log(), widest.log(), draws.uniform(n)))
    center = size / 2 + draws.symmetric(0.5, n, 2) * (size - out * step[:, None]).clamp(min=0)
    aspect = torch.exp(draws.symmetric(0.1, n))
    mirror = torch.where(draws.uniform(n) < 0.5, -1.0, 1.0)
    steps = torch.stack([step * aspect * mirror, step / aspect], 1)
    return color(warp(footage, images, center, steps, out), colors, draws)


class Distiller(nn.Module):
    """A student backbone, 1x1 projections to the teacher's widths, and the distance to the teacher.

    The loss is the unexplained share of the teacher's variance, per channel, averaged over channels:
    1 for a student that knows only the mean, 0 for a perfect copy.
    """

    def __init__(self, spec: ModelSpec, teacher: ResNet) -> None:
        super().__init__()
        student = build_backbone(replace(spec, levels=DISTILLED))
        if not isinstance(student, ResNet):
            raise DatasetError(
                f"{spec.backbone} cannot be distilled", hint="only ResNets line up with the teacher"
            )
        for name, scale in student.named_parameters():
            if name.endswith(("bn2.weight", "bn3.weight", "downsample.1.weight")):
                nn.init.constant_(scale, 0.2)  # the teacher's features are that small; saves 200 steps
        self.student = student
        self._teacher = (teacher,)  # in a tuple it is no part of this module: not saved, not trained
        self.project = nn.ModuleList(
            nn.Identity() if a == b else nn.Conv2d(a, b, 1)
            for a, b in zip(student.channels, teacher.channels, strict=True)
        )

    @property
    def teacher(self) -> ResNet:
        """Not a submodule: always in evaluation mode."""
        return self._teacher[0]

    @property
    def same_layers(self) -> bool:
        """Whether student and teacher correspond block by block."""
        return [p.shape for p in _convs(self.student)] == [p.shape for p in _convs(self.teacher)]

    def forward(self, crops: Tensor, forced: bool = False) -> dict[str, Tensor]:
        """(N, 3, H, W) -> the loss "total" and one part per stage (or per block)

        `forced` (same_layers only): every block learns from the teacher's own input to that block.  Shallow
        problems converge in a fraction of the steps; what the blocks then lack together is learned
        end to end.
        """
        losses: dict[str, Tensor] = {}
        if forced:
            for (name, ours), (_, theirs) in zip(_blocks(self.student), _blocks(self.teacher), strict=True):
                with torch.no_grad():
                    goal = theirs(crops)
                losses[name] = unexplained(ours(crops), goal)
                crops = goal
        else:
            with torch.no_grad():
                targets = self.teacher(crops)
            for i, (project, y, t) in enumerate(zip(self.project, self.student(crops), targets, strict=True)):
                losses[f"stage{i + 1}"] = unexplained(project(y), t)
        return {"total": torch.stack(list(losses.values())).mean(), **losses}


def _convs(model: nn.Module) -> list[Tensor]:
    return [m.weight for m in model.modules() if isinstance(m, nn.Conv2d)]


def _blocks(model: ResNet) -> list[tuple[str, nn.Module]]:
    stem = nn.Sequential(model.conv1, model.bn1, model.relu, model.maxpool)
    stages = [(s, model.get_submodule(s)) for s in model.stages]
    return [("stem", stem), *((f"{s}.{n}", b) for s, stage in stages for n, b in stage.named_children())]


def unexplained(ours: Tensor, theirs: Tensor) -> Tensor:
    """The share of the variance of `theirs` (N, C, H, W) that `ours` lacks, averaged over channels: scalar"""
    inner = (..., slice(1, -1), slice(1, -1))  # the rim depends on zero padding
    theirs = theirs[inner].float()
    variance = theirs.var((0, 2, 3))
    error = (ours[inner].float() - theirs).square().mean((0, 2, 3))
    return (error / variance.maximum(0.05 * variance.mean())).mean()
