"""The network as two plain functions of tensors: what exporters and compilers take."""

from __future__ import annotations

from torch import Tensor, nn

from siamcli.model.siamrpn import SiamRPN, Template

__all__ = ["SearchGraph", "TemplateGraph", "kernel_names"]


class TemplateGraph(nn.Module):
    """(N, 3, 127, 127) BGR in [0, 255] -> the kernels of all levels, cls first: (N, C, 5, 5) each"""

    def __init__(self, model: SiamRPN) -> None:
        super().__init__()
        self.model = model

    def forward(self, exemplar: Tensor) -> tuple[Tensor, ...]:
        template = self.model.embed(exemplar)
        return template.cls + template.loc


class SearchGraph(nn.Module):
    """(N, 3, S, S) BGR in [0, 255] and the kernels -> cls (N, 2A, S', S'), loc (N, 4A, S', S')"""

    def __init__(self, model: SiamRPN) -> None:
        super().__init__()
        self.model = model

    def forward(self, search: Tensor, *kernels: Tensor) -> tuple[Tensor, Tensor]:
        half = len(kernels) // 2
        out: tuple[Tensor, Tensor] = self.model(Template(kernels[:half], kernels[half:]), search)
        return out


def kernel_names(model: SiamRPN) -> list[str]:
    """What the kernels are called, in the order of both graphs."""
    return [f"{head}_kernel_{level}" for head in ("cls", "loc") for level in model.spec.levels]
