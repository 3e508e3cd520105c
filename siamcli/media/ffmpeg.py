"""The ffmpeg program that decodes and encodes, and how to read the log of its components.

ffmpeg runs as a child process.  It decodes to the same bytes as OpenCV, which contains it, but it
also gives exact frame rates and timestamps, says where a file is damaged, and reads from a pipe.

Its log also repeats texts of a file (titles, languages, names of tags), in which anything may stand, line
breaks included.  ffmpeg can colour what its components say; of all text it replaces the escape
character with which a colour begins.  So only a coloured message is one of a component.
"""

from __future__ import annotations

import atexit
import os
import re
import subprocess
from collections.abc import Sequence
from typing import Any, NamedTuple
from weakref import WeakSet

from siamcli.errors import OutputError

__all__ = [
    *("LOG_OPTIONS", "STOPPED", "DecoderLog", "Message", "begin_reader", "component_message", "environment"),
    *("ffmpeg_exe", "run_ffmpeg"),
]

LOG_OPTIONS = ("-nostdin", "-hide_banner", "-nostats", "-loglevel", "repeat+level+info")
"""The options under which ffmpeg's log, in `environment`, has the form that is read here."""

STOPPED = "the server stopped sending"
"""Why an address gives no more, where nothing better is known."""

_MESSAGE = re.compile(r"\x1b\[[\d;]+m\[(warning|error|fatal)\] \x1b\[0m\x1b\[[\d;]+m([^\x1b]+)")
_INSERTED = re.compile(r"\[info\] [^\x1b]+\x1b\[\d;3(\d)m([^\x1b]+)")
_YELLOW = "3"  # of warnings
_SHOWN = re.compile(
    r"\x1b\[[\d;]+m\[Parsed_showinfo_\w+ @ \w+\] \x1b\[0m\[info\] n: *\d+ pts:.* s:(\d+)x(\d+) "
)
_CUT = re.compile(r"stream \d+, offset 0x[\da-f]+: partial file|.*ended prematurely.*")
_DAMAGE = re.compile(
    r"corrupt decoded frame.*|Decoding error.*|Error submitting packet.*|Error during demuxing.*"
    r"|error while decoding .*|concealing \d+ .*"
)
_NOT_READ = re.compile(r"Error during demuxing: (?:Input/output error|Connection .+)")
_HUNG_UP = re.compile(r"Stream ends prematurely at (\d+), should be (\d+)")
_UNKNOWN = 2**63  # bytes: more than any server announces
_LOST_PACKET = re.compile(r"corrupt input packet in stream \d+")
_JOINT = re.compile(r"timestamp discontinuity .*")


def ffmpeg_exe() -> str:
    """Path of the ffmpeg program; raises OutputError where there is none."""
    try:
        import imageio_ffmpeg  # noqa: PLC0415 - images, training and timing do without it

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        raise OutputError("no ffmpeg found", hint="pip install --force-reinstall imageio-ffmpeg") from error


