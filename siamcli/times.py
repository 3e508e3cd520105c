"""Parses times, intervals and frame rates: frames, seconds, timecode."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from siamcli.counts import counted
from siamcli.errors import InputError
from siamcli.timecode import Timecode, parse_timecode

__all__ = [
    "Direction",
    "FrameFilter",
    "FrameRange",
    "TimePoint",
    "length_in_words",
    "parse_rate",
    "parse_seconds",
    "parse_span",
    "parse_time",
]

_FRAME = re.compile(r"(\d{1,15})f")
_CLOCK = re.compile(r"(?:(?:(\d{1,15}):)?([0-5]?\d):)?(\d{1,15}(?:\.\d*)?|\.\d+)")
_UNITS = re.compile(
    r"(?=.)(?:(\d{1,15})h)?(?:(\d{1,15})m)?(?:(\d{1,15}(?:\.\d*)?|\.\d+)s)?(?:(\d{1,15}(?:\.\d*)?)ms)?"
)
_RATES = (Fraction(1, 10_000), Fraction(1000))  # frames per second that the containers of videos can say
_TOLERANCE = 1e-6  # seconds; timestamps are rounded to microseconds where they are written down


Direction = Literal["forward", "backward", "both"]
"""In which targets are tracked from their boxes."""


@dataclass(frozen=True, slots=True)
class TimePoint:
    """A moment in a source: a frame index, seconds, or a timecode (a frame at a known rate).  Exactly one is
    given.
    """

    frame: int | None = None
    seconds: float | None = None
    timecode: Timecode | None = None

    def __post_init__(self) -> None:
        if [self.frame, self.seconds, self.timecode].count(None) != 2:
            raise ValueError("a TimePoint is a frame, seconds or a timecode")

    def __str__(self) -> str:
        """As `parse_time` reads it.

        >>> [str(parse_time(text)) for text in ("100f", "00:01:12.5", "00:01:12:05", "1234567.25")]
        ['100f', '72.5', '00:01:12:05', '1234567.25']
        """
        if self.timecode is not None:
            return str(self.timecode)
        if self.frame is not None:
            return f"{self.frame}f"
        return f"{self.seconds:.6f}".rstrip("0").rstrip(".")  # to the microsecond, never as 1e+06

    def at_rate(self, rate: Fraction) -> TimePoint:
        """The frame of a timecode in a clip of that constant rate; other moments as they are.

        >>> parse_time("00:00:02:05").at_rate(Fraction(25)).frame
        55

        Raises InputError where there is no such frame.
        """
        return self if self.timecode is None else TimePoint(frame=self.timecode.frame(rate))

    def is_reached(self, index: int, time: float | None) -> bool:
        """True from this moment on.  Raises InputError for seconds in a source without timestamps."""
        if self.frame is not None:
            return index >= self.frame
        if self.timecode is not None:
            raise InputError(f"{self}: which frame that is depends on the rate", hint="name a frame (100f)")
        if time is None or self.seconds is None:
            raise InputError(
                f"{self.seconds} seconds: this source has no timestamps", hint="name a frame, such as 100f"
            )
        return time >= self.seconds - _TOLERANCE

    def is_from(self, other: TimePoint) -> bool:
        """True when this is `other` or later, as far as that can be told without the source.

        >>> parse_time("7f").is_from(parse_time("7f")), parse_time("7f").is_from(parse_time("0.1"))
        (True, False)
        """
        if self.frame is not None and other.frame is not None:
            return self.frame >= other.frame
        if self.timecode is not None and other.timecode is not None:
            return self.timecode >= other.timecode
        return self.seconds is not None and other.seconds is not None and self.seconds >= other.seconds


def parse_time(text: str) -> TimePoint:
    """Read `100f` (frame), `12.5` (seconds), `2:05`, `00:00:12.5`, `1m30s`, `200ms`, or a timecode.

    A timecode is `HH:MM:SS:FF`, or `HH:MM:SS;FF` with frame numbers dropped.

    >>> parse_time("100f").frame, parse_time("00:01:02.5").seconds, parse_time("1m30s").seconds
    (100, 62.5, 90.0)

    Raises InputError.
    """
    if match := _FRAME.fullmatch(text.strip()):
        return TimePoint(frame=int(match[1]))
    if timecode := parse_timecode(text.strip()):
        return TimePoint(timecode=timecode)
    if match := _CLOCK.fullmatch(text.strip()):
        hours, minutes, seconds = (float(part or 0) for part in match.groups())
        if match[2] is None or seconds < 60:
            return TimePoint(seconds=3600 * hours + 60 * minutes + seconds)
    if match := _UNITS.fullmatch(text.strip()):
        hours, minutes, seconds, thousandths = (float(part or 0) for part in match.groups())
        return TimePoint(seconds=3600 * hours + 60 * minutes + seconds + thousandths / 1000)
    raise InputError(
        f"not a time: {text!r}",
        hint="write a frame (100f), seconds (12.5, 1m30s), 00:00:12.5 or a timecode (00:00:12:05)",
    )


def parse_seconds(text: str) -> float:
    """Read a length of time as `parse_time` does; raises InputError, also for a frame.

    >>> parse_seconds("1s"), parse_seconds("0.5"), parse_seconds("200ms")
    (1.0, 0.5, 0.2)
    """
    moment = parse_time(text)
    if moment.seconds is None:
        raise InputError(f"not a length of time: {text!r}", hint="write seconds: 0.5, 1s, 200ms")
    return moment.seconds


def parse_span(text: str) -> tuple[TimePoint, TimePoint]:
    """Read `FIRST-LAST`, both included, or one time, which is both; raises InputError.

    >>> [str(moment) for moment in parse_span("63f-80f")]
    ['63f', '80f']
    """
    first, sign, last = text.partition("-")
    begin = parse_time(first)
    return begin, parse_time(last) if sign else begin


def parse_rate(text: str) -> Fraction:
    """Read frames per second: `25`, `29.97`, `30000/1001`, `1/60` (one a minute); raises InputError.

    >>> parse_rate("29.97"), parse_rate("30000/1001")
    (Fraction(2997, 100), Fraction(30000, 1001))
    """
    try:
        rate = Fraction(text.strip()).limit_denominator(100_000)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not _RATES[0] <= rate <= _RATES[1]:
        raise InputError(
            f"not a frame rate: {text!r}", hint="write frames per second: 25, 29.97, 30000/1001, 1/60"
        )
    return rate


@dataclass(frozen=True, slots=True)
class FrameRange:
    """The part of a source that is used: every `stride`-th frame from `start` up to, not including, `end`,
    and the first frame at each of the times `also`.
    """

    start: TimePoint | None = None
    end: TimePoint | None = None
    stride: int = 1
    also: tuple[TimePoint, ...] = ()

    def __post_init__(self) -> None:
        if self.stride < 1:
            raise InputError(f"stride {self.stride}", hint="the stride is 1 or more")
        if self.start is not None and self.end is not None and self.start.is_from(self.end):
            raise InputError("--end is not after --start", hint="nothing is left between the two")

    @property
    def has_timecode(self) -> bool:
        """True if one of its times is a timecode."""
        return any(moment and moment.timecode for moment in (self.start, self.end, *self.also))

    def at_rate(self, rate: Fraction) -> FrameRange:
        """The same stretch of a clip of that constant rate, without timecodes; raises as TimePoint does."""
        start, end = (moment and moment.at_rate(rate) for moment in (self.start, self.end))
        return FrameRange(start, end, self.stride, tuple(moment.at_rate(rate) for moment in self.also))


def length_in_words(cut: FrameRange, frames: int, last: float | None, fps: Fraction | None) -> str:
    """How long a source is, up to the end of `cut`, whose last frame is at `last` seconds.

    >>> length_in_words(FrameRange(), 12, 0.44, Fraction(25))
    'it has 12 frames, 0.48 s'
    >>> length_in_words(FrameRange(end=parse_time("1f")), 1, None, None)
    'up to --end it has 1 frame'
    """
    over = [TimePoint(frame=frames)]
    words = counted(frames, "frame")
    if last is not None:
        seconds = last + (float(1 / fps) if fps else 0)
        over.append(TimePoint(seconds=seconds + _TOLERANCE))
        words += f", {seconds:.2f} s"
    stopped = cut.end is not None and any(moment.is_from(cut.end) for moment in over)
    return f"{'up to --end ' * stopped}it has {words}"


class FrameFilter:
    """Decides for one frame after another whether a FrameRange uses it.

    `frames` is the number of frames up to the end of the range, `last` the time of the last of them.
    """

    def __init__(self, cut: FrameRange) -> None:
        self.frames = 0
        self.last: float | None = None
        self._cut = cut
        self._origin: int | None = None
        self._also = list(cut.also)

    def __call__(self, index: int, time: float | None) -> Literal["skip", "keep", "stop"]:
        if self._cut.end is not None and self._cut.end.is_reached(index, time):
            return "stop"
        self.frames, self.last = index + 1, time
        if self._origin is None:
            if self._cut.start is not None and not self._cut.start.is_reached(index, time):
                return "skip"
            self._origin = index
        reached = [moment for moment in self._also if moment.is_reached(index, time)]
        for moment in reached:
            self._also.remove(moment)
        on_stride = (index - self._origin) % self._cut.stride == 0
        return "keep" if on_stride or reached else "skip"
