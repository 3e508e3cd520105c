"""Sends events to all open pages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

__all__ = ["Events"]

BEAT = 15.0  # seconds after which a quiet stream says that it is still there
MOST = 1000  # events that wait for a page; one that falls so far behind is asked to reload


class Events:
    """Server-sent events (HTML standard, 9.2) for any number of pages; `send` may be called by any thread."""

    def __init__(self) -> None:
        self._queues: dict[asyncio.Queue[str | None], asyncio.AbstractEventLoop] = {}

    def send(self, event: Mapping[str, Any]) -> None:
        """Tell every page."""
        self._put(f"data: {json.dumps(event)}\n\n")

    def close(self) -> None:
        """End all streams."""
        self._put(None)

    def _put(self, text: str | None) -> None:
        for queue, loop in list(self._queues.items()):
            loop.call_soon_threadsafe(self._offer, queue, text)

    @staticmethod
    def _offer(queue: asyncio.Queue[str | None], text: str | None) -> None:
        if queue.qsize() >= MOST:  # the page connects anew, and reads everything
            while not queue.empty():
                queue.get_nowait()
            text = None
        queue.put_nowait(text)

    async def stream(self) -> AsyncIterator[str]:
        """The events from now on, as text of the stream."""
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._queues[queue] = asyncio.get_running_loop()
        try:
            yield "retry: 1000\n\n"
            while True:
                try:
                    text = await asyncio.wait_for(queue.get(), BEAT)
                except asyncio.TimeoutError:
                    text = ": still here\n\n"
                if text is None:
                    return
                yield text
        finally:
            del self._queues[queue]
