"""Reads ffmpeg's reports on decoded frames, from channels that carry no text of the file.

Both have lines of numbers: one line with the time of each frame, and the head of a list of frames
(`framecrc`) with the size of the first one and the frame rate.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

__all__ = ["HEAD_OPTIONS", "TIME_FORMAT", "FrameClock", "FrameHead", "read_head"]

HEAD_OPTIONS = ("-frames:v", "1", "-c:v", "wrapped_avframe", "-fps_mode", "passthrough", "-f", "framecrc")
"""The output that `read_head` reads; its frames are not copied."""

TIME_FORMAT = "{pts} {tb}"
"""The format of ffmpeg's `-stats_enc_pre` that FrameClock reads."""

_TIME = re.compile(r"(-?\d{1,19}) (\d{1,10})/(\d{1,10})\s*")
_HEAD = re.compile(r"#(tb|dimensions|sar) 0: (\d{1,10})[x/](\d{1,10})\s*")
_MISSING = -(2**63)
_LONGEST = 1e9  # seconds, 31 years
_LARGEST = 2**28  # pixels; ffmpeg decodes none that are larger


@dataclass(frozen=True, slots=True)
class FrameHead:
    """Size of the first frame as (width, height), its pixels' width by their height, and the frame rate."""

    size: tuple[int, int]
    pixel_aspect: Fraction
    fps: Fraction | None


def read_head(lines: Iterable[str]) -> FrameHead | None:
    """What stands before the first frame of a list; None where there is no frame of a possible size."""
    head: dict[str, tuple[int, int]] = {}
    for line in lines:
        if match := _HEAD.fullmatch(line):
            head[match[1]] = (int(match[2]), int(match[3]))
        elif not line.startswith("#"):
            break
    width, height = head.get("dimensions", (0, 0))
    if not 0 < width * height <= _LARGEST:
        return None
    frame, seconds = head.get("tb", (0, 0))
    across, down = head.get("sar", (0, 0))
    return FrameHead(
        (width, height),
        Fraction(across, down) if across and down else Fraction(1),  # 0 is unknown
        Fraction(seconds, frame) if frame and seconds else None,
    )


class FrameClock:
    """The times of frames in seconds, by a clock that never goes back.

    In recordings that were appended to one another the clock begins again: what follows is moved behind.
    `set_back` is the time after which that happened first, `tick` the unit of the source's clock in seconds.
    """

    def __init__(self, fps: Fraction | None) -> None:
        self.set_back: float | None = None
        self.tick: Fraction | None = None
        self._frame = float(1 / fps) if fps else 0.04
        self._last = -math.inf
        self._moved = 0.0

    def read(self, line: str) -> float | None:
        """The time of the next frame; None where it has none that is possible."""
        match = _TIME.fullmatch(line)
        if match is None or not int(match[2]) * int(match[3]):
            return None
        self.tick = Fraction(int(match[2]), int(match[3]))
        time = float(int(match[1]) * self.tick)
        if int(match[1]) == _MISSING or abs(time) > _LONGEST:
            return None
        if time + self._moved < self._last:
            if self.set_back is None:
                self.set_back = self._last
            self._moved = self._last + self._frame - time
        self._last = time + self._moved
        return self._last
