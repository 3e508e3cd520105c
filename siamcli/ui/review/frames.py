"""The frames of a video by their index, as JPEG."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack
from threading import Lock

import cv2
import numpy as np

from siamcli.errors import InputError
from siamcli.frames import Frame, Image, SourceInfo
from siamcli.media.base import Source
from siamcli.media.images import jpeg
from siamcli.media.reverse import Reopen
from siamcli.times import FrameFilter, FrameRange, TimePoint

__all__ = ["FrameStore", "OneFrame", "as_jpeg", "resized"]

MEMORY = 128 * 2**20  # bytes of pictures that are kept
BEFORE = 12  # frames decoded before the one that is asked for: steps back are as quick as steps forward
AHEAD = 48  # frames: a picture so near after the last one is decoded on the way
WIDEST = (1920, 1200)  # pixels; larger pictures are made smaller


def resized(image: Image, room: tuple[int, int]) -> Image:
    """The picture, made smaller where it does not fit into `room` (width, height)."""
    height, width = image.shape[:2]
    scale = min(room[0] / width, room[1] / height)
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def as_jpeg(image: Image, room: tuple[int, int] = WIDEST, quality: int = 85) -> bytes:
    """A picture as JPEG, made smaller where it does not fit into `room` (width, height)."""
    return jpeg(resized(image, room), quality)


class OneFrame(Source):
    """The frame that was read of a source that can be read only once."""

    def __init__(self, frame: Frame, info: SourceInfo) -> None:
        super().__init__(FrameRange())
        self.info = info
        self._frame = frame

    def frames(self, frame_filter: FrameFilter) -> Iterator[Frame]:
        """That frame."""
        yield self._frame

    def close(self) -> None:
        """Nothing is open."""


class FrameStore:
    """Gives any frame of a file or of images, and keeps those that were given last.

    `begin` is the time of the first frame in seconds, None where it has none; `end` is the frame after the
    last one once that is known for sure, `reached` the one after the farthest that was given.  Several
    threads may ask it.  Raises InputError for a source that cannot be opened.
    """

    def __init__(self, reopen: Reopen, memory: int = MEMORY) -> None:
        self.closed = False
        self.end: int | None = None
        self.reached = 0
        self._reopen = reopen
        self._memory = memory
        self._pictures: OrderedDict[int, bytes] = OrderedDict()
        self._lock = Lock()
        self._open = ExitStack()
        self._frames: Iterator[Frame] = iter(())
        self._first = self._next = 0  # where _frames began, and the frame that it gives next
        self.begin: float | None = None
        try:
            self._restart(0)
            self._read_to(0)
        except InputError:
            self._open.close()
            raise

    def jpeg(self, index: int) -> bytes | None:
        """The picture at `index`, None where there is none and when it is `closed`.  Raises InputError for a
        source that is gone."""
        with self._lock:
            if self.closed:
                return None
            if index in self._pictures:
                self._pictures.move_to_end(index)
                return self._pictures[index]
            if index < 0 or (self.end is not None and index >= self.end):
                return None
            if not self._next <= index < self._next + AHEAD:
                self._restart(max(0, index - BEFORE))
            picture = self._read_to(index)
            if picture is None and self.end is None:  # the end lies before: it is looked for
                self._restart(max(0, self.reached - 1))
                picture = self._read_to(index)
            return picture

    def _restart(self, index: int) -> None:
        self._open.close()
        source = self._open.enter_context(self._reopen(start=TimePoint(frame=index)))
        self.info = source.info
        self._frames, self._first, self._next = iter(source), index, index

    def _read_to(self, index: int) -> bytes | None:
        try:
            for frame in self._frames:
                if not self.reached:
                    self.begin = frame.time
                self._next = frame.index + 1
                self.reached = max(self.reached, self._next)
                self._keep(frame.index, as_jpeg(frame.image))
                if frame.index >= index:
                    return self._pictures.get(index)
        except InputError:  # damaged from here on, or nothing there: what decodes is shown
            if self._next == 0:
                raise
        if self._next > self._first:
            self.end = self._next
        return None

    def _keep(self, index: int, picture: bytes) -> None:
        self._pictures[index] = picture
        self._pictures.move_to_end(index)
        held = sum(map(len, self._pictures.values()))
        while held > self._memory and len(self._pictures) > 1:
            held -= len(self._pictures.popitem(last=False)[1])

    def close(self) -> None:
        """Let go of the source."""
        with self._lock:
            self.closed = True  # else a thread that waits here would open it again, and nobody close it
            self._open.close()
