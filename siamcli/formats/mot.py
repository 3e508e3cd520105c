"""MOTChallenge results: a line per box.  Source: https://motchallenge.net/instructions/"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from siamcli.boxes import Box
from siamcli.counts import counted
from siamcli.formats.starts import first_box, start_target
from siamcli.formats.stream import TextStream
from siamcli.formats.tracks import TrackBox, Tracks
from siamcli.targets import Target

__all__ = ["Stream", "starts", "tracks"]


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
        score = max(point["score"], 0.0001)  # 0 is a row of ground truth that does not count
        return f"{point['frame'] + 1},{point['target']},{box},{score},-1,-1,-1\n"


def tracks(text: str) -> list[Tracks]:
    """Every box; rows of ground truth that do not count (0) are left out.

    Rows with a confidence other than 1 are a tracker's, not a human's.  Raises ValueError.
    """
    boxes = []
    for frame, target, box, confidence in _rows(text):
        one = TrackBox(frame, str(target), "", box)
        boxes.append(one if confidence == 1 else one._replace(score=confidence, source="forward"))
    return [Tracks(boxes)]


def starts(path: Path, text: str) -> list[Target]:
    """Every id at its first box, in the order of the ids; rows of ground truth that do not count (0) are left
    out.

    Raises ValueError.
    """
    boxes: dict[int, list[tuple[int, Box]]] = {}
    for frame, target, box, _ in _rows(text):
        boxes.setdefault(target, []).append((frame, box))
    return [
        first_box([start_target(box, frame) for frame, box in sorted(its)])
        for _, its in sorted(boxes.items())
    ]


def _rows(text: str) -> Iterator[tuple[int, int, Box, float]]:
    """Frame from 0, id, box and confidence (1 where there is none) of rows that count.  Raises ValueError."""
    for number, line in enumerate(text.splitlines(), start=1):
        cells = [cell for cell in line.replace(",", " ").split() if cell]
        if not cells:
            continue
        if len(cells) < 6:
            raise ValueError(f"line {number}: {counted(len(cells), 'number')} where 6 or more are expected")
        try:
            frame, target, left, top, w, h, *counts = (float(cell) for cell in cells)
        except ValueError:
            raise ValueError(f"line {number}: not numbers") from None
        if counts[:1] != [0] and Box(left, top, w, h).valid:
            yield int(frame) - 1, int(target), Box(left - 1, top - 1, w, h), (counts or [1.0])[0]
