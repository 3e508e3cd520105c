"""The best box of raw network outputs.  Pure torch; runs on any device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from siamcli.model.anchors import anchor_grid, cosine_window, decode
from siamcli.model.spec import ModelSpec
from siamcli.tracker.engine import Ranking

__all__ = ["Ranked", "SearchGrid", "locate", "rank", "search_grid"]


class SearchGrid(NamedTuple):
    """What does not change between frames, for one size of search region."""

    anchors: Tensor  # (4, M) cx, cy, w, h from the region's centre
    window: Tensor  # (M,) cosine window


class Ranked(NamedTuple):
    """Every box that the maps offer, for N targets."""

    boxes: Tensor  # (N, 4, M) cx, cy, w, h
    score: Tensor  # (N, M)
    logit: Tensor  # (N, M), target against background: what a sigmoid makes the score of
    penalty: Tensor  # (N, M)
    ranking: Tensor  # (N, M), the highest is the best


@cache
def search_grid(spec: ModelSpec, search_size: int, device: torch.device) -> SearchGrid:
    """Anchors and window for a search region of `search_size` pixels.

    What refines no boxes gets a place per pixel of the region, and a window whose mean is 1.
    """
    plain = spec.correlation == "plain"
    upsample = spec.stride if plain else 1
    window = cosine_window(spec, search_size, upsample)
    window = window / window.mean() if plain else window
    return SearchGrid(anchor_grid(spec, search_size, upsample).to(device), window.to(device))


def locate(maps: Sequence[Tensor], grid: SearchGrid, sizes: Tensor, ranking: Ranking) -> Tensor:
    """The best box of every target.

    maps: cls (N, 2A, S, S) and, if any, loc (N, 4A, S, S); sizes (N, 2) target (w, h) in search-region
    pixels -> (N, 7) float32: cx, cy, w, h, score, penalty, logit
    """
    ranked = rank(maps, grid, sizes, ranking)
    best = ranked.ranking.argmax(1)
    numbers = torch.stack([ranked.score, ranked.penalty, ranked.logit], dim=1)
    rows = torch.cat([ranked.boxes, numbers], dim=1)
    return rows.gather(2, best[:, None, None].expand(-1, rows.shape[1], 1))[..., 0]


def rank(maps: Sequence[Tensor], grid: SearchGrid, sizes: Tensor, ranking: Ranking) -> Ranked:
    """Everything that `locate` chooses from; the same arguments."""
    if len(maps) == 1:
        return _rank_places(maps[0].float(), grid, sizes, ranking)
    return _rank_anchors(maps[0].float(), maps[1].float(), grid, sizes, ranking)


def _rank_anchors(cls: Tensor, loc: Tensor, grid: SearchGrid, sizes: Tensor, ranking: Ranking) -> Ranked:
    """Damp changes of scale and shape, prefer the centre (SiamRPN, section 4.3)."""
    n = len(cls)
    logits = cls.reshape(n, 2, -1)
    score = logits.softmax(1)[:, 1]
    boxes = decode(loc.reshape(n, 4, -1), grid.anchors)
    w, h = boxes[:, 2], boxes[:, 3]
    width, height = sizes[:, :1], sizes[:, 1:]
    scale = _larger(_padded(w, h) / _padded(width, height))
    shape = _larger((width / height) / (w / h))
    penalty = torch.exp(-(scale * shape - 1) * ranking.penalty_k)
    logit = logits[:, 1] - logits[:, 0]
    return Ranked(boxes, score, logit, penalty, _with_window(penalty * score, grid, ranking))


def _rank_places(cls: Tensor, grid: SearchGrid, sizes: Tensor, ranking: Ranking) -> Ranked:
    """The target's own box at every pixel: similarity interpolated, prefer the centre (SiamFC, section 4.1).

    What is ranked is the similarity itself: scores near 1 hardly differ.
    """
    n, places = len(cls), grid.window.shape[0]
    side = math.isqrt(places)
    logit = F.interpolate(cls[:, 1:] - cls[:, :1], size=(side, side), mode="bicubic", align_corners=True)
    logit = logit.flatten(1)
    above = logit - logit.amin(1, keepdim=True)
    similarity = above / above.mean(1, keepdim=True).clamp(min=1e-6)
    centers = grid.anchors[:2].expand(n, -1, -1)
    boxes = torch.cat([centers, sizes[:, :, None].expand(-1, -1, places)], dim=1)
    ranked = _with_window(similarity, grid, ranking)
    return Ranked(boxes, logit.sigmoid(), logit, torch.ones_like(logit), ranked)


def _with_window(value: Tensor, grid: SearchGrid, ranking: Ranking) -> Tensor:
    """Value (N, M) and window (M,), the second with a share of `window_influence`."""
    influence = ranking.window_influence
    return value * (1 - influence) + grid.window * influence


def _larger(ratio: Tensor) -> Tensor:
    return torch.maximum(ratio, 1 / ratio)


def _padded(w: Tensor, h: Tensor) -> Tensor:
    """Equivalent side of a box with a quarter of its perimeter added to each side."""
    pad = (w + h) * 0.5
    return torch.sqrt((w + pad) * (h + pad))
