"""CVAT's XML: tracks in a video, or boxes in images."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import get_args
from xml.etree import ElementTree

from siamcli.boxes import Box, turned
from siamcli.counts import counted
from siamcli.errors import InputError, why_wrong
from siamcli.formats.cvat_task import add_task, last_frame, xml_text
from siamcli.formats.keyframes import key_frames
from siamcli.formats.names import video_stem
from siamcli.formats.select import (
    frame_indices,
    frame_size,
    image_name,
    is_visible,
    targets,
    visible_points,
)
from siamcli.formats.starts import first_box, start_target
from siamcli.formats.tracks import TrackBox, Tracks, say_others
from siamcli.labels import target_name
from siamcli.targets import Target
from siamcli.trajectory import PointSource, TrackPoint, TrackState, Trajectory

__all__ = ["starts", "text", "tracks"]

_logger = logging.getLogger(__name__)


def text(trajectory: Trajectory, *, drop_lost: bool = False, keyframes: float | None = None) -> str:
    """CVAT for video 1.1, for an image source CVAT for images 1.1, which finds images by name.

    In a video a target is a track, `outside` where it is absent, dropped as lost, or has ended.  Corners
    are 0-based; the attributes `state` and `score` are declared with every label, and of images `track_id`,
    as CVAT's own exports to other formats call it: images have no tracks.  A track has only what
    a human gave, and key frames between which CVAT's straight lines stay within `keyframes` pixels, by
    default every frame.
    Source: https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/
    """
    root = ElementTree.Element("annotations")
    add_task(root, trajectory)
    if trajectory.header.source.files:
        _add_images(root, trajectory, drop_lost=drop_lost)
    else:
        _add_tracks(root, trajectory, drop_lost=drop_lost, keyframes=keyframes)
    ElementTree.indent(root)
    document = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{document}\n'


def _add_tracks(
    root: ElementTree.Element, trajectory: Trajectory, *, drop_lost: bool, keyframes: float | None
) -> None:
    last = last_frame(trajectory)
    for number, (target, points) in enumerate(targets(trajectory).items()):
        label = target_name(trajectory.header.labels, target)
        track = ElementTree.SubElement(root, "track", id=str(number), label=label, source="auto")
        shown = [is_visible(point, drop_lost=drop_lost) for point in points]
        held = next((point.box for point in points if point.box.valid), None)
        for part in _stretches(points, shown):
            outside = not is_visible(part[0], drop_lost=drop_lost)
            # the last frame says how long a target is absent that does not come back
            for point in (part[0], *part[1:][-1:]) if outside else _keys(part, keyframes):
                held = point.box if point.box.valid else held  # where it is absent it has none of its own
                if held is not None:
                    place = _in_track(point.index, outside=outside)
                    _add_box(track, replace(point, box=held), **place)
        final = points[-1]
        if final.index < last and shown[-1]:
            _add_box(track, final, **_in_track(final.index + 1, outside=True))


def _stretches(points: Sequence[TrackPoint], shown: Sequence[bool]) -> Iterator[Sequence[TrackPoint]]:
    """Points in a row that are all visible or not, and all lost or not."""
    same = [(seen, point.state == "lost") for point, seen in zip(points, shown, strict=True)]
    edges = [0, *(i for i in range(1, len(points)) if same[i] != same[i - 1]), len(points)]
    yield from (points[a:b] for a, b in pairwise(edges))


def _keys(points: Sequence[TrackPoint], tolerance: float | None) -> Sequence[TrackPoint]:
    if tolerance is None:
        return points
    given = {i for i, point in enumerate(points) if point.source == "human"}
    chosen = key_frames([point.index for point in points], [point.box for point in points], tolerance, given)
    return [points[i] for i in chosen]


def _in_track(frame: int, *, outside: bool) -> dict[str, str]:
    return {"frame": str(frame), "keyframe": "1", "outside": str(int(outside))}


def _add_images(root: ElementTree.Element, trajectory: Trajectory, *, drop_lost: bool) -> None:
    width, height = frame_size(trajectory)
    images: dict[int, ElementTree.Element] = {}
    for index in frame_indices(trajectory, drop_lost=drop_lost):
        name = xml_text(image_name(trajectory.header.source, index) or "")
        attributes = {"id": str(index), "name": name, "width": str(width), "height": str(height)}
        images[index] = ElementTree.SubElement(root, "image", attributes)
    for point in visible_points(trajectory, drop_lost=drop_lost):
        label = target_name(trajectory.header.labels, point.target)
        box = _add_box(images[point.index], point, label=label, source="auto")
        ElementTree.SubElement(box, "attribute", name="track_id").text = str(point.target)


def _add_box(parent: ElementTree.Element, point: TrackPoint, **place: str) -> ElementTree.Element:
    """A box and its attributes; `place` says what depends on the parent."""
    x, y, w, h = point.box
    sides = {"xtl": x, "ytl": y, "xbr": x + w, "ybr": y + h}
    corners = {key: f"{value:.3f}" for key, value in sides.items()}
    box = ElementTree.SubElement(parent, "box", {**place, "occluded": "0", "z_order": "0", **corners})
    for key, value in {"state": point.state, "score": f"{point.score:.4f}"}.items():
        ElementTree.SubElement(box, "attribute", name=key).text = value
    return box


def tracks(text: str) -> list[Tracks]:
    """Every key frame of every track, or every box of every image; of a project for every task.

    In images the attribute `track_id` tells objects apart.  Without it, boxes of one label in several images
    are one track; of several in an image the first belongs to the first.  The attributes `state` and `score`
    are read where siamtrack wrote them.  Raises ValueError, KeyError.
    """
    root = _root(text)
    return [_clip(root, id, task) for id, task in _tasks(root).items()]


def _tasks(root: ElementTree.Element) -> dict[str, ElementTree.Element]:
    """Id and description of every task of a project that has tracks or images; of a single task "" and all.

    In a project every track and image names its task, which counts frames by itself.  Raises ValueError where
    they do not.
    """
    said = {task.findtext("id", ""): task for task in root.iterfind("meta/project/tasks/task")}
    used = dict.fromkeys(item.get("task_id", "") for item in root if item.tag in ("track", "image"))
    if any(used):
        return {id: said.get(id, ElementTree.Element("task")) for id in used}
    if len(said) > 1 and used:
        raise ValueError(f"{len(said)} tasks, but no track or image names its task: export them one by one")
    return {"": root}


def _clip(root: ElementTree.Element, id: str, task: ElementTree.Element) -> Tracks:
    """What the file says of one of its `_tasks`."""
    found = []
    ours, images = (
        [item for item in root.iter(tag) if item.get("task_id", "") == id] for tag in ("track", "image")
    )
    others = Counter(shape.tag for item in (*ours, *images) for shape in item if shape.tag != "box")
    for number, track in enumerate(ours):
        label, own = track.get("label", ""), track.get("id") or str(number)
        every = sorted(((_frame(box, own), box) for box in track.iter("box")), key=lambda item: item[0])
        keys = [item for item in every if item[1].get("keyframe") != "0" or _is_outside(item[1])]
        while keys and _is_outside(keys[-1][1]) and _attributes(keys[-1][1]).get("state") != "absent":
            keys.pop()  # where the track ends
        by_hand = track.get("source", "manual") != "auto"
        found += [_track_box(box, frame, own, label, by_hand=by_hand) for frame, box in keys]
    files: dict[int, str] = {}
    for image in images:
        frame, seen = int(image.attrib["id"]), Counter[str]()
        if frame in files:
            raise ValueError(
                f"image {frame} appears twice: if the file holds several tasks, export them one by one"
            )
        files[frame] = image.get("name", "")
        for box in image.iter("box"):
            label, own = box.get("label", ""), _attributes(box).get("track_id") or ""
            if not own:  # as those that somebody has drawn there
                seen[label] += 1
                own = f"{label} {seen[label]}"
            by_hand = box.get("source", "manual") != "auto"
            found.append(_track_box(box, frame, own, label, by_hand=by_hand)._replace(size=_size(image)))
    width, height = (task.findtext(f".//original_size/{side}") for side in ("width", "height"))
    names = tuple(files.get(i, "") for i in range(len(files)))  # one is missing where there is a gap
    first = min(images, key=lambda image: int(image.attrib["id"]), default=None)
    known = (int(width), int(height)) if width and height else _size(first)
    listed = names if all(names) else ()
    return Tracks(found, size=known, files=listed, filled=not files, name=_name(id, task), others=others)


def _size(image: ElementTree.Element | None) -> tuple[int, int] | None:
    """Width and height of an image, where there is one that says them."""
    width, height = (None, None) if image is None else (image.get("width"), image.get("height"))
    return (int(width), int(height)) if width and height else None


def _name(id: str, task: ElementTree.Element) -> str:
    """That of a task of a project, which is often the file's."""
    return video_stem(task.findtext("name", f"task {id}")) if id else ""


