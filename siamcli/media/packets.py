"""Lists the packets of a video stream without decoding them, and finds where to start for a later frame.

ffmpeg lists them as lines of numbers (`framecrc`), in which no text of the file stands.
"""

from __future__ import annotations

import re
import subprocess
from bisect import bisect_left
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from siamcli.media.ffmpeg import ffmpeg_exe, run_ffmpeg
from siamcli.media.streams import Streams, VideoStream
from siamcli.times import TimePoint

__all__ = [
    *("READ_TOGETHER", "KeyFrame", "Packet", "is_encrypted", "key_frame_before", "last_frame", "leaves_out"),
    *("picture_time", "read_packets"),
]

READ_TOGETHER = ("-map", "{}:V:0?", "-map", "{}:a?")
"""ffmpeg's words for the streams of an input that are counted from one time, where it reads all of them."""

_TIME_BASE = re.compile(r"#tb 0: (\d{1,10})/(\d{1,10})\s*")
_PACKET = re.compile(r"0, *(-?\d+), *(-?\d+), *-?\d+, *\d+, 0x\w+(?:, F=0x(\w+))?((?:, .*)?)\s*")
_MISSING = -(2**63)
_KEY = 1
_REORDERED = 32  # frames; codecs hold back at most 16

# containers that say of each packet when it is shown, and whether it can be decoded without those before
_INDEXED = ("mov,mp4", "matroska")
# codecs of which each packet is one frame
_ONE_FRAME_EACH = frozenset({"av1", "dnxhd", "ffv1", "h264", "hevc", "mjpeg", "prores", "vp9"})


class Packet(NamedTuple):
    """One packet: the times in seconds at which it is decoded and shown, and ffmpeg's flags."""

    dts: Fraction
    pts: Fraction
    flags: int
    encrypted: bool


@dataclass(frozen=True, slots=True)
class KeyFrame:
    """A frame from which a video can be decoded: its index in the whole source, its time in seconds."""

    index: int
    time: float


def read_packets(address: str, video: VideoStream) -> Generator[Packet | None, None, None]:
    """The packets in the order of decoding; None for one without times, and last if there was an error."""
    command = [ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-i", address, "-map", f"0:v:{video.number}"]
    child = subprocess.Popen(
        [*command, "-c", "copy", "-copyinkf", "-f", "framecrc", "pipe:1"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    assert child.stdout and child.stderr
    try:
        tick = Fraction(0)
        for line in child.stdout:
            if match := _TIME_BASE.fullmatch(line):
                tick = Fraction(int(match[1]), int(match[2]))
            elif match := _PACKET.fullmatch(line):
                dts, pts = int(match[1]), int(match[2])
                flags = _KEY if match[3] is None else int(match[3], 16)
                known = _MISSING not in (dts, pts)
                yield Packet(dts * tick, pts * tick, flags, "Encryption" in match[4]) if known else None
        if child.stderr.read(1) or child.wait():
            yield None
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
        child.stderr.close()


def picture_time(address: str) -> float:
    """When the first picture comes, in seconds from the first of the streams that READ_TOGETHER names; 0
    where it has no time."""
    listed = (*(word.format(0) for word in READ_TOGETHER), "-c", "copy", "-copyinkf", "-f", "framecrc")
    done = run_ffmpeg("-i", address, *listed, "-t", "10", "pipe:1")
    tick, times = Fraction(0), []
    for line in done.stdout.decode(errors="replace").splitlines():
        if match := _TIME_BASE.fullmatch(line):
            tick = Fraction(int(match[1]), int(match[2]))
        elif (match := _PACKET.fullmatch(line)) and int(match[2]) != _MISSING:
            times.append(int(match[2]) * tick)
    return float(min(times, default=0))


def is_encrypted(address: str, video: VideoStream) -> bool:
    """Whether the first packet of a stream is encrypted."""
    with closing(read_packets(address, video)) as packets:
        first = next(packets, None)
    return first is not None and first.encrypted


def key_frame_before(address: str, streams: Streams, video: VideoStream, start: TimePoint) -> KeyFrame | None:
    """The last key frame at or before `start`; None where one has to decode from the first frame.

    That is so near the beginning, and wherever the packets do not say exactly which frames come when: two
    fields in two packets, times that are missing or go back, damage, edit lists.
    """
    found = _shown_times(address, streams, video, start)
    if found is None:
        return None
    times, keys = found
    first = next((n for n, time in enumerate(times) if start.is_reached(n, float(time))), len(times))
    before = [n for key in keys if 0 < (n := bisect_left(times, key)) <= first]
    return KeyFrame(max(before), float(times[max(before)])) if before else None


def last_frame(address: str, streams: Streams, video: VideoStream) -> tuple[int, float] | None:
    """Index and time of the last frame; None where the packets do not say exactly which frames come when."""
    found = _shown_times(address, streams, video, None)
    return (len(found[0]) - 1, float(found[0][-1])) if found and found[0] else None


def leaves_out(address: str, streams: Streams, video: VideoStream, rate: Fraction) -> bool:
    """True where a frame comes more than half a frame early or late after the one before, at a constant
    `rate`; containers do not say so of recordings that leave frames out.  False where the packets do not say
    exactly which frames come when.
    """
    found = _shown_times(address, streams, video, None)
    return found is not None and any(abs((b - a) * rate - 1) > Fraction(1, 2) for a, b in pairwise(found[0]))


def _shown_times(
    address: str, streams: Streams, video: VideoStream, until: TimePoint | None
) -> tuple[list[Fraction], list[Fraction]] | None:
    """The times of the frames in order, up to a little after `until`, and those of the key frames."""
    if not streams.format.startswith(_INDEXED) or video.codec not in _ONE_FRAME_EACH or video.interlaced:
        return None
    shown: list[Fraction] = []
    keys: list[Fraction] = []
    dts: Fraction | None = None
    with closing(read_packets(address, video)) as packets:
        for packet in packets:
            if (
                packet is None
                or packet.flags & ~_KEY
                or packet.pts < 0
                or (dts is not None and packet.dts <= dts)
            ):
                return None
            dts = packet.dts
            shown.append(packet.pts)
            if packet.flags & _KEY:
                keys.append(packet.pts)
            if until is not None and until.is_reached(len(shown) - _REORDERED, float(dts)):
                break  # no packet is shown before it is decoded
    times = sorted(shown)
    return None if len(set(times)) < len(times) else (times, keys)
