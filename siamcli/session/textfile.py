"""Writes a trajectory file while tracking; it is readable even if the program is killed."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from siamcli.atomic import AtomicFile, Unfinished, as_output_error
from siamcli.errors import OutputError
from siamcli.formats.files import make_stream
from siamcli.formats.kinds import FORMATS, STREAMS, find_format, is_stream, streamed_suffixes
from siamcli.formats.stream import Lost, TextStream
from siamcli.frames import SourceInfo
from siamcli.media.base import Output
from siamcli.media.suffixes import VIDEO_SUFFIXES
from siamcli.session.lines import Lines, open_lines
from siamcli.trajectory import TrackHeader, TrackPoint

__all__ = ["TextOutput", "open_text"]


class TextOutput(Output):
    """Takes the points of one frame after the other; `close` ends the file and gives it its name.

    `lost` is what the end of the file says of lost intervals: the caller counts them and sets it before,
    and `source`, if more is known of it than when the file was begun.
    Raises OutputError when the system refuses to write.
    """

    def __init__(self, name: str, file: TextIO | Lines, part: AtomicFile | None, stream: TextStream) -> None:
        self.name = name
        self.lost: Lost = {}
        self.source: SourceInfo | None = None
        self._file = file
        self._part = part
        self._stream = stream
        self._frames = 0
        self._open = True
        self._head = stream.head()
        self._emit(self._head)

    def write(self, points: Sequence[TrackPoint]) -> None:
        """The points of all targets in one frame."""
        self._emit(self._stream.points(points))
        self._frames += 1

    def close(self, complete: bool) -> None:
        """End the file; not `complete` says that frames are missing at the end."""
        if not self._open:
            return
        self._emit(self._stream.tail(frames=self._frames, complete=complete, lost=self.lost))
        self._open = False
        if self._part:
            with as_output_error(self._part.target):
                self._file.close()
            head = self._stream.head(self.source)
            try:
                if head != self._head:
                    self._write_head(self._part, head)
            finally:  # a disk without room for a second copy has the points all the same
                self._part.commit(complete=complete)
        self._end_lines()

    def _write_head(self, part: AtomicFile, head: str) -> None:
        """Put `head` in the place of the one that was written."""
        with part.second_pass() as (path, take):
            with as_output_error(part.target), part.path.open("rb") as old, path.open("wb") as new:
                old.seek(len(self._head.encode()))
                new.write(head.encode())
                shutil.copyfileobj(old, new)
            take()

    def _emit(self, text: str) -> None:
        try:
            with as_output_error(Path("standard output" if self.name == "-" else self.name)):
                self._file.write(text)
                self._file.flush()
        except OutputError:
            self.discard()
            raise

    def discard(self) -> None:
        self._open = False
        if self._part:
            # close() would try once more to write what did not fit, and fail again
            with contextlib.suppress(OSError):
                self._file.close()
            self._part.discard()
        self._end_lines()

    def _end_lines(self) -> None:
        if isinstance(self._file, Lines):
            self._file.close()

    @property
    def is_sent(self) -> bool:
        """True for what goes to readers at an address."""
        return isinstance(self._file, Lines)

    @property
    def missed(self) -> int:
        """How many lines readers at an address did not get."""
        return self._file.missed if isinstance(self._file, Lines) else 0

    @property
    def begun(self) -> bool:
        return self._frames > 0

    @property
    def kept(self) -> Path | None:
        return self._part.kept if self._part else None


def open_text(
    path: str,
    header: TrackHeader,
    *,
    overwrite: bool,
    drop_lost: bool = False,
    unfinished: Unfinished = "kept",
) -> TextOutput:
    """A trajectory file in the format of its suffix; `-` is JSON Lines on standard output, and an address of
    STREAMS has them sent there.

    `drop_lost` is for formats without states, `unfinished` for what an exception ends.  Raises OutputError
    when the file exists, cannot be written, or has a suffix of no format.
    """
    kind = FORMATS["jsonl"] if is_stream(path) else find_format(path)
    if kind is None:
        known = " ".join((*streamed_suffixes(), *VIDEO_SUFFIXES, *STREAMS))
        raise OutputError(f"{path}: unknown format", hint=f"known: {known}")
    stream = make_stream(kind, header, drop_lost=drop_lost)
    if path == "-":
        if sys.stdout is None:
            raise OutputError("standard output is closed", hint="name a file")
        return TextOutput(path, sys.stdout, None, stream)
    if is_stream(path):
        return TextOutput(path, open_lines(path), None, stream)
    part = AtomicFile(Path(path), overwrite=overwrite, unfinished=unfinished)
    with as_output_error(part.target):
        file = part.path.open("w", encoding="utf-8", newline="\n")
    return TextOutput(path, file, part, stream)
