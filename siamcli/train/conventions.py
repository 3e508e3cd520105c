"""Boxes that are not what such objects usually are.

People draw a box around a face, or a face with its hair; around a player, or only his shirt.  A network
that learns from one convention answers with it, whatever the exemplar shows.  So for a share of the
pairs the same relative change is made to the box of both frames: a part of the object, a wider, flatter
or shifted box.  Where it ends can then be learned from the exemplar alone.  That is exact for two crops
of one image; for two frames of a video it is as good as the object is rigid.
"""

from __future__ import annotations

import torch
from torch import Tensor

from siamcli.train.draws import RandomSource

__all__ = ["change_boxes", "draw_changes", "spare_small"]

_SMALLEST = 16.0
"""Pixels: parts of smaller boxes are noise."""


def draw_changes(n: int, share: float, draws: RandomSource) -> Tensor:
    """(n, 4): shift of the centre in box sides, log factors of width and height; 0 for all but `share`."""
    size = draws.uniform(n, 1) * 0.7 - 0.5  # 0.6 to 1.2 times as long: parts more often than more
    shape = draws.symmetric(0.3, n, 1)
    log = torch.cat([size + shape, size - shape], 1)
    room = ((1 - log.exp()) / 2).clamp(min=0) + 0.06  # a part stays inside the object, or nearly
    shift = draws.symmetric(1.0, n, 2) * room
    changed = draws.uniform(n, 1) < share
    return torch.cat([shift, log], 1) * changed


def change_boxes(boxes: Tensor, changes: Tensor) -> Tensor:
    """Boxes x, y, w, h (n, 4) after their changes (n, 4)."""
    size = boxes[:, 2:] * changes[:, 2:].exp()
    center = boxes[:, :2] + boxes[:, 2:] / 2 + changes[:, :2] * boxes[:, 2:]
    return torch.cat([center - size / 2, size], 1)


def spare_small(changes: Tensor, *boxes: Tensor) -> Tensor:
    """The changes (n, 4) of all rows but those where one of the boxes (n, 4) has a side below 16 pixels."""
    smallest = torch.stack([b[:, 2:].amin(1) for b in boxes]).amin(0)
    return changes * (smallest >= _SMALLEST)[:, None]
