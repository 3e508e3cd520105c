"""Another object in the search region, cut out by its box: a distractor or an occluder."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from siamcli.model.spec import ModelSpec
from siamcli.train.draws import RandomSource
from siamcli.train.store import TrainingImages
from siamcli.train.warp import crop_step, warp

__all__ = ["Placed", "overlap_share", "paste", "place_objects"]


class Placed(NamedTuple):
    """Search regions (M, 3, S, S) that show an object, its box around `center` with half sides `half`,
    both (M, 2) from the region's middle."""

    regions: Tensor
    center: Tensor
    half: Tensor


def place_objects(
    footage: TrainingImages,
    images: Tensor,
    boxes: Tensor,
    spec: ModelSpec,
    context: float,
    draws: RandomSource,
) -> Placed:
    """Each object (image (M,), box x, y, w, h (M, 4)) somewhere in a region, 0.6 to 1.3 times as large."""
    size = draws.uniform(len(images), 1) * 0.7 + 0.6
    step = crop_step(boxes, spec, context) / size
    center = draws.symmetric(spec.search_size / 2, len(images), 2)
    middle = boxes[:, :2] + boxes[:, 2:] / 2 - center * step
    return Placed(warp(footage, images, middle, step, spec.search_size), center, boxes[:, 2:] / step / 2)


def paste(search: Tensor, targets: Tensor, others: Placed, occlusion: float, edge: float) -> Tensor:
    """The search regions with the others in them, but for those that would hide more than `occlusion`.

    search (M, 3, S, S); targets (M, 4) as cx, cy, w, h from its middle; `edge` is the width in
    pixels over which the one picture turns into the other.
    """
    target, target_half = targets[:, :2], targets[:, 2:] / 2
    overlap = (target + target_half).minimum(others.center + others.half)
    overlap = overlap - (target - target_half).maximum(others.center - others.half)
    covered = overlap.clamp(min=0).prod(1) / (4 * target_half.prod(1))
    fits = covered <= occlusion  # the few others are computed and discarded: a check would wait for the GPU
    side = search.shape[-1]
    grid = torch.arange(side, device=search.device) - (side - 1) / 2
    depth = others.half[:, :, None] - (grid - others.center[:, :, None]).abs()
    depth = depth.where(fits[:, None, None], -torch.inf)
    if edge:
        share = (depth / edge + 0.5).clamp(0, 1)
        share = share[:, 1, :, None] * share[:, 0, None, :]
        return search.lerp(others.regions, share[:, None])
    inside = depth > 0
    mask = inside[:, 1, :, None] & inside[:, 0, None, :]
    return torch.where(mask[:, None], others.regions, search)


def overlap_share(boxes: Tensor, others: Tensor) -> Tensor:
    """The share of each box x, y, w, h (M, 4) that the other one covers: (M,)"""
    low = boxes[:, :2].maximum(others[:, :2])
    high = (boxes[:, :2] + boxes[:, 2:]).minimum(others[:, :2] + others[:, 2:])
    return (high - low).clamp(min=0).prod(1) / boxes[:, 2:].prod(1)
