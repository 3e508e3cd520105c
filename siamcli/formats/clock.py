"""Finds the frames of a video for what other programs say of times."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from siamcli.errors import InputError

if TYPE_CHECKING:
    from siamcli.formats.tracks import TrackBox

__all__ = ["at_begins", "frames_by_tick", "in_frames"]

ROUNDED = 0.001  # seconds: times are written with three digits


def in_frames(
    boxes: Sequence[TrackBox], path: Path, fps: Fraction | None, times: Mapping[int, float] | None
) -> list[TrackBox]:
    """The boxes, those with a time in the frame that is shown then.  Raises InputError."""
    if all(box.seconds is None for box in boxes):
        return list(boxes)
    if not times and fps is None:
        raise InputError(f"{path} gives times but no frame numbers", hint="give --video, or --fps")
    shown = sorted((time, index) for index, time in (times or {}).items())

    def frame(seconds: float) -> int:
        if not shown:
            return math.floor((seconds + ROUNDED) * (fps or 0))
        return shown[max(bisect_right(shown, (seconds + ROUNDED, math.inf)) - 1, 0)][1]

    return [box if box.seconds is None else box._replace(frame=frame(box.seconds)) for box in boxes]


def frames_by_tick(fps: Fraction | None, times: Mapping[int, float] | None) -> dict[int, list[int]]:
    """Tick -> the frames that begin with it, of a clock of `fps` ticks a second; empty where every frame is
    the tick of its number, and where nothing is known.

    >>> frames_by_tick(Fraction(25), {0: 0.0, 1: 0.04, 2: 0.2}), frames_by_tick(Fraction(25), {0: 0, 1: 0.04})
    ({0: [0], 1: [1], 5: [2]}, {})
    """
    frames: dict[int, list[int]] = {}
    for frame, time in sorted((times or {}).items()):
        if fps is not None:
            frames.setdefault(round(time * fps), []).append(frame)
    return {} if all(found == [tick] for tick, found in frames.items()) else frames


def at_begins(boxes: Sequence[TrackBox], frames: Mapping[int, Sequence[int]], path: Path) -> list[TrackBox]:
    """Boxes of ticks, each at the tick with which its picture begins; an absence begins with the next
    picture.  The last one for a picture counts, and a box before an absence.

    Raises InputError for a box after the end of the video, whose last picture lasts no longer than another.
    """
    begins = sorted(frames)
    end = begins[-1] + max((after - before for before, after in pairwise(begins)), default=1)
    kept: dict[tuple[str, int], TrackBox] = {}
    for one in sorted(boxes, key=lambda box: box.frame):
        if one.box is not None:
            if one.frame >= end:
                raise InputError(
                    f"{path} goes on after the end of the video", hint="name the video that was annotated"
                )
            tick = begins[max(bisect_right(begins, one.frame) - 1, 0)]
            kept[one.track, tick] = one._replace(frame=tick)
        elif one.frame <= begins[-1]:
            tick = begins[bisect_left(begins, one.frame)]
            kept.setdefault((one.track, tick), one._replace(frame=tick))
    return list(kept.values())
