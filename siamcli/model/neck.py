"""The neck: bring every backbone level to the channels that the head works with."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

__all__ = ["Neck", "center_crop"]


class Neck(nn.Module):
    """One 1x1 convolution per level: (N, C_in, H, W) -> (N, C_out, H, W)."""

    def __init__(self, channels_in: Sequence[int], channels_out: Sequence[int]) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            nn.Sequential(nn.Conv2d(c_in, c_out, 1, bias=False), nn.BatchNorm2d(c_out))
            for c_in, c_out in zip(channels_in, channels_out, strict=True)
        )

    def forward(self, features: Sequence[Tensor]) -> tuple[Tensor, ...]:
        return tuple(level(f) for level, f in zip(self.levels, features, strict=True))


def center_crop(x: Tensor, size: int) -> Tensor:
    """Central `size` x `size` cells of a feature map: the target without its context."""
    start = (x.shape[-1] - size) // 2
    return x[..., start : start + size, start : start + size]
