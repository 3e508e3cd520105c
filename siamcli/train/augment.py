"""Appearance changes on batches of crops; where things are does not change here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Annotated

import torch
from torch import Tensor
from torch.nn import functional as F

from siamcli.schema import Range, Share, check_ranges
from siamcli.train.draws import RandomSource

__all__ = ["ColorConfig", "color"]


@dataclass(frozen=True, slots=True)
class ColorConfig:
    """Strengths are half-ranges of a factor around 1, chances are per crop.

    `blur` averages over a line of up to `blur_cells` pixels (one more where that is even), along x or y,
    or over a small square.
    """

    brightness: Share = 0.3
    contrast: Share = 0.3
    saturation: Share = 0.4
    channel: Share = 0.1
    grey: Share = 0.1
    blur: Share = 0.15
    blur_cells: Annotated[int, Range(2, 63)] = 7
    noise: Share = 0.1

    def __post_init__(self) -> None:
        check_ranges(self)


@cache
def _luma(device: torch.device) -> Tensor:
    """What blue, green and red add to the brightness, ITU-R BT.601; uploaded once."""
    return torch.tensor((0.114, 0.587, 0.299), device=device)


def color(crops: Tensor, config: ColorConfig, draws: RandomSource) -> Tensor:
    """(N, 3, H, W) in [0, 255] -> the same, each crop with its own light, colour, blur and noise.

    Everything linear (brightness, contrast, saturation, channel gains, grey) is one 3x3 matrix and
    one offset per crop.
    """
    n, _, height, width = crops.shape
    gain = 1 + draws.symmetric(config.brightness, n)
    contrast = 1 + draws.symmetric(config.contrast, n)
    saturation = 1 + draws.symmetric(config.saturation, n)
    grey = draws.uniform(n) < config.grey
    saturation = torch.where(grey, 0.0, saturation)[:, None, None]
    channel = 1 + draws.symmetric(config.channel, n, 3)
    channel = torch.where(grey[:, None], 1.0, channel)
    eye = torch.eye(3, device=crops.device)
    mix = saturation * eye + (1 - saturation) * _luma(crops.device).expand(3, 3)
    scale = gain * contrast
    matrix = scale[:, None, None] * channel[:, :, None] * mix
    offset = (1 - contrast) * gain * 110.0  # contrast turns around a middle grey
    flat = crops.permute(0, 2, 3, 1).reshape(n, -1, 3)
    flat = torch.bmm(flat, matrix.transpose(1, 2))
    # In place from here on: these pixels are our own.  baddbmm would take a CPU four times as long.
    flat.add_(offset[:, None, None])
    crops = flat.view(n, height, width, 3).permute(0, 3, 1, 2)
    rows = draws.choose_rows(n, config.blur)
    if len(rows):
        crops.index_copy_(0, rows, _blurred(crops[rows], config.blur_cells, draws))
    rows = draws.choose_rows(n, config.noise)
    if len(rows):
        crops.index_add_(0, rows, draws.noise(len(rows), 3, height, width), alpha=8)
    return crops.clamp_(0, 255)


def _blurred(crops: Tensor, cells: int, draws: RandomSource) -> Tensor:
    """All of them averaged along one random line or square: motion, defocus."""
    rows, columns = (2 * draws.integer(1, cells // 2 + 1) + 1 for _ in range(2))
    kernel = ((rows, 1), (1, columns), (3, 3))[draws.integer(0, 3)]
    pad = (kernel[1] // 2, kernel[1] // 2, kernel[0] // 2, kernel[0] // 2)
    return F.avg_pool2d(F.pad(crops, pad, mode="replicate"), kernel, stride=1)
