"""Chooses the audio streams of a source that are kept in the written video."""

from __future__ import annotations

import logging

from siamcli.errors import InputError
from siamcli.media.joined_sound import JoinedSoundtrack, joined_soundtrack
from siamcli.media.kinds import source_name
from siamcli.media.sound import AudioChoice, Soundtrack, sound_wanted, sounds_of

__all__ = ["soundtrack"]

_logger = logging.getLogger(__name__)


def soundtrack(
    source: str, wanted: AudioChoice = None, there: int = 0
) -> Soundtrack | JoinedSoundtrack | None:
    """The sounds of a source that are `wanted`; None where it has none that could be read again: a message
    says so where some are known to be `there`.

    Raises InputError for one that is not there (of a joined recording: in no file), and where none can be
    read but one is wanted.
    """
    name = source_name(source)
    if not name.has_sound:
        if wanted is None or (wanted == "all" and name.is_images):
            if there:
                _logger.warning("%s: its sound is left out: only that of files is kept", name.shown)
            return None
        raise InputError(f"{name.shown}: --audio is for video files", hint="record it to a file first")
    if name.kind == "joined":
        return joined_soundtrack(name.shown, [part.text for part in name.parts], wanted)
    sounds = sounds_of(name.text)
    if wanted == "all":
        return Soundtrack(name.text, tuple(sounds), every=True)
    if wanted is None:  # what players play is first
        return Soundtrack(name.text, tuple(sorted(sounds, key=lambda sound: not sound.stream.default)))
    return Soundtrack(name.text, (sound_wanted(name.shown, sounds, wanted),))
