"""Label Studio's video object tracking.

Source: https://labelstud.io/tags/videorectangle, https://labelstud.io/tags/video
"""

from __future__ import annotations

import json
from typing import Any

from siamcli.formats.select import (
    frame_rate,
    frame_size,
    frame_times,
    is_visible,
    target_name,
    targets,
)
from siamcli.trajectory import Trajectory

__all__ = ["text"]


def text(trajectory: Trajectory, *, drop_lost: bool = False) -> str:
    """A task whose prediction has a region per target.

    Boxes are in percent of the frame, `enabled` is false where the target is absent or dropped as lost.
    Label Studio shows frame n at (n - 1) / rate seconds, whatever the video's own frames are, so that a
    frame here is a time.  The labelling configuration names the tags `box` (VideoRectangle) and `video`,
    whose frameRate is `$fps`.
    """
    width, height = frame_size(trajectory)
    name = trajectory.header.source.name
    times = frame_times(trajectory)
    rate = frame_rate(trajectory)
    duration = max(end for _, end in times.values())
    regions = []
    for target, points in targets(trajectory).items():
        sequence = {
            round(times[point.index][0] * rate) + 1: {
                "enabled": is_visible(point, drop_lost=drop_lost),
                "rotation": 0,
                "x": round(100 * point.box.x / width, 5),
                "y": round(100 * point.box.y / height, 5),
                "width": round(100 * point.box.w / width, 5),
                "height": round(100 * point.box.h / height, 5),
                "time": round(times[point.index][0], 6),
            }
            for point in points
            if point.box.valid
        }
        value: dict[str, Any] = {
            "framesCount": round(duration * rate),
            "duration": round(duration, 6),
            "sequence": [{"frame": frame, **box} for frame, box in sorted(sequence.items())],
            "labels": [target_name(trajectory, target)],
        }
        ids = {"id": f"target{target}", "from_name": "box", "to_name": "video", "type": "videorectangle"}
        regions.append({**ids, "origin": "prediction", "value": value})
    prediction = {"model_version": trajectory.header.model or "siamtrack", "result": regions}
    task = {"data": {"video": name, "fps": float(rate)}, "predictions": [prediction]}
    return json.dumps([task], indent=1) + "\n"
