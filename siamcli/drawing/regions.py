"""The pixels that an effect changes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from siamcli.boxes import Box
from siamcli.drawing.style import Shape
from siamcli.frames import Image

__all__ = ["Region"]


class Region(NamedTuple):
    """A box, or the ellipse that touches its sides."""

    box: Box
    shape: Shape = "box"

    def pixels(self, canvas: Image) -> tuple[slice, slice]:
        """Rows and columns of all pixels that the box touches; empty where it lies outside."""
        height, width = canvas.shape[:2]
        x, y, w, h = self.box
        x0, x1 = int(np.floor(min(max(x, 0), width))), int(np.ceil(min(max(x + w, 0), width)))
        y0, y1 = int(np.floor(min(max(y, 0), height))), int(np.ceil(min(max(y + h, 0), height)))
        return slice(y0, y1), slice(x0, x1)

    def put(self, canvas: Image, picture: Image) -> None:
        """Write the pixels of `picture`, (h, w, 3) or (1, 1, 3), that belong to the shape into `canvas`."""
        rows, columns = self.pixels(canvas)
        np.copyto(canvas[rows, columns], picture, where=self._mask(rows, columns))

    def _mask(self, rows: slice, columns: slice) -> NDArray[np.bool_]:
        if self.shape == "box":
            return np.ones((1, 1, 1), bool)
        x = (np.arange(columns.start, columns.stop) + 0.5 - self.box.x) / self.box.w * 2 - 1
        y = (np.arange(rows.start, rows.stop) + 0.5 - self.box.y) / self.box.h * 2 - 1
        mask: NDArray[np.bool_] = (np.square(x) + np.square(y)[:, None] <= 1)[..., None]
        return mask
