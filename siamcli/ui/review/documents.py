"""Points and marks as plain JSON values, as the page receives them."""

from __future__ import annotations

from typing import Any

from siamcli.boxes import Box
from siamcli.trajectory import TrackPoint, Trajectory
from siamcli.ui.review.changes import Said

__all__ = ["mark_rows", "point_row", "point_rows"]

_STATES = {"init": "i", "tracked": "t", "lost": "l", "found": "f", "absent": "a"}
_SOURCES = {"human": "h", "forward": "f", "backward": "b", "interpolated": "i"}


def point_row(point: TrackPoint) -> list[Any]:
    """A point as [frame, box or null, score, state, source, agreement]; state and source by their letters."""
    box = None if point.state == "absent" else _rounded(point.box)
    # as files have them: the page rounds again, which from three digits to two gives others than in videos
    agreement = None if point.agreement is None else round(point.agreement, 4)
    return [
        *(point.index, box, round(point.score, 4), _STATES[point.state], _SOURCES[point.source]),
        agreement,
    ]


def point_rows(trajectory: Trajectory) -> list[list[list[Any]]]:
    """The rows of every target that the header names, in frame order."""
    rows: list[list[list[Any]]] = [[] for _ in trajectory.header.labels]
    for point in trajectory.points:
        rows[point.target - 1].append(point_row(point))
    return rows


def mark_rows(said: Said) -> list[dict[str, Any]]:
    """What a human says, in the order of targets and frames; the box is null where the target is absent."""
    return [
        {"target": target, "frame": frame, "box": box and _rounded(box)}
        for (target, frame), box in sorted(said.items())
    ]


def _rounded(box: Box) -> list[float]:
    return [round(value, 2) for value in box]
