"""MOTChallenge results: a line per box.  Source: https://motchallenge.net/instructions/"""

from __future__ import annotations

from typing import Any

from siamcli.formats.stream import TextStream

__all__ = ["Stream"]


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
