"""Cut many crops at once out of the footage: the same tensor operations on every device."""

from __future__ import annotations

import torch
from torch import Tensor

from siamcli.model.spec import ModelSpec
from siamcli.train.store import TrainingImages

__all__ = ["crop_step", "warp"]


def crop_step(box: Tensor, spec: ModelSpec, context: float) -> Tensor:
    """Image pixels per crop pixel that give a box (N, 4) its context: (N, 2), both the same."""
    margin = context * (box[:, 2] + box[:, 3])
    side = ((box[:, 2] + margin) * (box[:, 3] + margin)).sqrt()
    return (side / spec.exemplar_size)[:, None].expand(-1, 2)


def warp(footage: TrainingImages, images: Tensor, center: Tensor, step: Tensor, out: int) -> Tensor:
    """Bilinear crops -> (N, 3, out, out) float32 BGR in [0, 255].

    images (N,) index the footage; center (N, 2) is the image point (x, y) that comes to lie in the
    middle of the crop; step (N, 2) the image pixels from one crop pixel to the next along x and y,
    negative to mirror.  What lies outside the image takes its mean colour, as in the tracker.

    Axis-aligned, so that a box stays a box, and without antialiasing, like the tracker's own crop.
    """
    n, device = len(images), footage.pixels.device
    grid = torch.arange(out, device=device, dtype=torch.float32) - (out - 1) / 2
    size = footage.size[images]
    # pixel centres: coordinate 0 of an image is the left edge of its first pixel
    at = center[:, :, None] + step[:, :, None] * grid - 0.5  # (N, 2, out)
    low = at.floor()
    frac = at - low
    low_i, last = low.long(), (size - 1)[:, :, None]
    inside = (at > -0.5) & (at < last + 0.5)
    x0, y0 = low_i.minimum(last).clamp(min=0).unbind(1)
    x1, y1 = (low_i + 1).minimum(last).clamp(min=0).unbind(1)
    width, start = size[:, :1], footage.start[images][:, None, None]
    # Rows of 3 * out values, and in place: on long runs of values a CPU is twice as fast.
    fx, fy = frac[:, 0, None, :].repeat_interleave(3, 2), frac[:, 1, :, None]

    def pick(rows: Tensor, columns: Tensor) -> Tensor:
        index = (rows + columns[:, None, :]).flatten()
        return footage.pixels.index_select(0, index).view(n, out, 3 * out).float()

    def between(y: Tensor) -> Tensor:
        rows = start + (y * width)[:, :, None]
        return pick(rows, x0).lerp_(pick(rows, x1), fx)

    crops = between(y0).lerp_(between(y1), fy)
    seen = inside[:, 1, :, None] & inside[:, 0, None, :].repeat_interleave(3, 2)
    torch.where(seen, crops, footage.mean[images].repeat(1, out)[:, None, :], out=crops)
    return crops.view(n, out, out, 3).permute(0, 3, 1, 2)
