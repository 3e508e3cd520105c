"""The sound of a source: its streams, in the order in which players choose one, and when they begin."""

from __future__ import annotations

from dataclasses import dataclass

from siamcli.media.packets import first_times
from siamcli.media.streams import SoundStream, list_streams

__all__ = ["Sound", "sounds_of"]

MP4_AUDIO = frozenset({"aac", "ac3", "alac", "eac3", "mp3"})  # other codecs do not play in every MP4 player
_OWN_START = (
    "mpegts",
    "mpeg",
)  # ffmpeg counts times from the first stream that is read, not from the container's
_SEEKS_FORWARD = ("avi", "flv")  # ffmpeg goes on to the next key frame of the video
_LONGEST_LEAD = 0.5  # seconds of sound before the first picture that belong to it


@dataclass(frozen=True, slots=True)
class Sound:
    """A sound stream of a file, and the file's container in ffmpeg's words."""

    source: str
    container: str
    stream: SoundStream

    @property
    def codec(self) -> str:
        """The codec in ffmpeg's words."""
        return self.stream.codec

    def options(self, origin: float) -> tuple[str, ...]:
        """What takes it from ffmpeg's second input into a video whose first picture has the time `origin`."""
        encoder = "copy" if self.codec in MP4_AUDIO else "aac"
        options = ("-map", f"1:a:{self.stream.number}", "-c:a", encoder)
        if self.container not in _OWN_START:
            return options
        video, sound = first_times(f"file:{self.source}", self.stream)
        return (*options, "-bsf:a", f"setts=ts=TS+({max(origin, sound) - video - origin:.6f})/TB")

    def lead(self, origin: float) -> float:
        """Seconds of sound that come before the picture of time `origin` and are kept, as it is the first."""
        return origin if self.container in _SEEKS_FORWARD and origin < _LONGEST_LEAD else 0.0

    def stretch(self, origin: float, end: float) -> tuple[str, ...]:
        """The input options for `end` seconds from the time `origin` of the picture on."""
        if self.container in _SEEKS_FORWARD:
            offset = self.lead(origin) - origin
            return ("-itsoffset", f"{offset:.6f}", "-t", f"{end - offset:.6f}", "-i", f"file:{self.source}")
        return ("-ss", f"{origin:.6f}", "-t", f"{end:.6f}", "-i", f"file:{self.source}")


def sounds_of(source: str) -> list[Sound]:
    """The sound streams of a file: those that are marked as the default first, which players play."""
    streams = list_streams(f"file:{source}")
    ordered = sorted(streams.sounds, key=lambda sound: not sound.default)
    return [Sound(source, streams.format, sound) for sound in ordered]
