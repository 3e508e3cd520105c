"""CVAT's XML."""

from __future__ import annotations

from typing import get_args
from xml.etree import ElementTree

from siamcli.convert.select import class_names, frame_size, is_visible, target_name, targets
from siamcli.trajectory import TrackPoint, TrackState, Trajectory

__all__ = ["cvat"]


def cvat(trajectory: Trajectory, *, drop_lost: bool = False) -> dict[str, str]:
    """CVAT for video 1.1: a track per target; `outside` where it is absent, dropped as lost, or has ended.

    Corners are 0-based; the attributes `state` and `score` are declared with every label.
    Source: https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/
    """
    name = trajectory.header.source.name
    last = max(point.index for point in trajectory.points) if trajectory.points else 0
    root = ElementTree.Element("annotations")
    _add_meta(root, trajectory, last)
    for number, (target, points) in enumerate(targets(trajectory).items()):
        label = target_name(trajectory, target)
        track = ElementTree.SubElement(root, "track", id=str(number), label=label, source="auto")
        for point in points:
            if point.box.valid:
                outside = not is_visible(point, drop_lost=drop_lost)
                track.append(_box(point.index, point, outside=outside))
        final = points[-1]
        if final.index < last and final.box.valid:
            track.append(_box(final.index + 1, final, outside=True))
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return {f"{name}.cvat.xml": f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'}


def _add_meta(root: ElementTree.Element, trajectory: Trajectory, last: int) -> None:
    """What describes the task: its name, frames 0 to `last`, labels with their attributes."""
    width, height = frame_size(trajectory)
    name = trajectory.header.source.name
    _text(root, "version", "1.1")
    task = ElementTree.SubElement(ElementTree.SubElement(root, "meta"), "task")
    _text(task, "name", name.encode(errors="replace").decode())  # a file's name may be no UTF-8
    _text(task, "size", str(last + 1))
    _text(task, "mode", "interpolation")
    _text(task, "start_frame", "0")
    _text(task, "stop_frame", str(last))
    labels = ElementTree.SubElement(task, "labels")
    states = "\n".join(get_args(TrackState))
    for class_name in class_names(trajectory):
        label = ElementTree.SubElement(labels, "label")
        _text(label, "name", class_name)
        attributes = ElementTree.SubElement(label, "attributes")
        _add_attribute(attributes, "state", kind="select", default="tracked", values=states)
        _add_attribute(attributes, "score", kind="text", default="1", values="1")
    size = ElementTree.SubElement(task, "original_size")
    _text(size, "width", str(width))
    _text(size, "height", str(height))


def _add_attribute(
    attributes: ElementTree.Element, name: str, *, kind: str, default: str, values: str
) -> None:
    attribute = ElementTree.SubElement(attributes, "attribute")
    _text(attribute, "name", name)
    _text(attribute, "mutable", "True")  # it changes from frame to frame
    _text(attribute, "input_type", kind)
    _text(attribute, "default_value", default)
    _text(attribute, "values", values)


def _box(frame: int, point: TrackPoint, *, outside: bool) -> ElementTree.Element:
    x, y, w, h = point.box
    sides = {"xtl": x, "ytl": y, "xbr": x + w, "ybr": y + h}
    corners = {key: f"{value:.3f}" for key, value in sides.items()}
    box = ElementTree.Element("box", frame=str(frame), keyframe="1", outside=str(int(outside)))
    for key, value in {"occluded": "0", "z_order": "0", **corners}.items():
        box.set(key, value)
    for key, value in {"state": point.state, "score": f"{point.score:.4f}"}.items():
        ElementTree.SubElement(box, "attribute", name=key).text = value
    return box


def _text(parent: ElementTree.Element, tag: str, text: str) -> None:
    ElementTree.SubElement(parent, tag).text = text
