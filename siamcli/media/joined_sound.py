"""The sound of joined files: each cut to the length of its video, one after the other, in one stream.

It is encoded anew, as files end within packets.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from siamcli.frames import Chapter
from siamcli.media.sound import AudioChoice, Mix, Sound, sound_wanted, sounds_of

__all__ = ["JoinedSound", "JoinedSoundtrack", "joined_soundtrack"]

_logger = logging.getLogger(__name__)


class _Stretch(NamedTuple):
    """A part of a file: its number, and where it begins and how long it is, in seconds."""

    file: int
    begin: float
    length: float


@dataclass(frozen=True, slots=True)
class JoinedSound:
    """A sound stream of every file, None where a file has none: there it is silent."""

    streams: tuple[Sound | None, ...]

    @property
    def codec(self) -> str:
        """The codecs in ffmpeg's words."""
        return ", ".join(dict.fromkeys(sound.codec for sound in self.streams if sound is not None))

    def decodes(self) -> bool:
        """Whether ffmpeg makes anything of the beginning of each."""
        return all(sound.decodes() for sound in self.streams if sound is not None)

    def graph(self, stretches: Sequence[_Stretch], place: int) -> str:
        """The filters that make one stream of it, [sound{place}]."""
        chains = []
        for number, (file, begin, length) in enumerate(stretches):
            sound = self.streams[file]
            if sound is None:
                chain = "anullsrc=r=48000:cl=stereo,"
            else:
                moved = f"asetpts=PTS-{begin:.6f}/TB,atrim=start=0"
                chain = f"[{number + 1}:a:{sound.stream.number}]{moved},aresample=async=1:first_pts=0,apad,"
            chains.append(f"{chain}atrim=end={length:.6f}[part{place}_{number}]")
        parts = "".join(f"[part{place}_{number}]" for number in range(len(stretches)))
        return ";".join([*chains, f"{parts}concat=n={len(stretches)}:v=0:a=1[sound{place}]"])


@dataclass(frozen=True, slots=True)
class JoinedSoundtrack:
    """The sounds of a joined recording, as a Soundtrack has those of one file."""

    source: str
    files: tuple[str, ...]
    sounds: tuple[JoinedSound, ...]
    every: bool = False

    def mix(self, chosen: Sequence[int], origin: float, seconds: float, chapters: Sequence[Chapter]) -> Mix:
        """As of a Soundtrack; the `chapters` say when each file begins."""
        stretches = _stretches(chapters, origin, origin + seconds)
        inputs = [word for number, part in enumerate(stretches, 1) for word in self._read(number, part)]
        numbered = [(place, self.sounds[number]) for place, number in enumerate(chosen)]
        graphs = ";".join(sound.graph(stretches, place) for place, sound in numbered)
        maps = (word for place in range(len(chosen)) for word in ("-map", f"[sound{place}]"))
        return Mix(0.0, tuple(inputs), ("-filter_complex", graphs, *maps, "-c:a", "aac"))

    def _read(self, number: int, part: _Stretch) -> tuple[str, ...]:
        """The words that read the file of a stretch as ffmpeg's input `number`."""
        there = [found for sound in self.sounds if (found := sound.streams[part.file])]
        if there:
            return there[0].read(number)
        return ("-i", f"file:{self.files[part.file]}")


def _stretches(chapters: Sequence[Chapter], begin: float, end: float) -> list[_Stretch]:
    """What lies between two moments of the recording, by file; files whose begin is not known come later."""
    times = [chapter.time for chapter in chapters]
    found = []
    for number, time in enumerate(times):
        after = times[number + 1] if number + 1 < len(times) else None
        if time is None or time >= end or (after is not None and after <= begin):
            continue
        first, last = max(begin, time), end if after is None else min(end, after)
        found.append(_Stretch(number, first - time, last - first))
    return found


def joined_soundtrack(source: str, files: Sequence[str], wanted: AudioChoice) -> JoinedSoundtrack:
    """The sounds of files that are one recording, by their numbers in the first file; `wanted` as for one.

    A file without one that is wanted is silent there, and named in a warning.  Raises InputError where all
    lack it.
    """
    every = [sounds_of(file) for file in files]
    most = max(range(len(files)), key=lambda number: len(every[number]))
    if isinstance(wanted, int):
        sound_wanted(files[most], every[most], wanted)
        numbers = [wanted - 1]
    elif wanted == "all":
        numbers = list(range(len(every[most])))
    else:
        first = next((sounds for sounds in every if sounds), [])
        numbers = sorted(range(len(first)), key=lambda number: not first[number].stream.default)
    for file, sounds in zip(files, every, strict=True):
        _warn_of_silence(file, len(sounds), numbers if wanted == "all" else numbers[:1])
    joined = [
        JoinedSound(tuple(sounds[number] if number < len(sounds) else None for sounds in every))
        for number in numbers
    ]
    return JoinedSoundtrack(source, tuple(files), tuple(joined), every=wanted == "all")


def _warn_of_silence(file: str, count: int, numbers: Sequence[int]) -> None:
    """Say which of the sounds that are kept a file with so many lacks."""
    if lacking := [str(number + 1) for number in numbers if number >= count]:
        which = f" {', '.join(lacking)}" if count else ""
        _logger.warning("%s has no sound%s: it is silent there", file, which)
