"""Readers of sequences: one object through many frames."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from siamcli.boxes import Box
from siamcli.errors import DatasetError
from siamcli.evaluation.textfiles import read_rows
from siamcli.media.kinds import is_image
from siamcli.media.suffixes import VIDEO_INPUT_SUFFIXES
from siamcli.natural import natural_key
from siamcli.train.folders import folders_below
from siamcli.train.pictures import Entry, Limits, picture
from siamcli.train.store import AnnotatedImage, ObjectBox, SkippedItem

__all__ = ["read_folders", "read_videos"]

_TRUTH = ("groundtruth_rect.txt", "groundtruth.txt", "groundtruth.csv")


def read_folders(
    path: Path, include: str, stride: int, exclude: Collection[str] = ()
) -> Iterator[Entry | SkippedItem]:
    """Sequences as OTB and LaSOT (NAME/img/, 1-based) or GOT-10k (NAME/, images beside the truth) lay
    them out, at any depth below `path`: one line x, y, w, h per image, in natural order of their
    names."""
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
        origin = 1 if inner.is_dir() else 0
        folder = inner if origin else truth.parent
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
        tracks: dict[str, list[Box]] = {}
        further = re.compile(rf"{re.escape(video.stem)}\.track\d+\.txt")
        more = sorted(p for p in video.parent.glob("*.track*.txt") if further.fullmatch(p.name))
        for file in (video.with_suffix(".txt"), *more):
            boxes = _read_boxes(file, stride)
            if isinstance(boxes, SkippedItem):
                yield boxes
            else:
                tracks[file.stem] = boxes
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
    video: Path, tracks: Mapping[str, list[Box]], stride: int, limits: Limits
) -> Iterator[AnnotatedImage | SkippedItem]:
    """Every `stride`-th frame on which a target is to be seen."""
    capture = cv2.VideoCapture(str(video))
    frames = max(map(len, tracks.values()))
    try:
        for index in range(frames):
            if not capture.grab():
                yield SkippedItem(f"{video}: frame {index}", "fewer frames than boxes")
                return
            seen = [ObjectBox(name, boxes[index]) for name, boxes in tracks.items() if index < len(boxes)]
            seen = [o for o in seen if o.box.valid]
            if index % stride or not seen:
                continue
            ok, image = capture.retrieve()
            if ok:
                yield from picture(np.asarray(image, np.uint8), seen, f"{video}: frame {index}", limits)
            else:
                yield SkippedItem(f"{video}: frame {index}", "unreadable image")
        if capture.grab():
            yield SkippedItem(f"{video}: frame {frames}", "fewer boxes than frames")
    finally:
        capture.release()


def _read_boxes(path: Path, stride: int) -> list[Box] | SkippedItem:
    """One box per line, an invalid one for NaN; a skip where nothing is left to take every `stride`-th of."""
    absent = [float("nan")] * 4
    try:
        boxes = [Box(*(row if len(row) == 4 else absent)) for row in read_rows(path, {1, 4})]
    except DatasetError as error:  # which names the file and the line
        return SkippedItem(str(error), "unusable box file")
    if not any(box.valid for box in boxes[::stride]):
        return SkippedItem(str(path), "every box is empty or NaN")
    return boxes
