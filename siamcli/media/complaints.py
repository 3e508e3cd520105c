"""Turns ffmpeg's complaint about a source into an error with a hint."""

from __future__ import annotations

import re

from siamcli.errors import InputError
from siamcli.media.playlists import NOT_OPENED

__all__ = ["NO_RATE", "OwnTimesError", "unreadable"]

NO_RATE = "Option framerate not found"
"""What ffmpeg says where a rate is named for a source that has times of its own."""

_PLAYLIST = re.compile("(?i)not on whitelist|unsafe file name|Impossible to open|Not detecting m3u8")


class OwnTimesError(InputError):
    """A frame rate was named for a source that has times of its own."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} has frame times of its own", hint="--fps is for images and raw streams: leave it out"
        )


def unreadable(name: str, problem: str, is_pipe: bool) -> InputError:
    """The error of a source that is shown as `name`, of which ffmpeg says `problem`."""
    if NO_RATE in problem:
        return OwnTimesError(name)
    if _PLAYLIST.search(problem):
        return InputError(f"{name} is a playlist: {NOT_OPENED}", hint="name the video itself")
    hint = "is it a whole video file that ffmpeg can read?"
    if is_pipe:
        hint = "the container must be readable from its start"
    return InputError(f"cannot read {name}: {problem}", hint=hint)
