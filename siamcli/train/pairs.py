"""Training pairs: an exemplar and a search region of the same object, drawn and cut in batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from siamcli.model.spec import ModelSpec
from siamcli.train.augment import ColorConfig, color
from siamcli.train.store import Footage
from siamcli.train.warp import warp

__all__ = ["PairBatch", "PairConfig", "PairSampler", "draw_pairs"]


@dataclass(frozen=True, slots=True)
class PairConfig:
    """How pairs are drawn (paper sections 3.1 and 4.1).

    `search_shift` is the heart of the paper's spatial-aware sampling: the target's centre lies
    uniformly within that many pixels of the middle of the search region; 0 teaches the centre bias.
    Shifts are in crop pixels, scales are half-ranges of a factor around 1, `reach` is in stored
    frames, `paste` the chance of another object in the search region (beside the target, or over up
    to `occlusion` of it), `negatives` the share of extra pairs whose exemplar is another object.
    """

    context: float = 0.5
    exemplar_shift: float = 4.0
    exemplar_scale: float = 0.05
    search_shift: float = 64.0
    search_scale: float = 0.18
    mirror: float = 0.5
    reach: int = 100
    paste: float = 0.2
    occlusion: float = 0.4
    negatives: float = 0.2
    color: ColorConfig = field(default_factory=ColorConfig)


class PairBatch(NamedTuple):
    """exemplar (N, 3, 127, 127), search (N, 3, 255, 255), boxes (N, 4) as cx, cy, w, h from the search
    region's middle; `other` (M, 2) int64: rows (search, exemplar) of different objects."""

    exemplar: Tensor
    search: Tensor
    boxes: Tensor
    other: Tensor


class PairSampler:
    """The footage's tracks as flat tensors on its device, drawn by their source's share."""

    def __init__(self, footage: Footage, shares: Sequence[float]) -> None:
        device = footage.pixels.device
        tracks = sorted(footage.tracks, key=lambda t: t.source)
        count = torch.tensor([sum(t.source == s for t in tracks) for s in range(len(shares))])
        self.share = (torch.tensor(shares, dtype=torch.float32) * (count > 0)).to(device)
        self.count = count.to(device)
        self.first = (count.cumsum(0) - count).to(device)
        length = torch.tensor([len(t.images) for t in tracks])
        self.length = length.to(device)
        self.begin = (length.cumsum(0) - length).to(device)
        self.images = torch.tensor([i for t in tracks for i in t.images]).to(device)
        self.boxes = torch.tensor([b for t in tracks for b in t.boxes], dtype=torch.float32).to(device)

    def draw(self, n: int, reach: int, random: Generator) -> tuple[Tensor, Tensor]:
        """Two moments of n objects, up to `reach` stored frames apart -> positions (n,), (n,)."""
        device = self.share.device
        u = torch.rand(3, n, generator=random, device=device)
        source = torch.multinomial(self.share, n, replacement=True, generator=random)
        track = self.first[source] + (u[0] * self.count[source]).long()
        length = self.length[track]
        a = (u[1] * length).long()
        low = (a - reach).clamp(min=0)
        b = low + (u[2] * ((a + reach + 1).minimum(length) - low)).long()
        return self.begin[track] + a, self.begin[track] + b


def draw_pairs(
    footage: Footage, sampler: PairSampler, spec: ModelSpec, config: PairConfig, n: int, random: Generator
) -> PairBatch:
    """n pairs and the list of negative ones."""
    device = footage.pixels.device
    first, second = sampler.draw(n, config.reach, random)

    def uniform(half: float) -> Tensor:
        return (torch.rand(n, 2, generator=random, device=device) * 2 - 1) * half

    def flip(steps: Tensor) -> Tensor:
        mirrored = torch.rand(n, generator=random, device=device) < config.mirror
        return torch.stack([torch.where(mirrored, -steps[:, 0], steps[:, 0]), steps[:, 1]], 1)

    box = sampler.boxes[first]
    step = _step(box, spec, config.context) * (1 + uniform(config.exemplar_scale))
    center = box[:, :2] + box[:, 2:] / 2 - uniform(config.exemplar_shift) * step
    exemplar = warp(footage, sampler.images[first], center, step, spec.exemplar_size)

    box = sampler.boxes[second]
    step = flip(_step(box, spec, config.context) * (1 + uniform(config.search_scale)))
    shift = uniform(config.search_shift)
    center = box[:, :2] + box[:, 2:] / 2 - shift * step
    search = warp(footage, sampler.images[second], center, step, spec.search_size)
    boxes = torch.cat([shift, box[:, 2:] / step.abs()], 1)
    search = _paste(footage, sampler, spec, config, search, boxes, random)

    exemplar = color(exemplar, config.color, random)
    search = color(search, config.color, random)
    m = round(n * config.negatives)
    rows = torch.randperm(n, generator=random, device=device)[:m]
    # the next row of the batch is another object, except for a rare double draw
    return PairBatch(exemplar, search, boxes, torch.stack([rows, (rows + 1) % n], 1))


def _step(box: Tensor, spec: ModelSpec, context: float) -> Tensor:
    """Image pixels per crop pixel that give a box (N, 4) its context: (N, 2), both the same."""
    margin = context * (box[:, 2] + box[:, 3])
    side = ((box[:, 2] + margin) * (box[:, 3] + margin)).sqrt()
    return (side / spec.exemplar_size)[:, None].expand(-1, 2)


def _paste(
    footage: Footage,
    sampler: PairSampler,
    spec: ModelSpec,
    config: PairConfig,
    search: Tensor,
    boxes: Tensor,
    random: Generator,
) -> Tensor:
    """Put other objects, cut out by their boxes, into some search regions: distractors and occluders."""
    device, side = search.device, spec.search_size
    rows = (torch.rand(len(search), generator=random, device=device) < config.paste).nonzero()[:, 0]
    if not len(rows):
        return search
    donor, _ = sampler.draw(len(rows), 0, random)
    box = sampler.boxes[donor]
    size = torch.rand(len(rows), 1, generator=random, device=device) * 0.7 + 0.6
    step = _step(box, spec, config.context) / size
    place = (torch.rand(len(rows), 2, generator=random, device=device) - 0.5) * side
    half = box[:, 2:] / step / 2
    target, target_half = boxes[rows, :2], boxes[rows, 2:] / 2
    overlap = (target + target_half).minimum(place + half) - (target - target_half).maximum(place - half)
    covered = overlap.clamp(min=0).prod(1) / (4 * target_half.prod(1))
    fits = (covered <= config.occlusion).nonzero()[:, 0]
    if not len(fits):
        return search
    rows, donor, box, step, place, half = (t[fits] for t in (rows, donor, box, step, place, half))
    patch = warp(footage, sampler.images[donor], box[:, :2] + box[:, 2:] / 2 - place * step, step, side)
    grid = torch.arange(side, device=device) - (side - 1) / 2
    inside = (grid - place[:, :, None]).abs() < half[:, :, None]
    mask = inside[:, 1, :, None] & inside[:, 0, None, :]
    return search.index_copy(0, rows, torch.where(mask[:, None], patch, search[rows]))
