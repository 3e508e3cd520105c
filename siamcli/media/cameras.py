"""Cameras and live streams: gives the newest frame, counts dropped ones, and reconnects."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from threading import Condition, Event, Lock, Thread

import cv2
import numpy as np

from siamcli.errors import InputError
from siamcli.frames import Frame, SourceInfo
from siamcli.media.base import Source
from siamcli.media.images import quiet_opencv
from siamcli.times import FrameFilter, FrameRange

__all__ = ["Camera", "LiveSource", "ReconnectPolicy"]


@dataclass(frozen=True, slots=True)
class ReconnectPolicy:
    """How often in a row a live source is opened again, and how long it waits before, in seconds."""

    attempts: int = 5
    first_wait: float = 0.5
    longest_wait: float = 8.0

    def wait(self, attempt: int) -> float:
        """Seconds before the attempt (1, 2, ...): twice as long each time.

        >>> [ReconnectPolicy().wait(n) for n in (1, 2, 3, 6)]
        [0.5, 1.0, 2.0, 8.0]
        """
        return min(self.first_wait * 2.0 ** (attempt - 1), self.longest_wait)


class Camera(Source):
    """A camera by its number, as OpenCV counts them, or by the path of its device.

    Raises InputError when it gives no frame.
    """

    def __init__(self, device: int | str, name: str) -> None:
        super().__init__(FrameRange())
        with quiet_opencv():  # it complains about every back end that does not know the number
            self._capture = cv2.VideoCapture(device, cv2.CAP_ANY if isinstance(device, int) else cv2.CAP_V4L2)
            ok, image = self._capture.read()
        self._lock = Lock()
        if not ok:
            self._capture.release()
            raise InputError(
                f"camera {device} gives no picture",
                hint="is it plugged in, and free? `siamtrack doctor` lists cameras",
            )
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.info = SourceInfo(
            name=name,
            size=(image.shape[1], image.shape[0]),
            fps=Fraction(fps).limit_denominator(1001) if fps > 0 else None,
        )

    def frames(self, frame_filter: FrameFilter) -> Iterator[Frame]:
        index = 0
        while True:
            with self._lock:
                ok, image = self._capture.read()
            if not ok:
                raise InputError(f"{self.info.name} stopped", hint="was it unplugged?")
            if frame_filter(index, None) == "keep":
                yield Frame(index, None, np.asarray(image, dtype=np.uint8))
            index += 1

    def close(self) -> None:
        with self._lock:
            self._capture.release()


class LiveSource(Source):
    """Reads `stream` in a thread and hands out the newest frame; `dropped` counts the others.

    The index counts all frames that arrived, the time is seconds since the first.  A stream that
    ends or fails, or whose frames have another size than before, is opened again with `reopen`; raises
    InputError when that fails too often.
    """

    live = True

    def __init__(
        self,
        stream: Source,
        reopen: Callable[[], Source],
        cut: FrameRange,
        policy: ReconnectPolicy | None = None,
    ) -> None:
        super().__init__(cut)
        self.info = replace(stream.info, count=None)
        self._stream = stream
        self._reopen = reopen
        self._policy = policy or ReconnectPolicy()
        self._condition = Condition()
        self._latest: Frame | None = None
        self._failures = 0
        self._end: Exception | None = None
        self._stop = Event()
        self._thread: Thread | None = None

    @property
    def ready(self) -> bool:
        return self._latest is not None or self._stop.is_set()

    def frames(self, frame_filter: FrameFilter) -> Iterator[Frame]:
        self._thread = Thread(target=self._work, args=(frame_filter,), daemon=True)
        self._thread.start()
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._latest or self._stop.is_set())
                frame, self._latest = self._latest, None
            if frame is not None:
                yield frame
            elif self._end is not None:
                raise self._end
            else:
                return

    def _work(self, frame_filter: FrameFilter) -> None:
        try:
            self._read(frame_filter)
        except Exception as error:  # noqa: BLE001 - it crosses to the thread that waits for frames
            self._finish(error)

    def _read(self, frame_filter: FrameFilter) -> None:
        index, began = 0, 0.0
        while not self._stop.is_set():
            arrived, problem = index, InputError(f"{self.info.name} ended")
            try:
                for frame in self._stream.frames(FrameFilter(FrameRange())):
                    self._check_size(frame)
                    now = time.monotonic()
                    began = began or now
                    decision = frame_filter(index, now - began)
                    if decision == "keep":
                        self._publish(Frame(index, now - began, frame.image, arrived=now))
                    if decision == "stop":
                        self._finish(None)
                    if self._stop.is_set():
                        return
                    index += 1
            except InputError as error:
                problem = error
            self._failures = 0 if index > arrived else self._failures
            self._reconnect(problem)

    def _check_size(self, frame: Frame) -> None:
        """Raises InputError for a frame in whose pixels the boxes before it do not count."""
        (height, width), known = frame.image.shape[:2], self.info.size
        if known not in (None, (width, height)):
            raise InputError(
                f"{self.info.name} sends frames of {width}x{height} now, and sent "
                f"{'x'.join(map(str, known or ()))} before",
                hint="track what comes now in a run of its own",
            )

    def _reconnect(self, problem: InputError) -> None:
        """Open the stream again, or give up with what went wrong last."""
        self._stream.close()
        while not self._stop.is_set():
            self._failures += 1
            if self._failures > self._policy.attempts:
                self._finish(problem)
            elif not self._stop.wait(self._policy.wait(self._failures)):
                try:
                    self._stream = self._reopen()
                except InputError as error:
                    problem = error
                else:
                    return

    def _publish(self, frame: Frame) -> None:
        with self._condition:
            self.dropped += self._latest is not None
            self._latest = frame
            self._condition.notify()

    def _finish(self, problem: Exception | None) -> None:
        self._end = problem
        self._stop.set()
        with self._condition:
            self._condition.notify()

    def close(self) -> None:
        self._finish(self._end)
        self._stream.close()
        if self._thread:
            self._thread.join()
            self._stream.close()  # the thread may have opened it again meanwhile
