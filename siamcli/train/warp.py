"""Cut many crops at once out of the footage: the same tensor operations on every device."""

from __future__ import annotations

import torch
from torch import Tensor

from siamcli.train.store import Footage

__all__ = ["warp"]


def warp(footage: Footage, images: Tensor, center: Tensor, step: Tensor, out: int) -> Tensor:
    """Bilinear crops -> (N, 3, out, out) float32 BGR in [0, 255].

    images (N,) index the footage; center (N, 2) is the image point (x, y) that comes to lie in the
    middle of the crop; step (N, 2) the image pixels from one crop pixel to the next along x and y,
    negative to mirror.  What lies outside the image takes its mean colour, as in the tracker.

    Axis-aligned, so that a box stays a box, and without antialiasing, like the tracker's own crop.
    """
    device = footage.pixels.device
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
    top, bottom = (start + (y * width)[:, :, None] for y in (y0, y1))

    def pick(rows: Tensor, columns: Tensor) -> Tensor:
        index = (rows + columns[:, None, :]).flatten()
        return footage.pixels.index_select(0, index).view(len(images), out, out, 3).float()

    fx, fy = frac[:, 0, None, :, None], frac[:, 1, :, None, None]
    upper = torch.lerp(pick(top, x0), pick(top, x1), fx)
    lower = torch.lerp(pick(bottom, x0), pick(bottom, x1), fx)
    crops = torch.lerp(upper, lower, fy)
    seen = (inside[:, 1, :, None] & inside[:, 0, None, :])[..., None]
    crops = torch.where(seen, crops, footage.mean[images][:, None, None, :])
    return crops.permute(0, 3, 1, 2)
