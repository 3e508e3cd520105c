"""Anchors: the boxes that the head refines, laid out over the score map."""

from __future__ import annotations

import torch
from torch import Tensor

from siamcli.model.spec import ModelSpec

__all__ = ["anchor_grid", "cosine_window", "decode", "encode"]


def anchor_grid(spec: ModelSpec, search_size: int | None = None, upsample: int = 1) -> Tensor:
    """All anchors as (cx, cy, w, h) in search-region pixels from the centre of the region.

    -> (4, A * S * S) float32, ordered anchor-major, then row, then column; S is the side of the score
    map, or of one that was interpolated between its cells `upsample` times.
    """
    score_size = spec.score_size(search_size)
    steps = torch.arange((score_size - 1) * upsample + 1) - score_size // 2 * upsample
    offset = steps * (spec.stride / upsample)
    cy, cx = torch.meshgrid(offset, offset, indexing="ij")
    count = len(spec.anchors)
    cells = torch.stack([cx, cy]).reshape(2, 1, -1).expand(2, count, -1)
    sizes = torch.tensor(spec.anchors).T.reshape(2, count, 1).expand(2, -1, cells.shape[-1])
    return torch.cat([cells, sizes]).reshape(4, -1)


def decode(delta: Tensor, anchors: Tensor) -> Tensor:
    """Refine anchors by the head's deltas: (..., 4, M), (4, M) -> boxes (..., 4, M) as cx, cy, w, h."""
    center = delta[..., :2, :] * anchors[2:] + anchors[:2]
    size = delta[..., 2:, :].exp() * anchors[2:]
    return torch.cat([center, size], dim=-2)


def encode(boxes: Tensor, anchors: Tensor) -> Tensor:
    """The deltas that turn anchors into `boxes`: the inverse of `decode`, same shapes."""
    center = (boxes[..., :2, :] - anchors[:2]) / anchors[2:]
    size = (boxes[..., 2:, :] / anchors[2:]).log()
    return torch.cat([center, size], dim=-2)


def cosine_window(spec: ModelSpec, search_size: int | None = None, upsample: int = 1) -> Tensor:
    """Hann window over the score map, repeated for every anchor: (A * S * S,) float32, S as above"""
    side = (spec.score_size(search_size) - 1) * upsample + 1
    hann = torch.hann_window(side, periodic=False, dtype=torch.float64)
    return torch.outer(hann, hann).flatten().repeat(len(spec.anchors)).float()
