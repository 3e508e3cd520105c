"""The agreement of a forward and a backward pass: a confidence that needs no calibration.

The forward-backward error of Kalal et al. (ICPR 2010), as an overlap of boxes and over a whole gap.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from siamcli.boxes import iou
from siamcli.session.gaps import Gap, Given, join
from siamcli.session.passes import Footage, Passes, TrackStep, track_gaps
from siamcli.trajectory import TrackPoint

if TYPE_CHECKING:
    from siamcli.tracker.tracker import Tracker

__all__ = ["fill_gaps", "return_gap", "with_agreement"]


def fill_gaps(
    tracker: Tracker, footage: Footage, gaps: Sequence[Gap], given: Mapping[int, Given], *, checked: bool
) -> Generator[TrackStep, None, list[list[TrackPoint]]]:
    """Track every gap; returns the joined points of each, with their agreement where they are `checked`.

    Yields and raises as `track_gaps`.
    """
    passes = yield from track_gaps(tracker, footage, gaps, given)
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
    back = yield from track_gaps(tracker, footage, [way[0] for way in ways if way], ends)
    returned = iter(back)
    checked = []
    for points, way, (forward, backward) in zip(found, ways, passes, strict=True):
        if forward and backward:
            overlaps = {point.index: point.agreement for point in with_agreement(forward, backward)}
            checked.append([replace(point, agreement=overlaps[point.index]) for point in points])
        elif way is None:
            checked.append(with_agreement(points, ()))
        else:
            one = next(returned)
            checked.append(with_agreement(points, [way[1], *one.forward, *one.backward]))
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
