"""Tracks one source and writes its outputs: the only code that does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from siamcli.boxes import Box
from siamcli.drawing.painter import Painter
from siamcli.frames import Frame, SourceInfo
from siamcli.media.prefetch import prefetch
from siamcli.media.soundtrack import soundtrack
from siamcli.media.sources import expected_count
from siamcli.media.suffixes import is_video
from siamcli.media.video import check_frame_size
from siamcli.session.area import search_area, with_area
from siamcli.session.job import (
    Job,
    make_header,
    open_job,
    uses_more_frames,
    without_timecodes,
)
from siamcli.session.marks import begun_after_start, check_used, resolve_targets
from siamcli.session.outputs import Outputs
from siamcli.session.passes import TrackStep
from siamcli.targets import TargetMark
from siamcli.times import length_in_words
from siamcli.tracker import follow
from siamcli.tracker.follow import Mark, Start, begin, track_points
from siamcli.trajectory import SharedBoxes, TrackHeader, TrackPoint

if TYPE_CHECKING:
    from typing_extensions import Self

    from siamcli.load import LoadedTracker
    from siamcli.tracker.tracker import Tracker

__all__ = ["AskTargets", "Session", "advance"]

AskTargets = Callable[[Frame, SourceInfo], Sequence[TargetMark]]
"""Gives the targets of a source, whose first frame is shown to who is asked."""


class Session:
    """Runs a job: opens the source, loads the tracker, opens the outputs; then reads, tracks and writes each
    frame.

        with Session(job, load) as session:
            for frame, points in session:
                session.restart(1, box)  # optional: start a target again in the frame just written

    `load` returns the tracker; it is called once the source and its boxes are checked.  `ask` returns the
    targets of a job that has none, given the first frame and what is known about the source.  If an exception
    leaves the block, the outputs are finished and marked as incomplete.

    Raises InputError, OutputError, and what `load` and `ask` raise.
    """

    header: TrackHeader

    def __init__(self, job: Job, load: Callable[[], LoadedTracker], *, ask: AskTargets | None = None) -> None:
        self.job = job
        self.began = time.time()
        self.frames = 0
        self.points = 0
        self.points_lost = 0
        self.shared = SharedBoxes()
        self.marks: Sequence[Mark | None] = ()
        self.progress = begin(())
        self._load = load
        self._ask = ask
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.job = without_timecodes(self.job)
            frames = self._open_source(stack)
            height, width = self.first.image.shape[:2]
            for path in filter(is_video, self.job.paths):
                check_frame_size(path, (width, height))
            self.area = search_area(self.job, (width, height))
            opened = self.job
            if not self.job.targets and self._ask is not None:
                self.job = replace(self.job, targets=tuple(self._ask(self.first, self.info)))
            self.job = begun_after_start(self.job, self.first)
            if self.job is not opened and uses_more_frames(self.job, self.first):
                stack.close()
                frames = self._open_source(stack)
            self.marks = resolve_targets(self.job, self.first, self._source.info)
            for mark in self.marks:
                if self.area and isinstance(mark, Start):
                    self.area.check(mark.box)
            self.progress = begin([mark for mark in self.marks if mark], self.area)
            video = any(map(is_video, self.job.paths))
            self._sound = soundtrack(self.job.source, self.job.audio, self.info.sounds) if video else None
            self.tracker = self._load()
            header = make_header(self._source.info, self.first, self.tracker, self.job.labels)
            header = replace(header, checked=self.job.check, live=self._source.live)
            self.header = with_area(header, self.job, (width, height))
            self._outputs = stack.enter_context(self._open_outputs())
            self._stack = stack.pop_all()
        self._frames: Iterator[Frame] = chain([self.first], frames)
        self._last = self.first
        self.began = time.time()
        return self

    def _open_source(self, stack: ExitStack) -> Iterator[Frame]:
        """The frames after the first one."""
        self._source = stack.enter_context(prefetch(open_job(self.job)))
        frames = iter(self._source)
        self.first = next(frames)
        return frames

    def _open_outputs(self) -> Outputs:
        job = self.job
        return Outputs(
            job.paths,
            self.header,
            overwrite=job.overwrite,
            audio=self._sound,
            options=job.encoding,
            unfinished=job.unfinished,
            drop_lost=job.drop_lost,
            painter=Painter(job.style, self.header.labels),
        )

    def __exit__(self, *stopped: object) -> None:
        self._tell_source()
        self._stack.__exit__(*stopped)  # type: ignore[arg-type]

    def prepare(self) -> Iterator[TrackStep]:
        """Do what must be done before the first frame is read: nothing, in a session that tracks forward.
        Yields the progress.
        """
        yield from ()

    def __iter__(self) -> Iterator[tuple[Frame, tuple[TrackPoint, ...]]]:
        while (frame := self.read()) is not None:
            advance(self.tracker, [(self, frame)])
            yield frame, self.write(frame)

    def read(self) -> Frame | None:
        """The next frame; None at the end.  Raises InputError, also if the time of a target was never
        reached.
        """
        frame = next(self._frames, None)
        if frame is None:
            check_used(self.job, self.marks, self.progress.marks, self._last, self._length)
            self._tell_source()
        return frame

    def _tell_source(self) -> None:
        """Tell the outputs what has become known of the source while it was read."""
        source, info = self.header.source, self.info
        source = replace(source, count=info.count, announced=info.announced, chapters=info.chapters)
        self.header = replace(self.header, source=source)
        self._outputs.end_of(source)

    def write(self, frame: Frame) -> tuple[TrackPoint, ...]:
        """Write a tracked frame to the outputs; returns its points."""
        points = self._points(frame)
        self._outputs.write(frame, points)
        self._last = frame
        self.frames += 1
        self.points += len(points)
        self.points_lost += sum(point.state == "lost" for point in points)
        self.shared.add(points)
        return points

    def _points(self, frame: Frame) -> tuple[TrackPoint, ...]:
        return track_points(frame, self.progress.states)

    def restart(self, target: int, box: Box) -> None:
        """Start a target (its number, from 1) again from `box` in the frame that was written last.  Raises
        InputError.
        """
        state = self.tracker.start(self._last, box, self.area)
        states = self.progress.states
        self.progress = replace(self.progress, states=(*states[: target - 1], state, *states[target:]))

    @property
    def _length(self) -> str:
        return length_in_words(self.job.cut, self._last.index + 1, self._last.time, self.info.fps)

    @property
    def info(self) -> SourceInfo:
        """What is known about the source."""
        return self._source.info

    @property
    def expected(self) -> int | None:
        """The estimated number of frames; None if it cannot be estimated."""
        return expected_count(self.info, self.job.cut)

    @property
    def share(self) -> float:
        """The part of the source that is tracked, from 0 to 1; 0 if its length is not known."""
        expected = self.expected
        return min(self.frames / expected, 1) if expected else 0

    @property
    def seconds(self) -> float:
        """Seconds since the outputs were opened."""
        return time.time() - self.began

    @property
    def ready(self) -> bool:
        """True if reading the next frame does not block."""
        return self._source.ready or not self.frames

    @property
    def dropped(self) -> int:
        """How many frames of a live source were dropped because tracking was too slow."""
        return self._source.dropped

    @property
    def lost(self) -> dict[int, tuple[tuple[int, int], ...]]:
        """Target number -> (first, last) frame of every stretch in which it was lost; complete once the
        session has ended.
        """
        return self._outputs.lost

    @property
    def written(self) -> list[str]:
        """The files that exist once the outputs have ended."""
        return self._outputs.written

    @property
    def missed(self) -> dict[str, int]:
        """Address -> number of lines that its readers did not receive, once the outputs have ended."""
        return self._outputs.missed

    @property
    def incomplete(self) -> list[str]:
        """Those of the `written` files that are incomplete."""
        return self._outputs.incomplete


def advance(tracker: Tracker, due: Sequence[tuple[Session, Frame]]) -> None:
    """Track the next frame of any number of sessions, all their targets in one batch.

    Raises InputError for a box that does not fit its frame; then nothing has changed.
    """
    after = follow.advance(tracker, [(frame, session.progress) for session, frame in due])
    for (session, _), progress in zip(due, after, strict=True):
        session.progress = progress
