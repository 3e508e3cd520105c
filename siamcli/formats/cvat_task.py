"""What describes a task of CVAT: its name, its frames, labels with their attributes."""

from __future__ import annotations

from typing import get_args
from xml.etree import ElementTree

from siamcli.formats.select import class_names, frame_size
from siamcli.trajectory import TrackState, Trajectory

__all__ = ["add_task", "last_frame", "xml_text"]


def add_task(root: ElementTree.Element, trajectory: Trajectory) -> None:
    """Add it to the root of a file: of images where the source has them, else of a video."""
    of_images = bool(trajectory.header.source.files)
    width, height = frame_size(trajectory)
    last = last_frame(trajectory)
    _add_text(root, "version", "1.1")
    task = ElementTree.SubElement(ElementTree.SubElement(root, "meta"), "task")
    _add_text(task, "name", xml_text(trajectory.header.source.name))
    _add_text(task, "size", str(last + 1))
    _add_text(task, "mode", "annotation" if of_images else "interpolation")
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
        if of_images:
            _add_attribute(attributes, "track_id", kind="text", default="", values="")
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


def _add_text(parent: ElementTree.Element, tag: str, text: str) -> None:
    ElementTree.SubElement(parent, tag).text = text


def last_frame(trajectory: Trajectory) -> int:
    """The last one with a point, 0 where there is none."""
    return max((point.index for point in trajectory.points), default=0)


def xml_text(name: str) -> str:
    """A file's name as XML can hold it: it may be no UTF-8, and hold control characters."""
    text = name.encode(errors="replace").decode()
    return "".join(c if c >= " " and c not in "\ufffe\uffff" else "?" for c in text)
