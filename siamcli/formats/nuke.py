"""Nuke: a Tracker node to paste into the node graph.

Source: https://learn.foundry.com/nuke/developers/63/pythondevguide/animation.html (curves in knobs)
"""

from __future__ import annotations

from siamcli.formats.select import frame_size, seen_by_editors
from siamcli.labels import target_name
from siamcli.trajectory import Trajectory

__all__ = ["text"]

_TRACKS = 4  # of a Tracker3 node


def text(trajectory: Trajectory, *, drop_lost: bool = False) -> str:
    """Tracker3 nodes with the centres of up to four targets each.

    Frames count from 1, as Nuke reads a movie, and pixels from the bottom left.
    """
    height = frame_size(trajectory)[1]
    tracks = []
    for target, points in seen_by_editors(trajectory, drop_lost=drop_lost).items():
        if not points:
            continue
        across = " ".join(f"x{n + 1} {p.box.center[0]:.3f}" for n, p in points.items())
        up = " ".join(f"x{n + 1} {height - p.box.center[1]:.3f}" for n, p in points.items())
        tracks.append(
            (target_name(trajectory.header.labels, target), f"{{{{curve {across}}} {{curve {up}}}}}")
        )
    nodes = []
    for first in range(0, len(tracks), _TRACKS):
        group = tracks[first : first + _TRACKS]
        names = ", ".join(name for name, _ in group)
        quoted = "".join("'" if c in '"\\[]{}$' or c < " " else c for c in names)
        knobs = [f" track{number} {curve}" for number, (_, curve) in enumerate(group, start=1)]
        enabled = [f" enable{number} true" for number in range(1, len(group) + 1)]
        lines = ["Tracker3 {", " inputs 0", *knobs, *enabled, f' label "{quoted}"']
        nodes.append("\n".join([*lines, f" name siamtrack{first // _TRACKS + 1}", "}", ""]))
    return "".join(nodes)
