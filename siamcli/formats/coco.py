"""COCO JSON with track_id, as in COCO-VID.

Source: https://cocodataset.org/#format-data,
https://openvinotoolkit.github.io/datumaro/stable/docs/data-formats/formats/coco.html
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from siamcli.boxes import Box, clip_box
from siamcli.errors import InputError
from siamcli.formats.datasets import PARTS, DatasetClip
from siamcli.formats.names import video_stem
from siamcli.formats.select import (
    class_names,
    frame_indices,
    frame_size,
    image_name,
    visible_points,
)
from siamcli.formats.starts import first_box, start_target
from siamcli.formats.tracks import TrackBox, Tracks
from siamcli.labels import target_name
from siamcli.natural import natural_key
from siamcli.schema import Number, Positive, from_record, load_json
from siamcli.targets import Target
from siamcli.trajectory import TrackPoint, TrackState, Trajectory

__all__ = ["dataset", "starts", "text", "tracks"]


def text(trajectory: Trajectory, *, drop_lost: bool = False) -> str:
    """An image per frame, a category per target's label, an annotation with track_id per box.

    Boxes are x, y, w, h, 0-based; `score` and `attributes` (the state) go beyond COCO, as datumaro and
    CVAT write them.  Images have their own names; frames of a video are called NAME/000000.jpg.
    """
    width, height = frame_size(trajectory)
    name = trajectory.header.source.name
    categories = class_names(trajectory)
    indices = frame_indices(trajectory, drop_lost=drop_lost)
    size = {"width": width, "height": height}
    images = [
        {
            "id": index + 1,
            "file_name": image_name(trajectory.header.source, index) or f"{name}/{index:06d}.jpg",
            **size,
            "video_id": 1,
            "frame_id": index,
        }
        for index in indices
    ]
    annotations = []
    for number, point in enumerate(visible_points(trajectory, drop_lost=drop_lost), start=1):
        category = categories.index(target_name(trajectory.header.labels, point.target)) + 1
        ids = {"id": number, "image_id": point.index + 1, "video_id": 1, "track_id": point.target}
        attributes = {"state": point.state}
        annotations.append(_annotation(point, point.box, attributes, **ids, category_id=category))
    said = f"{name}, tracked by siamtrack {trajectory.header.version}".strip()
    return _written(said, [{"id": 1, "name": name, **size}], images, categories, annotations)


def _annotation(point: TrackPoint, box: Box, attributes: Mapping[str, Any], **ids: int) -> dict[str, Any]:
    return {
        **ids,
        "bbox": [round(v, 3) for v in box],
        "area": round(box.area, 3),
        "segmentation": [],
        "iscrowd": 0,
        "score": round(point.score, 4),
        "attributes": attributes,
    }


def _written(
    description: str,
    videos: Sequence[Mapping[str, Any]],
    images: Sequence[Mapping[str, Any]],
    categories: Sequence[str],
    annotations: Sequence[Mapping[str, Any]],
) -> str:
    document = {
        "info": {"description": description},
        "licenses": [],
        "videos": videos,
        "images": images,
        "categories": [{"id": n, "name": label} for n, label in enumerate(categories, start=1)],
        "annotations": annotations,
    }
    return json.dumps(document, indent=1) + "\n"


def dataset(clips: Sequence[DatasetClip], classes: Sequence[str]) -> dict[str, str]:
    """annotations/instances_train.json and instances_val.json, for the images in images/train and images/val.

    A clip is a video of the document; numbers of images, tracks and annotations are of the whole part.
    """
    return {
        f"annotations/instances_{part}.json": _part([clip for clip in clips if clip.part == part], classes)
        for part in PARTS
        if any(clip.part == part for clip in clips)
    }


def _part(clips: Sequence[DatasetClip], classes: Sequence[str]) -> str:
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    videos: list[dict[str, Any]] = []
    tracks: dict[tuple[str, int], int] = {}
    for number, clip in enumerate(clips, start=1):
        width, height = frame_size(clip.trajectory)
        size = {"width": width, "height": height}
        videos.append({"id": number, "name": clip.name, **size})
        ids = {index: len(images) + place for place, index in enumerate(clip.frames, start=1)}
        images += [
            {"id": id, "file_name": clip.image(index), **size, "video_id": number, "frame_id": index}
            for index, id in ids.items()
        ]
        for point in visible_points(clip.trajectory, drop_lost=clip.drop_lost):
            box = clip_box(point.box, (width, height))
            if point.index in ids and box.valid:
                track = tracks.setdefault((clip.name, point.target), len(tracks) + 1)
                label = target_name(clip.trajectory.header.labels, point.target)
                category = classes.index(label) + 1
                own = {"id": len(annotations) + 1, "image_id": ids[point.index], "video_id": number}
                attributes = {"state": point.state, "track_id": track}
                own |= {"track_id": track, "category_id": category}
                annotations.append(_annotation(point, box, attributes, **own))
    return _written("tracked by siamtrack", videos, images, classes, annotations)


@dataclass(frozen=True, slots=True)
class _Image:
    id: int | str
    frame_id: int | None = None
    frame_index: int | None = None
    file_name: str | None = None
    video_id: int | str | None = None
    width: Positive | None = None
    height: Positive | None = None

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height, where both are known."""
        return (round(self.width), round(self.height)) if self.width and self.height else None