def _track_box(box: ElementTree.Element, frame: int, track: str, label: str, *, by_hand: bool) -> TrackBox:
    """Raises ValueError that names track and frame."""
    try:
        return _read_box(box, frame, track, label, by_hand=by_hand)
    except (KeyError, ValueError) as error:
        raise ValueError(f"track {track}, frame {frame}: {why_wrong(error)}") from None


def _read_box(box: ElementTree.Element, frame: int, track: str, label: str, *, by_hand: bool) -> TrackBox:
    attributes = _attributes(box)
    states: tuple[TrackState, ...] = get_args(TrackState)
    state: TrackState = next((known for known in states if known == attributes.get("state")), "tracked")
    score = float(attributes.get("score") or 1)
    source: PointSource = "human" if by_hand else "forward"
    if _is_outside(box) and state != "lost":
        return TrackBox(frame, track, label, None, state, source=source)
    return TrackBox(frame, track, label, _box(box), state, score, source)


def _frame(box: ElementTree.Element, track: str) -> int:
    """Raises ValueError that names the track."""
    try:
        return int(box.attrib["frame"])
    except (KeyError, ValueError):
        raise ValueError(f"track {track}: a box of frame {box.get('frame')!r}") from None


def _is_outside(box: ElementTree.Element) -> bool:
    return box.get("outside") == "1"


