"""The agreement of a forward and a backward pass: a confidence that needs no calibration.

The forward-backward error of Kalal et al. (ICPR 2010), as an overlap of boxes and over a whole gap.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from siamcli.boxes import iou
from siamcli.session.gaps import MEETING, Gap, Given, join
from siamcli.session.passes import Footage, Passes, TrackStep, frames_to_track, track_gaps
from siamcli.trajectory import TrackPoint

if TYPE_CHECKING:
    from siamcli.tracker.tracker import Tracker

__all__ = ["confirmed", "fill_gaps", "return_gap", "with_agreement"]


def fill_gaps(
    tracker: Tracker, footage: Footage, gaps: Sequence[Gap], given: Mapping[int, Given], *, checked: bool
) -> Generator[TrackStep, None, list[list[TrackPoint]]]:
    """Track every gap; returns the joined points of each, with their agreement where they are `checked`.

    Yields and raises as `track_gaps`; a way back counts as long as its gap until it is known.
    """
    back = frames_to_track(gap for gap in gaps if None in (gap.left, gap.right)) if checked else 0
    passes = yield from track_gaps(tracker, footage, gaps, given, after=back)
    if checked:
        return (yield from _check_gaps(tracker, footage, gaps, given, passes))
    return [join(forward, backward) for forward, backward in passes]


def _check_gaps(
    tracker: Tracker,
    footage: Footage,
    gaps: Sequence[Gap],
    given: Mapping[int, Given],
    passes: Sequence[Passes],
) -> Generator[TrackStep, None, list[list[TrackPoint]]]:
    """The joined points of every gap with their agreement: of both `passes`, or with a way back that is
    tracked where there is one pass.
    """
    found = [join(forward, backward) for forward, backward in passes]
    ways = [
        None if forward and backward else return_gap(gap, points)
        for gap, points, (forward, backward) in zip(gaps, found, passes, strict=True)
    ]
    ends = {
        target: Given(
            {way[1].index: way[1].box for way in ways if way and way[0].target == target}, said.absent
        )
        for target, said in given.items()
    }
    before = frames_to_track(gaps)
    back = yield from track_gaps(tracker, footage, [way[0] for way in ways if way], ends, before=before)
    returned = iter(back)
    checked = []
    for points, way, (forward, backward) in zip(found, ways, passes, strict=True):
        if forward and backward:
            others = [b if point is a else a for point, a, b in zip(points, forward, backward, strict=True)]
            checked.append(confirmed(with_agreement(points, others), others))
        elif way is None:
            checked.append(with_agreement(points, ()))
        else:
            one = next(returned)
            others = [way[1], *one.forward, *one.backward]
            checked.append(confirmed(with_agreement(points, others), others, way[0]))
    return checked


def return_gap(gap: Gap, points: Sequence[TrackPoint]) -> tuple[Gap, TrackPoint] | None:
    """The way back over a gap that has a box on one side only: its frames up to the believed point that is
    farthest from the box, and that point.  None where there is none, or nothing between.
    """
    ordered = points if gap.right is None else points[::-1]  # from the box to the far end
    believed = [place for place, point in enumerate(ordered) if point.state in ("tracked", "found")]
    if not believed or not believed[-1]:
        return None
    end = ordered[believed[-1]]
    frames = tuple(sorted(point.index for point in ordered[: believed[-1]]))
    if gap.right is None:
        return Gap(gap.target, None, end.index, frames), end
    return Gap(gap.target, end.index, None, frames), end


def with_agreement(points: Sequence[TrackPoint], others: Sequence[TrackPoint]) -> list[TrackPoint]:
    """The points of one gap with the overlap of each with the point of the other pass in its frame.

    0 where the other pass has none, as nothing was believed there; None where the target is absent.
    """
    other = {point.index: point for point in others}
    checked = []
    for point in points:
        if point.state == "absent":
            checked.append(point)
            continue
        match = other.get(point.index)
        overlap = 0.0 if match is None else iou(point.box, match.box)
        checked.append(replace(point, agreement=overlap))
    return checked


def confirmed(
    points: Sequence[TrackPoint], others: Sequence[TrackPoint], way: Gap | None = None
) -> list[TrackPoint]:
    """The points of one gap with their agreement; a lost one is tracked where the other pass believes in the
    same box.

    Where the other pass is a `way` back, only if that comes to the given box, so agrees with the point beside
    it: a way back that follows something else says nothing of the target.
    """
    if way is not None:
        from_box = points if way.left is None else reversed(points)
        if next((p.agreement for p in from_box if p.agreement is not None), 0.0) < MEETING:
            return list(points)
    believed = {point.index for point in others if point.state in ("tracked", "found")}
    return [
        replace(point, state="tracked")
        if point.state == "lost" and point.index in believed and (point.agreement or 0.0) >= MEETING
        else point
        for point in points
    ]
