"""Appearance changes on batches of crops; where things are does not change here."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

__all__ = ["ColorConfig", "color"]


@dataclass(frozen=True, slots=True)
class ColorConfig:
    """Strengths are half-ranges of a factor around 1, chances are per crop.

    `blur` averages over a line of up to `blur_cells` pixels, along x or y, or over a small square.
    """

    brightness: float = 0.3
    contrast: float = 0.3
    saturation: float = 0.4
    channel: float = 0.1
    grey: float = 0.1
    blur: float = 0.15
    blur_cells: int = 7
    noise: float = 0.1


_LUMA = (0.114, 0.587, 0.299)  # BGR, ITU-R BT.601


def _uniform(n: int, half: float, random: Generator, like: Tensor) -> Tensor:
    return (torch.rand(n, generator=random, device=like.device) * 2 - 1) * half


def color(crops: Tensor, config: ColorConfig, random: Generator) -> Tensor:
    """(N, 3, H, W) in [0, 255] -> the same, each crop with its own light, colour, blur and noise.

    Everything linear (brightness, contrast, saturation, channel gains, grey) is one 3x3 matrix and
    one offset per crop.
    """
    n = len(crops)
    luma = torch.tensor(_LUMA, device=crops.device)
    gain = 1 + _uniform(n, config.brightness, random, crops)
    contrast = 1 + _uniform(n, config.contrast, random, crops)
    saturation = 1 + _uniform(n, config.saturation, random, crops)
    grey = torch.rand(n, generator=random, device=crops.device) < config.grey
    saturation = torch.where(grey, 0.0, saturation)[:, None, None]
    channel = 1 + _uniform(3 * n, config.channel, random, crops).view(n, 3)
    channel = torch.where(grey[:, None], 1.0, channel)
    eye = torch.eye(3, device=crops.device)
    mix = saturation * eye + (1 - saturation) * luma.expand(3, 3)
    scale = gain * contrast
    matrix = scale[:, None, None] * channel[:, :, None] * mix
    offset = (1 - contrast) * gain * 110.0  # contrast turns around a middle grey
    flat = crops.permute(0, 2, 3, 1).reshape(n, -1, 3)
    flat = torch.baddbmm(offset[:, None, None], flat, matrix.transpose(1, 2))
    crops = flat.view(n, *crops.shape[2:], 3).permute(0, 3, 1, 2)
    crops = _blur(crops, config, random)
    noisy = torch.rand(n, generator=random, device=crops.device) < config.noise
    if config.noise and bool(noisy.any()):
        noise = torch.randn(crops.shape, generator=random, device=crops.device)
        crops = crops + noise * (noisy * 8.0)[:, None, None, None]
    return crops.clamp(0, 255)


def _blur(crops: Tensor, config: ColorConfig, random: Generator) -> Tensor:
    """Some crops are averaged along a random line or square: motion, defocus."""
    chosen = torch.rand(len(crops), generator=random, device=crops.device) < config.blur
    which = chosen.nonzero()[:, 0]
    if not len(which):
        return crops
    reach = torch.randint(1, config.blur_cells // 2 + 1, (2,), generator=random, device=crops.device)
    kind = int(torch.randint(3, (1,), generator=random, device=crops.device))
    rows, columns = (2 * int(r) + 1 for r in reach)
    kernel = ((rows, 1), (1, columns), (3, 3))[kind]
    pad = (kernel[1] // 2, kernel[1] // 2, kernel[0] // 2, kernel[0] // 2)
    blurred = F.avg_pool2d(F.pad(crops[which], pad, mode="replicate"), kernel, stride=1)
    return crops.index_copy(0, which, blurred)
