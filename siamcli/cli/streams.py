"""Handles standard streams that are closed, full or no longer read."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from io import TextIOWrapper
from typing import Any, TextIO, cast

from siamcli.errors import OutputError

__all__ = ["protect_streams"]


class _SafeStream:
    """A standard stream, None where it is closed; `refused` is told of every write that fails."""

    def __init__(self, stream: TextIO | None, refused: Callable[[OSError], None]) -> None:
        self._closed = stream is None
        self._stream = stream or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - to the end
        self._refused = refused

    def write(self, text: str) -> int:
        if text == "":  # typer probes a stream with it, and hides what that raises
            return 0
        if self._closed:
            self._refused(OSError(errno.EBADF, "it is closed"))
        self._try(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        self._try(self._stream.flush)

    def _try(self, act: Callable[[], object]) -> None:
        try:
            act()
        except OSError as failure:
            self._refused(failure)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the stream has
        return getattr(self._stream, name)


def protect_streams() -> None:
    """Set what happens when a standard stream cannot be written.

    A message that cannot be written is dropped, and the work continues.  A result that cannot be written is
    an OutputError; if its reader has closed the pipe, the command ends quietly.  File names are written as
    their exact bytes, even if they are not valid text.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")
    if not isinstance(sys.stderr, _SafeStream):
        sys.stderr = cast("TextIO", _SafeStream(sys.stderr, lambda failure: None))
    if not isinstance(sys.stdout, _SafeStream):
        sys.stdout = cast("TextIO", _SafeStream(sys.stdout, _no_result))


def _no_result(failure: OSError) -> None:
    # What Python still holds for it goes nowhere, so that the end of the program does not fail again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if failure.errno == errno.EPIPE:
        raise SystemExit(141) from None  # 128 + SIGPIPE
    raise OutputError(f"cannot write standard output: {failure.strerror}", hint="send it elsewhere") from None
