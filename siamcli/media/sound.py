"""The sound of a source: its streams, in the order in which players choose one."""

from __future__ import annotations

import subprocess
from typing import NamedTuple

from siamcli.media.ffmpeg import LOG_OPTIONS, DecodeLog, ffmpeg_exe

__all__ = ["Sound", "sounds_of"]

MP4_AUDIO = frozenset({"aac", "ac3", "alac", "eac3", "mp3"})  # other codecs do not play in every MP4 player


class Sound(NamedTuple):
    """A sound stream of a file: its number among them, and its codec in ffmpeg's words."""

    number: int
    codec: str

    @property
    def options(self) -> tuple[str, ...]:
        """What takes it from ffmpeg's second input into a video."""
        encoder = "copy" if self.codec in MP4_AUDIO else "aac"
        return ("-map", f"1:a:{self.number}", "-c:a", encoder)


def sounds_of(source: str) -> list[Sound]:
    """The sound streams of a file: those that are marked as the default first, which players play."""
    command = [ffmpeg_exe(), *LOG_OPTIONS, "-i", f"file:{source}"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    log = DecodeLog()
    for line in done.stderr.decode(errors="replace").splitlines():
        log.read(line)
    sounds = [(not default, Sound(number, codec)) for number, (codec, default) in enumerate(log.sounds)]
    return [sound for _, sound in sorted(sounds)]
