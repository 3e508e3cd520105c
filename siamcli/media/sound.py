"""The sound of a source: which of its streams are kept, and when they begin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from siamcli.errors import InputError
from siamcli.frames import Chapter
from siamcli.media.ffmpeg import run_ffmpeg
from siamcli.media.packets import READ_TOGETHER, picture_time
from siamcli.media.streams import SoundStream, list_streams

__all__ = ["AudioChoice", "Mix", "Sound", "Soundtrack", "sound_wanted", "sounds_of"]

AudioChoice = int | Literal["all"] | None
"""The number of a sound stream, from 1; all; None for the one that players play, or the next that decodes."""

MP4_AUDIO = frozenset({"aac", "ac3", "alac", "eac3", "mp3"})  # other codecs do not play in every MP4 player
_OWN_START = ("hls", "mpeg", "mpegts", "ogg")  # ffmpeg counts times from the first stream that is read
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

    def options(self, place: int) -> tuple[str, ...]:
        """What takes it from ffmpeg's second input into a video, as its sound number `place`, from 0."""
        encoder = "copy" if self.codec in MP4_AUDIO else "aac"
        return ("-map", f"1:a:{self.stream.number}", f"-c:a:{place}", encoder)

    def read(self, number: int, skipped: float = 0.0) -> tuple[str, ...]:
        """ffmpeg's words that read its file as input `number`, with the times of the pictures less `skipped`
        seconds."""
        address = f"file:{self.source}"
        if self.container not in _OWN_START:
            return ("-itsoffset", f"{-skipped:.6f}", "-i", address)
        # an output into nothing, for which all streams count as read
        together = (word.format(number) for word in READ_TOGETHER)
        nothing = (*together, "-c", "copy", "-frames", "0", "-f", "null", "-")
        return ("-itsoffset", f"{-skipped - picture_time(address):.6f}", "-i", address, *nothing)

    def decodes(self) -> bool:
        """Whether ffmpeg makes anything of its first second."""
        one = ("-t", "1", "-map", f"0:a:{self.stream.number}", "-f", "null", "-")
        return not run_ffmpeg("-i", f"file:{self.source}", *one).returncode

    def lead(self, origin: float) -> float:
        """Seconds of sound that come before the picture of time `origin` and are kept, as it is the first."""
        return origin if self.container in _SEEKS_FORWARD and origin < _LONGEST_LEAD else 0.0

    def stretch(self, origin: float) -> tuple[str, ...]:
        """The second input, from the time `origin` of the picture on."""
        if self.container in (*_OWN_START, *_SEEKS_FORWARD):
            return self.read(1, origin - self.lead(origin))
        return ("-ss", f"{origin:.6f}", "-i", f"file:{self.source}")


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
        words = (word for place, sound in numbered for word in sound.options(place))
        first = self.sounds[chosen[0]]
        lead = first.lead(origin)
        # ffmpeg's limit of an input counts from the first packet of some containers
        return Mix(lead, first.stretch(origin), (*words, "-t", f"{lead + seconds:.6f}"))


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
