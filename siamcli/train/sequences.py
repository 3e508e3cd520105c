"""Readers of sequences: one object through many frames."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from siamcli.boxes import Box
from siamcli.counts import counted
from siamcli.errors import DatasetError
from siamcli.evaluation.annotations import read_absent
from siamcli.evaluation.catalog import specs
from siamcli.evaluation.textfiles import read_rows
from siamcli.frames import Image
from siamcli.media.kinds import is_image
from siamcli.media.suffixes import VIDEO_INPUT_SUFFIXES
from siamcli.natural import natural_key
from siamcli.train.folders import folders_below
from siamcli.train.pictures import Entry, Limits, picture
from siamcli.train.store import AnnotatedImage, ObjectBox, SkippedItem

__all__ = ["read_folders", "read_videos"]

_TRUTH = ("groundtruth_rect.txt", "groundtruth.txt", "groundtruth.csv")
_LASOT, _GOT10K = (specs()[key].absent for key in ("lasot", "got10k-val"))
"""Files beside the truth: where they say that the target is absent, its box is any."""


def read_folders(
    path: Path, include: str, stride: int, exclude: Collection[str] = ()
) -> Iterator[Entry | SkippedItem]:
    """Sequences with their images in NAME/img/ or in NAME/, beside the truth, at any depth below `path`: one
    line x, y, w, h per image, in natural order of their names.  OTB and LaSOT, which are known by their
    other files, count pixels from 1, all others from 0."""
    below = folders_below(path.absolute())  # "." has no name that could match
    every = [folder / own[0] for folder, names in below if (own := [n for n in _TRUTH if n in names])]
    truths = sorted(p for p in every if _taken(p.parent, include, exclude))
    if not truths:
        raise DatasetError(
            f"{path} holds no sequences that match {include!r}{_but(exclude)}",
            hint="expected NAME/groundtruth.txt and images",
        )
    yield from _idle(path, exclude, [p.parent for p in every])
    for truth in truths:
        inner = truth.parent / "img"
        folder = inner if inner.is_dir() else truth.parent
        known = truth.name == _TRUTH[0] or (truth.parent / _LASOT[0]).is_file()
        origin = 1 if known and folder is inner else 0
        files = sorted(filter(is_image, folder.iterdir()), key=lambda file: natural_key(file.name))
        boxes = _read_boxes(truth, stride)
        if isinstance(boxes, SkippedItem):
            yield boxes
            continue
        if len(boxes) != len(files):
            yield SkippedItem(str(truth), "not one box per image")
            continue
        name = str(truth.parent.relative_to(path.absolute()))
        for file, box in list(zip(files, boxes, strict=True))[::stride]:
            if box.valid:
                yield Entry(file, [ObjectBox(name, Box(box.x - origin, box.y - origin, box.w, box.h))])


def read_videos(
    path: Path, include: str, stride: int, limits: Limits, exclude: Collection[str] = ()
) -> Iterator[AnnotatedImage | SkippedItem]:
    """Videos with a text file of the same name: one line x, y, w, h per frame, 0-based, NaN = absent.
    Further targets of the same video lie beside it as NAME.track2.txt, NAME.track3.txt and so on."""
    candidates = [path] if path.is_file() else sorted(path.iterdir())
    every = [p for p in candidates if p.suffix.lower() in VIDEO_INPUT_SUFFIXES]
    videos = [p for p in every if p == path or _taken(p, include, exclude)]
    if not videos:
        raise DatasetError(
            f"{path} holds no videos that match {include!r}{_but(exclude)}",
            hint="expected NAME.mp4 and NAME.txt",
        )
    yield from _idle(path, exclude, every)
    first: dict[str, Path] = {}
    for video in videos:
        if first.setdefault(video.stem, video) is not video:
            yield SkippedItem(str(video), "the boxes are those of another video of the same name")
            continue
        tracks: dict[Path, list[Box]] = {}
        further = re.compile(rf"{re.escape(video.stem)}\.track\d+\.txt")
        more = sorted(p for p in video.parent.glob("*.track*.txt") if further.fullmatch(p.name))
        for file in (video.with_suffix(".txt"), *more):
            boxes = _read_boxes(file, stride)
            if isinstance(boxes, SkippedItem):
                yield boxes
            else:
                tracks[file] = boxes
        if tracks:
            yield from _decode(video, tracks, stride, limits)


def _taken(path: Path, include: str, exclude: Collection[str]) -> bool:
    """Whether a sequence matches `include` and none of `exclude`; a video also by its name without ending."""
    return path.match(include) and not any(_matches(path, pattern) for pattern in exclude)


def _matches(path: Path, pattern: str) -> bool:
    return path.match(pattern) or path.with_suffix("").match(pattern)


def _idle(path: Path, exclude: Collection[str], every: Sequence[Path]) -> Iterator[SkippedItem]:
    """The patterns that hold nothing back: perhaps misspelt, and what they were for is learned from."""
    for pattern in exclude:
        if not any(_matches(p, pattern) for p in every):
            yield SkippedItem(f"{path}: {pattern!r}", "an exclude that matches no sequence")


def _but(exclude: Collection[str]) -> str:
    return f", exclude = {list(exclude)}" if exclude else ""


def _decode(
    video: Path, tracks: Mapping[Path, list[Box]], stride: int, limits: Limits
) -> Iterator[AnnotatedImage | SkippedItem]:
    """Every `stride`-th frame on which a target is to be seen, of those with a row for every frame.

    Where a row is missing all later boxes are of other frames, which only the end of the video tells.
    """
    wanted = {i for boxes in tracks.values() for i in range(0, len(boxes), stride) if boxes[i].valid}
    images, count = _frames(video, wanted)
    fitting: dict[str, list[Box]] = {}
    for file, boxes in tracks.items():
        if len(boxes) == count:
            fitting[file.stem] = boxes
        else:
            where = f"{file}: {counted(len(boxes), 'row')}, {counted(count, 'frame')}"
            yield SkippedItem(where, "not one box per frame")
    for index in list(images):
        image, where = images.pop(index), f"{video}: frame {index}"
        seen = [ObjectBox(name, boxes[index]) for name, boxes in fitting.items() if boxes[index].valid]
        if image is None:
            yield SkippedItem(where, "unreadable image")
        elif seen:
            yield from picture(image, seen, where, limits)


def _frames(video: Path, wanted: Collection[int]) -> tuple[dict[int, Image | None], int]:
    """The `wanted` frames of a video by number, None for one that does not decode; and how many it has."""
    images: dict[int, Image | None] = {}
    count = 0
    capture = cv2.VideoCapture(str(video))
    try:
        while capture.grab():
            if count in wanted:
                ok, image = capture.retrieve()
                images[count] = np.asarray(image, np.uint8) if ok else None
            count += 1
    finally:
        capture.release()
    return images, count


def _read_boxes(path: Path, stride: int) -> list[Box] | SkippedItem:
    """One box per line, an invalid one for NaN and where a file beside it says that the target is absent; a
    skip where nothing is left to take every `stride`-th of."""
    nowhere = [float("nan")] * 4
    labels = (*_LASOT, *_GOT10K) if path.name in _TRUTH else ()
    try:
        rows = [row if len(row) == 4 else nowhere for row in read_rows(path, {1, 4})]
        absent = read_absent(labels, path.parent, len(rows))
    except DatasetError as error:  # which names the file and the line
        return SkippedItem(str(error), "unusable box file")
    boxes = [Box(*(nowhere if absent is not None and absent[i] else row)) for i, row in enumerate(rows)]
    if not any(box.valid for box in boxes[::stride]):
        return SkippedItem(str(path), "every box is empty or NaN")
    return boxes
