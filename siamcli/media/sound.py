"""The sound of a source: which of its streams are kept, and when they begin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from siamcli.errors import InputError
from siamcli.frames import Chapter
from siamcli.media.ffmpeg import run_ffmpeg
from siamcli.media.packets import first_times
from siamcli.media.streams import SoundStream, list_streams

__all__ = ["AudioChoice", "Mix", "Sound", "Soundtrack", "sound_wanted", "sounds_of"]

AudioChoice = int | Literal["all"] | None
"""The number of a sound stream, from 1; all; None for the one that players play, or the next that decodes."""

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

    def options(self, origin: float, place: int) -> tuple[str, ...]:
        """What takes it from ffmpeg's second input into a video whose first picture has the time `origin`, as
        its sound number `place`, from 0."""
        encoder = "copy" if self.codec in MP4_AUDIO else "aac"
        options = ("-map", f"1:a:{self.stream.number}", f"-c:a:{place}", encoder)
        if self.container not in _OWN_START:
            return options
        video, sound = first_times(f"file:{self.source}", self.stream)
        return (*options, f"-bsf:a:{place}", f"setts=ts=TS+({max(origin, sound) - video - origin:.6f})/TB")

    def late(self) -> float:
        """Seconds from the first picture to its beginning, where ffmpeg, reading it alone, calls that 0."""
        if self.container not in _OWN_START:
            return 0.0
        video, sound = first_times(f"file:{self.source}", self.stream)
        return sound - video

    def decodes(self) -> bool:
        """Whether ffmpeg makes anything of its first second."""
        one = ("-t", "1", "-map", f"0:a:{self.stream.number}", "-f", "null", "-")
        return not run_ffmpeg("-i", f"file:{self.source}", *one).returncode

    def lead(self, origin: float) -> float:
        """Seconds of sound that come before the picture of time `origin` and are kept, as it is the first."""
        return origin if self.container in _SEEKS_FORWARD and origin < _LONGEST_LEAD else 0.0

    def stretch(self, origin: float, end: float) -> tuple[str, ...]:
        """The input options for `end` seconds from the time `origin` of the picture on."""
        if self.container in _SEEKS_FORWARD:
            offset = self.lead(origin) - origin
            return ("-itsoffset", f"{offset:.6f}", "-t", f"{end - offset:.6f}", "-i", f"file:{self.source}")
        return ("-ss", f"{origin:.6f}", "-t", f"{end:.6f}", "-i", f"file:{self.source}")


class Mix(NamedTuple):
    """How sounds come into a video: the seconds of `lead` before the first picture, and ffmpeg's words for
    the inputs after the video, and for the output."""

    lead: float
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Soundtrack:
    """The sounds of a file that may stand beside its pictures: the first that decodes, or `every` one."""

    source: str
    sounds: tuple[Sound, ...]
    every: bool = False

    def mix(self, chosen: Sequence[int], origin: float, seconds: float, chapters: Sequence[Chapter]) -> Mix:
        """What puts the `chosen` sounds, by position, beside so many `seconds` of pictures from the time
        `origin` on; a single file has no `chapters`."""
        numbered = [(place, self.sounds[number]) for place, number in enumerate(chosen)]
        words = (word for place, sound in numbered for word in sound.options(origin, place))
        first = self.sounds[chosen[0]]
        return Mix(first.lead(origin), first.stretch(origin, seconds), tuple(words))


def sounds_of(source: str) -> list[Sound]:
    """The sounds of a file in their order."""
    streams = list_streams(f"file:{source}")
    return [Sound(source, streams.format, stream) for stream in streams.sounds]


def sound_wanted(source: str, sounds: Sequence[Sound], number: int) -> Sound:
    """The sound of a file with a number, from 1.  Raises InputError, saying which there are."""
    if number <= len(sounds):
        return sounds[number - 1]
    there = ", ".join(f"{place}: {sound.codec}" for place, sound in enumerate(sounds, start=1))
    raise InputError(
        f"{source} has no sound {number}", hint=f"it has {there}" if there else "it has none at all"
    )
