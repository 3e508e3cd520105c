"""The part of the frame in which targets are looked for."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from siamcli.boxes import Box, clip_box
from siamcli.errors import InputError
from siamcli.frames import Image

__all__ = ["SearchArea"]


@dataclass(frozen=True, eq=False)
class SearchArea:
    """Where targets are: no search begins elsewhere, and no box is believed whose centre lies elsewhere.

    `picture` (H, W, 3) uint8 is white there and black elsewhere, `name` what the user calls it.  A centre
    beyond the edge of the frame counts as on it: an area of the whole frame changes nothing.
    """

    picture: Image = field(repr=False)
    name: str = "the region"

    @classmethod
    def of_mask(cls, mask: NDArray[np.bool_], name: str = "the mask") -> SearchArea:
        """The pixels that are true in `mask` (H, W), of the frame's size.  Raises InputError if none is."""
        if not mask.any():
            raise InputError(f"{name} has no white pixel", hint="white is where to search, black is not")
        return cls(np.repeat(np.where(mask, np.uint8(255), np.uint8(0))[:, :, None], 3, axis=2), name)

    @classmethod
    def of_box(cls, box: Box, size: tuple[int, int], name: str = "the region") -> SearchArea:
        """The pixels that `box` touches in a frame of `size` (width, height).  Raises InputError if none."""
        x, y, w, h = clip_box(box, size)
        mask = np.zeros((size[1], size[0]), np.bool_)
        mask[math.floor(y) : math.ceil(y + h), math.floor(x) : math.ceil(x + w)] = True
        if not mask.any():
            raise InputError(f"{name} lies outside the {size[0]}x{size[1]} frame", hint="it is x,y,w,h")
        return cls.of_mask(mask, name)

    def holds(self, point: tuple[float, float]) -> bool:
        """True where a point (x, y) in pixels lies within."""
        height, width = self.picture.shape[:2]
        x, y = (min(max(int(v), 0), side - 1) for v, side in zip(point, (width, height), strict=True))
        return bool(self.picture[y, x, 0])

    def nearest(self, point: tuple[float, float]) -> tuple[float, float]:
        """The point itself where it lies within, else the middle of the nearest pixel that does."""
        if self.holds(point):
            return point
        centers = self._pixels + 0.5
        x, y = centers[((centers - point) ** 2).sum(axis=1).argmin()].tolist()
        return x, y

    @cached_property
    def _pixels(self) -> NDArray[np.intp]:
        """(N, 2): x and y of every pixel within."""
        return np.argwhere(self.picture[:, :, 0])[:, ::-1]

    @cached_property
    def bounds(self) -> Box:
        """The smallest box that holds it all."""
        (left, top), (right, bottom) = self._pixels.min(axis=0).tolist(), self._pixels.max(axis=0).tolist()
        return Box(left, top, right + 1 - left, bottom + 1 - top)

    def meets(self, box: Box) -> bool:
        """True where a pixel of it lies in `box`."""
        height, width = self.picture.shape[:2]
        x, y, w, h = clip_box(box, (width, height))
        part = self.picture[math.floor(y) : math.ceil(y + h), math.floor(x) : math.ceil(x + w), 0]
        return bool(part.any())

    def check(self, box: Box) -> None:
        """Raises InputError for the box of a target that cannot be found within."""
        if not self.meets(box):
            said = ",".join(f"{v:g}" for v in box)
            raise InputError(
                f"box {said} lies outside {self.name}, where it is searched",
                hint="move the box, or widen that",
            )
