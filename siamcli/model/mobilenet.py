"""MobileNetV2 of width 1.4 with dilated last stages: all outputs at stride 8."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

__all__ = ["MobileNetV2"]

# expansion, channels, blocks, stride, dilation of the seven stages, as in the reference
STAGES = (
    (1, 16, 1, 1, 1),
    (6, 24, 2, 2, 1),
    (6, 32, 3, 2, 1),
    (6, 64, 4, 1, 2),
    (6, 96, 3, 1, 2),
    (6, 160, 3, 1, 4),
    (6, 320, 1, 1, 4),
)


class InvertedResidual(nn.Module):
    """1x1 expansion, 3x3 depthwise, 1x1 projection.  Unpadded where it strides."""

    def __init__(self, c_in: int, c_out: int, *, expansion: int, stride: int, dilation: int) -> None:
        super().__init__()
        hidden = c_in * expansion
        padding = dilation if stride == 1 else 0
        self.residual = stride == 1 and c_in == c_out
        self.conv = nn.Sequential(
            nn.Conv2d(c_in, hidden, 1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU6(inplace=True),
            nn.Conv2d(hidden, hidden, 3, stride, padding, dilation, groups=hidden, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU6(inplace=True),
            nn.Conv2d(hidden, c_out, 1, bias=False),
            nn.BatchNorm2d(c_out),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return x + y if self.residual else y


class MobileNetV2(nn.Module):
    """Feature maps of the stages in `levels` (1 to 7).

    (N, 3, 255, 255) -> per level (N, C, 31, 31), with C = 44, 134, 448 for levels 3, 5, 7.
    """

    def __init__(self, levels: Sequence[int], width: float = 1.4) -> None:
        super().__init__()
        self.levels = tuple(levels)
        c_in = int(32 * width)
        self.layer0 = nn.Sequential(
            nn.Conv2d(3, c_in, 3, stride=2, bias=False), nn.BatchNorm2d(c_in), nn.ReLU6(inplace=True)
        )
        self.channels: tuple[int, ...] = ()
        before = 1
        for stage, (expansion, c, blocks, stride, dilation) in enumerate(STAGES, start=1):
            c_out = int(c * width)
            first = dilation if dilation == before else max(dilation // 2, 1)
            head = InvertedResidual(c_in, c_out, expansion=expansion, stride=stride, dilation=first)
            rest = [
                InvertedResidual(c_out, c_out, expansion=expansion, stride=1, dilation=dilation)
                for _ in range(blocks - 1)
            ]
            self.add_module(f"layer{stage}", nn.Sequential(head, *rest))
            c_in, before = c_out, dilation
            if stage in self.levels:
                self.channels += (c_out,)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        x = self.layer0(x)
        features = []
        for stage in range(1, max(self.levels) + 1):
            x = self.get_submodule(f"layer{stage}")(x)
            if stage in self.levels:
                features.append(x)
        return tuple(features)
