"""Maps videos of 16 bits, and of more than 8 bits in grey (thermal cameras), to 8 bits."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from siamcli.media.ffmpeg import run_ffmpeg
from siamcli.media.images import value_range
from siamcli.media.streams import VideoStream

__all__ = ["range_filter"]

_logger = logging.getLogger(__name__)
_SAMPLES = 8  # frames in which the range of all values is looked for
_GREY = ("gray9", "gray10", "gray12", "gray14", "gray16")
_DEEP = (*_GREY, "rgb48", "bgr48", "gbrp16", "rgba64", "bgra64", "yuv420p16", "yuv422p16", "yuv444p16")
_TOP = 65535


def range_filter(address: str, name: str, video: VideoStream, duration: float | None) -> str:
    """The filter that shows the values of a stream from black to white, in one range for all frames.

    Empty for streams of 8 bits, and for those of 10 and 12 bits in YUV, which cameras fill.  It is said once.
    """
    assert video.colors and video.size
    if not video.colors.pixel_format.startswith(_DEEP):
        return ""
    frames = list(_samples(address, video, duration))
    if not frames:
        return ""
    low, high = value_range(frames)
    _logger.warning(
        "%s: 16-bit values from %g to %g are shown as black to white in all frames", name, low, high
    )
    ends = ":".join(f"{c}imin={low / _TOP:.6f}:{c}imax={high / _TOP:.6f}" for c in "rgb")
    return f"format=gbrp16,colorlevels={ends}"


def _samples(address: str, video: VideoStream, duration: float | None) -> Iterator[NDArray[np.uint16]]:
    """Frames at equal distances, as values of 16 bits; the first one where the duration is unknown."""
    assert video.size
    width, height = video.size
    for number in range(_SAMPLES if duration else 1):
        seek = ("-ss", f"{(duration or 0) * number / _SAMPLES:.3f}") if number else ()
        one = ("-map", f"0:v:{video.number}", "-frames:v", "1", "-s", f"{width}x{height}")
        raw = ("-f", "rawvideo", "-pix_fmt", "rgb48le", "pipe:1")
        done = run_ffmpeg("-noautorotate", *seek, "-i", address, *one, *raw)
        if len(done.stdout) == 6 * width * height:
            yield np.frombuffer(done.stdout, "<u2").reshape(height, width, 3)
