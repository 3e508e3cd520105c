"""Training pairs: an exemplar and a search region of the same object, drawn and cut in batches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, NamedTuple

import torch
from torch import Tensor

from siamcli.model.spec import ModelSpec
from siamcli.schema import NotNegative, Range, Share, check_ranges
from siamcli.train.augment import ColorConfig, color
from siamcli.train.conventions import change_boxes, draw_changes, spare_small
from siamcli.train.draws import RandomSource
from siamcli.train.paste import overlap_share, paste, place_objects
from siamcli.train.sampler import PairSampler
from siamcli.train.store import TrainingImages
from siamcli.train.warp import crop_step, warp

__all__ = ["PairBatch", "PairConfig", "draw_pairs"]

_TRIES = 4
"""Draws for a search region that is not mostly fill."""


@dataclass(frozen=True, slots=True)
class PairConfig:
    """How pairs are drawn (paper sections 3.1 and 4.1).

    `search_shift` is the heart of the paper's spatial-aware sampling: the target's centre lies
    uniformly within that many pixels of the middle of the search region; 0 teaches the centre bias.
    Shifts are in crop pixels, scales are half-ranges of a factor around 1 for each side, `search_zoom`
    is the half-range of the logarithm of one more for both sides; `reach` is in stored frames.
    `convention` is the share of pairs whose box is changed alike in both frames, `fill` the largest
    share of a search region outside its image, as far as a few draws allow.  `paste` is the chance of
    another object in the search region (beside the target, or over up to `occlusion` of it), which is
    one of the same image and category with the chance `lookalike`, its edge `paste_edge` pixels soft;
    `negatives` is the share of extra pairs whose exemplar is another object, with the chance `alike`
    one of the same category.
    """

    context: Annotated[float, Range(0, 2, "low")] = 0.5
    exemplar_shift: NotNegative = 4.0
    exemplar_scale: Annotated[float, Range(0, 1, "high")] = 0.05
    search_shift: NotNegative = 64.0
    search_scale: Annotated[float, Range(0, 1, "high")] = 0.18
    search_zoom: Annotated[float, Range(0, 2)] = 0.0
    convention: Share = 0.0
    fill: Share = 1.0
    mirror: Share = 0.5
    reach: Annotated[int, Range(0)] = 100
    paste: Share = 0.2
    occlusion: Share = 0.4
    lookalike: Share = 0.0
    paste_edge: NotNegative = 0.0
    negatives: Share = 0.2
    alike: Share = 0.0
    color: ColorConfig = field(default_factory=ColorConfig)

    def __post_init__(self) -> None:
        check_ranges(self)


class PairBatch(NamedTuple):
    """exemplar (N, 3, 127, 127), search (N, 3, 255, 255), boxes (N, 4) as cx, cy, w, h from the search
    region's middle; `exact` (N,): 1, or 0 where a box is loose; `other` (M, 2) int64: rows (search,
    exemplar) of different objects; `apart` (M,): 1, or 0 where chance drew the same object for both."""

    exemplar: Tensor
    search: Tensor
    boxes: Tensor
    exact: Tensor
    other: Tensor
    apart: Tensor


class _Moments(NamedTuple):
    """Positions of exemplar and search region in the sampler, their boxes x, y, w, h in the image."""

    first: Tensor
    second: Tensor
    exemplar_box: Tensor
    search_box: Tensor


def draw_pairs(
    footage: TrainingImages,
    sampler: PairSampler,
    spec: ModelSpec,
    config: PairConfig,
    n: int,
    draws: RandomSource,
) -> PairBatch:
    """n pairs and the list of negative ones."""
    moments, partner = _draw_moments(footage, sampler, spec, config, n, draws)

    def flip(steps: Tensor) -> Tensor:
        mirrored = draws.uniform(n) < config.mirror
        return torch.stack([torch.where(mirrored, -steps[:, 0], steps[:, 0]), steps[:, 1]], 1)

    box = moments.exemplar_box
    step = crop_step(box, spec, config.context) * (1 + draws.symmetric(config.exemplar_scale, n, 2))
    center = box[:, :2] + box[:, 2:] / 2 - draws.symmetric(config.exemplar_shift, n, 2) * step
    exemplar = warp(footage, sampler.images[moments.first], center, step, spec.exemplar_size)

    box = moments.search_box
    step = flip(crop_step(box, spec, config.context) * (1 + draws.symmetric(config.search_scale, n, 2)))
    if config.search_zoom:
        step = step * draws.symmetric(config.search_zoom, n, 1).exp()
    shift = draws.symmetric(config.search_shift, n, 2)
    center = box[:, :2] + box[:, 2:] / 2 - shift * step
    search = warp(footage, sampler.images[moments.second], center, step, spec.search_size)
    boxes = torch.cat([shift, box[:, 2:] / step.abs()], 1)
    rows = draws.choose_rows(n, config.paste)
    if len(rows):
        donor = _donors(sampler, config, moments, rows, draws)
        others = place_objects(
            footage, sampler.images[donor], sampler.boxes[donor], spec, config.context, draws
        )
        search.index_copy_(
            0, rows, paste(search[rows], boxes[rows], others, config.occlusion, config.paste_edge)
        )

    exemplar = color(exemplar, config.color, draws)
    search = color(search, config.color, draws)
    rows = draws.permutation(n)[: round(n * config.negatives)]
    other = torch.stack([rows, partner[rows]], 1)
    apart = sampler.tracks[moments.second[rows]] != sampler.tracks[moments.first[partner[rows]]]
    return PairBatch(exemplar, search, boxes, sampler.exact[moments.second], other, apart.float())


def _draw_moments(
    footage: TrainingImages,
    sampler: PairSampler,
    spec: ModelSpec,
    config: PairConfig,
    n: int,
    draws: RandomSource,
) -> tuple[_Moments, Tensor]:
    """n moments, and of each row another row, mostly of another object: (n,)"""

    def fill(positions: Tensor, changes: Tensor) -> Tensor:
        box = change_boxes(sampler.boxes[positions], changes)
        return _fill(box, footage.size[sampler.images[positions]], spec, config.context)

    tries = _TRIES if config.fill < 1 else 1
    first, second = sampler.draw(n, config.reach, draws, tries)
    changes = torch.zeros(len(first), 4, device=first.device)
    if config.convention:
        changes = draw_changes(len(first), config.convention, draws)
        changes = spare_small(changes, sampler.boxes[first], sampler.boxes[second])
    rows = torch.arange(n, device=first.device)
    if tries > 1:
        filled = fill(second, changes).view(tries, n)
        # the first that fits; of none that does the one with the least fill
        best = (filled - 1).where(filled > config.fill, -2.0).argmin(0) * n + rows
        first, second, changes = first[best], second[best], changes[best]
    partner = (rows + 1) % n
    if config.alike:
        half = max(n // 2, 1)
        partner = (rows + half) % n
        mates, theirs = sampler.alike(first[:half], draws), partner[:half]
        changed = spare_small(changes[theirs], sampler.boxes[mates])
        fits = (draws.uniform(half) < config.alike) & (mates != first[:half])
        fits &= fill(mates, changed) <= config.fill
        first[theirs] = torch.where(fits, mates, first[theirs])
        second[theirs] = torch.where(fits, mates, second[theirs])
        changes[theirs] = torch.where(fits[:, None], changed, changes[theirs])
    before, after = (change_boxes(sampler.boxes[p], changes) for p in (first, second))
    return _Moments(first, second, before, after), partner


def _donors(
    sampler: PairSampler, config: PairConfig, moments: _Moments, rows: Tensor, draws: RandomSource
) -> Tensor:
    """Positions of the objects to paste, (M,), one for each of M rows."""
    donor, _ = sampler.draw(len(rows), 0, draws)
    if config.lookalike:
        target = moments.search_box[rows]
        beside = sampler.beside(moments.second[rows], draws)
        apart = overlap_share(sampler.boxes[beside], target) < 0.3  # else it shows the target, or is it
        replaced = apart & (draws.uniform(len(rows)) < config.lookalike)
        donor = torch.where(replaced, beside, donor)
    return donor


def _fill(box: Tensor, size: Tensor, spec: ModelSpec, context: float) -> Tensor:
    """Share of the search region of each box (n, 4) that lies outside its image of `size` (n, 2): (n,)"""
    half = crop_step(box, spec, context) * spec.search_size / 2
    center = box[:, :2] + box[:, 2:] / 2
    inside = (center + half).minimum(size) - (center - half).clamp(min=0)
    return 1 - (inside.clamp(min=0) / (2 * half)).prod(1)
