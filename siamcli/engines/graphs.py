"""The network as two plain functions of tensors, for exporters and compilers."""

from __future__ import annotations

from torch import Tensor, nn

from siamcli.model.siamrpn import SiamRPN, Template

__all__ = ["SearchGraph", "TemplateGraph", "as_template", "kernel_names"]


class TemplateGraph(nn.Module):
    """(N, 3, 127, 127) BGR in [0, 255] -> the kernels of all levels, cls first"""

    def __init__(self, model: SiamRPN) -> None:
        super().__init__()
        self.model = model

    def forward(self, exemplar: Tensor) -> tuple[Tensor, ...]:
        template = self.model.embed(exemplar)
        return template.cls + template.loc


class SearchGraph(nn.Module):
    """(N, 3, S, S) BGR in [0, 255] and the kernels -> cls (N, 2A, S', S') and, if any, loc (N, 4A, S', S')"""

    def __init__(self, model: SiamRPN) -> None:
        super().__init__()
        self.model = model

    def forward(self, search: Tensor, *kernels: Tensor) -> tuple[Tensor, ...]:
        out: tuple[Tensor, ...] = self.model(as_template(self.model, kernels), search)
        return out


def kernel_names(model: SiamRPN) -> list[str]:
    """What the kernels are called, in the order of both graphs."""
    return [f"{head}_kernel_{level}" for head in model.heads for level in model.spec.levels]


def as_template(model: SiamRPN, kernels: tuple[Tensor, ...]) -> Template:
    """What the template graph returned, as a template."""
    levels = len(model.spec.levels)
    return Template(kernels[:levels], kernels[levels:])
