"""The head: depthwise cross-correlation of template and search features, level by level."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["Branch", "Head", "depthwise_xcorr"]


def depthwise_xcorr(search: Tensor, kernel: Tensor) -> Tensor:
    """Slide each channel of `kernel` over the same channel of `search` (paper section 3.3).

    search (N, C, H, W), kernel (N, C, h, w) -> (N, C, H - h + 1, W - w + 1)
    """
    n, c, h, w = kernel.shape
    out = F.conv2d(search.reshape(1, n * c, *search.shape[2:]), kernel.reshape(n * c, 1, h, w), groups=n * c)
    return out.reshape(n, c, *out.shape[2:])


def _conv_bn_relu(c_in: int, c_out: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, kernel, bias=False), nn.BatchNorm2d(c_out), nn.ReLU(inplace=True)
    )


class Branch(nn.Module):
    """One output of one level.  `kernel` depends on the template alone: compute it once."""

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__()
        self.kernel = _conv_bn_relu(channels, channels, 3)
        self.search = _conv_bn_relu(channels, channels, 3)
        self.head = nn.Sequential(*_conv_bn_relu(channels, channels, 1), nn.Conv2d(channels, outputs, 1))

    def forward(self, kernel: Tensor, search: Tensor) -> Tensor:
        out: Tensor = self.head(depthwise_xcorr(self.search(search), kernel))
        return out


class Head(nn.Module):
    """One branch per level, summed with learned softmax weights or averaged (paper section 3.2)."""

    def __init__(self, channels: Sequence[int], outputs: int, *, weighted: bool) -> None:
        super().__init__()
        self.branches = nn.ModuleList(Branch(c, outputs) for c in channels)
        self.weight = nn.Parameter(torch.ones(len(channels))) if weighted else None

    def kernels(self, template: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The template's side of every level: features (N, C, 7, 7) -> kernels (N, C, 5, 5)."""
        return tuple(b.kernel(z) for b, z in zip(self.branches, template, strict=True))  # type: ignore[operator]

    def forward(self, kernels: Sequence[Tensor], search: Sequence[Tensor]) -> Tensor:
        maps = [b(k, x) for b, k, x in zip(self.branches, kernels, search, strict=True)]
        if len(maps) == 1:
            only: Tensor = maps[0]
            return only
        if self.weight is None:
            return torch.stack(maps).mean(0)
        weight = self.weight.softmax(0)
        total: Tensor = torch.stack([w * m for w, m in zip(weight, maps, strict=True)]).sum(0)
        return total
