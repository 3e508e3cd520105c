"""MOTChallenge results: a line per box.  Source: https://motchallenge.net/instructions/"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from siamcli.boxes import Box
from siamcli.formats.starts import start_target
from siamcli.formats.stream import TextStream
from siamcli.targets import Target

__all__ = ["Stream", "starts"]


class Stream(TextStream):
    """frame,id,left,top,width,height,confidence,-1,-1,-1; frames, ids and pixels count from 1.

    No line where the target is absent, or dropped as lost.
    """

    def _point(self, point: dict[str, Any]) -> str:
        left, top, w, h = (point[key] for key in "xywh")
        left_out = ("lost", "absent") if self._drop_lost else ("absent",)
        if point["state"] in left_out or None in (left, top, w, h):
            return ""
        box = f"{left + 1:.3f},{top + 1:.3f},{w:.3f},{h:.3f}"
        return f"{point['frame'] + 1},{point['target']},{box},{point['score']},-1,-1,-1\n"


def starts(path: Path, text: str) -> list[Target]:
    """The first box of every id, in the order of the ids; rows of ground truth that do not count (0) are left
    out.

    Raises ValueError.
    """
    first: dict[float, tuple[float, Box]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        cells = [cell for cell in line.replace(",", " ").split() if cell]
        if not cells:
            continue
        if len(cells) < 6:
            raise ValueError(f"line {number}: {len(cells)} numbers where 6 or more belong")
        try:
            frame, target, left, top, w, h, *counts = (float(cell) for cell in cells)
        except ValueError:
            raise ValueError(f"line {number}: not numbers") from None
        if counts[:1] == [0] or not Box(left, top, w, h).valid:
            continue
        if target not in first or frame < first[target][0]:
            first[target] = (frame, Box(left - 1, top - 1, w, h))
    return [start_target(box, int(frame) - 1) for _, (frame, box) in sorted(first.items())]
