"""From raw network outputs to the one box to believe.  Pure torch; runs on any device."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from siamcli.model.anchors import anchor_grid, cosine_window, decode
from siamcli.model.spec import ModelSpec, TrackerParams

__all__ = ["SearchGrid", "locate", "search_grid"]


class SearchGrid(NamedTuple):
    """What does not change between frames, for one size of search region."""

    anchors: Tensor  # (4, M) cx, cy, w, h from the region's centre
    window: Tensor  # (M,) cosine window times its influence
    keep: float  # share of the ranking that is not the window


def search_grid(spec: ModelSpec, params: TrackerParams, search_size: int, device: torch.device) -> SearchGrid:
    """Anchors and window for a search region of `search_size` pixels.

    A region larger than the spec's is that of a lost target: it gets almost no window.
    """
    lost = search_size != spec.search_size
    influence = params.lost_window_influence if lost else params.window_influence
    window = cosine_window(spec, search_size) * influence
    return SearchGrid(anchor_grid(spec, search_size).to(device), window.to(device), 1 - influence)


def locate(cls: Tensor, loc: Tensor, grid: SearchGrid, sizes: Tensor, penalty_k: float) -> Tensor:
    """Score every anchor, damp changes of scale and shape, prefer the centre, take the best.

    cls (N, 2A, S, S), loc (N, 4A, S, S), sizes (N, 2) target (w, h) in search-region pixels
    -> (N, 6) float32: cx, cy, w, h, score, penalty (SiamRPN, section 4.3)
    """
    n = len(cls)
    score = cls.float().reshape(n, 2, -1).softmax(1)[:, 1]
    boxes = decode(loc.float().reshape(n, 4, -1), grid.anchors)
    w, h = boxes[:, 2], boxes[:, 3]
    width, height = sizes[:, :1], sizes[:, 1:]
    scale = _larger(_padded(w, h) / _padded(width, height))
    shape = _larger((width / height) / (w / h))
    penalty = torch.exp(-(scale * shape - 1) * penalty_k)
    best = (penalty * score * grid.keep + grid.window).argmax(1, keepdim=True)
    found = torch.cat([boxes, score[:, None], penalty[:, None]], dim=1)
    return found.gather(2, best[:, None].expand(n, 6, 1))[..., 0]


def _larger(ratio: Tensor) -> Tensor:
    return torch.maximum(ratio, 1 / ratio)


def _padded(w: Tensor, h: Tensor) -> Tensor:
    """Equivalent side of a box with a quarter of its perimeter added to each side."""
    pad = (w + h) * 0.5
    return torch.sqrt((w + pad) * (h + pad))
