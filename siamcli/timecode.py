"""Timecode that counts frames: `HH:MM:SS:FF`, and drop-frame `HH:MM:SS;FF` (SMPTE ST 12-1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from siamcli.errors import InputError

__all__ = ["Timecode", "parse_timecode"]

_TIMECODE = re.compile(r"(\d{1,9}):([0-5]?\d):([0-5]?\d)([:;])(\d{1,4})")
_NTSC = Fraction(1000, 1001)
_CLOSE = Fraction(15, 10_000)  # containers and people round rates: 29.97, 23.98


@dataclass(frozen=True, slots=True, order=True)
class Timecode:
    """A frame as its place in a second, counted from 00:00:00:00 in the first frame of a clip.

    `drop` leaves numbers out, no frames: 2 a minute at 29.97 frames per second, but not in every tenth one.
    """

    hours: int
    minutes: int
    seconds: int
    frames: int
    drop: bool = False

    def __str__(self) -> str:
        """As `parse_timecode` reads it.

        >>> str(parse_timecode("1:2:3;04"))
        '01:02:03;04'
        """
        sign = ";" if self.drop else ":"
        return f"{self.hours:02}:{self.minutes:02}:{self.seconds:02}{sign}{self.frames:02}"

    def frame(self, rate: Fraction) -> int:
        """The index of the frame in a clip of a constant `rate`.

        >>> parse_timecode("00:01:00:00").frame(Fraction(25))
        1500
        >>> [parse_timecode(text).frame(Fraction(30000, 1001)) for text in ("00:00:59;29", "00:01:00;02")]
        [1799, 1800]

        Raises InputError where the rate has no such frame.
        """
        a_second = round(rate)
        if not a_second or abs(rate / a_second - 1) > _CLOSE:
            raise InputError(
                f"{self}: a clip of {float(rate):g} frames per second has no timecode",
                hint="name a frame (100f) or seconds (12.5)",
            )
        if self.frames >= a_second:
            raise InputError(
                f"{self}: there is no frame {self.frames} in a second of {a_second}",
                hint=f"the last part counts frames, from 0 to {a_second - 1}",
            )
        minutes = 60 * self.hours + self.minutes
        index = a_second * (60 * minutes + self.seconds) + self.frames
        return index - self._left_out(rate, a_second, minutes) if self.drop else index

    def _left_out(self, rate: Fraction, a_second: int, minutes: int) -> int:
        """How many numbers are left out before; raises InputError for one of them."""
        if a_second % 30 or abs(rate / a_second - _NTSC) > abs(rate / a_second - 1):
            raise InputError(
                f"{self}: drop-frame timecode is for 29.97 and 59.94 frames per second, this clip has"
                f" {float(rate):g}",
                hint=f"write {str(self).replace(';', ':')}",
            )
        a_minute = a_second // 15
        if minutes % 10 and self.seconds == 0 and self.frames < a_minute:
            raise InputError(
                f"{self}: drop-frame timecode leaves this number out",
                hint=f"the minute begins with frame {a_minute:02}",
            )
        return a_minute * (minutes - minutes // 10)


def parse_timecode(text: str) -> Timecode | None:
    """Read `HH:MM:SS:FF` or `HH:MM:SS;FF`; None for what is neither."""
    match = _TIMECODE.fullmatch(text)
    if match is None:
        return None
    hours, minutes, seconds, frames = (int(match[place]) for place in (1, 2, 3, 5))
    return Timecode(hours, minutes, seconds, frames, drop=match[4] == ";")
