"""Writes the output files of a job: trajectories and the annotated video."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from queue import Full, Queue
from threading import Event, Thread
from typing import TYPE_CHECKING

from siamcli.atomic import Unfinished, make_folder
from siamcli.cores import lower_priority
from siamcli.drawing.painter import Painter
from siamcli.drawing.style import Style
from siamcli.errors import OutputError
from siamcli.formats.kinds import is_stream
from siamcli.formats.names import target_paths
from siamcli.frames import Frame, SourceInfo
from siamcli.media.base import Output
from siamcli.media.encoders import VideoOptions
from siamcli.media.joined_sound import JoinedSoundtrack
from siamcli.media.sound import Soundtrack
from siamcli.media.suffixes import is_video
from siamcli.media.video import VideoWriter
from siamcli.session.textfile import TextOutput, open_text
from siamcli.trajectory import LostIntervals, TrackHeader, TrackPoint

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Outputs", "check_video_name"]

DEPTH = 8  # frames that may wait to be drawn and encoded: enough to smooth, little memory
AGAIN = 0.2  # seconds after which the end is said once more


def check_video_name(path: str) -> None:
    """Raises OutputError for the name of a video that stands for one of every target."""
    if "{target}" in path:
        raise OutputError(f"{path}: a video shows all targets", hint="leave {target} out")


class Outputs:
    """Writes all outputs of a job, in a thread of its own.

    `{target}` in the path of a trajectory is replaced by each target's label or number.  `drop_lost` leaves
    lost frames out of formats that have no states.  `painter` draws the frames of videos.

    After the end, `written` lists the files that exist, `incomplete` those of them that are incomplete, and
    `missed` counts the lines that the readers of an address did not receive.

    If an exception ends the `with` block, the outputs are finished and readable, but marked as incomplete;
    `unfinished` says what then happens to them.  They never replace an existing file.  Raises OutputError, at
    the latest at the end.
    """

    def __init__(
        self,
        paths: Sequence[str],
        header: TrackHeader,
        *,
        overwrite: bool,
        audio: Soundtrack | JoinedSoundtrack | None = None,
        options: VideoOptions | None = None,
        unfinished: Unfinished = "kept",
        drop_lost: bool = False,
        painter: Painter | None = None,
    ) -> None:
        self.written: list[str] = []
        self.incomplete: list[str] = []
        self.missed: dict[str, int] = {}
        self._unfinished = unfinished
        self._painter = painter or Painter(Style(), header.labels)
        self._lost = LostIntervals()
        self._drop_lost = drop_lost
        self._outputs: list[Output] = []
        self._texts: list[tuple[TextOutput, int | None]] = []  # and the target that it is for
        self._videos: list[VideoWriter] = []
        with ExitStack() as stack:  # for an output that cannot be opened, after others were
            for path in paths:
                if is_video(path):
                    check_video_name(path)
                    make_folder(Path(path).parent)
                    video = VideoWriter(
                        path,
                        header.source,
                        overwrite=overwrite,
                        audio=audio,
                        options=options,
                        unfinished=unfinished,
                    )
                    self._videos.append(stack.enter_context(video))
                    self._outputs.append(video)
                else:
                    self._open_texts(stack, path, header, overwrite=overwrite)
            stack.pop_all()
        self._failure: BaseException | None = None
        self._stopped: BaseException | None = None  # what ended the block
        self._source: SourceInfo | None = None
        self._found = False
        self._done = Event()
        self._queue: Queue[tuple[Frame, Sequence[TrackPoint]] | None] = Queue(DEPTH)
        self._thread = Thread(target=self._work, name="outputs", daemon=True)
        self._thread.start()

    def _open_texts(self, stack: ExitStack, path: str, header: TrackHeader, *, overwrite: bool) -> None:
        names = target_paths(path, header.labels)
        for number, name in enumerate(names, start=1):
            if not is_stream(name):
                make_folder(Path(name).parent)
            text = open_text(
                name,
                header,
                overwrite=overwrite,
                drop_lost=self._drop_lost,
                unfinished=self._unfinished,
            )
            target = None if names == [path] else number
            self._texts.append((stack.enter_context(text), target))
            self._outputs.append(text)

    @property
    def lost(self) -> dict[int, tuple[tuple[int, int], ...]]:
        """Target -> first and last frame of every stretch in which it was lost, as far as it is written."""
        return self._lost.intervals()

    def write(self, frame: Frame, points: Sequence[TrackPoint]) -> None:
        """Add one frame and what was found in it."""
        if self._failure is not None:
            raise self._failure
        self._found = self._found or bool(points)
        self._queue.put((frame, points))

    def end_of(self, source: SourceInfo) -> None:
        """What is known of the source now that no frame of it is read any more."""
        self._source = source

    def _work(self) -> None:
        lower_priority()
        while (item := self._queue.get()) is not None:
            if self._failure is None:
                try:
                    self._write(*item)
                except BaseException as failure:  # noqa: BLE001 - it crosses to the thread that writes
                    self._failure = failure
        # finished here, as no signal reaches this thread: Ctrl-C at the last moment must not cost the files
        try:
            self._finish(self._stopped or self._failure)
        except BaseException as failure:  # noqa: BLE001 - as above
            self._failure, self._stopped = failure, None
        self._done.set()

    def _finish(self, failure: BaseException | None) -> None:
        """End every output, whatever becomes of the others; raises the first error of an end."""
        late: BaseException | None = None
        for text, target in self._texts:
            text.lost = {t: found for t, found in self.lost.items() if target in (None, t)}
            text.source = self._source
        for video in self._videos:
            video.source = self._source or video.source
        for output in self._outputs:
            missing = failure is not None
            try:
                if failure is not None and not (self._found and output.begun):
                    output.discard()  # nothing is worth keeping, least of all in place of an older file
                else:
                    output.close(complete=failure is None)
            except BaseException as error:  # noqa: BLE001 - the others must end too
                missing, late = True, late or error
            if isinstance(output, TextOutput) and output.is_sent:
                self.missed[output.name] = output.missed
            if output.kept is not None:
                self.written.append(str(output.kept))
                self.incomplete += self.written[-1:] * missing
        if late is not None:
            raise late

    def _write(self, frame: Frame, points: Sequence[TrackPoint]) -> None:
        if frame.arrived is not None:
            latency = time.monotonic() - frame.arrived
            points = [replace(point, at=time.time() - latency, latency=latency) for point in points]
        for point in points:
            self._lost.add(point)
        for text, target in self._texts:
            text.write(points if target is None else [p for p in points if p.target == target])
        if self._videos:
            image = self._painter.paint(frame, points)
            for video in self._videos:
                video.write(image, frame.time)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._stopped = error
        late: BaseException | None = None
        while not self._done.is_set():
            try:
                # a put that Ctrl-C cut short can take the wake-up of the next: this one is repeated
                with suppress(Full):
                    self._queue.put_nowait(None)
                self._done.wait(AGAIN)  # not join(): interrupted, it takes the thread for ended (Python 3.11)
            except (KeyboardInterrupt, SystemExit) as signal:
                late = signal
        if self._failure is not None and self._stopped is None:
            raise self._failure
        if late is not None:
            raise late
