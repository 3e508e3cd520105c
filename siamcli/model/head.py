"""The head: correlate template and search features level by level, in one of the paper's three ways."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["Branch", "Head", "depthwise_xcorr", "xcorr"]


def xcorr(search: Tensor, kernel: Tensor) -> Tensor:
    """Slide each of K kernels over all channels of `search` at once (paper section 3.3, figure 4a, 4b).

    search (N, C, H, W), kernel (N, K, C, h, w) -> (N, K, H - h + 1, W - w + 1)
    """
    n, k, c, h, w = kernel.shape
    out = F.conv2d(search.reshape(1, n * c, *search.shape[2:]), kernel.reshape(n * k, c, h, w), groups=n)
    return out.reshape(n, k, *out.shape[2:])


def depthwise_xcorr(search: Tensor, kernel: Tensor) -> Tensor:
    """Slide each channel of `kernel` over the same channel of `search` (paper section 3.3, figure 4c).

    search (N, C, H, W), kernel (N, C, h, w) -> (N, C, H - h + 1, W - w + 1)
    """
    n, c, h, w = kernel.shape
    out = F.conv2d(search.reshape(1, n * c, *search.shape[2:]), kernel.reshape(n * c, 1, h, w), groups=n * c)
    return out.reshape(n, c, *out.shape[2:])


class Branch(nn.Module):
    """One output of one level.  `kernel` depends on the template alone: compute it once."""

    def __init__(
        self,
        kernel: nn.Module,
        search: nn.Module,
        correlate: Callable[[Tensor, Tensor], Tensor],
        head: nn.Sequential,
    ) -> None:
        super().__init__()
        self.kernel = kernel
        self.search = search
        self.correlate = correlate
        self.head = head

    def forward(self, kernel: Tensor, search: Tensor) -> Tensor:
        out: Tensor = self.head(self.correlate(self.search(search), kernel))
        return out


class Head(nn.Module):
    """One branch per level, summed with learned softmax weights or averaged (paper section 3.2).

    `adjusted` gives an up-channel correlation the 1x1 convolution that SiamRPN has after its loc.
    """

    def __init__(
        self,
        channels: Sequence[int],
        outputs: int,
        correlation: Literal["depthwise", "up-channel", "plain"],
        *,
        weighted: bool,
        adjusted: bool = False,
    ) -> None:
        super().__init__()
        if correlation == "depthwise":
            branches = [_depthwise(c, outputs) for c in channels]
        elif correlation == "up-channel":
            branches = [_up_channel(c, outputs, adjusted=adjusted) for c in channels]
        else:
            branches = [_plain(outputs) for _ in channels]
        self.branches = nn.ModuleList(branches)
        self.weight = nn.Parameter(torch.ones(len(channels))) if weighted else None

    def kernels(self, template: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The template's side of every level: features (N, C, 7, 7) -> finished kernels.

        depthwise (N, C, 5, 5), up-channel (N, outputs, C, 5, 5), plain (N, 1, C, 7, 7)
        """
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


class _KernelBank(nn.Module):
    """K kernels in a row -> a bank of them: (N, K * C, h, w) -> (N, K, C, h, w)

    Divided by the root of what a correlation adds up, as in attention: thousands of products then
    make a number of the size of one, with which training can begin.
    """

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        bank = x.reshape(n, self.count, c // self.count, h, w)
        return bank / math.sqrt(math.prod(bank.shape[2:]))


def _depthwise(channels: int, outputs: int) -> Branch:
    """SiamRPN++: C similarities of one channel each, mixed afterwards."""
    return Branch(
        _conv_bn_relu(channels, channels, 3),
        _conv_bn_relu(channels, channels, 3),
        depthwise_xcorr,
        nn.Sequential(*_conv_bn_relu(channels, channels, 1), nn.Conv2d(channels, outputs, 1)),
    )


def _up_channel(channels: int, outputs: int, *, adjusted: bool) -> Branch:
    """SiamRPN: a heavy convolution lifts the template to a kernel of all channels for every output."""
    return Branch(
        nn.Sequential(nn.Conv2d(channels, outputs * channels, 3), _KernelBank(outputs)),
        nn.Sequential(nn.Conv2d(channels, channels, 3)),
        xcorr,
        nn.Sequential(nn.Conv2d(outputs, outputs, 1)) if adjusted else nn.Sequential(),
    )


def _plain(outputs: int) -> Branch:
    """SiamFC: the features are the kernel, and one similarity is all; its scale and offset are learned."""
    scale = nn.Conv2d(1, outputs, 1)
    # logits of background and object, which start from the belief that what is alike is the object
    # (not by torch.linspace: on the device "meta" PyTorch imports its compiler for that)
    steps = [0.1 * i / (outputs - 1) - 0.05 for i in range(outputs)]
    scale.weight.data = torch.tensor(steps)[:, None, None, None]
    return Branch(nn.Sequential(_KernelBank(1)), nn.Sequential(), xcorr, nn.Sequential(scale))


def _conv_bn_relu(c_in: int, c_out: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, kernel, bias=False), nn.BatchNorm2d(c_out), nn.ReLU(inplace=True)
    )
