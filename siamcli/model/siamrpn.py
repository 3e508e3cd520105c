"""SiamRPN++: embed an exemplar once, then score any number of search regions against it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from siamcli.model.alexnet import AlexNet
from siamcli.model.head import Head
from siamcli.model.mobilenet import MobileNetV2
from siamcli.model.neck import Neck, center_crop
from siamcli.model.resnet import resnet10, resnet18, resnet50
from siamcli.model.spec import ModelSpec

__all__ = ["SiamRPN", "Template", "build_backbone", "stack_templates"]


class Template(NamedTuple):
    """What to look for: finished correlation kernels of N exemplars, per level.

    cls, loc: per level what `Head.kernels` returns; loc is empty where no box is refined
    """

    cls: tuple[Tensor, ...]
    loc: tuple[Tensor, ...] = ()


def stack_templates(templates: Sequence[Template]) -> Template:
    """Templates of N1, N2, ... exemplars -> one of N1 + N2 + ..."""
    if len(templates) == 1:
        return templates[0]
    return Template(
        tuple(torch.cat(level) for level in zip(*(t.cls for t in templates), strict=True)),
        tuple(torch.cat(level) for level in zip(*(t.loc for t in templates), strict=True)),
    )


def build_backbone(spec: ModelSpec) -> nn.Module:
    """The feature extractor of `spec`, untrained; `.channels` holds its output channels per level."""
    if spec.backbone == "mobilenetv2":
        return MobileNetV2(spec.levels)
    if spec.backbone == "alexnet":
        return AlexNet()
    resnet = {"resnet50": resnet50, "resnet18": resnet18, "resnet10": resnet10}[spec.backbone]
    return resnet(spec.levels, spec.downsample, spec.width)


class SiamRPN(nn.Module):
    """Holds weights and nothing else: no template, no frame, no box.

    `loc` is None where the correlation is plain.  Raises ValueError for a plain correlation with other
    than one anchor.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        plain = spec.correlation == "plain"
        if plain and len(spec.anchors) != 1:
            raise ValueError("a plain correlation scores one box per cell")
        self.spec = spec
        self.backbone = build_backbone(spec)
        from_backbone: tuple[int, ...] = self.backbone.channels  # type: ignore[assignment]
        self.neck = Neck(from_backbone, spec.channels) if spec.channels else None
        channels = spec.channels or from_backbone
        anchors = len(spec.anchors)
        self.cls = Head(channels, 2 * anchors, spec.correlation, weighted=spec.weighted)
        self.loc = (
            None
            if plain
            else Head(channels, 4 * anchors, spec.correlation, weighted=spec.weighted, adjusted=True)
        )

    @property
    def heads(self) -> dict[str, Head]:
        """What there is of cls and loc, in this order."""
        return {"cls": self.cls} | ({} if self.loc is None else {"loc": self.loc})

    def features(self, image: Tensor) -> tuple[Tensor, ...]:
        """(N, 3, H, W) BGR in [0, 255] -> per level (N, C, H', W')"""
        levels: tuple[Tensor, ...] = self.backbone(image)
        return levels if self.neck is None else self.neck(levels)

    def embed(self, exemplar: Tensor) -> Template:
        """(N, 3, 127, 127) BGR in [0, 255] -> Template"""
        z = tuple(center_crop(f, self.spec.template_cells) for f in self.features(exemplar))
        return Template(**{name: head.kernels(z) for name, head in self.heads.items()})

    def forward(self, template: Template, search: Tensor) -> tuple[Tensor, ...]:
        """(N, 3, 255, 255) BGR in [0, 255] -> cls (N, 2A, 25, 25) and, if any, loc (N, 4A, 25, 25)"""
        x = self.features(search)
        return tuple(head(getattr(template, name), x) for name, head in self.heads.items())
