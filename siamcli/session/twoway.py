"""Tracks the targets of a job backward from their boxes, or in both directions."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from siamcli.boxes import Box
from siamcli.errors import InputError
from siamcli.frames import Frame, FrameSource
from siamcli.media.kinds import source_name
from siamcli.media.prefetch import prefetch
from siamcli.session.check import fill_gaps
from siamcli.session.gaps import Gap, Given, gaps_of, human_point, in_frame_order
from siamcli.session.job import open_job
from siamcli.session.marks import check_used
from siamcli.session.passes import Footage, TrackStep
from siamcli.session.session import Session
from siamcli.tracker.follow import begin, due, is_over
from siamcli.trajectory import TrackPoint

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["TwoWaySession", "check_rereadable"]


def check_rereadable(source: str) -> None:
    """Raises InputError for a source that is there, and can be read only once."""
    name = source_name(source)
    if not name.is_rereadable and name.kind != "missing":
        raise InputError(
            f"{name.shown} can be read only once, from its start",
            hint="tracking backward is for files and images: record it to a file first",
        )


class TwoWaySession(Session):
    """A Session of a job with a direction other than forward: `prepare` tracks, the iteration writes.

    The source is read several times, and nothing is written before all of it is tracked.
    """

    def __enter__(self) -> Self:
        check_rereadable(self.job.source)
        self._found: dict[int, tuple[TrackPoint, ...]] = {}
        return super().__enter__()

    def prepare(self) -> Generator[TrackStep, None, None]:
        """Track everything; yields every point with how many of how many are done, both directions counted.

        A source that is damaged is tracked as far as it decodes; the iteration raises the error at its end.
        Raises InputError, also for a time that never came.
        """
        times, given = self._survey()
        height, width = self.first.image.shape[:2]
        size = (width, height)
        footage = Footage(self.job.source, self.job.open, size, list(times), area=self.area)
        gaps = [gap for target, said in given.items() for gap in gaps_of(target, list(times), said)]
        gaps = [gap for gap in map(self._directed, gaps) if (gap.left, gap.right) != (None, None)]
        if self.job.direction == "backward" and not gaps:
            raise InputError(
                f"{self.job.shown}: no frame is before a box, and --backward tracks from boxes to the start",
                hint="leave out --backward, or give the time of the box: --box-at 12.5=...",
            )
        found = yield from fill_gaps(self.tracker, footage, gaps, given, checked=self.job.check)
        for target, said in given.items():
            points = [human_point(target, index, times[index], box) for index, box in said.boxes.items()]
            for gap, between in zip(gaps, found, strict=True):
                points += between if gap.target == target else ()
            for point in in_frame_order(points):
                self._found[point.index] = (*self._found.get(point.index, ()), point)
        again: FrameSource = self._stack.enter_context(prefetch(open_job(self.job)))
        self._frames = iter(again)

    def _directed(self, gap: Gap) -> Gap:
        """The gap with the boxes alone from which the job tracks."""
        if self.job.direction == "backward":
            return replace(gap, left=None)
        if self.job.direction == "forward" and gap.left is None:
            return replace(gap, right=None)
        return gap

    def _survey(self) -> tuple[dict[int, float | None], dict[int, Given]]:
        """The times of all frames by index, and what is given of every target."""
        times: dict[int, float | None] = {}
        marks = self.progress.marks
        targets = range(1, len(self.progress.states) + 1)
        boxes: dict[int, dict[int, Box]] = {target: {} for target in targets}
        absent: dict[int, set[int]] = {target: set() for target in targets}
        for frame in _until_damaged(self._frames):
            times[frame.index] = frame.time
            starts, hidden = due(frame, marks)
            for target, box in starts.items():
                boxes[target][frame.index] = box
            for target in hidden:
                absent[target].add(frame.index)
            marks = tuple(mark for mark in marks if not is_over(mark, frame))
            self._last = frame
        check_used(self.job, self.marks, marks, self._last, self._length)
        self.progress = begin(())  # what follows is written, not tracked
        return times, {target: Given(boxes[target], absent[target]) for target in targets}

    def _points(self, frame: Frame) -> tuple[TrackPoint, ...]:
        return self._found.get(frame.index, ())


def _until_damaged(frames: Iterable[Frame]) -> Iterator[Frame]:
    with suppress(InputError):
        yield from frames
