"""A job under way: the one way from a source to its files."""

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
    """Opens source and outputs, loads the tracker; then reads, tracks and writes frame by frame.

        with Session(job, load) as session:
            for frame, points in session:
                session.restart(1, box)  # optional: begin a target anew in the frame just written

    `load` is called when the source and its boxes are known to be good; `ask` gives the targets of a job that
    has none, from the first frame and what is known of the source.  An exception that leaves the block ends
    the outputs as incomplete.  Raises InputError, OutputError, and what `load` and `ask` raise.
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
            self.area = search_area(self.job.reading, (width, height))
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
            self.header = with_area(header, self.job.reading, (width, height))
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
        """What must be done before the first frame is read: nothing.  Yields how much of how much is done."""
        yield from ()

    def __iter__(self) -> Iterator[tuple[Frame, tuple[TrackPoint, ...]]]:
        while (frame := self.read()) is not None:
            advance(self.tracker, [(self, frame)])
            yield frame, self.write(frame)

    def read(self) -> Frame | None:
        """The next frame; None at the end.  Raises InputError, also when a target's time never came."""
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
        """Add a frame that was tracked to the outputs; returns its points."""
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
        """Begin a target (counted from 1) anew in the frame that was written last; raises InputError."""
        state = self.tracker.start(self._last, box, self.area)
        states = self.progress.states
        self.progress = replace(self.progress, states=(*states[: target - 1], state, *states[target:]))

    @property
    def _length(self) -> str:
        return length_in_words(self.job.cut, self._last.index + 1, self._last.time, self.info.fps)

    @property
    def info(self) -> SourceInfo:
        """What is known of the source."""
        return self._source.info

    @property
    def expected(self) -> int | None:
        """How many frames there will be: an estimate, None where it cannot be known."""
        return expected_count(self.info, self.job.cut)

    @property
    def share(self) -> float:
        """The part of the source that is tracked, from 0 to 1; 0 where its length is not known."""
        expected = self.expected
        return min(self.frames / expected, 1) if expected else 0

    @property
    def seconds(self) -> float:
        """Since the outputs were opened."""
        return time.time() - self.began

    @property
    def ready(self) -> bool:
        """True when the next frame needs no waiting."""
        return self._source.ready or not self.frames

    @property
    def dropped(self) -> int:
        """Frames of a live source that tracking was too slow for."""
        return self._source.dropped

    @property
    def lost(self) -> dict[int, tuple[tuple[int, int], ...]]:
        """Target -> first and last frame of every stretch in which it was lost; complete at the end."""
        return self._outputs.lost

    @property
    def written(self) -> list[str]:
        """The files that are there, once the outputs have ended."""
        return self._outputs.written

    @property
    def missed(self) -> dict[str, int]:
        """Address -> lines that its readers did not get, once the outputs have ended."""
        return self._outputs.missed

    @property
    def incomplete(self) -> list[str]:
        """Those of them that miss something."""
        return self._outputs.incomplete


def advance(tracker: Tracker, due: Sequence[tuple[Session, Frame]]) -> None:
    """Track the next frame of any number of sessions, all their targets in one batch.

    Raises InputError for a box that does not fit its frame; then nothing has changed.
    """
    after = follow.advance(tracker, [(frame, session.progress) for session, frame in due])
    for (session, _), progress in zip(due, after, strict=True):
        session.progress = progress
