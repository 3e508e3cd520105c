"""Formats of annotation tools and data sets: COCO, Label Studio, YOLO.

Lost frames keep their box unless they are dropped.  Absent ones carry no box, or one that is switched off
where the format has a switch.
"""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any

from siamcli.boxes import clip_box
from siamcli.errors import InputError
from siamcli.formats.names import file_stem
from siamcli.formats.select import (
    class_names,
    frame_indices,
    frame_rate,
    frame_size,
    frame_times,
    image_name,
    is_visible,
    target_name,
    targets,
    visible_points,
)
from siamcli.trajectory import Trajectory

__all__ = ["coco", "labelstudio", "yolo"]


def coco(trajectory: Trajectory, *, drop_lost: bool = False) -> dict[str, str]:
    """COCO JSON with track_id, as in COCO-VID: an image per frame, a category per target's label.

    Boxes are x, y, w, h, 0-based; `score` and `attributes` (the state) go beyond COCO, as datumaro and
    CVAT write them.  Images have their own names; frames of a video are called NAME/000000.jpg.
    Source: https://cocodataset.org/#format-data,
    https://openvinotoolkit.github.io/datumaro/stable/docs/data-formats/formats/coco.html
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
                "file_name": image_name(trajectory, index) or f"{name}/{index:06d}.jpg",
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
    return {f"{name}.coco.json": json.dumps(document, indent=1) + "\n"}


def labelstudio(trajectory: Trajectory, *, drop_lost: bool = False) -> dict[str, str]:
    """Label Studio's video object tracking: a task whose prediction has a region per target.

    Boxes are in percent of the frame, `enabled` is false where the target is absent or dropped as lost.
    Label Studio shows frame n at (n - 1) / rate seconds, whatever the video's own frames are, so that a
    frame here is a time.  The labelling configuration names the tags `box` (VideoRectangle) and `video`,
    whose frameRate is `$fps`.
    Source: https://labelstud.io/tags/videorectangle, https://labelstud.io/tags/video
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
    return {f"{name}.labelstudio.json": json.dumps([task], indent=1) + "\n"}


def yolo(trajectory: Trajectory, *, drop_lost: bool = False) -> dict[str, str]:
    """YOLO: labels/IMAGE.txt per image, for a video labels/NAME_000000.txt per frame, and classes.txt.

    `class cx cy w h` as fractions of the frame, clipped to it; there is no score, as Ultralytics refuses
    labels of six columns.  A frame without a target has an empty file, which the format reads as
    background.  Source: https://docs.ultralytics.com/datasets/detect/
    """
    width, height = frame_size(trajectory)
    name = trajectory.header.source.name
    classes = class_names(trajectory)
    indices = frame_indices(trajectory, drop_lost=drop_lost)
    paths = {index: _label_path(trajectory, index) for index in indices}
    texts = dict.fromkeys(paths.values(), "")
    if len(texts) < len(paths):
        raise InputError(
            f"{name}: two images have one name but for the suffix",
            hint="YOLO has one label file for both: rename one of them",
        )
    for point in visible_points(trajectory, drop_lost=drop_lost):
        box = clip_box(point.box, (width, height))
        if box.valid:
            (cx, cy), label = box.center, target_name(trajectory, point.target)
            values = (cx / width, cy / height, box.w / width, box.h / height)
            row = " ".join([str(classes.index(label)), *(f"{v:.6f}" for v in values)])
            texts[paths[point.index]] += f"{row}\n"
    return {**texts, "classes.txt": "".join(f"{label}\n" for label in classes)}


def _label_path(trajectory: Trajectory, index: int) -> str:
    image = image_name(trajectory, index) or f"{file_stem(trajectory.header.source.name)}_{index:06d}.jpg"
    return f"labels/{PurePosixPath(image).with_suffix('.txt')}"
