"""The paper's loss: cross-entropy for the anchors' class, (smooth) L1 for their refinement."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from siamcli.model.anchors import anchor_grid
from siamcli.model.neck import center_crop
from siamcli.model.siamrpn import SiamRPN
from siamcli.schema import NotNegative, check_ranges
from siamcli.train.boxloss import overlaps, reached_weights, refined_boxes
from siamcli.train.draws import RandomSource
from siamcli.train.pairs import PairBatch
from siamcli.train.targets import TargetConfig, Targets, anchor_iou, make_targets

__all__ = ["LossConfig", "TrackerLoss"]


@dataclass(frozen=True, slots=True)
class LossConfig:
    """`loc_weight` balances box against class; `beta` is where L1 turns quadratic, 0 for plain L1.

    `giou_weight` adds that many times 1 - GIoU of the refined boxes.  With `dense` the box is learned
    on all anchors near the target, weighted by the overlap that they reach, and not on the positives.
    """

    loc_weight: NotNegative = 1.2
    beta: NotNegative = 0.0
    giou_weight: NotNegative = 0.0
    dense: bool = False

    def __post_init__(self) -> None:
        check_ranges(self)


class TrackerLoss(nn.Module):
    """The network and its loss over a batch of pairs, as one module so that it can run on several GPUs.

    Where no box is refined, an anchor stands for the target's own box: only the distance between
    their centres counts (SiamFC, section 2.2), and there is no loss "loc".
    """

    anchors: Tensor

    def __init__(self, model: SiamRPN, config: LossConfig, targets: TargetConfig) -> None:
        super().__init__()
        self.model = model
        self.config = config
        self.targets = targets
        self.register_buffer("anchors", anchor_grid(model.spec), persistent=False)

    def forward(self, batch: PairBatch, draws: RandomSource) -> dict[str, Tensor]:
        """-> the loss "total" and its parts, scalars"""
        model = self.model
        if model.loc is None:
            nominal = self.anchors[2:, 0].expand(len(batch.boxes), 2)
            batch = batch._replace(boxes=torch.cat([batch.boxes[:, :2], nominal], 1))
        # before the features are queued: a number that is drawn must not wait for a GPU to compute them
        targets = make_targets(batch.boxes, self.anchors, self.targets, draws)
        z = [center_crop(f, model.spec.template_cells) for f in model.features(batch.exemplar)]
        x = model.features(batch.search)
        # the expensive parts do not depend on the pairing: negatives re-use both sides' features
        n = len(batch.boxes)
        rows = torch.arange(n, device=batch.other.device)
        search_rows = torch.cat([rows, batch.other[:, 0]])
        kernel_rows = torch.cat([rows, batch.other[:, 1]])
        kernels = tuple(k[kernel_rows] for k in model.cls.kernels(z))
        cls = _paired(model.cls, kernels, x, search_rows).float()
        cls_loss = self._cls(cls, targets.positive, targets.negative, batch)
        if model.loc is None:
            return {"total": cls_loss, "cls": cls_loss}
        delta = model.loc(model.loc.kernels(z), x).float().reshape(n, 4, -1)
        parts = self._box(delta, targets, batch)
        weights = {"loc": self.config.loc_weight, "giou": self.config.giou_weight}
        total = cls_loss + sum(weights[name] * value for name, value in parts.items())
        return {"total": total, "cls": cls_loss, **parts}

    def _box(self, delta: Tensor, targets: Targets, batch: PairBatch) -> dict[str, Tensor]:
        """The distance of every chosen anchor's refinement from the true one, and of its box if asked for."""
        errors = {
            "loc": F.smooth_l1_loss(delta, targets.delta, reduction="none", beta=self.config.beta).sum(1)
        }
        weight = targets.positive
        if self.config.dense or self.config.giou_weight:
            iou, giou = overlaps(refined_boxes(delta, self.anchors), batch.boxes)
            if self.config.dense:
                weight = reached_weights(batch.boxes, self.anchors, iou)
            if self.config.giou_weight:
                errors["giou"] = 1 - giou
        weight = weight * batch.exact[:, None]
        return {name: (error * weight).sum() / len(delta) for name, error in errors.items()}

    def _cls(self, cls: Tensor, positive: Tensor, negative: Tensor, batch: PairBatch) -> Tensor:
        """Half the weight for objects, half for background; on negative pairs the object is background."""
        logits = cls.reshape(len(cls), 2, -1).log_softmax(1)
        n = len(batch.boxes)
        object_loss = -(logits[:n, 1] * positive).sum(1)
        background_loss = -(logits[:n, 0] * negative).sum(1)
        if len(batch.other):
            on_object = anchor_iou(batch.boxes[batch.other[:, 0]], self.anchors) > self.targets.negative
            weight = on_object / on_object.sum(1, keepdim=True).clamp(min=1)
            on_other = -(logits[n:, 0] * weight).sum(1) * batch.apart
            background_loss = torch.cat([background_loss, on_other])
        return (object_loss.mean() + background_loss.mean()) / 2


def _paired(head: nn.Module, kernels: tuple[Tensor, ...], x: tuple[Tensor, ...], rows: Tensor) -> Tensor:
    return head(kernels, tuple(f[rows] for f in x))  # type: ignore[no-any-return]
