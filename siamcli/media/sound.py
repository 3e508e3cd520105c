"""The sound of a source: which of its streams are kept, and when they begin."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import Literal

from siamcli.errors import InputError
from siamcli.media.ffmpeg import ffmpeg_exe
from siamcli.media.kinds import source_name
from siamcli.media.packets import first_times
from siamcli.media.streams import SoundStream, list_streams

__all__ = ["AudioChoice", "Sound", "Soundtrack", "soundtrack"]

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

    def decodes(self) -> bool:
        """Whether ffmpeg makes anything of its first second."""
        command = [ffmpeg_exe(), "-nostdin", "-loglevel", "quiet", "-i", f"file:{self.source}", "-t", "1"]
        command += ["-map", f"0:a:{self.stream.number}", "-f", "null", "-"]
        return not subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode

    def lead(self, origin: float) -> float:
        """Seconds of sound that come before the picture of time `origin` and are kept, as it is the first."""
        return origin if self.container in _SEEKS_FORWARD and origin < _LONGEST_LEAD else 0.0

    def stretch(self, origin: float, end: float) -> tuple[str, ...]:
        """The input options for `end` seconds from the time `origin` of the picture on."""
        if self.container in _SEEKS_FORWARD:
            offset = self.lead(origin) - origin
            return ("-itsoffset", f"{offset:.6f}", "-t", f"{end - offset:.6f}", "-i", f"file:{self.source}")
        return ("-ss", f"{origin:.6f}", "-t", f"{end:.6f}", "-i", f"file:{self.source}")


@dataclass(frozen=True, slots=True)
class Soundtrack:
    """The sounds of a file that may stand beside its pictures: the first that decodes, or `every` one."""

    source: str
    sounds: tuple[Sound, ...]
    every: bool = False


def soundtrack(source: str, wanted: AudioChoice = None) -> Soundtrack | None:
    """The sounds of a source that are `wanted`; None where it has none that could be read.

    Raises InputError for one that is not there, and where none can be read but one is wanted.
    """
    name = source_name(source)
    if not name.has_sound:
        if wanted is None or (wanted == "all" and name.is_images):
            return None
        raise InputError(f"{name.shown}: --audio is for video files", hint="record it to a file first")
    streams = list_streams(f"file:{name.text}")
    sounds = [Sound(name.text, streams.format, stream) for stream in streams.sounds]
    if wanted == "all":
        return Soundtrack(name.text, tuple(sounds), every=True)
    if wanted is None:  # what players play is first
        return Soundtrack(name.text, tuple(sorted(sounds, key=lambda sound: not sound.stream.default)))
    if wanted > len(sounds):
        there = ", ".join(f"{number}: {sound.codec}" for number, sound in enumerate(sounds, start=1))
        raise InputError(
            f"{name.shown} has no sound {wanted}", hint=f"it has {there}" if there else "it has none at all"
        )
    return Soundtrack(name.text, (sounds[wanted - 1],))
