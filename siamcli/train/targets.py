"""Labels of every anchor of a search region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from siamcli.model.anchors import encode
from siamcli.schema import Count, Share, check_ranges
from siamcli.train.draws import RandomSource

__all__ = ["TargetConfig", "Targets", "anchor_iou", "make_targets"]


@dataclass(frozen=True, slots=True)
class TargetConfig:
    """Anchors above `positive` IoU are the object, below `negative` they are not, others are ignored.
    Of each region at most `positives` and `total` anchors are used (paper section 4.1)."""

    positive: Share = 0.6
    negative: Share = 0.3
    positives: Count = 16
    total: Count = 64

    def __post_init__(self) -> None:
        check_ranges(self)


class Targets(NamedTuple):
    """positive, negative (N, M): weights of the chosen anchors, each row sums to 1 or 0; delta (N, 4, M)."""

    positive: Tensor
    negative: Tensor
    delta: Tensor


def anchor_iou(boxes: Tensor, anchors: Tensor) -> Tensor:
    """IoU of boxes (N, 4) with anchors (4, M), both cx, cy, w, h -> (N, M)"""
    low = (boxes[:, :2] - boxes[:, 2:] / 2)[:, :, None].maximum(anchors[:2] - anchors[2:] / 2)
    high = (boxes[:, :2] + boxes[:, 2:] / 2)[:, :, None].minimum(anchors[:2] + anchors[2:] / 2)
    inter = (high - low).clamp(min=0).prod(1)
    return inter / (boxes[:, 2:].prod(1)[:, None] + anchors[2:].prod(0) - inter)


def make_targets(boxes: Tensor, anchors: Tensor, config: TargetConfig, draws: RandomSource) -> Targets:
    """Boxes (N, 4) as cx, cy, w, h from the region's middle; anchors (4, M)."""
    overlap = anchor_iou(boxes, anchors)
    positive = _choose(overlap > config.positive, config.positives, draws)
    remaining = config.total - positive.sum(1, keepdim=True)
    negative = _choose(overlap < config.negative, remaining, draws)
    delta = encode(boxes[:, :, None].expand(-1, -1, anchors.shape[1]), anchors)
    return Targets(_normalise_rows(positive), _normalise_rows(negative), delta)


def _choose(candidates: Tensor, limit: int | Tensor, draws: RandomSource) -> Tensor:
    """At most `limit` random candidates per row of a (N, M) mask."""
    order = draws.uniform(*candidates.shape) - candidates.float()
    rank = order.argsort(stable=True, dim=1).argsort(1)  # of two equal numbers every device takes the first
    return candidates & (rank < limit)


def _normalise_rows(mask: Tensor) -> Tensor:
    weight = mask.float()
    return weight / weight.sum(1, keepdim=True).clamp(min=1)
