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
from siamcli.train.teach import taught_boxes, taught_classes

__all__ = ["LossConfig", "TrackerLoss"]

RIGHT = 0.7
"""The overlap with the target from which on a tutor's box is a goal."""


@dataclass(frozen=True, slots=True)
class LossConfig:
    """`loc_weight` balances box against class; `beta` is where L1 turns quadratic, 0 for plain L1.

    `giou_weight` adds that many times 1 - GIoU of the refined boxes.  With `dense` the box is learned
    on all anchors near the target, weighted by the overlap that they reach, and not on the positives.
    `teacher` names a trained tracker whose class scores, and whose boxes where they are right, are further
    goals, with the weights `taught_cls` and `taught_loc`; "" for none.
    """

    loc_weight: NotNegative = 1.2
    beta: NotNegative = 0.0
    giou_weight: NotNegative = 0.0
    dense: bool = False
    teacher: str = ""
    taught_cls: NotNegative = 0.2
    taught_loc: NotNegative = 1.2

    def __post_init__(self) -> None:
        check_ranges(self)


class TrackerLoss(nn.Module):
    """The network and its loss over a batch of pairs, as one module so that it can run on several GPUs.

    The `tutor` (LossConfig.teacher) is no part of it: not trained, not saved, not moved.
    Where no box is refined, an anchor stands for the target's own box: only the distance between
    their centres counts (SiamFC, section 2.2), and there is no loss "loc".
    """

    anchors: Tensor

    def __init__(
        self, model: SiamRPN, config: LossConfig, targets: TargetConfig, tutor: SiamRPN | None = None
    ) -> None:
        super().__init__()
        self._tutor = (tutor,)
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
        cls, delta = _answers(model, batch)
        cls_loss = self._cls(cls, targets.positive, targets.negative, batch)
        if delta is None:
            return {"total": cls_loss, "cls": cls_loss}
        parts = {**self._box(delta, targets, batch), **self._taught(cls, delta, batch)}
        weights = {"loc": self.config.loc_weight, "giou": self.config.giou_weight}
        weights |= {"taught_cls": self.config.taught_cls, "taught_loc": self.config.taught_loc}
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

    def _taught(self, cls: Tensor, delta: Tensor, batch: PairBatch) -> dict[str, Tensor]:
        """The distances from the tutor's answers; of its boxes those count that it is sure of and that are
        right."""
        (tutor,) = self._tutor
        if tutor is None:
            return {}
        with torch.no_grad():
            goal_cls, goal_delta = _answers(tutor, batch)
            assert goal_delta is not None
            iou, _ = overlaps(refined_boxes(goal_delta, self.anchors), batch.boxes)
            sure = goal_cls[: len(delta)].softmax(1)[:, 1]
            weight = sure * (iou > RIGHT) * batch.exact[:, None]
        return {
            "taught_cls": taught_classes(cls, goal_cls),
            "taught_loc": taught_boxes(delta, goal_delta, weight),
        }

    def _cls(self, cls: Tensor, positive: Tensor, negative: Tensor, batch: PairBatch) -> Tensor:
        """Half the weight for objects, half for background; on negative pairs the object is background."""
        logits = cls.log_softmax(1)
        n = len(batch.boxes)
        object_loss = -(logits[:n, 1] * positive).sum(1)
        background_loss = -(logits[:n, 0] * negative).sum(1)
        if len(batch.other):
            on_object = anchor_iou(batch.boxes[batch.other[:, 0]], self.anchors) > self.targets.negative
            weight = on_object / on_object.sum(1, keepdim=True).clamp(min=1)
            on_other = -(logits[n:, 0] * weight).sum(1) * batch.apart
            background_loss = torch.cat([background_loss, on_other])
        return (object_loss.mean() + background_loss.mean()) / 2


def _answers(model: SiamRPN, batch: PairBatch) -> tuple[Tensor, Tensor | None]:
    """Class logits (N + P, 2, M), of the pairs and then of the negative ones; and refinements (N, 4, M).

    The expensive parts do not depend on the pairing: negatives re-use both sides' features.
    """
    z = [center_crop(f, model.spec.template_cells) for f in model.features(batch.exemplar)]
    x = model.features(batch.search)
    n = len(batch.boxes)
    rows = torch.arange(n, device=batch.other.device)
    search_rows, kernel_rows = (torch.cat([rows, batch.other[:, side]]) for side in (0, 1))
    kernels = tuple(k[kernel_rows] for k in model.cls.kernels(z))
    cls = model.cls(kernels, tuple(f[search_rows] for f in x)).float().reshape(len(search_rows), 2, -1)
    return cls, None if model.loc is None else model.loc(model.loc.kernels(z), x).float().reshape(n, 4, -1)
