"""From an annotation to a picture that can be learned from, or the reason why not."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from siamcli.boxes import Box, clip_box
from siamcli.cores import usable_cores
from siamcli.frames import Image
from siamcli.train.store import AnnotatedImage, ObjectBox, SkippedItem

__all__ = ["Entry", "Limits", "load", "picture"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Boxes with a side below `min_side` pixels or above `max_area` of the image are left out."""

    min_side: float
    max_area: float


@dataclass(frozen=True, slots=True)
class Entry:
    """An image file and its objects; with `relative` the boxes are in shares of width and height."""

    file: Path
    objects: Sequence[ObjectBox]
    relative: bool = False


def load(entries: Iterable[Entry | SkippedItem], limits: Limits) -> Iterator[AnnotatedImage | SkippedItem]:
    """Decode the images of all entries, some ahead in threads; one that does not decode is skipped."""
    cores = usable_cores()
    waiting: deque[tuple[Entry | SkippedItem, Future[Image | None]]] = deque()
    with ThreadPoolExecutor(cores) as threads:  # OpenCV decodes outside the interpreter's lock
        for entry in entries:
            waiting.append((entry, threads.submit(_decoded, entry)))
            if len(waiting) > 2 * cores:  # no more than that: decoded images are large
                yield from _pictures(*waiting.popleft(), limits)
        while waiting:
            yield from _pictures(*waiting.popleft(), limits)


def _decoded(entry: Entry | SkippedItem) -> Image | None:
    if isinstance(entry, SkippedItem):
        return None
    try:
        image = cv2.imread(str(entry.file), cv2.IMREAD_COLOR)
    except cv2.error:  # of more pixels than OpenCV takes
        return None
    return None if image is None else np.asarray(image, np.uint8)


def _pictures(
    entry: Entry | SkippedItem, decoded: Future[Image | None], limits: Limits
) -> Iterator[AnnotatedImage | SkippedItem]:
    image = decoded.result()
    if isinstance(entry, SkippedItem):
        yield entry
    elif image is None:
        yield SkippedItem(str(entry.file), "unreadable image")
    else:
        objects = entry.objects
        if entry.relative:
            height, width = image.shape[:2]
            objects = [
                o._replace(box=Box(o.box.x * width, o.box.y * height, o.box.w * width, o.box.h * height))
                for o in objects
            ]
        yield from picture(image, objects, str(entry.file), limits)


def picture(
    image: Image, objects: Sequence[ObjectBox], where: str, limits: Limits
) -> Iterator[AnnotatedImage | SkippedItem]:
    """The picture with its usable boxes, clipped to the image, and a skip for each of the others."""
    height, width = image.shape[:2]
    kept = []
    for item in objects:
        box = item.box
        inside = clip_box(box, (width, height)) if box.valid else box
        if not inside.valid or inside.area < 0.5 * box.area:
            yield SkippedItem(where, "impossible box")
        elif min(inside.w, inside.h) < limits.min_side:
            yield SkippedItem(where, "tiny box")
        elif inside.area > limits.max_area * width * height:
            yield SkippedItem(where, "box fills the image")
        else:
            kept.append(item._replace(box=inside))
    if kept:
        yield AnnotatedImage(image, tuple(kept))