def run_ffmpeg(*words: str) -> subprocess.CompletedProcess[bytes]:
    """Run ffmpeg to its end without a log; what it writes to `pipe:1` is in `stdout`."""
    return subprocess.run(
        [ffmpeg_exe(), "-nostdin", "-loglevel", "quiet", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )


_readers: WeakSet[subprocess.Popen[bytes]] = WeakSet()


def begin_reader(command: Sequence[str], **pipes: Any) -> subprocess.Popen[bytes]:  # noqa: ANN401 - as Popen
    """An ffmpeg that reads a source.  It ends with this program, also where that does not wait for the thread
    in which a source is opened: an address may be silent for long."""
    # Ctrl-C is for us, who close it in order
    child = subprocess.Popen(command, env=environment(), start_new_session=True, **pipes)
    _readers.add(child)
    return child


@atexit.register
def _end_readers() -> None:
    for child in list(_readers):
        child.kill()


def environment() -> dict[str, str]:
    """The environment in which ffmpeg colours its log."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AV_LOG_FORCE_")}
    return inherited | {"AV_LOG_FORCE_COLOR": "1", "TERM": "ansi"}


class Message(NamedTuple):
    """What a component of ffmpeg says: warning, error or fatal, and the first line of the words."""

    level: str
    text: str


def component_message(line: str) -> Message | None:
    """The complaint of a component in a line of ffmpeg's log, None where it is anything else.

    >>> component_message("\\x1b[0;36m[h264 @ 0x1] \\x1b[0m\\x1b[1;31m[error] \\x1b[0m\\x1b[1;31mno frame!")
    Message(level='error', text='no frame!')
    >>> component_message("[h264 @ 0x1] [error] no frame!")

    A filter says what it shows in pieces.  What another thread says meanwhile stands among them, and its
    colour alone tells its level.

    >>> component_message("\\x1b[0m[info] color_range:tv\\x1b[1;31mFile ended prematurely")
    Message(level='error', text='File ended prematurely')
    """
    if match := _MESSAGE.search(line):
        return Message(match[1], match[2].strip())
    if match := _INSERTED.search(line):
        return Message("warning" if match[1] == _YELLOW else "error", match[2].strip())
    return None


class DecoderLog:
    """Reads the log of an ffmpeg that decodes, line by line.

    `problem` is the first error.  `resized` are, where showinfo stands before the filters that scale, the
    index and size of the first frame that is not as large as the first one, and that one's size.
    `broken` is why no more came from where the source lies, which is no damage of its own.
    """

    def __init__(self) -> None:
        self.problem: str | None = None
        self.resized: tuple[int, tuple[int, int], tuple[int, int]] | None = None
        self.broken: str | None = None
        self._hung_up: str | None = None
        self._length_known = True
        self._damage: str | None = None
        self._first_damage: str | None = None
        self._lost_packets: list[str] = []
        self._joints = 0
        self._frames = 0
        self._first_size: tuple[int, int] | None = None

    @property
    def damage(self) -> str | None:
        """The first sign that the source is damaged or cut short.

        Before the first frame, errors of a decoder are usual in streams that begin in the middle; where no
        other frame follows, it is that one that is damaged.  Where streams were joined, the last packet
        before the joint counts as lost to ffmpeg.
        """
        lost = self._lost_packets[self._joints :]
        first = self._first_damage if self._frames == 1 else None
        return self._damage or (lost[0] if lost else first)

    def read(self, line: str) -> None:
        """Take in one line."""
        if match := _SHOWN.search(line):
            size = int(match[1]), int(match[2])
            self._first_size = self._first_size or size
            if self.resized is None and size != self._first_size:
                self.resized = self._frames, size, self._first_size
            self._frames += 1
        if message := component_message(line):
            if self._is_end(message.text):
                return
            if _LOST_PACKET.fullmatch(message.text):
                self._lost_packets.append(message.text)
            elif _JOINT.fullmatch(message.text):
                self._joints += 1
            elif self._damage is None and self._is_damage(message.text):
                self._damage = message.text
            elif message.level != "warning":
                self.problem = self.problem or message.text
            if self._first_damage is None and _DAMAGE.fullmatch(message.text):
                self._first_damage = message.text

    def _is_end(self, text: str) -> bool:
        """True where an answer is over whose length was not announced; notes why another one broke off."""
        match, not_read = _HUNG_UP.fullmatch(text), _NOT_READ.fullmatch(text)
        if match:
            self._length_known = int(match[2]) < _UNKNOWN
            self._hung_up = f"the server hung up after {match[1]} of {match[2]} bytes"
        elif not_read and self._length_known:
            self.broken = self._hung_up or STOPPED
        return bool(match or not_read) and not self._length_known

    def _is_damage(self, text: str) -> bool:
        # what a demuxer says comes at any time: ffmpeg reads ahead of what it decodes
        return bool(_CUT.fullmatch(text) or (self._frames and _DAMAGE.fullmatch(text)))
