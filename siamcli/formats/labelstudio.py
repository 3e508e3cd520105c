"""Label Studio's video object tracking.

Source: https://labelstud.io/tags/videorectangle, https://labelstud.io/tags/video
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from siamcli.boxes import Box
from siamcli.formats.names import video_stem
from siamcli.formats.select import (
    frame_rate,
    frame_size,
    frame_times,
    is_visible,
    targets,
)
from siamcli.formats.tracks import TrackBox, Tracks
from siamcli.labels import target_name
from siamcli.schema import load_json
from siamcli.trajectory import PointSource, Trajectory

__all__ = ["text", "tracks"]

_BOX = "videorectangle"
_logger = logging.getLogger(__name__)


def tracks(text: str) -> list[Tracks]:
    """The regions of every task: what a human annotated, else what was predicted.

    A region that was predicted and that nobody has changed says so (`origin`): its boxes are a tracker's.
    Raises ValueError, KeyError, TypeError.
    """
    document: Any = load_json(text)
    return [_task(task) for task in (document if isinstance(document, list) else [document])]


def _task(task: Mapping[str, Any]) -> Tracks:
    answers = [a for a in task.get("annotations") or [] if not a.get("was_cancelled")]
    results = [result for answer in (answers or task["predictions"])[:1] for result in answer["result"]]
    origin = "manual" if answers else "prediction"  # where a region does not say it
    regions = [region for region in results if region.get("type") == _BOX]
    others = Counter(str(result.get("type")) for result in results if result.get("type") != _BOX)
    boxes: list[TrackBox] = []
    fps: Fraction | None = None
    end = max((round(region["value"].get("framesCount") or 0) for region in regions), default=0)
    for number, region in enumerate(regions):
        track = str(number)  # in the order of the file
        value = region["value"]
        if value.get("duration") and value.get("framesCount"):
            fps = Fraction(value["framesCount"] / value["duration"]).limit_denominator(1001)
        label = str((value.get("labels") or [""])[0])
        by_hand = region.get("origin", origin) != "prediction"
        source: PointSource = "human" if by_hand else "forward"
        for key in sorted(value["sequence"], key=lambda key: key["frame"]):
            box = Box(*(float(key[side]) for side in ("x", "y", "width", "height")))
            rotation = float(key.get("rotation") or 0)
            boxes.append(TrackBox(key["frame"] - 1, track, label, box, source=source, rotation=rotation))
            # its box is shown in this frame, and not after it; else it is, at the end of all keys, too
            if not key.get("enabled", True) and (key["frame"] < end or not end):
                boxes.append(TrackBox(key["frame"], track, label, None))
    frames = {(box.track, box.frame) for box in boxes if box.box is not None}
    kept = [box for box in boxes if box.box is not None or (box.track, box.frame) not in frames]
    video = str(task["data"].get("video") or next(iter(task["data"].values()), ""))
    name = video_stem(unquote(urlsplit(video).path))
    if len(answers) > 1:
        _logger.warning("%s: the first of %d annotations is read", name or "a task", len(answers))
    return Tracks(kept, fps=fps, relative=True, filled=True, ticks=True, end=end, name=name, others=others)


def _address(media_url: str, name: str) -> str:
    return media_url.replace("{name}", quote(name, errors="replace")) or name


def text(trajectory: Trajectory, *, drop_lost: bool = False, media_url: str = "") -> str:
    """A task whose prediction has a region per target.

    Boxes are in percent of the frame.  `enabled` is false in the last frame before the target is absent or
    dropped as lost: Label Studio shows the box in that frame, and not after it.
    Label Studio shows frame n at (n - 1) / rate seconds, whatever the video's own frames are, so that a
    frame here is a time.  The labelling configuration names the tags `box` (VideoRectangle) and `video`,
    whose frameRate is `$fps`.  `media_url` is where Label Studio finds the video; `{name}` in it is its name.
    """
    width, height = frame_size(trajectory)
    name = trajectory.header.source.name
    times = frame_times(trajectory)
    rate = frame_rate(trajectory)
    duration = max(end for _, end in times.values())
    last = max(times)
    regions = []
    for target, points in targets(trajectory).items():
        shown = [is_visible(point, drop_lost=drop_lost) for point in points]
        goes_on = [*shown[1:], points[-1].index == last]
        sequence = {
            round(times[point.index][0] * rate) + 1: {
                "enabled": stays,
                "rotation": 0,
                "x": round(100 * point.box.x / width, 5),
                "y": round(100 * point.box.y / height, 5),
                "width": round(100 * point.box.w / width, 5),
                "height": round(100 * point.box.h / height, 5),
                "time": round(times[point.index][0], 6),
            }
            for point, seen, stays in zip(points, shown, goes_on, strict=True)
            if seen
        }
        value: dict[str, Any] = {
            "framesCount": round(duration * rate),
            "duration": round(duration, 6),
            "sequence": [{"frame": frame, **box} for frame, box in sorted(sequence.items())],
            "labels": [target_name(trajectory.header.labels, target)],
        }
        ids = {"id": f"target{target}", "from_name": "box", "to_name": "video", "type": _BOX}
        regions.append({**ids, "origin": "prediction", "value": value})
    prediction = {"model_version": " + ".join(trajectory.header.models) or "siamtrack", "result": regions}
    task = {
        "data": {"video": _address(media_url, name), "fps": float(rate)},
        "predictions": [prediction],
    }
    return json.dumps([task], indent=1) + "\n"
