"""The ffmpeg that decodes and encodes: where it is, and what its log says while it decodes.

ffmpeg runs as a child process.  It decodes to the same bytes as OpenCV, which contains it, but it
also gives exact frame rates and timestamps, says where a file is damaged, and reads from a pipe.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import NamedTuple

from siamcli.errors import OutputError
from siamcli.media.colors import StreamColors, parse_colors

__all__ = ["LOG_OPTIONS", "DecodeLog", "Stamp", "ffmpeg_exe"]

LOG_OPTIONS = ("-nostdin", "-hide_banner", "-nostats", "-loglevel", "repeat+level+info")
"""The options under which ffmpeg's log has the form that DecodeLog reads."""

_SHOWINFO = r"\[Parsed_showinfo_\S+ @ \w+\] \[info\] "
_CONFIG = re.compile(r"config in time_base: (\d+/\d+), frame_rate: (\d+)/(\d+)")
_FRAME = re.compile(_SHOWINFO + r"n: *\d+ pts: *(\S+) .* sar:(\d+)/(\d+) s:(\d+)x(\d+) ")
_DURATION = re.compile(r"\[info\]   Duration: (\d+):(\d+):(\d+\.\d+),")
_RATE = re.compile(r"\[info\]   Stream #0:\S+ Video: .*, ([\d.]+)(k?) fps,")
_VIDEO = re.compile(r"\[info\]   Stream #0:\S+ Video: (?!.*\(attached pic\))")
_AUDIO = re.compile(r"\[info\]   Stream #0:\S+ Audio: (\w+)")
_ROTATION = re.compile(r"\[info\] +(?:displaymatrix|Display Matrix): rotation of (-?[\d.]+) degrees")
_ERROR = re.compile(r"\[(?:error|fatal)\] (.+)")
_CUT = re.compile(r"partial file|prematurely")  # said at any time: ffmpeg reads ahead of what it decodes
_DAMAGE = re.compile(
    _CUT.pattern + r"|corrupt input packet|corrupt decoded frame|Decoding error"
    r"|Error submitting packet|Error during demuxing|error while decoding|concealing \d+"
)


def ffmpeg_exe() -> str:
    """Path of the ffmpeg program; raises OutputError where there is none."""
    try:
        import imageio_ffmpeg  # noqa: PLC0415 - images, training and timing do without it

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        raise OutputError("no ffmpeg found", hint="pip install --force-reinstall imageio-ffmpeg") from error


class Stamp(NamedTuple):
    """What the log says of one decoded frame: its time in seconds and its (width, height)."""

    time: float | None
    size: tuple[int, int]


class DecodeLog:
    """Reads the log of an ffmpeg that runs with LOG_OPTIONS and `-vf showinfo`, line by line.

    `colors` are those of the first video stream, `rotation` is the clockwise turn that ffmpeg applies,
    `pixel_aspect` that of the first frame after it.  `sounds` are the codec of each sound stream and
    whether it is marked as the default.  `set_back` is the time after which the source's clock went back
    first: what follows is moved behind it.  `problem` is the first error of all, `damage` the
    first sign after the first frame that the source is damaged or cut short: before it, errors are usual
    in streams that were joined in the middle.
    """

    def __init__(self) -> None:
        self.fps: Fraction | None = None
        self.colors: StreamColors | None = None
        self.rotation = 0
        self.pixel_aspect = Fraction(1)
        self.sounds: list[tuple[str, bool]] = []
        self.problem: str | None = None
        self.damage: str | None = None
        self._duration: float | None = None
        self._rate: float | None = None
        self._time_base: Fraction | None = None
        self.set_back: float | None = None
        self._started = False
        self._last = -math.inf
        self._moved = 0.0

    @property
    def count(self) -> int | None:
        """Number of frames that the container announces: an estimate."""
        if not self._duration or not self._rate:
            return None
        exact = self.fps is not None and self._rate > self.fps - 0.01  # the log rounds to two digits
        return round(self._duration * (self.fps if exact and self.fps else self._rate))

    def read(self, line: str) -> Stamp | None:
        """Take in one line; returns what it says of a frame, if it does."""
        if match := _FRAME.match(line):
            if not self._started and int(match[2]):  # 0 is unknown
                self.pixel_aspect = Fraction(int(match[2]), int(match[3]))
            self._started = True
            base = self._time_base
            time = float(int(match[1]) * base) if base is not None and match[1] != "NOPTS" else None
            return Stamp(None if time is None else self._onward(time), (int(match[4]), int(match[5])))
        if match := _CONFIG.search(line):  # a warning without an end of line may stand before it
            self._time_base = Fraction(match[1])
            fps = Fraction(int(match[2]), int(match[3])) if int(match[3]) and int(match[2]) else None
            # for a rate that it does not know ffmpeg puts the ticks of the clock
            unknown = self._rate is None and fps is not None and fps * self._time_base == 1
            self.fps = None if unknown else fps
        elif self.damage is None and (match := (_DAMAGE if self._started else _CUT).search(line)):
            self.damage = match.string.rpartition("] ")[2]
        elif match := _ERROR.search(line):
            self.problem = self.problem or match[1]
        elif not self._started:
            self._read_header(line)
        return None

    def _onward(self, time: float) -> float:
        """A frame's time by a clock that never goes back: as in recordings appended to one another."""
        if time + self._moved < self._last:
            if self.set_back is None:
                self.set_back = self._last
            frame = 1 / self.fps if self.fps else 0.04
            self._moved = self._last + float(frame) - time
        self._last = time + self._moved
        return self._last

    def _read_header(self, line: str) -> None:
        if self.colors is None and _VIDEO.match(line):
            self.colors = parse_colors(line)
        if match := _DURATION.match(line):
            self._duration = 3600 * int(match[1]) + 60 * int(match[2]) + float(match[3])
        elif self._rate is None and (match := _RATE.match(line)):
            self._rate = float(match[1]) * (1000 if match[2] else 1)
        elif match := _AUDIO.match(line):
            self.sounds.append((match[1], "(default)" in line))
        elif match := _ROTATION.match(line):
            self.rotation = round(-float(match[1])) % 360
