"""COCO JSON with track_id, as in COCO-VID.

Source: https://cocodataset.org/#format-data,
https://openvinotoolkit.github.io/datumaro/stable/docs/data-formats/formats/coco.html
"""

from __future__ import annotations

import json

from siamcli.formats.select import (
    class_names,
    frame_indices,
    frame_size,
    image_name,
    target_name,
    visible_points,
)
from siamcli.trajectory import Trajectory

__all__ = ["text"]


def text(trajectory: Trajectory, *, drop_lost: bool = False) -> str:
    """An image per frame, a category per target's label, an annotation with track_id per box.

    Boxes are x, y, w, h, 0-based; `score` and `attributes` (the state) go beyond COCO, as datumaro and
    CVAT write them.  Images have their own names; frames of a video are called NAME/000000.jpg.
    """
    width, height = frame_size(trajectory)
    name = trajectory.header.source.name
    categories = class_names(trajectory)
    indices = frame_indices(trajectory, drop_lost=drop_lost)
    document = {
        "info": {"description": f"{name}, tracked by siamtrack {trajectory.header.version}".strip()},
        "videos": [{"id": 1, "name": name, "width": width, "height": height}],
        "images": [
            {
                "id": index + 1,
                "file_name": image_name(trajectory.header.source, index) or f"{name}/{index:06d}.jpg",
                "width": width,
                "height": height,
                "video_id": 1,
                "frame_id": index,
            }
            for index in indices
        ],
        "categories": [{"id": n, "name": label} for n, label in enumerate(categories, start=1)],
        "annotations": [
            {
                "id": number,
                "image_id": point.index + 1,
                "video_id": 1,
                "track_id": point.target,
                "category_id": categories.index(target_name(trajectory, point.target)) + 1,
                "bbox": [round(v, 3) for v in point.box],
                "area": round(point.box.area, 3),
                "iscrowd": 0,
                "score": round(point.score, 4),
                "attributes": {"state": point.state},
            }
            for number, point in enumerate(visible_points(trajectory, drop_lost=drop_lost), start=1)
        ],
    }
    return json.dumps(document, indent=1) + "\n"
