"""CVAT's XML: tracks in a video, or boxes in images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import get_args
from xml.etree import ElementTree

from siamcli.boxes import Box
from siamcli.formats.select import (
    class_names,
    frame_indices,
    frame_size,
    image_name,
    is_visible,
    target_name,
    targets,
    visible_points,
)
from siamcli.formats.starts import start_target
from siamcli.targets import Target
from siamcli.trajectory import TrackPoint, TrackState, Trajectory

__all__ = ["starts", "text"]


def text(trajectory: Trajectory, *, drop_lost: bool = False) -> str:
    """CVAT for video 1.1, for an image source CVAT for images 1.1, which finds images by name.

    In a video a target is a track, `outside` where it is absent, dropped as lost, or has ended.  Corners
    are 0-based; the attributes `state` and `score` are declared with every label.
    Source: https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/
    """
    of_images = bool(trajectory.header.source.files)
    root = ElementTree.Element("annotations")
    _add_meta(root, trajectory, mode="annotation" if of_images else "interpolation")
    if of_images:
        _add_images(root, trajectory, drop_lost=drop_lost)
    else:
        _add_tracks(root, trajectory, drop_lost=drop_lost)
    ElementTree.indent(root)
    document = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{document}\n'


def _add_tracks(root: ElementTree.Element, trajectory: Trajectory, *, drop_lost: bool) -> None:
    last = _last(trajectory)
    for number, (target, points) in enumerate(targets(trajectory).items()):
        label = target_name(trajectory, target)
        track = ElementTree.SubElement(root, "track", id=str(number), label=label, source="auto")
        for point in points:
            if point.box.valid:
                outside = not is_visible(point, drop_lost=drop_lost)
                _add_box(track, point, **_in_track(point.index, outside=outside))
        final = points[-1]
        if final.index < last and final.box.valid:
            _add_box(track, final, **_in_track(final.index + 1, outside=True))


def _in_track(frame: int, *, outside: bool) -> dict[str, str]:
    return {"frame": str(frame), "keyframe": "1", "outside": str(int(outside))}


def _add_images(root: ElementTree.Element, trajectory: Trajectory, *, drop_lost: bool) -> None:
    width, height = frame_size(trajectory)
    images: dict[int, ElementTree.Element] = {}
    for index in frame_indices(trajectory, drop_lost=drop_lost):
        name = _clean(image_name(trajectory.header.source, index) or "")
        attributes = {"id": str(index), "name": name, "width": str(width), "height": str(height)}
        images[index] = ElementTree.SubElement(root, "image", attributes)
    for point in visible_points(trajectory, drop_lost=drop_lost):
        label = target_name(trajectory, point.target)
        _add_box(images[point.index], point, label=label, source="auto")


def _add_meta(root: ElementTree.Element, trajectory: Trajectory, *, mode: str) -> None:
    """What describes the task: its name, its frames, labels with their attributes."""
    width, height = frame_size(trajectory)
    last = _last(trajectory)
    _add_text(root, "version", "1.1")
    task = ElementTree.SubElement(ElementTree.SubElement(root, "meta"), "task")
    _add_text(task, "name", _clean(trajectory.header.source.name))
    _add_text(task, "size", str(last + 1))
    _add_text(task, "mode", mode)
    _add_text(task, "start_frame", "0")
    _add_text(task, "stop_frame", str(last))
    labels = ElementTree.SubElement(task, "labels")
    states = "\n".join(get_args(TrackState))
    for class_name in class_names(trajectory):
        label = ElementTree.SubElement(labels, "label")
        _add_text(label, "name", class_name)
        attributes = ElementTree.SubElement(label, "attributes")
        _add_attribute(attributes, "state", kind="select", default="tracked", values=states)
        _add_attribute(attributes, "score", kind="text", default="1", values="1")
    size = ElementTree.SubElement(task, "original_size")
    _add_text(size, "width", str(width))
    _add_text(size, "height", str(height))


def _add_attribute(
    attributes: ElementTree.Element, name: str, *, kind: str, default: str, values: str
) -> None:
    attribute = ElementTree.SubElement(attributes, "attribute")
    _add_text(attribute, "name", name)
    _add_text(attribute, "mutable", "True")  # it changes from frame to frame
    _add_text(attribute, "input_type", kind)
    _add_text(attribute, "default_value", default)
    _add_text(attribute, "values", values)


def _add_box(parent: ElementTree.Element, point: TrackPoint, **place: str) -> None:
    """A box and its attributes; `place` says what depends on the parent."""
    x, y, w, h = point.box
    sides = {"xtl": x, "ytl": y, "xbr": x + w, "ybr": y + h}
    corners = {key: f"{value:.3f}" for key, value in sides.items()}
    box = ElementTree.SubElement(parent, "box", {**place, "occluded": "0", "z_order": "0", **corners})
    for key, value in {"state": point.state, "score": f"{point.score:.4f}"}.items():
        ElementTree.SubElement(box, "attribute", name=key).text = value


def _add_text(parent: ElementTree.Element, tag: str, text: str) -> None:
    ElementTree.SubElement(parent, tag).text = text


def _last(trajectory: Trajectory) -> int:
    return max((point.index for point in trajectory.points), default=0)


def _clean(name: str) -> str:
    """A file's name as XML can hold it: it may be no UTF-8, and hold control characters."""
    text = name.encode(errors="replace").decode()
    return "".join(c if c >= " " else "?" for c in text)


def starts(path: Path, text: str) -> list[Target]:
    """The first visible box of every track, or every box of the first image that has any.

    Raises ValueError, KeyError.
    """
    if "<!DOCTYPE" in text:
        raise ValueError("it declares a document type, which CVAT does not")
    try:
        root = ElementTree.fromstring(text.partition("?>")[2] if text.startswith("<?xml") else text)
    except ElementTree.ParseError as error:
        raise ValueError(f"not XML: {error}") from None
    size = (root.findtext(".//original_size/width"), root.findtext(".//original_size/height"))
    whole = (float(size[0]), float(size[1])) if size[0] and size[1] else None
    return [
        start_target(_box(box), frame, label, own or whole) for frame, label, own, box in _first_boxes(root)
    ]


def _first_boxes(
    root: ElementTree.Element,
) -> Iterator[tuple[int, str, tuple[float, float] | None, ElementTree.Element]]:
    """Frame, label, the size of the image where it says so, and the element of the box."""
    for track in root.iter("track"):
        boxes = [box for box in track.iter("box") if box.get("outside") != "1"]
        if boxes:
            first = min(boxes, key=lambda box: int(box.attrib["frame"]))
            yield int(first.attrib["frame"]), track.get("label", ""), None, first
    images = [image for image in root.iter("image") if image.find("box") is not None]
    if images:
        image = min(images, key=lambda image: int(image.attrib["id"]))
        own = (float(image.attrib["width"]), float(image.attrib["height"]))
        for box in image.iter("box"):
            yield int(image.attrib["id"]), box.get("label", ""), own, box


def _box(element: ElementTree.Element) -> Box:
    left, top, right, bottom = (float(element.attrib[side]) for side in ("xtl", "ytl", "xbr", "ybr"))
    return Box(left, top, right - left, bottom - top)
