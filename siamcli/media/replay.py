"""Lets two programs read a pipe or an open file, which can be read only once."""

from __future__ import annotations

import os
import select
import subprocess
import tempfile
from contextlib import suppress
from threading import Event, Thread
from typing import IO

from siamcli.media.ffmpeg import begin_reader
from siamcli.media.heads import check_head
from siamcli.media.playlists import is_playlist
from siamcli.media.web import WebBody

__all__ = ["Replay"]

_CHUNK = 1 << 18
_LONGEST = 1 << 28  # bytes of the beginning that are kept
_POLL = 0.05  # seconds


class Replay:
    """Hands a pipe, by its path or the number of an open file, or what a web server sends, to a first
    program, and from its beginning to a second one."""

    def __init__(self, pipe: int | str | WebBody) -> None:
        self._opened = not isinstance(pipe, int)
        self._body = pipe if isinstance(pipe, WebBody) else None
        if isinstance(pipe, WebBody):
            self._descriptor = pipe.descriptor
        else:
            self._descriptor = os.open(pipe, os.O_RDONLY) if isinstance(pipe, str) else pipe
        self._head = bytearray()
        self._closed = Event()
        self._thread: Thread | None = None

    @property
    def problem(self) -> str | None:
        """Why a web server's answer broke off."""
        return self._body.problem if self._body else None

    def run(self, command: list[str]) -> str:
        """Run a program that reads from the beginning on; returns its log."""
        with tempfile.TemporaryFile() as log:
            child = begin_reader(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=log)
            assert child.stdin
            try:
                with suppress(BrokenPipeError), child.stdin:
                    child.stdin.write(self._head)  # what a program before it has read
                    while len(self._head) < _LONGEST and (chunk := self._next(child)):
                        self._head += chunk
                        child.stdin.write(chunk)
                        child.stdin.flush()
                child.wait()
            finally:
                child.kill()
                child.wait()
            log.seek(0)
            return log.read().decode(errors="replace")

    def check(self, name: str) -> None:
        """Raises InputError where what was read so far of what is called `name` begins as no video does."""
        head = bytes(self._head)
        if (head or not self.problem) and not is_playlist(head):
            check_head(name, head)

    def feed(self, pipe: IO[bytes]) -> None:
        """Write everything to a pipe, in a thread, until it is closed or `close` is called."""
        self._thread = Thread(target=self._feed, args=(pipe,), daemon=True)
        self._thread.start()

    def _feed(self, pipe: IO[bytes]) -> None:
        with suppress(BrokenPipeError, ValueError), pipe:
            pipe.write(self._head)
            self._head = bytearray()
            while chunk := self._next():
                pipe.write(chunk)

    def _next(self, reader: subprocess.Popen[bytes] | None = None) -> bytes:
        """The next bytes; none at the end, or after the reader has gone."""
        while not self._closed.is_set() and (reader is None or reader.poll() is None):
            if select.select([self._descriptor], [], [], _POLL)[0]:
                return os.read(self._descriptor, _CHUNK)
        return b""

    def close(self) -> None:
        """Stop feeding."""
        self._closed.set()
        if self._thread:
            self._thread.join()
        if self._opened:
            os.close(self._descriptor)
            self._opened = False
