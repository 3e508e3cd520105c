"""The streams of a source: which there are, and which of them players show and play.

ffmpeg describes them in its log, between the texts of the file.  Here it describes an output that has the
same streams and no texts, under a name that no file can know.
"""

from __future__ import annotations

import re
import secrets
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from siamcli.media.colors import StreamColors, parse_colors
from siamcli.media.ffmpeg import LOG_OPTIONS, begin_reader, component_message, ffmpeg_exe

__all__ = ["WITHOUT_TEXT", "SoundStream", "Streams", "VideoStream", "choose_video", "list_streams"]

WITHOUT_TEXT = ("-map_metadata", "-1", "-map_metadata:s", "-1", "-map_chapters", "-1")
"""ffmpeg's options for an output that has none of the texts of its input."""

_STREAM = re.compile(r"\[info\]   Stream #0:\d+(?:\[\w+\])?: (Video|Audio): (\w+)")
_SIZE = re.compile(r", (\d+)x(\d+)[, ]")
_RATE = re.compile(r", ([\d.]+)(k?) fps,")
_ROTATION = re.compile(r"\[info\] +Display Matrix: rotation of (-?[\d.]+) degrees")
_DURATION = re.compile(r"\[info\]   Duration: (?:(\d+):(\d+):(\d+\.\d+)|N/A),")
_FORMAT = re.compile(r"\[info\] Input #0, ([\w,]+), from ")
_PICTURES = frozenset({"mjpeg", "png", "bmp", "gif", "webp", "tiff"})  # codecs of thumbnails


_EMPTY_SOUND = "sample rate not set"  # what ffmpeg says of a sound that is announced and does not come

ROUNDED = 0.01  # frames per second: rates that ffmpeg's log tells apart


@dataclass(frozen=True, slots=True)
class VideoStream:
    """One of the video streams: its number among them, and what the container says of it.

    `size` is (width, height) before `rotation`, the clockwise turn in degrees as ffmpeg says it, for a
    mirrored picture too; `turned` says that there is one, of 0 degrees as well.  `fps` is rounded to two
    digits.
    """

    number: int
    codec: str
    size: tuple[int, int] | None = None
    colors: StreamColors | None = None
    fps: float | None = None
    default: bool = False
    cover: bool = False
    interlaced: bool = False
    turned: bool = False
    rotation: float = 0.0

    def varies_from(self, rate: Fraction | None) -> bool:
        """True where the container counts another number of frames a second: some are missing."""
        return None not in (rate, self.fps) and abs(float(rate or 0) - (self.fps or 0)) > ROUNDED


@dataclass(frozen=True, slots=True)
class SoundStream:
    """One of the sound streams: its number among them, and its codec in ffmpeg's words."""

    number: int
    codec: str
    default: bool = False


@dataclass(frozen=True, slots=True)
class Streams:
    """What a source consists of.  `duration` is in seconds, None where the container does not say.

    `format` is the container in ffmpeg's words.  `problem` says why there is nothing.
    """

    videos: tuple[VideoStream, ...] = ()
    sounds: tuple[SoundStream, ...] = ()
    duration: float | None = None
    format: str = ""
    problem: str | None = None


def list_streams(
    address: str, options: Sequence[str] = (), run: Callable[[list[str]], str] | None = None
) -> Streams:
    """The streams of whatever ffmpeg opens.  `run` runs a command and returns its log.

    Where a sound is announced and does not come, as of a camera without a microphone, there is none: ffmpeg
    describes no output that has it.
    """
    name = secrets.token_hex(16)
    # a disposition of our own keeps ffmpeg from marking a default stream where there is none
    command = [ffmpeg_exe(), *LOG_OPTIONS, *options, "-i", address, *WITHOUT_TEXT, "-map", "0:v?"]
    command += ["-c", "copy", "-disposition:v:0", "+clean_effects", "-frames", "0", "-f", "null"]
    log = (run or _run)([*command, "-map", "0:a?", name])
    if _EMPTY_SOUND in log:
        log = (run or _run)([*command, name])
    said, _, described = log.partition(f"[info] Output #0, null, to '{name}':")
    return _parse(said, described)


def _run(command: list[str]) -> str:
    nothing = subprocess.DEVNULL
    with begin_reader(command, stdin=nothing, stdout=nothing, stderr=subprocess.PIPE) as child:
        try:
            return child.communicate()[1].decode(errors="replace")
        finally:
            child.kill()  # after a signal


def _parse(said: str, described: str) -> Streams:
    videos: list[VideoStream] = []
    sounds: list[SoundStream] = []
    kind = ""
    for line in described.splitlines():
        if match := _STREAM.match(line):
            kind = match[1]
            if kind == "Video":
                videos.append(_video(len(videos), match[2], line))
            else:
                sounds.append(SoundStream(len(sounds), match[2], "(default)" in line))
        elif (match := _ROTATION.match(line)) and kind == "Video":
            videos[-1] = replace(videos[-1], turned=True, rotation=-float(match[1]) % 360)
    messages = [message for line in said.splitlines() if (message := component_message(line))]
    errors = [message.text for message in messages if message.level != "warning"]
    # what is said of the silence of a server comes before what follows from it, for rtsp as a warning
    silent = (message.text for message in messages if message.text.endswith("timed out"))
    problem = next(silent, next(iter(errors), None))
    # the container's duration is said once; where a text of the file says another one, it stays unknown
    durations = set(_DURATION.findall(said))
    hours, minutes, seconds = durations.pop() if len(durations) == 1 else ("", "", "")
    container = _FORMAT.search(said)
    return Streams(
        tuple(videos),
        tuple(sounds),
        3600 * int(hours) + 60 * int(minutes) + float(seconds) if hours else None,
        container[1] if container else "",
        None if described else problem or "ffmpeg says nothing of it",
    )


def _video(number: int, codec: str, line: str) -> VideoStream:
    size, rate = _SIZE.search(line), _RATE.search(line)
    return VideoStream(
        number,
        codec,
        size=(int(size[1]), int(size[2])) if size else None,
        colors=parse_colors(line),
        fps=float(rate[1]) * (1000 if rate[2] else 1) if rate else None,
        default="(default)" in line,
        cover="(attached pic)" in line or "(timed thumbnails)" in line,
        interlaced=bool(re.search(r"[(, ](?:top|bottom) (?:coded )?first", line)),
    )


def choose_video(videos: Sequence[VideoStream]) -> VideoStream | None:
    """The stream that players show: no cover, a film rather than a still picture, the one marked as default.

    Of several that are equal in that, the first.  Of two that are marked, as in an animated AVIF, the one
    that moves.
    """
    shown = [video for video in videos if not video.cover]
    films = [video for video in shown if video.codec not in _PICTURES] or shown
    marked = [video for video in films if video.default]
    if len(marked) > 1:  # a still picture has one frame a second
        return max(marked, key=lambda video: (video.fps or 0) > 1)
    return next(iter(marked or films), None)
