"""ResNets with dilated last stages, so that all outputs have stride 8 (paper section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor, nn

__all__ = ["ResNet", "resnet10", "resnet18", "resnet50"]


class _CroppedConv2d(nn.Conv2d):
    """A 1x1 convolution on the inner cells: what lines up with an unpadded 3x3 of the same stride."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input[..., 1:-1, 1:-1])


def _shortcut(c_in: int, c_out: int, *, kernel: int, stride: int, dilation: int) -> nn.Sequential:
    conv: nn.Conv2d
    if kernel == 1 and stride == 2:
        conv = _CroppedConv2d(c_in, c_out, 1, stride, bias=False)
    elif kernel == 1:
        conv = nn.Conv2d(c_in, c_out, 1, stride, bias=False)
    else:
        conv = nn.Conv2d(c_in, c_out, 3, stride, dilation if stride == 1 else 0, dilation, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(c_out))


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 with a shortcut.  Unpadded where it strides, as in SiamRPN++."""

    expansion = 4

    def __init__(
        self, c_in: int, c_mid: int, *, stride: int, dilation: int, after: int, shortcut: nn.Module | None
    ) -> None:
        super().__init__()
        padding = dilation if stride == 1 else 0
        self.conv1 = nn.Conv2d(c_in, c_mid, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(c_mid)
        self.conv2 = nn.Conv2d(c_mid, c_mid, 3, stride, padding, dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(c_mid)
        self.conv3 = nn.Conv2d(c_mid, 4 * c_mid, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * c_mid)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        out: Tensor = self.relu(y + (x if self.downsample is None else self.downsample(x)))
        return out


class BasicBlock(nn.Module):
    """3x3, 3x3 with a shortcut.  Unpadded where it strides; the second is dilated by `after`."""

    expansion = 1

    def __init__(
        self, c_in: int, c_mid: int, *, stride: int, dilation: int, after: int, shortcut: nn.Module | None
    ) -> None:
        super().__init__()
        padding = dilation if stride == 1 else 0
        self.conv1 = nn.Conv2d(c_in, c_mid, 3, stride, padding, dilation, bias=False)
        self.bn1 = nn.BatchNorm2d(c_mid)
        self.conv2 = nn.Conv2d(c_mid, c_mid, 3, 1, after, after, bias=False)
        self.bn2 = nn.BatchNorm2d(c_mid)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        out: Tensor = self.relu(y + (x if self.downsample is None else self.downsample(x)))
        return out


class _Block(Protocol):
    expansion: int

    def __call__(
        self, c_in: int, c_mid: int, *, stride: int, dilation: int, after: int, shortcut: nn.Module | None
    ) -> nn.Module: ...


class ResNet(nn.Module):
    """Feature maps of the stages in `levels`, all at stride 8.

    (N, 3, 127, 127) -> per level (N, C, 15, 15);  (N, 3, 255, 255) -> per level (N, C, 31, 31)
    """

    def __init__(
        self, block: _Block, blocks: Sequence[int], levels: Sequence[int], downsample: int, width: float
    ) -> None:
        super().__init__()
        self.levels = tuple(levels)
        c_in = int(64 * width)
        self.conv1 = nn.Conv2d(3, c_in, 7, stride=2, bias=False)
        self.bn1 = nn.BatchNorm2d(c_in)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.stages: list[str] = []
        self.channels: tuple[int, ...] = ()
        for stage, (count, stride, dilation) in enumerate(
            zip(blocks, (1, 2, 1, 1), (1, 1, 2, 4), strict=False), start=1
        ):
            c_mid = int(32 * 2**stage * width)
            module = _stage(block, c_in, c_mid, count, stride=stride, dilation=dilation, kernel=downsample)
            self.add_module(f"layer{stage}", module)
            self.stages.append(f"layer{stage}")
            c_in = c_mid * block.expansion
            if stage in self.levels:
                self.channels += (c_in,)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        features = []
        for stage, name in enumerate(self.stages, start=1):
            x = self.get_submodule(name)(x)
            if stage in self.levels:
                features.append(x)
        return tuple(features)


def _stage(
    block: _Block, c_in: int, c_mid: int, count: int, *, stride: int, dilation: int, kernel: int
) -> nn.Sequential:
    """`count` blocks; the first adapts the shape and starts at half the dilation."""
    first = max(dilation // 2, 1)
    c_out = c_mid * block.expansion
    # The reference keeps a 1x1 shortcut where neither stride nor dilation changes.
    plain = stride == 1 and dilation == 1
    shortcut = (
        None
        if plain and c_in == c_out
        else _shortcut(c_in, c_out, kernel=1 if plain else kernel, stride=stride, dilation=first)
    )
    blocks = [
        block(c_out, c_mid, stride=1, dilation=dilation, after=dilation, shortcut=None)
        for _ in range(count - 1)
    ]
    head = block(c_in, c_mid, stride=stride, dilation=first, after=dilation, shortcut=shortcut)
    return nn.Sequential(head, *blocks)


def resnet50(levels: Sequence[int], downsample: int, width: float = 1.0) -> ResNet:
    """The paper's backbone: stages of 256, 512, 1024 and 2048 channels, times `width`."""
    return ResNet(Bottleneck, (3, 4, 6, 3), levels, downsample, width)


def resnet18(levels: Sequence[int], downsample: int, width: float = 1.0) -> ResNet:
    """Stages of 64, 128, 256 and 512 channels, times `width`; no more of them than `levels` need."""
    return ResNet(BasicBlock, (2, 2, 2, 2)[: max(levels)], levels, downsample, width)


def resnet10(levels: Sequence[int], downsample: int, width: float = 1.0) -> ResNet:
    """As `resnet18` with one block a stage instead of two."""
    return ResNet(BasicBlock, (1, 1, 1, 1)[: max(levels)], levels, downsample, width)
