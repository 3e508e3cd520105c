"""A trained tracker answers the pairs, too: its answers are further goals of the tracker that learns.

Source: Hinton et al., Distilling the Knowledge in a Neural Network (2015), section 2.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from siamcli.checkpoints.read import read_checkpoint
from siamcli.checkpoints.store import find
from siamcli.errors import InputError
from siamcli.load import build_model
from siamcli.model.anchors import anchor_grid
from siamcli.model.siamrpn import SiamRPN
from siamcli.model.spec import ModelSpec

__all__ = ["load_tutor", "taught_boxes", "taught_classes"]

SOFT = 3.0
"""The temperature: what a teacher holds for nearly as good is a goal, too."""


def load_tutor(source: str, spec: ModelSpec) -> SiamRPN:
    """The trained tracker (a name or a file) whose answers are goals of one of `spec`.

    Raises InputError where its anchors are others, or no box is refined, WeightsError.
    """
    if spec.correlation == "plain":
        raise InputError(f"loss.teacher: {spec.name} refines no box that it could be taught")
    checkpoint = read_checkpoint(find(source))
    tutor, ours = anchor_grid(checkpoint.spec), anchor_grid(spec)
    if tutor.shape != ours.shape or not torch.allclose(tutor, ours):
        raise InputError(
            f"loss.teacher: {checkpoint.name} has other anchors than {spec.name}",
            hint="name a tracker whose head answers for the same boxes",
        )
    return build_model(checkpoint).requires_grad_(False)


def taught_classes(cls: Tensor, goal: Tensor) -> Tensor:
    """How far the softened class scores are from the teacher's: (P, 2, M) logits each -> a scalar.

    It is a Kullback-Leibler divergence, times the square of the temperature, so that its gradient does not
    depend on that.  Anchors count as much as either of both holds them for the target: of thousands of them
    nearly all are background to both.
    """
    ours, theirs = ((logits[:, 1] - logits[:, 0]) / SOFT for logits in (cls, goal))
    wanted = theirs.sigmoid()
    divergence = F.binary_cross_entropy_with_logits(ours, wanted, reduction="none")
    divergence = divergence - F.binary_cross_entropy(wanted, wanted, reduction="none")
    weight = wanted.maximum(ours.detach().sigmoid())
    return ((divergence * weight).sum(1) / weight.sum(1).clamp(min=1)).mean() * SOFT**2


def taught_boxes(delta: Tensor, goal: Tensor, weight: Tensor) -> Tensor:
    """L1 from the teacher's refinements: (N, 4, M) each, weights (N, M) -> a scalar.

    The weights of a pair add up to 1 at most.
    """
    weight = weight / weight.sum(1, keepdim=True).clamp(min=1)
    return ((delta - goal).abs().sum(1) * weight).sum() / len(delta)
