"""H.264 encoders, and which of them work on this machine."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Literal

from siamcli.cores import usable_cores
from siamcli.errors import OutputError
from siamcli.media.ffmpeg import ffmpeg_exe

__all__ = [
    "ENCODERS",
    "Encoder",
    "EncoderName",
    "Preset",
    "VideoOptions",
    "encoder_named",
    "working_encoders",
]


EncoderName = Literal["auto", "h264_nvenc", "h264_videotoolbox", "h264_vaapi", "libx264"]
Preset = Literal[
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"
]


_SMALL = 1280 * 720
"""Pixels below which x264 on one core keeps ahead of the networks, which need the others."""


_MANY_REFERENCES = ("slow", "slower", "veryslow")
"""Presets that look back at 5 to 16 pictures; players in hardware hold 4 of 1920x1080 (level 4.0)."""


@dataclass(frozen=True, slots=True)
class VideoOptions:
    """How a video is encoded.

    `encoder` auto uses a hardware encoder if one works.  `preset` is x264's.  `crf` is the quality on x264's
    scale, also for other encoders.  `fps` is the frame rate of a source without one.
    """

    encoder: EncoderName = "auto"
    preset: Preset = "veryfast"
    crf: int = 20
    fps: Fraction = Fraction(25)


@dataclass(frozen=True, slots=True)
class Encoder:
    """An encoder of ffmpeg.

    `device` is a file without which it cannot work.  `before` are options before the input, `filter` brings
    the pixels to the device.
    """

    name: EncoderName
    device: str | None = None
    platform: str | None = None
    before: tuple[str, ...] = ()
    filter: str | None = None
    quality: str = "-crf"
    preset: bool = False

    def options(self, preset: str, quality: int, size: tuple[int, int]) -> list[str]:
        """The output options for pictures of `size` and a quality on x264's scale, where lower is better."""
        chosen = ["-c:v", self.name]
        if self.preset:
            # of itself x264 starts half as many threads again as the machine has cores, and they push
            # the network aside
            threads = usable_cores() - (size[0] * size[1] < _SMALL)
            chosen += ["-preset", preset, "-threads", str(max(1, threads))]
            if preset in _MANY_REFERENCES:
                chosen += ["-refs", "4"]
        if self.filter is None:
            chosen += ["-pix_fmt", "yuv420p"]
        # VideoToolbox counts from 1 (worst) to 100 (best)
        value = 100 - quality * 2 if self.quality == "-q:v" else quality
        return [*chosen, self.quality, str(value)]


X264 = Encoder("libx264", preset=True)
ENCODERS = (
    Encoder("h264_nvenc", device="/dev/nvidiactl", quality="-cq"),
    Encoder("h264_videotoolbox", platform="darwin", quality="-q:v"),
    Encoder(
        "h264_vaapi",
        device="/dev/dri/renderD128",
        before=("-vaapi_device", "/dev/dri/renderD128"),
        filter="format=nv12,hwupload",
        quality="-qp",
    ),
    X264,
)
"""Hardware first, the one that always works last."""


@cache
def working_encoders() -> tuple[str, ...]:
    """Names of the encoders that encode a test picture here, the preferred one first."""
    return tuple(encoder.name for encoder in ENCODERS if _works(encoder))


@cache
def encoder_named(name: EncoderName) -> Encoder:
    """The encoder of that name, or for `auto` the first that works.  Raises OutputError."""
    wanted = [e for e in ENCODERS if name in ("auto", e.name)]
    found = next((e for e in wanted if _works(e)), None)
    if found is None:
        raise OutputError(
            f"the encoder {wanted[0].name} does not work here", hint="`siamtrack doctor` lists those that do"
        )
    return found


def _works(encoder: Encoder) -> bool:
    if encoder is X264:
        return True  # the ffmpeg that siamtrack depends on has it
    if encoder.device is not None and not Path(encoder.device).exists():
        return False
    if encoder.platform is not None and encoder.platform != sys.platform:
        return False
    filters = ["-vf", encoder.filter] if encoder.filter else []
    command = [ffmpeg_exe(), "-v", "error", *encoder.before, "-f", "lavfi", "-i", "color=s=256x256:d=0.1"]
    command += [*filters, *encoder.options("veryfast", 23, (256, 256)), "-f", "null", "-"]
    return subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL).returncode == 0
