"""The box loss on every anchor near the target, weighted by the overlap that each reaches."""

from __future__ import annotations

import torch
from torch import Tensor

from siamcli.model.anchors import decode
from siamcli.train.targets import anchor_iou

__all__ = ["overlaps", "reached_weights", "refined_boxes"]

_NEAR = 0.5
_AT_LEAST = 9


def refined_boxes(delta: Tensor, anchors: Tensor) -> Tensor:
    """Refinements (N, 4, M) of anchors (4, M) as boxes cx, cy, w, h (N, 4, M).

    Their sizes stay within a factor e^3, so that a wild answer has a finite loss.
    """
    return decode(torch.cat([delta[:, :2], delta[:, 2:].clamp(-3, 3)], 1), anchors)


def reached_weights(boxes: Tensor, anchors: Tensor, iou: Tensor) -> Tensor:
    """Weights (N, M), rows sum to 1: anchors that overlap their target by 0.5, at least the best 9 of
    those that touch it, each by the overlap `iou` (N, M) that its refined box reaches, at least 0.05."""
    near = anchor_iou(boxes, anchors)
    least = near.topk(_AT_LEAST, 1).values[:, -1:].clamp(max=_NEAR)
    weight = iou.detach().clamp(min=0.05) * ((near >= least) & (near > 0))
    return weight / weight.sum(1, keepdim=True).clamp(min=1e-6)


def overlaps(boxes: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and GIoU (Rezatofighi et al., CVPR 2019) of boxes (N, 4, M) with truth (N, 4) -> (N, M) each

    All are cx, cy, w, h.  GIoU is the IoU less the share of the smallest box around both that neither
    covers, in (-1, 1]: boxes that do not touch still say in which direction to go.
    """
    t = truth[:, :, None]
    low, high = boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2
    t_low, t_high = t[:, :2] - t[:, 2:] / 2, t[:, :2] + t[:, 2:] / 2
    inter = (high.minimum(t_high) - low.maximum(t_low)).clamp(min=0).prod(1)
    union = boxes[:, 2:].prod(1) + t[:, 2:].prod(1) - inter
    hull = (high.maximum(t_high) - low.minimum(t_low)).prod(1)
    iou = inter / union.clamp(min=1e-6)
    return iou, iou - (hull - union) / hull.clamp(min=1e-6)
