"""Turns ffmpeg's complaint about a source into an error with a hint."""

from __future__ import annotations

import re

from siamcli.counts import counted
from siamcli.errors import InputError
from siamcli.media.playlists import NOT_OPENED
from siamcli.media.refusals import said_no, untrusted

__all__ = ["NO_RATE", "SILENT", "WHOLE", "OwnTimesError", "cut_off", "unreadable"]

NO_RATE = "Option framerate not found"
"""What ffmpeg says where a rate is named for a source that has times of its own."""

WHOLE = "is it a whole video file that ffmpeg can read?"
"""The hint where nothing better is known."""

SILENT = re.compile("timed out|Input/output error")
"""What ffmpeg says, after it has waited, of an address from which nothing comes."""

_SAID_NO = re.compile(r"(?:Server returned|method \w+ failed:) ([45]\d\d)\b")
_ENDS = re.compile(
    r"(?i)moov atom not found|\bEOF\b|end of file|ended prematurely|partial file|truncat"
    "|read_timestamp failed|invalid NAL unit size"
)
_PLAYLIST = re.compile("(?i)not on whitelist|unsafe file name|Impossible to open|Not detecting m3u8")


class OwnTimesError(InputError):
    """A frame rate was named for a source that has times of its own."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} has frame times of its own", hint="--fps is for images and raw streams: leave it out"
        )


def unreadable(name: str, problem: str, is_pipe: bool, *, foreign: bool = False) -> InputError:
    """The error of a source that is shown as `name`, of which ffmpeg says `problem`.

    What ends too early for the format that its name says may be whole, and of another one: `foreign`.
    """
    if NO_RATE in problem:
        return OwnTimesError(name)
    if _PLAYLIST.search(problem):
        return InputError(f"{name} is a playlist: {NOT_OPENED}", hint="name the video itself")
    if code := _SAID_NO.search(problem):
        return said_no(name, int(code[1]))
    if "certificate verify failed" in problem:
        return untrusted(name, "nobody that this machine trusts vouches for it")
    if _ENDS.search(problem) and not is_pipe and not foreign:
        hint = "was it recorded or copied to its end?"
        return InputError(f"cannot read {name}: it ends too early ({problem.rstrip('.')})", hint=hint)
    hint = "the container must be readable from its start" if is_pipe else WHOLE
    return InputError(f"cannot read {name}: {problem}", hint=hint)


def cut_off(name: str, why: str, frames: int, announced: int | None) -> InputError:
    """The error of a source from which no more came after so many frames."""
    decoded = f"{frames} of about {counted(announced, 'frame')}" if announced else counted(frames, "frame")
    return InputError(
        f"{name} broke off: {why} ({decoded} decoded)",
        hint="every frame that came was used; try again, or download it first",
    )
