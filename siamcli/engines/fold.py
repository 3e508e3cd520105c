"""Folds constants into weights once, not on every frame: the first step of every fast engine."""

from __future__ import annotations

import copy
from collections.abc import Callable

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from siamcli.engines.device import exact_convolutions
from siamcli.model.head import Branch, Head
from siamcli.model.siamrpn import SiamRPN

__all__ = ["convert_parts", "fold"]


def fold(model: SiamRPN) -> SiamRPN:
    """The same function without BatchNorm and level weights; `model` stays as it is."""
    folded = copy.deepcopy(model).eval().requires_grad_(False)
    for module in list(folded.modules()):
        _fold_batch_norm(module)
    for head in folded.heads.values():
        _fold_level_weights(head)
    return folded


def convert_parts(net: SiamRPN, convert: Callable[[nn.Module], nn.Module]) -> None:
    """Put `convert(part)` in the place of every part of a folded `net`, in place.

    The last layer of the heads stays as it is, in float32.
    """
    net.backbone = convert(net.backbone)
    if net.neck is not None:
        net.neck.levels = nn.ModuleList(convert(level) for level in net.neck.levels)
    for branch in [branch for head in net.heads.values() for branch in head.branches]:
        assert isinstance(branch, Branch)
        *front, last = branch.head if len(branch.head) else [nn.Identity()]
        branch.kernel = convert(branch.kernel)
        branch.search = convert(branch.search)
        branch.head = nn.Sequential(convert(nn.Sequential(*front)), _Float32(last))


class _Float32(nn.Module):
    """The last layer of a head: too small to matter for speed, and where rounding would move the box."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        with exact_convolutions(x.device):
            out: Tensor = self.layer(x.float())
        return out


def _fold_batch_norm(module: nn.Module) -> None:
    """In every model here a BatchNorm is declared right after the convolution that feeds it."""
    before: tuple[str, nn.Module] | None = None
    for name, child in list(module.named_children()):
        if isinstance(child, nn.BatchNorm2d) and before is not None and isinstance(before[1], nn.Conv2d):
            setattr(module, before[0], fuse_conv_bn_eval(before[1], child))
            setattr(module, name, nn.Identity())
        before = name, child


def _fold_level_weights(head: Head) -> None:
    """A weighted sum of levels is an average of levels whose last layers carry the weights."""
    if head.weight is None:
        return
    weights = head.weight.softmax(0) * len(head.weight)
    head.weight = None
    for branch, weight in zip(head.branches, weights, strict=True):
        assert isinstance(branch, Branch)
        # up-channel scores have no last layer: there the kernels carry the weights
        for parameter in (branch.head[-1] if len(branch.head) else branch.kernel).parameters():
            parameter.mul_(weight)
