"""Smoothing without delay: a value depends equally on the frames before and after it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["METHOD", "local_lines"]

Array = NDArray[np.float64]

METHOD = "local line, tricube weights"
"""Cleveland, Robust locally weighted regression (1979), without the robust passes."""


def local_lines(times: Array, values: Array, window: float) -> tuple[Array, Array]:
    """(N,) seconds that rise and (N, D) values -> (N, D) smooth values and (N, D) slopes per second.

    At every moment a line is fitted to what lies within `window` seconds around it, the nearer the more it
    weighs; it has no delay, and the ends are not drawn inward.  Where the window holds no more than the
    moment itself the value stays, and its slope is that between its neighbours.

    >>> local_lines(np.arange(4.0), np.array([[0.0], [2], [4], [6]]), 3)[1].ravel().round(6).tolist()
    [2.0, 2.0, 2.0, 2.0]
    """
    count = len(times)
    slopes = np.gradient(values, times, axis=0) if count > 1 else np.full_like(values, np.nan)
    if count < 2 or window <= 0:
        return values.copy(), slopes
    reach = window / 2 + float(np.median(np.diff(times))) / 2  # no weight is zero within the window
    first = np.searchsorted(times, times - window / 2 - 1e-9)
    last = np.searchsorted(times, times + window / 2 + 1e-9)
    smooth = values.copy()
    for i, (a, b) in enumerate(zip(first, last, strict=True)):
        if b - a < 2:
            continue
        offset = times[a:b] - times[i]
        weight = (1 - np.abs(offset / reach) ** 3) ** 3
        weight /= weight.sum()
        center, mean = weight @ offset, weight @ values[a:b]
        spread = weight @ (offset - center) ** 2
        slopes[i] = (weight * (offset - center)) @ (values[a:b] - mean) / spread
        smooth[i] = mean - slopes[i] * center
    return smooth, slopes