def _attributes(box: ElementTree.Element) -> dict[str, str]:
    return {attribute.get("name", ""): attribute.text or "" for attribute in box.iter("attribute")}


def _root(text: str) -> ElementTree.Element:
    """Raises ValueError."""
    if "<!DOCTYPE" in text:
        raise ValueError("it declares a document type, which CVAT does not")
    try:
        return ElementTree.fromstring(text.partition("?>")[2] if text.startswith("<?xml") else text)
    except ElementTree.ParseError as error:
        raise ValueError(f"not XML: {error}") from None


def starts(path: Path, text: str) -> list[Target]:
    """Every track at its first visible box, of images every `track_id`, or every box without one of the first
    image that has any; says that absences after it, and what is no box, are not read.

    Raises ValueError, KeyError, InputError.
    """
    root = _root(text)
    if len(tasks := _tasks(root)) > 1:
        raise InputError(
            f"{path} holds {len(tasks)} tasks", hint="`siamtrack convert --to siamtrack` splits them"
        )
    clip = _clip(root, *next(iter(tasks.items())))
    say_others(path, [clip], "it was read as cvat; see --box-format")
    targets = []
    for track in root.iter("track"):
        seen = [box for box in track.iter("box") if not _is_outside(box) and _box(box).valid]
        seen.sort(key=lambda box: int(box.attrib["frame"]))
        label = track.get("label", "")
        boxes = [start_target(_box(box), int(box.attrib["frame"]), label, clip.size) for box in seen]
        targets += [first_box(boxes)] if boxes else []
    pairs = pairwise(clip.boxes)
    if absent := {b.track for a, b in pairs if a.track == b.track and a.box is not None and b.box is None}:
        said = "%s: %s absent for some frames, which is not read from a box file: give --absent, too"
        _logger.warning(said, path, counted(len(absent), "target", "are"))
    images = [image for image in root.iter("image") if image.find("box") is not None]
    images.sort(key=lambda image: int(image.attrib["id"]))
    objects: dict[object, list[Target]] = {}
    for image in images:
        own = (float(image.attrib["width"]), float(image.attrib["height"]))
        for box in image.iter("box"):
            id = _attributes(box).get("track_id")
            if id or image is images[0]:
                start = start_target(_box(box), int(image.attrib["id"]), box.get("label", ""), own)
                objects.setdefault(id or box, []).append(start)
    return [*targets, *map(first_box, objects.values())]


def _box(element: ElementTree.Element) -> Box:
    """The upright box around a box of CVAT, which is turned about its centre."""
    left, top, right, bottom = (float(element.attrib[side]) for side in ("xtl", "ytl", "xbr", "ybr"))
    box = Box(left, top, right - left, bottom - top)
    return turned(box, float(element.get("rotation", 0)), box.center)
