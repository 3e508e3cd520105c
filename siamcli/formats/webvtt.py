"""WebVTT for `<track kind="metadata">`: a cue per frame.  Source: https://www.w3.org/TR/webvtt1/"""

from __future__ import annotations

import json

from siamcli.formats.records import point_record
from siamcli.formats.select import frame_times, visible_points
from siamcli.labels import target_name
from siamcli.trajectory import Trajectory

__all__ = ["text"]


def text(trajectory: Trajectory, *, drop_lost: bool = False) -> str:
    """The text of a cue is a JSON list of boxes."""
    times = frame_times(trajectory) if trajectory.points else {}
    boxes: dict[int, list[dict[str, object]]] = {}
    for point in visible_points(trajectory, drop_lost=drop_lost):
        record = point_record(point)
        entry = {key: record[key] for key in ("frame", "target", "x", "y", "w", "h", "score", "state")}
        entry["label"] = target_name(trajectory.header.labels, point.target)
        boxes.setdefault(point.index, []).append(entry)
    cues = ["WEBVTT\n"]
    for index, entries in boxes.items():
        start, end = (_clock(second) for second in times[index])
        cue = json.dumps(entries).replace("-->", "--\\u003e")  # the one thing that a cue may not hold
        cues.append(f"{start} --> {end}\n{cue}\n")
    return "\n".join(cues)


def _clock(seconds: float) -> str:
    """HH:MM:SS.mmm.

    >>> _clock(3725.0416)
    '01:02:05.042'
    """
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}"
