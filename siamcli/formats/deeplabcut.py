"""DeepLabCut: a table of positions with its header of several rows.

Source: https://deeplabcut.github.io/DeepLabCut/docs/standardDeepLabCut_UserGuide.html
"""

from __future__ import annotations

from siamcli.errors import InputError
from siamcli.formats.select import MOST_FRAMES, unique_names, visible_points
from siamcli.sheets import csv_text
from siamcli.trajectory import Trajectory

__all__ = ["text"]

_PART = "center"


def text(trajectory: Trajectory, *, drop_lost: bool = False) -> str:
    """A row per frame: x, y and likelihood of the centre, for several targets as individuals; pixels from 0.

    Cells are empty where a target is not there.  Raises InputError for more than MOST_FRAMES.
    """
    names = unique_names(trajectory)
    places = {
        (p.index, p.target): (f"{p.box.center[0]:.3f}", f"{p.box.center[1]:.3f}", f"{p.score:.4f}")
        for p in visible_points(trajectory, drop_lost=drop_lost)
    }
    columns = 3 * len(names)
    rows: list[list[object]] = [["scorer", *["siamtrack"] * columns]]
    if len(names) > 1:
        rows.append(["individuals", *(name for name in names.values() for _ in range(3))])
    rows.append(["bodyparts", *[_PART] * columns])
    rows.append(["coords", *["x", "y", "likelihood"] * len(names)])
    last = max(point.index for point in trajectory.points)
    if last >= MOST_FRAMES:
        raise InputError(
            f"a row for every frame up to {last}: that is more than {MOST_FRAMES}",
            hint="correct the frame number, or track a part of the video as a file of its own",
        )
    for frame in range(last + 1):
        cells = [cell for target in names for cell in places.get((frame, target), ("", "", ""))]
        rows.append([frame, *cells])
    return csv_text(rows)
