"""Rotation and mirroring of a video's pictures.

ffmpeg's log says an angle only, which is the same for a mirrored picture as for a turned one.  The header
of a MOV that it makes of one packet has the whole matrix (ISO/IEC 14496-12, 8.3.2).
"""

from __future__ import annotations

import math
import struct
from typing import NamedTuple

from siamcli.media.ffmpeg import run_ffmpeg
from siamcli.media.streams import WITHOUT_TEXT, VideoStream

__all__ = ["Orientation", "orientation_of"]

_MATRIX = 40  # bytes from the name of the track header to its matrix


class Orientation(NamedTuple):
    """A clockwise turn in degrees, after the stored picture was mirrored from left to right."""

    rotation: float
    mirrored: bool


def orientation_of(address: str, video: VideoStream) -> Orientation:
    """The orientation of a stream of a file; not mirrored where its codec does not go into a MOV."""
    if not video.turned:
        return Orientation(0.0, mirrored=False)
    one = ("-map", f"0:v:{video.number}", *WITHOUT_TEXT, "-c", "copy", "-frames:v", "1")
    done = run_ffmpeg("-i", address, *one, "-movflags", "empty_moov", "-f", "mov", "pipe:1")
    _, found, track = done.stdout.partition(b"tkhd")
    if not found or len(track) < _MATRIX + 36:
        return Orientation(video.rotation, mirrored=False)
    a, b, _, c, d = struct.unpack_from(">5i", track, _MATRIX)
    return _orientation(a, b, c, d)


def _orientation(a: int, b: int, c: int, d: int) -> Orientation:
    """A stored step to the right is shown as a step of (a, b), one downwards as (c, d).

    >>> _orientation(0, 1, -1, 0), _orientation(-1, 0, 0, 1)
    (Orientation(rotation=90.0, mirrored=False), Orientation(rotation=0.0, mirrored=True))
    """
    mirrored = a * d - b * c < 0
    angle = math.degrees(math.atan2(-b, -a) if mirrored else math.atan2(b, a)) % 360
    return Orientation(angle, mirrored)
