"""Corrects a trajectory: tracks only those gaps between boxes again that a correction affects."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median_low
from typing import TYPE_CHECKING

from siamcli.boxes import Box, box_problem
from siamcli.errors import InputError
from siamcli.frames import Frame
from siamcli.labels import known_targets, shown_name
from siamcli.session.area import search_area, with_area
from siamcli.session.check import fill_gaps
from siamcli.session.corrected import with_correction
from siamcli.session.fit import check_source, check_time, with_source
from siamcli.session.gaps import Gap, Given, gaps_of, human_point, in_frame_order
from siamcli.session.passes import Footage, TrackStep
from siamcli.session.reading import Reading
from siamcli.session.twoway import check_rereadable
from siamcli.targets import AbsentTarget, Target, TargetMark, number_marks
from siamcli.times import TimePoint
from siamcli.tracker.follow import Absence, Mark, Start
from siamcli.trajectory import TrackPoint, Trajectory

if TYPE_CHECKING:
    from collections.abc import Callable

    from siamcli.load import LoadedTracker

__all__ = ["Moments", "Steps", "correct", "finish", "fix", "fix_in_steps"]

Steps = Generator[TrackStep, None, Trajectory]


def fix(
    trajectory: Trajectory,
    corrections: Sequence[Mark],
    source: str | Reading,
    tracker: LoadedTracker,
) -> Trajectory:
    """Correct a trajectory: track again only the frames that the `corrections` affect.

    A correction is a box (`Start` with a time and a target) or an absence.  Frames between two boxes of a
    target are tracked forward from the first and backward from the second box; the result changes from one
    pass to the other in the frame in which the two agree best.  Before the first and after the last box, as
    many frames are tracked as were tracked before.  All other points stay as they are.  A trajectory that was
    tracked with `check` gets the agreement of both passes for its new points, too.  A target that the header
    names but that has no point yet is new: it is tracked from its first box to the end.

    `source` is the video, or a `Reading` if the video needs options or targets are searched for in a region
    only.

    Raises InputError for a correction outside the frame or the clip, for an unknown target, for two
    corrections of a target in one frame, and for a source that is not the one of the trajectory.
    """
    reading = Reading(source) if isinstance(source, str) else source
    return finish(fix_in_steps(trajectory, corrections, reading, lambda: tracker))


def finish(steps: Steps) -> Trajectory:
    """Track to the end, and return the corrected trajectory."""
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            fixed: Trajectory = finished.value
            return fixed


def fix_in_steps(
    trajectory: Trajectory,
    corrections: Sequence[Mark],
    reading: Reading,
    load: Callable[[], LoadedTracker],
) -> Steps:
    """Like `fix`, but yield every point as it is tracked; `load` is called after all checks."""
    check_rereadable(reading.source)
    reading = reading.of(trajectory)
    times = {point.index: point.time for point in trajectory.points}
    with reading.open() as frames:
        info = frames.info
    check_source(info, trajectory.header.source, sorted(times), reading.source)
    assert info.size is not None
    moments = Moments(trajectory)
    said = _merge(trajectory, corrections, moments, info.size)
    clip = moments.frames([index for given in said.values() for index in given.new])

    def check(frame: Frame) -> None:
        if frame.index in times:
            check_time(info, frame, times[frame.index])
        times[frame.index] = frame.time if times.get(frame.index) is None else times[frame.index]

    changed = [gap for target, given in said.items() for gap in _changed(target, given, clip, trajectory)]
    area = search_area(reading, info.size, trajectory.header)
    footage = Footage(reading.source, reading.open, info.size, clip, check, area)
    given = {target: Given(one.boxes, one.absent) for target, one in said.items()}
    tracker = load()
    checked = trajectory.header.checked
    found = yield from fill_gaps(tracker, footage, changed, given, checked=checked)
    anew = any(point.source != "human" for between in found for point in between)
    header = with_correction(trajectory.header, tracker) if anew else trajectory.header
    points = [point for point in trajectory.points if not _is_replaced(point, said, changed)]
    for target, one in said.items():
        points += [human_point(target, i, times.get(i), one.boxes.get(i)) for i in sorted(one.new)]
    for gap, between in zip(changed, found, strict=True):
        points += [p for p in in_frame_order(between) if p.index not in said[gap.target].new]
    return replace(
        trajectory,
        header=with_area(with_source(header, info), reading, info.size),
        points=tuple(sorted(points, key=lambda point: (point.index, point.target))),
        frames=None if trajectory.frames is None else max(trajectory.frames, len(clip)),
    )


@dataclass(frozen=True, slots=True)
class _Said:
    """All that is given of one target; `new`: the frames of which a correction speaks."""

    boxes: dict[int, Box]
    absent: set[int]
    new: set[int]


class Moments:
    """Which frame a time is, as far as the trajectory knows its frames."""

    def __init__(self, trajectory: Trajectory) -> None:
        self._times = {point.index: point.time for point in trajectory.points}
        self._indices = list(self._times)
        if not self._indices:
            raise InputError("the trajectory has no point", hint="`siamtrack run` makes one")
        self._name = trajectory.header.source.name
        self._step = median_low([b - a for a, b in pairwise(self._indices)] or [1])

    @property
    def first(self) -> int:
        """The first frame."""
        return self._indices[0]

    def frame(self, moment: TimePoint) -> int:
        """The frame at `moment`; raises InputError behind the end of the trajectory, and for seconds before
        its first frame."""
        last = self._indices[-1]
        if moment.frame is not None and moment.frame <= last:
            return moment.frame
        reached = (index for index, time in self._times.items() if moment.is_reached(index, time))
        index = next(reached, None)
        what = f"{moment.frame}f" if moment.frame is not None else f"{moment.seconds:g} s"
        if index is None:
            raise InputError(f"{what} is after frame {last}, the last of the trajectory of {self._name}")
        first = self._times[self._indices[0]]
        if index == self._indices[0] and first is not None and (moment.seconds or 0) < first - 1e-6:
            raise InputError(
                f"{what} is before the first frame of the trajectory of {self._name}",
                hint="name a frame, such as 10f",
            )
        return index

    def rows(self) -> list[tuple[int, float]]:
        """Index and time of every frame that has a time."""
        return [(index, time) for index, time in self._times.items() if time is not None]

    def frames(self, more: Sequence[int]) -> list[int]:
        """The frames of the trajectory, those in `more`, and, before the first, those at the same stride."""
        first = self._indices[0]
        before = range(first - self._step, min([*more, first]), -self._step)
        return sorted({*self._indices, *more, *before})

    def between(self, first: int, last: int) -> list[int]:
        """The frames from `first` to `last`, both included, known or not.  Raises InputError."""
        if last < first:
            raise InputError(
                f"an absence up to frame {last} begins in frame {first}", hint="write the earlier time first"
            )
        a, b = bisect_left(self._indices, first), bisect_left(self._indices, last + 1)
        return sorted({first, last, *self._indices[a:b]})


def _merge(
    trajectory: Trajectory, corrections: Sequence[Mark], moments: Moments, size: tuple[int, int]
) -> dict[int, _Said]:
    """What is given of the targets that are corrected, by number; raises InputError."""
    targets = {point.target for point in trajectory.points}
    targets.update(range(1, len(trajectory.header.labels) + 1))
    said: dict[int, _Said] = {}
    for mark in corrections:
        target = mark.target
        if target not in targets:
            known = ", ".join(f"#{number}" for number in sorted(targets))
            raise InputError(f"no target #{target} in the trajectory", hint=f"there are: {known}")
        if target not in said:
            human = [p for p in trajectory.points if p.target == target and p.source == "human"]
            boxes = {p.index: p.box for p in human if p.state != "absent"}
            said[target] = _Said(boxes, {p.index for p in human if p.state == "absent"}, set())
        one = said[target]
        if isinstance(mark, Start):
            if mark.at is None:
                raise InputError("a correction without a time", hint="name its frame, such as 60f")
            if wrong := box_problem(mark.box, size):
                raise InputError(f"the box {tuple(mark.box)} of target #{target} {wrong}")
            frames, box = [moments.frame(mark.at)], mark.box
        else:
            frames, box = moments.between(moments.frame(mark.first), moments.frame(mark.last)), None
        for index in frames:
            if index in one.new:
                raise InputError(
                    f"two corrections of target #{target} in frame {index}", hint="leave one of them out"
                )
            one.new.add(index)
            one.boxes.pop(index, None)
            one.absent.discard(index)
            if box is None:
                one.absent.add(index)
            else:
                one.boxes[index] = box
    for target, one in said.items():
        if not one.boxes:
            name = shown_name(trajectory.header.labels, target)
            raise InputError(f"{name} has no box left", hint="say where it is in some frame")
    return said


def _changed(target: int, said: _Said, clip: Sequence[int], trajectory: Trajectory) -> list[Gap]:
    """The gaps of a target that its corrections touch, those at the ends as far as they were tracked."""
    tracked = {point.index for point in trajectory.points if point.target == target}
    if not tracked:  # a new target
        tracked = {index for index in clip if index > min(said.boxes)}
    gaps = []
    for gap in gaps_of(target, clip, Given(said.boxes, said.absent)):
        if gap.left is None or gap.right is None:
            gap = replace(gap, frames=tuple(i for i in gap.frames if i in tracked or i in said.new))
        touched = {gap.left, gap.right, *gap.frames} & said.new
        if touched and gap.frames:
            gaps.append(gap)
    return gaps


def _is_replaced(point: TrackPoint, said: Mapping[int, _Said], changed: Sequence[Gap]) -> bool:
    """True for a point of which a correction speaks, or that is tracked again."""
    one = said.get(point.target)
    if one is None:
        return False
    if point.index in one.new:
        return True
    return any(
        gap.target == point.target
        and (gap.left is None or point.index > gap.left)
        and (gap.right is None or point.index < gap.right)
        for gap in changed
    )


def correct(
    trajectory: Trajectory,
    marks: Sequence[TargetMark],
    reading: Reading,
    load: Callable[[], LoadedTracker],
    *,
    new_targets: bool = False,
) -> Steps:
    """Like `fix_in_steps`, with corrections as a user writes them.

    Corrections with the same label are for the same target, `#2` is target 2; a correction without a label is
    for the only target.  With `new_targets`, a label that the trajectory does not have is a new target.
    """
    check_rereadable(reading.source)
    reading = reading.of(trajectory)
    with reading.open() as frames:
        size = frames.info.size
    assert size is not None
    marks = reading.without_timecodes(marks)
    labels = list(trajectory.header.labels)
    corrections: list[Mark] = []
    for mark in sorted(marks, key=lambda mark: isinstance(mark, AbsentTarget)):
        alone = mark.label is None and len(labels) == 1
        number = 1 if alone else number_marks([mark], labels)[0]
        if number > len(labels):
            if not (new_targets and mark.label):
                raise _unknown(mark, labels)
            labels.append(mark.label)
        if isinstance(mark, Target):
            corrections.append(Start(mark.box(size), mark.at, number))
        else:
            corrections.append(Absence(number, mark.first, mark.last))
    wider = replace(trajectory, header=replace(trajectory.header, labels=tuple(labels)))
    return (yield from fix_in_steps(wider, corrections, reading, load))


def _unknown(mark: TargetMark, labels: Sequence[str | None]) -> InputError:
    known = known_targets(labels)
    if mark.label is None:
        return InputError(f"{mark.text!r}: which target?", hint=f"there are: {known}")
    return InputError(
        f"{mark.text!r}: no target {mark.label!r} in the trajectory",
        hint=f"there are: {known}; --new-targets adds it",
    )
