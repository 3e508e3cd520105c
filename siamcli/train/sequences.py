"""Readers of sequences: one object through many frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from siamcli.boxes import Box
from siamcli.errors import DatasetError
from siamcli.evaluation.textfiles import read_rows
from siamcli.train.pictures import IMAGES, Entry, Limits, picture
from siamcli.train.store import Picture, Skip

__all__ = ["read_folders", "read_videos"]

_VIDEOS = (".mp4", ".avi", ".mkv", ".mov", ".webm")
_TRUTH = ("groundtruth_rect.txt", "groundtruth.txt", "groundtruth.csv")


def read_folders(path: Path, include: str, stride: int) -> Iterator[Entry | Skip]:
    """Sequences as OTB and LaSOT (NAME/img/, 1-based) or GOT-10k (NAME/, images beside the truth) lay
    them out, at any depth below `path`: one line x, y, w, h per image, in order of their names."""
    truths = sorted(p for name in _TRUTH for p in path.rglob(name) if p.parent.match(include))
    if not truths:
        raise DatasetError(
            f"{path} holds no sequences that match {include!r}",
            hint="expected NAME/groundtruth.txt and images",
        )
    for truth in truths:
        inner = truth.parent / "img"
        origin = 1 if inner.is_dir() else 0
        folder = inner if origin else truth.parent
        files = sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGES)
        boxes = _read_boxes(truth, stride)
        if isinstance(boxes, Skip):
            yield boxes
            continue
        if len(boxes) != len(files):
            yield Skip(str(truth), "not one box per image")
            continue
        name = str(truth.parent.relative_to(path))
        for file, box in list(zip(files, boxes, strict=True))[::stride]:
            if box.valid:
                yield Entry(file, [(name, Box(box.x - origin, box.y - origin, box.w, box.h))])


def read_videos(path: Path, include: str, stride: int, limits: Limits) -> Iterator[Picture | Skip]:
    """Videos with a text file of the same name: one line x, y, w, h per frame, 0-based, NaN = absent."""
    candidates = [path] if path.is_file() else sorted(path.iterdir())
    videos = [p for p in candidates if p.suffix.lower() in _VIDEOS and (p == path or p.match(include))]
    if not videos:
        raise DatasetError(
            f"{path} holds no videos that match {include!r}", hint="expected NAME.mp4 and NAME.txt"
        )
    for video in videos:
        boxes = _read_boxes(video.with_suffix(".txt"), stride)
        if isinstance(boxes, Skip):
            yield boxes
            continue
        yield from _decode(video, boxes, stride, limits)


def _decode(video: Path, boxes: list[Box], stride: int, limits: Limits) -> Iterator[Picture | Skip]:
    capture = cv2.VideoCapture(str(video))
    try:
        for index, box in enumerate(boxes):
            if not capture.grab():
                yield Skip(f"{video}: frame {index}", "fewer frames than boxes")
                return
            if index % stride or not box.valid:
                continue
            ok, image = capture.retrieve()
            if ok:
                named = [(video.stem, box)]
                yield from picture(np.asarray(image, np.uint8), named, f"{video}: frame {index}", limits)
            else:
                yield Skip(f"{video}: frame {index}", "unreadable image")
        if capture.grab():
            yield Skip(f"{video}: frame {len(boxes)}", "fewer boxes than frames")
    finally:
        capture.release()


def _read_boxes(path: Path, stride: int) -> list[Box] | Skip:
    """One box per line, an invalid one for NaN; a skip where nothing is left to take every `stride`-th of."""
    absent = [float("nan")] * 4
    try:
        boxes = [Box(*(row if len(row) == 4 else absent)) for row in read_rows(path, {1, 4})]
    except DatasetError as error:  # which names the file and the line
        return Skip(str(error), "unusable box file")
    if not any(box.valid for box in boxes[::stride]):
        return Skip(str(path), "every box is empty or NaN")
    return boxes