@dataclass(frozen=True, slots=True)
class _Annotation:
    image_id: int | str
    bbox: tuple[Number, Number, Number, Number]
    category_id: int | str | None = None
    track_id: int | str | None = None
    instance_id: int | str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    score: Number = math.nan

    @property
    def track(self) -> object:
        """What tells which boxes are of one object; MMTracking has another name for it, CVAT an attribute."""
        known = (self.track_id, self.instance_id, self.attributes.get("track_id"))
        return next((track for track in known if track is not None), None)


@dataclass(frozen=True, slots=True)
class _Category:
    id: int | str
    name: str


@dataclass(frozen=True, slots=True)
class _Video:
    id: int | str
    name: str = ""


@dataclass(frozen=True, slots=True)
class _Document:
    images: tuple[_Image, ...]
    annotations: tuple[_Annotation, ...]
    categories: tuple[_Category, ...] = ()
    videos: tuple[_Video, ...] = ()

    def clips(self) -> dict[str, _Document]:
        """Name -> the part of every video, in the order of the images; images without a video are one.

        Raises KeyError for a box of an image that is not there.
        """
        names: dict[object, str] = {video.id: video.name for video in self.videos}
        of_image = {image.id: image.video_id for image in self.images}
        parts: dict[str, _Document] = {}
        for video in dict.fromkeys(of_image.values()):
            images = tuple(image for image in self.images if image.video_id == video)
            boxes = tuple(entry for entry in self.annotations if of_image[entry.image_id] == video)
            name = names.get(video) or ("images" if video is None else f"video {video}")
            while name in parts:
                name = f"{name} {video}"
            parts[name] = replace(self, images=images, annotations=boxes)
        return parts

    def labels(self) -> dict[int | str | None, str]:
        """The names of the categories by their ids."""
        return {category.id: category.name for category in self.categories}

    def frames(self) -> dict[int | str, int]:
        """The frames of the images by their ids: what the file says, or the place by the image's name."""
        in_order = sorted(self.images, key=lambda image: natural_key(image.file_name or ""))
        places = {image.id: place for place, image in enumerate(in_order)}
        return {
            image.id: next(n for n in (image.frame_id, image.frame_index, places[image.id]) if n is not None)
            for image in self.images
        }


def tracks(text: str) -> list[Tracks]:
    """Every box of every video, by track_id; a frame is an image's `frame_id` or `frame_index`, else its
    place by its name among those of its video.

    Without a track_id the boxes of a category are one track.  Raises ValueError, KeyError.
    """
    document = from_record(_Document, load_json(text))
    return [_clip(video_stem(name), part) for name, part in document.clips().items()]


def _clip(name: str, document: _Document) -> Tracks:
    labels, images = document.labels(), document.frames()
    sizes = {image.id: image.size for image in document.images}
    boxes = []
    for entry in document.annotations:
        state = entry.attributes.get("state", "tracked")
        label = labels.get(entry.category_id, "")
        track = label if entry.track is None else str(entry.track)
        boxes.append(
            TrackBox(
                images[entry.image_id],
                track,
                label,
                Box(*entry.bbox),
                state if state in get_args(TrackState) else "tracked",
                1.0 if math.isnan(entry.score) else entry.score,
                "human" if math.isnan(entry.score) else "forward",
                size=sizes[entry.image_id],
            )
        )
    return Tracks(boxes, size=sizes[min(images, key=images.__getitem__)], name=name)


def starts(path: Path, text: str) -> list[Target]:
    """Every track_id at its first box; where there is none, every box of the first image that has any.

    A frame is an image's `frame_id` or `frame_index` or, without both, its place by its name.

    Raises ValueError, KeyError, InputError.
    """
    document = from_record(_Document, load_json(text))
    if len(clips := document.clips()) > 1:
        raise InputError(
            f"{path} holds {len(clips)} videos", hint="`siamtrack convert --to siamtrack` splits them"
        )
    labels, frames = document.labels(), document.frames()
    images = {image.id: (frames[image.id], image) for image in document.images}
    entries = [(*images[entry.image_id], entry) for entry in document.annotations if Box(*entry.bbox).valid]
    entries.sort(key=lambda item: item[0])
    tracks: dict[str, list[Target]] = {}
    alone: list[Target] = []
    for frame, image, entry in entries:
        target = start_target(Box(*entry.bbox), frame, labels.get(entry.category_id, ""), image.size)
        if entry.track is not None:
            tracks.setdefault(str(entry.track), []).append(target)
        elif frame == entries[0][0]:
            alone.append(target)
    return [*map(first_box, tracks.values()), *alone]
