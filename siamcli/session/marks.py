"""Resolves the targets of a job to frames and pixels of its source."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from siamcli.counts import counted
from siamcli.errors import InputError
from siamcli.frames import Frame, SourceInfo
from siamcli.media.sources import is_beyond
from siamcli.session.job import Job, must_come
from siamcli.targets import AbsentTarget, Target, TargetMark, number_marks
from siamcli.times import FrameRange, TimePoint, length_in_words
from siamcli.tracker.follow import Absence, Mark, Start

__all__ = ["begun_after_start", "check_used", "resolve_targets"]

_logger = logging.getLogger(__name__)


def begun_after_start(job: Job, first: Frame) -> Job:
    """The job whose annotations count from the `first` frame on: a target that they show before `--start`
    begins with its next box."""
    targets = [_from(mark, job.cut, first) for mark in job.targets]
    begun = [mark for mark, before in zip(targets, job.targets, strict=True) if mark is not before]
    if not begun:
        return job
    if len(begun) == 1:
        text, (moment,) = begun[0].text, begun[0].moments
        _logger.warning("%s: from --start on, the first box is %s in frame %d", job.shown, text, moment.frame)
    else:
        _logger.warning("%s: %d targets begin with their first box after --start", job.shown, len(begun))
    return replace(job, targets=tuple(targets))


def _from(mark: TargetMark, cut: FrameRange, first: Frame) -> TargetMark:
    """The mark, or the next box of its annotations where it is before the first frame."""
    if not isinstance(mark, Target) or mark.at is None or not _is_before(mark.at, cut, first):
        return mark
    later = (box for box in mark.later if box.at is not None and not _is_before(box.at, cut, first))
    return next((replace(box, label=mark.label) for box in later), mark)


def resolve_targets(job: Job, frame: Frame, info: SourceInfo) -> list[Mark | None]:
    """What the user says of the targets, in pixels of the first frame and with their numbers.

    None stands for annotations that have no box from `--start` on.  Raises InputError for a box or a time
    that does not fit, or for two of one target at one time.
    """
    height, width = frame.image.shape[:2]
    marks: list[Mark | None] = []
    for target, number in zip(job.targets, number_marks(job.targets), strict=True):
        moments = target.moments
        if moments and _is_before(moments[-1], job.cut, frame):
            if not must_come(target):
                marks.append(None)
                continue
            raise InputError(
                f"{job.shown}: the time of {target.text!r} is before the first frame that is used",
                hint="choose a later time, or an earlier --start",
            )
        if moments and is_beyond(moments[0], job.source, info):
            raise _no_frame(job, target, _announced_length(info))
        if not isinstance(target, Target):
            _check_order(job, target, frame, info)
            marks.append(Absence(number, target.first, target.last))
            continue
        if any(isinstance(m, Start) and (m.target, m.at) == (number, target.at) for m in marks):
            raise InputError(
                f"{job.shown}: {target.text!r} is a second box for one target at one time",
                hint="give it another label, or a time of its own with --box-at",
            )
        marks.append(Start(target.box((width, height)), target.at, number))
        if odd := target.oddity((width, height)):
            _logger.warning("%s: box %s %s", job.shown, target.text, odd)
    _check_absences(job, marks, frame)
    if gone := marks.count(None):
        if gone == len(marks):
            raise InputError(
                f"{job.shown}: no target of the annotations has a box from --start on",
                hint="choose an earlier --start, or give --box",
            )
        _logger.warning("%s: %s no box from --start on", job.shown, counted(gone, "target", "have"))
    return marks


def _check_order(job: Job, absence: AbsentTarget, first: Frame, info: SourceInfo) -> None:
    """Raises InputError where a constant rate says of a frame and seconds that the end comes before."""
    if info.fps is None or info.variable or first.time is None:
        return
    begin, end = (
        first.time + float((moment.frame - first.index) / info.fps)
        if moment.frame is not None
        else moment.seconds or 0.0
        for moment in absence.moments
    )
    if end < begin - float(1 / info.fps) / 2:
        raise InputError(
            f"{job.shown}: {absence.text!r} ends before it begins: {absence.last} is at {end:.3f} s,"
            f" {absence.first} at {begin:.3f} s",
            hint="write the earlier time first",
        )


def _check_absences(job: Job, marks: Sequence[Mark | None], first: Frame) -> None:
    """Raises InputError for a box of a target at a time of which another mark says that it is absent."""
    absences = [mark for mark in marks if isinstance(mark, Absence)]
    for target, start in zip(job.targets, marks, strict=True):
        if not isinstance(start, Start):
            continue
        its = [absence for absence in absences if absence.target == start.target]
        if any(_is_within(start.at, absence, first) for absence in its):
            raise InputError(
                f"{job.shown}: {target.text!r} is a box at a time at which its target is said to be absent",
                hint="leave the box out, or shorten the absence",
            )


def _is_within(at: TimePoint | None, absence: Absence, first: Frame) -> bool:
    """True when that can be told from the first frame alone, which None stands for."""
    if at is None:
        return absence.first.is_reached(first.index, first.time)
    for a, b, c in (
        (absence.first.frame, at.frame, absence.last.frame),
        (absence.first.seconds, at.seconds, absence.last.seconds),
    ):
        if a is not None and b is not None and c is not None and a <= b <= c:
            return True
    return False


def check_used(
    job: Job, marks: Sequence[Mark | None], left: Sequence[Mark], last: Frame, length: str
) -> None:
    """Raises InputError for the first target whose time never came: `marks` of the job, those `left` after
    the `last` frame of a source of that `length`.  Annotations after `--end` are only counted."""
    after = 0
    for target, mark in zip(job.targets, marks, strict=False):
        if mark in left and not any(m.is_reached(last.index, last.time) for m in target.moments[:1]):
            if job.cut.end is None or must_come(target):
                raise _no_frame(job, target, length)
            after += 1
    if after:
        _logger.warning("%s: %s no box before --end", job.shown, counted(after, "target", "have"))


def _announced_length(info: SourceInfo) -> str:
    """How long a source says that it is."""
    count = info.count or 0
    return length_in_words(FrameRange(), count, float((count - 1) / info.fps) if info.fps else None, info.fps)


def _no_frame(job: Job, target: TargetMark, length: str) -> InputError:
    return InputError(
        f"{job.shown}: no frame at the time of {target.text!r}",
        hint=f"{length}: choose an earlier time",
    )


def _is_before(at: TimePoint, cut: FrameRange, first: Frame) -> bool:
    """True when the cut begins after that moment."""
    if cut.start is None:
        return False  # a source may begin later than at 0 s
    if at.seconds is None:
        return at.frame is not None and at.frame < first.index
    begin = first.time if cut.start.seconds is None else cut.start.seconds
    return begin is not None and at.seconds < begin
