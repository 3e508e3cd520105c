"""Asks on a web page for the targets of one source before it is tracked."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial

from siamcli.frames import Frame, SourceInfo
from siamcli.media.kinds import source_name
from siamcli.media.sources import expected_count
from siamcli.session.area import search_area
from siamcli.session.job import Job
from siamcli.targets import Target, TargetMark
from siamcli.times import FrameRange, TimePoint
from siamcli.ui.review.fixes import picked_marks
from siamcli.ui.review.frames import OneFrame
from siamcli.ui.review.library import Clip, Library, played_file
from siamcli.ui.review.picking import Picking, Picks
from siamcli.ui.review.server import ReviewServer

__all__ = ["ask_for_targets"]


def ask_for_targets(
    job: Job, first: Frame, info: SourceInfo, announce: Callable[[str, int], None]
) -> list[TargetMark]:
    """The targets that somebody points at; none where it was cancelled.

    The page shows the frames of the job from the `first` one on; of a source that can be read only once, that
    one alone.  `announce` is told its address and port.
    """
    marks: list[TargetMark] = []
    size = first.image.shape[1], first.image.shape[0]
    area = search_area(job, size)

    def use(picks: Picks) -> None:
        found = picked_marks(picks.boxes, picks.labels)
        replace(job, targets=tuple(found))  # refuses a name that a style asks for, and that nobody gave
        for mark in found:
            if area and isinstance(mark, Target):
                area.check(mark.box(size))
        marks[:] = found

    name = source_name(job.source)
    clip = Clip(name.shown, begin=lambda _: Picking(size, use), first=first.index)
    if name.is_rereadable:
        clip.file = played_file(job)
        clip.reopen = partial(job.open, end=job.cut.end)
        count = expected_count(info, FrameRange(TimePoint(frame=first.index), job.cut.end))
        clip.end = None if count is None else first.index + max(count, 1)
    else:
        clip.reopen = lambda **_: OneFrame(first, replace(info, size=size))
        clip.end = first.index + 1
    with closing(ReviewServer(Library([clip]), None)) as server:
        announce(server.address, server.port)
        server.wait()
    return marks
