"""Sends lines of text to any number of WebSockets, from a server in a thread of its own."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import time
from collections import deque
from contextlib import suppress
from threading import Event, Thread

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from siamcli.session.lines import Lines

__all__ = ["WebSocketLines"]

WAIT = 10.0  # seconds that a line waits for a reader: who is too slow gets what is new
MOST = 1 << 16  # lines that may wait for one, some 16 MB
DRAIN = 5.0  # seconds that readers have at the end for what waits for them
LARGEST = 1024  # bytes of a message from a reader, none of which is read
_HERE = r"localhost|127\.\d+\.\d+\.\d+|\[::1\]"


class _Reader:
    """The lines that wait for one connection."""

    def __init__(self) -> None:
        self.missed = 0
        self._lines: deque[tuple[float, str]] = deque()  # and when each came
        self._under_way = False
        self._ended = False
        self._changed = asyncio.Event()

    def put(self, line: str) -> None:
        """Add a line; those that have waited too long go."""
        self._lines.append((time.monotonic(), line))
        self._drop_old()
        self._changed.set()

    def _drop_old(self) -> None:
        oldest = time.monotonic() - WAIT
        while self._lines and (self._lines[0][0] < oldest or len(self._lines) > MOST):
            self._lines.popleft()
            self.missed += 1

    def end(self) -> None:
        """No line follows."""
        self._ended = True
        self._changed.set()

    def give_up(self) -> None:
        """What waits is missed, and what is being sent."""
        self.missed += len(self._lines) + self._under_way
        self._lines.clear()

    def leave(self) -> None:
        """The reader went away: what waits is not missed."""
        self._lines.clear()
        self.end()

    async def next(self) -> str | None:
        """The next line, None at the end; the one before it is sent."""
        self._under_way = False
        self._drop_old()
        while not self._lines:
            if self._ended:
                return None
            self._changed.clear()
            await self._changed.wait()
        self._under_way = True
        return self._lines.popleft()[1]


class WebSocketLines(Lines):
    """A text message per line, to all who connect to `listener`; who comes late gets the header first.

    Web pages of other machines than this one and `host` are refused, as a browser would let them read along.
    """

    def __init__(self, listener: socket.socket, host: str) -> None:
        self._listener = listener
        self._host = host
        self._head = ""
        self._readers: dict[_Reader, ServerConnection] = {}
        self._open = True
        self._ready = Event()
        self._thread = Thread(target=self._run, name="websocket", daemon=True)
        self._thread.start()
        self._ready.wait()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        finally:
            self._ready.set()  # also where it could not begin

    def write(self, text: str) -> None:
        self._loop.call_soon_threadsafe(self._publish, text.splitlines())

    def close(self) -> None:
        if self._open:
            self._open = False
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join()

    def _publish(self, lines: list[str]) -> None:
        if not self._head:
            self._head, *lines = lines
            self._begun.set()
        for reader in self._readers:
            for line in lines:
                reader.put(line)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._begun, self._end = asyncio.Event(), asyncio.Event()
        page = re.compile(rf"https?://({_HERE}|{re.escape(self._host)})(:\d+)?")
        logger = logging.Logger("websocket", logging.CRITICAL)  # a reader that fails is no matter of ours
        async with serve(
            self._connected,
            sock=self._listener,
            origins=[None, page],
            compression=None,
            ping_interval=None,  # who does not answer for a while may be a reader that is slow
            close_timeout=DRAIN,
            max_size=LARGEST,
            write_limit=0,  # a line that was sent is in the system's buffer, and the next one waits here
            logger=logger,
        ):
            self._ready.set()
            await self._end.wait()
            self._begun.set()  # nothing begins any more
            for reader in self._readers:
                reader.end()
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._all_left(), DRAIN)
            for reader, connection in self._readers.items():
                reader.give_up()
                connection.transport.abort()  # a farewell would wait behind what the reader does not take

    async def _all_left(self) -> None:
        while self._readers:
            await asyncio.sleep(0.01)

    async def _connected(self, connection: ServerConnection) -> None:
        await self._begun.wait()
        if not self._head:  # it ended before
            return
        reader = _Reader()
        if self._end.is_set():
            reader.end()
        self._readers[reader] = connection
        listening = asyncio.create_task(_listen(connection, reader))
        try:
            await connection.send(self._head)
            while (line := await reader.next()) is not None:
                await connection.send(line)
        except ConnectionClosed:
            pass
        finally:
            listening.cancel()
            del self._readers[reader]
            self.missed += reader.missed


async def _listen(connection: ServerConnection, reader: _Reader) -> None:
    """Pass over what a reader says, until it goes."""
    with suppress(ConnectionClosed):
        async for _ in connection:
            pass
    reader.leave()
