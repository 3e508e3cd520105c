"""YOLO labels: a text file per frame.  Source: https://docs.ultralytics.com/datasets/detect/"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from siamcli.atomic import AtomicFile, as_output_error, make_folder, write_text
from siamcli.boxes import Box, clip_box
from siamcli.counts import counted
from siamcli.errors import InputError, OutputError
from siamcli.formats.datasets import PARTS, DatasetClip
from siamcli.formats.names import file_stem
from siamcli.formats.select import (
    class_names,
    frame_indices,
    frame_size,
    image_name,
    visible_points,
)
from siamcli.formats.starts import start_target
from siamcli.labels import target_name
from siamcli.targets import Target, read_lines
from siamcli.trajectory import Trajectory

__all__ = ["dataset", "files", "starts", "write_into"]

CLASSES = "classes.txt"


def files(trajectory: Trajectory, *, drop_lost: bool = False) -> dict[str, str]:
    """labels/IMAGE.txt per image, for a video labels/NAME_000000.txt per frame, and classes.txt.

    `class cx cy w h` as fractions of the frame, clipped to it; there is no score, as Ultralytics refuses
    labels of six columns.  A frame without a target has an empty file, which the format reads as
    background.  Source: https://docs.ultralytics.com/datasets/detect/
    """
    size = frame_size(trajectory)
    name = trajectory.header.source.name
    classes = class_names(trajectory)
    indices = frame_indices(trajectory, drop_lost=drop_lost)
    paths = {index: _label_path(trajectory, index) for index in indices}
    texts = dict.fromkeys(paths.values(), "")
    if len(texts) < len(paths):
        raise InputError(
            f"{name}: two images have one name but for the suffix",
            hint="YOLO has one label file for both: rename one of them",
        )
    for point in visible_points(trajectory, drop_lost=drop_lost):
        number = classes.index(target_name(trajectory.header.labels, point.target))
        texts[paths[point.index]] += _row(point.box, size, number)
    return {**texts, CLASSES: _lines(classes)}


def write_into(folder: Path, trajectory: Trajectory, texts: Mapping[str, str], *, overwrite: bool) -> None:
    """Add the files of a trajectory to the data set in `folder`, or begin one there.

    Its classes keep their numbers, new ones come after them.  Labels of the same clip are replaced only
    with `overwrite`, and then all of them.  Raises OutputError, also while another process adds to it.
    """
    labels = {folder / name: text for name, text in texts.items() if name != CLASSES}
    make_folder(folder)
    place = folder / CLASSES
    classes = AtomicFile(place, overwrite=True)
    try:
        there = [path for path in (*labels, *_labels_there(folder, trajectory)) if path.exists()]
        if there and not overwrite:
            raise OutputError(f"{there[0]} exists", hint="-y replaces it")
        known = read_lines(place) if place.exists() else []
        ours = texts[CLASSES].splitlines()
        known += [label for label in ours if label not in known]
        with as_output_error(place):
            classes.path.write_text(_lines(known), encoding="utf-8", newline="\n")
        classes.commit()  # before the labels, whose classes must be known
    finally:
        classes.discard()
    for path, text in labels.items():
        rows = (row.split(" ", 1) for row in text.splitlines())
        write_text(path, "".join(f"{known.index(ours[int(kind)])} {rest}\n" for kind, rest in rows))
    for path in there:
        if path not in labels:
            with as_output_error(path):
                path.unlink(missing_ok=True)


def dataset(clips: Sequence[DatasetClip], classes: Sequence[str]) -> dict[str, str]:
    """labels/PART/IMAGE.txt for images/PART/IMAGE.jpg, and data.yaml, which Ultralytics trains from.

    Source: https://docs.ultralytics.com/datasets/detect/
    """
    texts: dict[str, str] = {}
    for clip in clips:
        size = frame_size(clip.trajectory)
        rows = {index: "" for index in clip.frames}
        for point in visible_points(clip.trajectory, drop_lost=clip.drop_lost):
            if point.index in rows:
                number = classes.index(target_name(clip.trajectory.header.labels, point.target))
                rows[point.index] += _row(point.box, size, number)
        for index, text in rows.items():
            texts[str(PurePosixPath("labels", clip.part, clip.image(index)).with_suffix(".txt"))] = text
    parts = {clip.part for clip in clips}
    # YAML reads JSON's strings, but not two escapes as one character
    names = "".join(
        f"  {number}: {json.dumps(label, ensure_ascii=False)}\n" for number, label in enumerate(classes)
    )
    places = "".join(f"{part}: images/{part if part in parts else min(parts)}\n" for part in PARTS)
    return {**texts, "data.yaml": f"path: .\n{places}names:\n{names}"}


def _row(box: Box, size: tuple[int, int], number: int) -> str:
    """The line of a box, as far as it lies in the frame; empty outside."""
    inside = clip_box(box, size)
    if not inside.valid:
        return ""
    (cx, cy), (width, height) = inside.center, size
    values = (cx / width, cy / height, inside.w / width, inside.h / height)
    return " ".join([str(number), *(f"{v:.6f}" for v in values)]) + "\n"


def _lines(labels: list[str]) -> str:
    return "".join(f"{label}\n" for label in labels)


def _labels_there(folder: Path, trajectory: Trajectory) -> Iterator[Path]:
    """The label files in `folder` of any frame of the trajectory's clip."""
    source = trajectory.header.source
    if source.files:
        yield from (folder / _label_path(trajectory, index) for index in range(len(source.files)))
        return
    frame = re.compile(rf"{re.escape(file_stem(source.name))}_\d{{6,}}\.txt")
    yield from (path for path in folder.glob("labels/*.txt") if frame.fullmatch(path.name))


def _label_path(trajectory: Trajectory, index: int) -> str:
    source = trajectory.header.source
    image = image_name(source, index) or f"{file_stem(source.name)}_{index:06d}.jpg"
    return f"labels/{PurePosixPath(image).with_suffix('.txt')}"


_NUMBERED = re.compile(r".*_(\d{6})")  # as siamtrack and CVAT call the frames of a video


def starts(path: Path, text: str) -> list[Target]:
    """Every box of a label file; the labels stand in `classes.txt` beside it, or in the folder above.

    The frame is that of a name such as clip_000012.txt, else the first.  Raises ValueError.
    """
    match = _NUMBERED.fullmatch(path.stem)
    frame = int(match[1]) if match else 0
    classes = [folder / CLASSES for folder in (path.parent, path.parent.parent)]
    names = next((read_lines(file) for file in classes if file.is_file()), [])
    targets = []
    for number, line in enumerate(text.splitlines(), start=1):
        cells = line.split()
        if not cells:
            continue
        if len(cells) not in (5, 6):
            raise ValueError(f"line {number}: {counted(len(cells), 'number')} where 5 are expected")
        kind, (cx, cy, w, h) = int(cells[0]), map(float, cells[1:5])
        label = names[kind] if 0 <= kind < len(names) else ""
        targets.append(start_target(Box.from_center(cx, cy, w, h), frame, label, size=(1, 1)))
    return targets
