"""The area in which a hidden target may be: its box, and a growing area while it is lost."""

from __future__ import annotations

import math

from siamcli.boxes import Box
from siamcli.frames import Frame
from siamcli.trajectory import TrackPoint

__all__ = ["Cover", "time_of"]

AT_ONCE = 0.25  # of the longer side: a tracker notices late that it has lost its target
PER_SECOND = 1.5  # longer sides that a target may move unseen in a second, or as fast as it moved before
RATE = 25  # frames per second where frames have no time


class Cover:
    """The area in which one target may be, frame by frame.

    It is the box of a believed point with sides longer by the share `extent`.  From a loss on it holds all
    that it held, and grows; also where there is no point.  It is the whole frame before the first box, and
    in a loss that follows an absence.  Where a human says that the target is absent there is none.
    """

    def __init__(self, extent: float) -> None:
        self._extent = extent
        self._believed: tuple[Box, float] | None = None  # the last box, and when
        self._area: Box | None = None  # what is covered since
        self._speed = 0.0  # pixels per second, the highest of those seen, which fades

    def see(self, point: TrackPoint, frame: Frame) -> Box:
        """The area of a believed point."""
        box, now = point.box, time_of(frame)
        if self._believed is not None and now > self._believed[1]:
            before, then = self._believed
            moved = math.dist(box.center, before.center) + abs(box.w - before.w) + abs(box.h - before.h)
            faded = self._speed * 0.5 ** (now - then)
            self._speed = max(faded, moved / (now - then))
        self._believed = (box, now)
        self._area = grown(box, self._extent)
        return self._area

    def grow(self, point: TrackPoint | None, frame: Frame) -> Box | None:
        """The area without a believed point; None where nothing needs a cover."""
        if point is not None and point.state == "absent":
            self._believed = self._area = None
            return None
        if self._believed is None or self._area is None:
            height, width = frame.image.shape[:2]
            return Box(0, 0, width, height)
        box, then = self._believed
        seconds = max(time_of(frame) - then, 0)
        margin = max(box.w, box.h) * (AT_ONCE + PER_SECOND * seconds) + self._speed * seconds
        x, y, w, h = grown(box, self._extent)
        area = union(self._area, Box(x - margin, y - margin, w + 2 * margin, h + 2 * margin))
        if point is not None and point.box.valid:  # the tracker's guess
            area = union(area, grown(point.box, self._extent))
        self._area = area
        return area


def time_of(frame: Frame) -> float:
    """In seconds, also where frames have no time."""
    return frame.index / RATE if frame.time is None else frame.time


def grown(box: Box, share: float) -> Box:
    """`box` with sides that are longer by `share`, around the same centre.

    >>> grown(Box(10, 10, 10, 20), 0.2)
    Box(x=9.0, y=8.0, w=12.0, h=24.0)
    """
    return Box.from_center(*box.center, box.w * (1 + share), box.h * (1 + share))


def union(a: Box, b: Box) -> Box:
    """The smallest box that holds both."""
    x, y = min(a.x, b.x), min(a.y, b.y)
    return Box(x, y, max(a.x + a.w, b.x + b.w) - x, max(a.y + a.h, b.y + b.h) - y)
