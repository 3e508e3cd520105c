"""Reduces boxes to key frames between which linear interpolation is exact enough."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from siamcli.boxes import Box

__all__ = ["key_frames"]


def key_frames(
    frames: Sequence[int], boxes: Sequence[Box], tolerance: float, given: Collection[int] = ()
) -> list[int]:
    """Positions in `frames`; the first, the last and those `given` are among them.

    Every corner of every box lies within `tolerance` pixels, in x and in y, of the line between the key
    frames around it.  Each stretch is as long as it can be.

    >>> boxes = [Box(x, 0, 9, 9) for x in (0, 2, 4, 4, 4)]
    >>> key_frames(range(5), boxes, 0.5), key_frames(range(5), boxes, 0.5, given={3})
    ([0, 2, 4], [0, 2, 3, 4])
    """
    corners = np.array([(b.x, b.y, b.x + b.w, b.y + b.h) for b in boxes])
    at = np.array(frames, float)
    keys = [0]
    while keys[-1] < len(frames) - 1:
        first = last = keys[-1]
        while last + 1 < len(frames) and _fits(at[first : last + 2], corners[first : last + 2], tolerance):
            last += 1
            if last in given:
                break
        keys.append(last)
    return keys


def _fits(at: np.ndarray, corners: np.ndarray, tolerance: float) -> bool:
    """True when a straight line from the first to the last of the boxes is near all of them."""
    share = ((at - at[0]) / (at[-1] - at[0]))[:, None]
    line = corners[0] + (corners[-1] - corners[0]) * share
    return bool(np.abs(line - corners).max() <= tolerance + 1e-9)
