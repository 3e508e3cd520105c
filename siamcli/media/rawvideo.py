"""Writes raw pictures with their times as a Matroska stream, which ffmpeg reads from a pipe.

Matroska states the frame rate.  Of a container that does not, ffmpeg guesses it from what its probe
holds, which is less than two raw pictures of 1280x720; level and header of the encoded video would
then be those of a rate of some 100,000 frames a second.  The elements are those of RFC 9559.
"""

from __future__ import annotations

import struct
from fractions import Fraction

__all__ = ["INPUT_OPTIONS", "frame_header", "stream_header"]

INPUT_OPTIONS = ("-f", "matroska", "-c:v", "rawvideo")
"""ffmpeg's options for such an input."""

_NANOSECONDS = 10**9
_UNKNOWN_SIZE = b"\x01" + 7 * b"\xff"


def stream_header(size: tuple[int, int], rate: Fraction) -> bytes:
    """What comes before the first frame of BGR pictures of `size` (width, height) at `rate` a second."""
    picture = (_number("B0", size[0]), _number("BA", size[1]), _element("2EB524", b"BGR\x18"))
    track = (
        *(_number(name, 1) for name in ("D7", "73C5", "83")),  # number, UID, type: video
        _element("86", b"V_UNCOMPRESSED"),
        _number("23E383", round(_NANOSECONDS / rate)),
        _element("E0", *picture),
    )
    return (
        _element("1A45DFA3", _element("4282", b"matroska"))
        + bytes.fromhex("18538067")  # the segment, which takes in all that follows
        + _UNKNOWN_SIZE
        + _element("1549A966", _number("2AD7B1", 1))  # times count nanoseconds
        + _element("1654AE6B", _element("AE", *track))
    )


def frame_header(nbytes: int, time: Fraction) -> bytes:
    """What comes before the `nbytes` bytes of a picture that is shown at `time` in seconds."""
    stamp = _number("E7", round(time * _NANOSECONDS))
    block = b"\x81\x00\x00\x80"  # track 1, at its cluster's time, a key frame
    block_head = bytes.fromhex("A3") + _size(len(block) + nbytes) + block
    return bytes.fromhex("1F43B675") + _size(len(stamp) + len(block_head) + nbytes) + stamp + block_head


def _element(name: str, *content: bytes) -> bytes:
    data = b"".join(content)
    return bytes.fromhex(name) + _size(len(data)) + data


def _number(name: str, value: int) -> bytes:
    return _element(name, struct.pack(">Q", value))


def _size(count: int) -> bytes:
    return struct.pack(">Q", 1 << 56 | count)
