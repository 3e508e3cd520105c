"""SLEAP: its analysis CSV.  Source: https://io.sleap.ai (formats, CSV, `sleap`)"""

from __future__ import annotations

from siamcli.formats.select import unique_names, visible_points
from siamcli.sheets import csv_text
from siamcli.trajectory import Trajectory

__all__ = ["text"]


def text(trajectory: Trajectory, *, drop_lost: bool = False) -> str:
    """A row per target and frame with the node `center`; frames and pixels from 0."""
    rows: list[list[object]] = [
        ["track", "frame_idx", "instance.score", "center.x", "center.y", "center.score"]
    ]
    names = unique_names(trajectory)
    for point in visible_points(trajectory, drop_lost=drop_lost):
        (x, y), score = point.box.center, f"{point.score:.4f}"
        rows.append([names[point.target], point.index, score, f"{x:.3f}", f"{y:.3f}", score])
    return csv_text(rows)
