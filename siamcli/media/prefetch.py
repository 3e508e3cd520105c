"""Decodes ahead: reads the next frames while the tracker works on one."""

from __future__ import annotations

from collections.abc import Iterator
from queue import Full, Queue
from threading import Event, Thread
from types import TracebackType
from typing import TYPE_CHECKING

from siamcli.cores import lower_priority
from siamcli.frames import Frame, FrameSource, SourceInfo

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Prefetch", "prefetch"]

_POLL = 0.1  # seconds between looks at the stop sign


class Prefetch:
    """A FrameSource that reads another one in a thread, at most `depth` frames ahead.

    What the source raises is raised here, after the frames that came before it.
    """

    def __init__(self, source: FrameSource, depth: int) -> None:
        self._source = source
        self._queue: Queue[Frame | BaseException | None] = Queue(depth)
        self._stop = Event()
        self._thread = Thread(target=self._read, daemon=True)

    @property
    def info(self) -> SourceInfo:
        return self._source.info

    @property
    def live(self) -> bool:
        return self._source.live

    @property
    def dropped(self) -> int:
        return self._source.dropped

    @property
    def ready(self) -> bool:
        return not self._queue.empty()

    def _read(self) -> None:
        lower_priority()
        try:
            for frame in self._source:
                if not self._put(frame):
                    return
            self._put(None)
        except BaseException as error:  # noqa: BLE001 - handed over, and raised in the reader's thread
            self._put(error)

    def _put(self, item: Frame | BaseException | None) -> bool:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=_POLL)
            except Full:
                continue
            return True
        return False

    def __iter__(self) -> Iterator[Frame]:
        while True:
            item = self._queue.get()
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        # The thread may wait for a pipe or a camera that says nothing: closing the source ends that.
        self._source.__exit__(kind, error, trace)
        self._thread.join()


def prefetch(source: FrameSource, depth: int = 8) -> FrameSource:
    """`source`, read ahead in a thread; use it as a context manager, which also closes `source`.

    A live source stays as it is: it has a thread already, and old frames are what it avoids.
    """
    return source if source.live else Prefetch(source, depth)
