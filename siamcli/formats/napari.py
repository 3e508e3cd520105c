"""napari: a table for a tracks layer.  Source: https://napari.org/stable/howtos/layers/tracks.html"""

from __future__ import annotations

from siamcli.formats.select import visible_by_target
from siamcli.labels import target_name
from siamcli.sheets import csv_text
from siamcli.trajectory import Trajectory

__all__ = ["text"]


def text(trajectory: Trajectory, *, drop_lost: bool = False) -> str:
    """The columns track_id, t, y, x of a tracks layer, centres from 0, then its features."""
    rows: list[list[object]] = [["track_id", "t", "y", "x", "w", "h", "score", "label"]]
    # napari wants them in the order of tracks, then of time
    for target, points in visible_by_target(trajectory, drop_lost=drop_lost).items():
        for point in points:
            x, y = point.box.center
            numbers = [f"{value:.3f}" for value in (y, x, point.box.w, point.box.h)]
            label = target_name(trajectory.header.labels, target)
            rows.append([target, point.index, *numbers, f"{point.score:.4f}", label])
    return csv_text(rows)
