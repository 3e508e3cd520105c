"""Training pairs: an exemplar and a search region of the same object, drawn and cut in batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, NamedTuple

import torch
from torch import Tensor

from siamcli.errors import DatasetError
from siamcli.model.spec import ModelSpec
from siamcli.schema import NotNegative, Range, Share, check_ranges
from siamcli.train.augment import ColorConfig, color
from siamcli.train.draws import Draws
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

    context: Annotated[float, Range(0, 2, "low")] = 0.5
    exemplar_shift: NotNegative = 4.0
    exemplar_scale: Annotated[float, Range(0, 1, "high")] = 0.05
    search_shift: NotNegative = 64.0
    search_scale: Annotated[float, Range(0, 1, "high")] = 0.18
    mirror: Share = 0.5
    reach: Annotated[int, Range(0)] = 100
    paste: Share = 0.2
    occlusion: Share = 0.4
    negatives: Share = 0.2
    color: ColorConfig = field(default_factory=ColorConfig)

    def __post_init__(self) -> None:
        check_ranges(self)


class PairBatch(NamedTuple):
    """exemplar (N, 3, 127, 127), search (N, 3, 255, 255), boxes (N, 4) as cx, cy, w, h from the search
    region's middle; `other` (M, 2) int64: rows (search, exemplar) of different objects."""

    exemplar: Tensor
    search: Tensor
    boxes: Tensor
    other: Tensor


class PairSampler:
    """The footage's tracks as flat tensors on its device, drawn by their source's share.

    share (S,): the shares of the S sources, added up, the last one 1.  Raises DatasetError for shares
    that draw nothing.
    """

    def __init__(self, footage: Footage, shares: Sequence[float]) -> None:
        device = footage.pixels.device
        tracks = sorted(footage.tracks, key=lambda t: t.source)
        count = torch.tensor([sum(t.source == s for t in tracks) for s in range(len(shares))])
        share = (torch.tensor(shares, dtype=torch.float64) * (count > 0)).cumsum(0)
        if min(shares) < 0 or not share[-1] > 0:
            raise DatasetError(
                "no data set with usable images has a share above 0", hint="correct `share` in the config"
            )
        self.share = (share / share[-1]).float().to(device)
        self.count = count.to(device)
        self.first = (count.cumsum(0) - count).to(device)
        length = torch.tensor([len(t.images) for t in tracks])
        self.length = length.to(device)
        self.begin = (length.cumsum(0) - length).to(device)
        self.images = torch.tensor([i for t in tracks for i in t.images]).to(device)
        self.boxes = torch.tensor([b for t in tracks for b in t.boxes], dtype=torch.float32).to(device)

    def draw(self, n: int, reach: int, draws: Draws) -> tuple[Tensor, Tensor]:
        """Two moments of n objects, up to `reach` stored frames apart -> positions (n,), (n,)."""
        u = draws.uniform(4, n)
        source = torch.searchsorted(self.share, u[0], right=True)
        track = self.first[source] + (u[1] * self.count[source]).long()
        length = self.length[track]
        a = (u[2] * length).long()
        low = (a - reach).clamp(min=0)
        b = low + (u[3] * ((a + reach + 1).minimum(length) - low)).long()
        return self.begin[track] + a, self.begin[track] + b


def draw_pairs(
    footage: Footage, sampler: PairSampler, spec: ModelSpec, config: PairConfig, n: int, draws: Draws
) -> PairBatch:
    """n pairs and the list of negative ones."""
    first, second = sampler.draw(n, config.reach, draws)

    def flip(steps: Tensor) -> Tensor:
        mirrored = draws.uniform(n) < config.mirror
        return torch.stack([torch.where(mirrored, -steps[:, 0], steps[:, 0]), steps[:, 1]], 1)

    box = sampler.boxes[first]
    step = _step(box, spec, config.context) * (1 + draws.around(config.exemplar_scale, n, 2))
    center = box[:, :2] + box[:, 2:] / 2 - draws.around(config.exemplar_shift, n, 2) * step
    exemplar = warp(footage, sampler.images[first], center, step, spec.exemplar_size)

    box = sampler.boxes[second]
    step = flip(_step(box, spec, config.context) * (1 + draws.around(config.search_scale, n, 2)))
    shift = draws.around(config.search_shift, n, 2)
    center = box[:, :2] + box[:, 2:] / 2 - shift * step
    search = warp(footage, sampler.images[second], center, step, spec.search_size)
    boxes = torch.cat([shift, box[:, 2:] / step.abs()], 1)
    search.index_copy_(0, *_pasted(footage, sampler, spec, config, search, boxes, draws))

    exemplar = color(exemplar, config.color, draws)
    search = color(search, config.color, draws)
    rows = draws.order(n)[: round(n * config.negatives)]
    # the next row of the batch is another object, except for a rare double draw
    return PairBatch(exemplar, search, boxes, torch.stack([rows, (rows + 1) % n], 1))


def _step(box: Tensor, spec: ModelSpec, context: float) -> Tensor:
    """Image pixels per crop pixel that give a box (N, 4) its context: (N, 2), both the same."""
    margin = context * (box[:, 2] + box[:, 3])
    side = ((box[:, 2] + margin) * (box[:, 3] + margin)).sqrt()
    return (side / spec.exemplar_size)[:, None].expand(-1, 2)


def _pasted(
    footage: Footage,
    sampler: PairSampler,
    spec: ModelSpec,
    config: PairConfig,
    search: Tensor,
    boxes: Tensor,
    draws: Draws,
) -> tuple[Tensor, Tensor]:
    """Some search regions with another object, cut out by its box, put in: a distractor or an occluder.

    Their rows (M,) in `search` and what becomes of them, (M, 3, 255, 255)
    """
    side = spec.search_size
    rows = draws.rows(len(search), config.paste)
    if not len(rows):
        return rows, search[rows]
    donor, _ = sampler.draw(len(rows), 0, draws)
    box = sampler.boxes[donor]
    size = draws.uniform(len(rows), 1) * 0.7 + 0.6
    step = _step(box, spec, config.context) / size
    place = draws.around(side / 2, len(rows), 2)
    half = box[:, 2:] / step / 2
    target, target_half = boxes[rows, :2], boxes[rows, 2:] / 2
    overlap = (target + target_half).minimum(place + half) - (target - target_half).maximum(place - half)
    covered = overlap.clamp(min=0).prod(1) / (4 * target_half.prod(1))
    fits = covered <= config.occlusion  # the few others are cut out in vain: asking costs a GPU more
    patch = warp(footage, sampler.images[donor], box[:, :2] + box[:, 2:] / 2 - place * step, step, side)
    grid = torch.arange(side, device=search.device) - (side - 1) / 2
    inside = ((grid - place[:, :, None]).abs() < half[:, :, None]) & fits[:, None, None]
    mask = inside[:, 1, :, None] & inside[:, 0, None, :]
    return rows, torch.where(mask[:, None], patch, search[rows])
