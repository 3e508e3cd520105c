"""Formats of annotation tools and data sets: COCO, CVAT, Label Studio, YOLO.

Lost and absent frames carry no box, or one that is switched off where the format has a switch.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

from siamcli.boxes import clip_box
from siamcli.convert.select import (
    believed,
    frame_size,
    frame_times,
    is_believed,
    target_name,
    targets,
)
from siamcli.media.names import file_stem
from siamcli.trajectory import TrackPoint, Trajectory

__all__ = ["coco", "cvat", "labelstudio", "yolo"]


def coco(trajectory: Trajectory) -> dict[str, str]:
    """COCO JSON with track_id, as in COCO-VID: an image per frame, a category per target's label.

    Boxes are x, y, w, h, 0-based.  Images are called NAME/000000.jpg by frame index.
    Source: https://cocodataset.org/#format-data
    """
    width, height = frame_size(trajectory)
    name = trajectory.header.source.name
    categories = _classes(trajectory)
    indices = sorted({point.index for point in trajectory.points})
    document = {
        "info": {"description": f"{name}, tracked by siamtrack {trajectory.header.version}".strip()},
        "videos": [{"id": 1, "name": name, "width": width, "height": height}],
        "images": [
            {
                "id": index + 1,
                "file_name": f"{name}/{index:06d}.jpg",
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
            }
            for number, point in enumerate(believed(trajectory), start=1)
        ],
    }
    return {f"{name}.coco.json": json.dumps(document, indent=1) + "\n"}


def cvat(trajectory: Trajectory) -> dict[str, str]:
    """CVAT for video 1.1: a track per target; `outside` where it is lost, absent or has ended.

    Corners are 0-based.  Source: https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/
    """
    width, height = frame_size(trajectory)
    name = trajectory.header.source.name
    last = max(point.index for point in trajectory.points) if trajectory.points else 0
    root = ElementTree.Element("annotations")
    _text(root, "version", "1.1")
    task = ElementTree.SubElement(ElementTree.SubElement(root, "meta"), "task")
    _text(task, "name", name.encode(errors="replace").decode())  # a file's name may be no UTF-8
    _text(task, "size", str(last + 1))
    _text(task, "mode", "interpolation")
    _text(task, "start_frame", "0")
    _text(task, "stop_frame", str(last))
    labels = ElementTree.SubElement(task, "labels")
    for label in _classes(trajectory):
        _text(ElementTree.SubElement(labels, "label"), "name", label)
    size = ElementTree.SubElement(task, "original_size")
    _text(size, "width", str(width))
    _text(size, "height", str(height))
    for number, (target, points) in enumerate(targets(trajectory).items()):
        label = target_name(trajectory, target)
        track = ElementTree.SubElement(root, "track", id=str(number), label=label, source="auto")
        for point in points:
            if point.box.valid:
                track.append(_cvat_box(point.index, point, outside=not is_believed(point)))
        final = points[-1]
        if final.index < last and final.box.valid:
            track.append(_cvat_box(final.index + 1, final, outside=True))
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return {f"{name}.cvat.xml": f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'}


def _cvat_box(frame: int, point: TrackPoint, *, outside: bool) -> ElementTree.Element:
    x, y, w, h = point.box
    sides = {"xtl": x, "ytl": y, "xbr": x + w, "ybr": y + h}
    corners = {key: f"{value:.3f}" for key, value in sides.items()}
    box = ElementTree.Element("box", frame=str(frame), keyframe="1", outside=str(int(outside)))
    for key, value in {"occluded": "0", "z_order": "0", **corners}.items():
        box.set(key, value)
    return box


def _text(parent: ElementTree.Element, tag: str, text: str) -> None:
    ElementTree.SubElement(parent, tag).text = text


def labelstudio(trajectory: Trajectory) -> dict[str, str]:
    """Label Studio's video object tracking: a task whose prediction has a region per target.

    Boxes are in percent of the frame, frames count from 1, `enabled` is false where the target is lost.
    The labelling configuration names the tags `box` (VideoRectangle) and `video`.
    Source: https://labelstud.io/tags/videorectangle
    """
    width, height = frame_size(trajectory)
    name = trajectory.header.source.name
    times = frame_times(trajectory)
    regions = []
    for target, points in targets(trajectory).items():
        sequence = [
            {
                "frame": point.index + 1,
                "enabled": is_believed(point),
                "rotation": 0,
                "x": round(100 * point.box.x / width, 5),
                "y": round(100 * point.box.y / height, 5),
                "width": round(100 * point.box.w / width, 5),
                "height": round(100 * point.box.h / height, 5),
                "time": round(times[point.index][0], 6),
            }
            for point in points
            if point.box.valid
        ]
        value: dict[str, Any] = {
            "framesCount": trajectory.header.source.count or max(times) + 1,
            "duration": round(max(end for _, end in times.values()), 6),
            "sequence": sequence,
            "labels": [target_name(trajectory, target)],
        }
        ids = {"id": f"target{target}", "from_name": "box", "to_name": "video", "type": "videorectangle"}
        regions.append({**ids, "origin": "prediction", "value": value})
    prediction = {"model_version": trajectory.header.model or "siamtrack", "result": regions}
    task = {"data": {"video": name}, "predictions": [prediction]}
    return {f"{name}.labelstudio.json": json.dumps([task], indent=1) + "\n"}


def yolo(trajectory: Trajectory) -> dict[str, str]:
    """YOLO: labels/NAME_000000.txt per frame index and classes.txt.

    `class cx cy w h` as fractions of the frame, clipped to it; a frame without a target has an empty
    file, which the format reads as background.  Source: https://docs.ultralytics.com/datasets/detect/
    """
    width, height = frame_size(trajectory)
    name = trajectory.header.source.name
    classes = _classes(trajectory)
    lines: dict[int, list[str]] = {point.index: [] for point in trajectory.points}
    for point in believed(trajectory):
        box = clip_box(point.box, (width, height))
        if box.valid:
            (cx, cy), label = box.center, target_name(trajectory, point.target)
            values = (cx / width, cy / height, box.w / width, box.h / height)
            lines[point.index].append(" ".join([str(classes.index(label)), *(f"{v:.6f}" for v in values)]))
    files = {f"labels/{file_stem(name)}_{index:06d}.txt": _lines(rows) for index, rows in lines.items()}
    return {**files, "classes.txt": _lines(classes)}


def _lines(rows: Sequence[str]) -> str:
    return "".join(f"{row}\n" for row in rows)


def _classes(trajectory: Trajectory) -> list[str]:
    """The labels of all targets, each once, in the order of the targets."""
    return list(dict.fromkeys(target_name(trajectory, target) for target in targets(trajectory)))
