"""The one stage of a grown network that is not exact learns what the source's stage does.

Everything behind it is the source's own, at the source's cost: what the grown network computes is the
same.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from siamcli.engines.fold import fold
from siamcli.model.resnet import ResNet
from siamcli.model.siamrpn import SiamRPN
from siamcli.train.distill import unexplained
from siamcli.train.grow import STAGE

__all__ = ["Imitator"]


class Imitator(nn.Module):
    """Stage 1 of a grown network, and the distance to the source: at its end, and behind the neck.

    The loss is the unexplained share of the source's variance, per channel, averaged over channels.
    """

    def __init__(self, grown: SiamRPN, source: SiamRPN) -> None:
        super().__init__()
        self.stage = grown.backbone.get_submodule(STAGE)
        self._source = (fold(source),)  # in a tuple it is no part of this module: not saved, not trained

    @property
    def source(self) -> SiamRPN:
        """Not a submodule: always in evaluation mode."""
        return self._source[0]

    def train(self, mode: bool = True) -> Imitator:
        """The batch norms stay what growth has made of them: biases."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def forward(self, crops: Tensor, near: bool) -> dict[str, Tensor]:
        """(N, 3, H, W) -> the loss "total" and its parts

        `near` asks for the stage's own output alone, which is the cheaper and the shallower problem.
        """
        net = self.source.backbone
        assert isinstance(net, ResNet)
        with torch.no_grad():
            x = net.maxpool(net.relu(net.bn1(net.conv1(crops))))
            goal = net.get_submodule(STAGE)(x)
        ours = self.stage(x)[:, : goal.shape[1]]
        losses = {"stage1": unexplained(ours, goal)}
        if not near:
            with torch.no_grad():
                targets = self._behind(net, goal)
            for i, (y, t) in enumerate(zip(self._behind(net, ours), targets, strict=True)):
                losses[f"neck{i}"] = unexplained(y, t)
        return {"total": torch.stack(list(losses.values())).mean(), **losses}

    def _behind(self, net: ResNet, x: Tensor) -> Sequence[Tensor]:
        """From the end of stage 1 to the neck's outputs."""
        features = []
        for number, name in enumerate(net.stages[1:], start=2):
            x = net.get_submodule(name)(x)
            if number in net.levels:
                features.append(x)
        assert self.source.neck is not None
        outputs: Sequence[Tensor] = self.source.neck(features)
        return outputs
