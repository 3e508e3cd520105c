"""Readers of annotated image sets.  A damaged annotation becomes a skip, never the end of the run."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from pathlib import Path

from siamcli.boxes import Box
from siamcli.errors import DatasetError
from siamcli.media.suffixes import IMAGE_SUFFIXES
from siamcli.schema import load_json
from siamcli.train.folders import folders_below
from siamcli.train.pictures import Entry
from siamcli.train.store import ObjectBox, SkippedItem

__all__ = ["read_coco", "read_jsonl", "read_voc", "read_yolo"]

_BROKEN = (ValueError, KeyError, TypeError, IndexError, OverflowError)


def read_jsonl(path: Path) -> Iterator[Entry | SkippedItem]:
    """One JSON object per line: file (relative to this one) and boxes as [x, y, w, h, class]."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                entry = load_json(line)
                name = str(entry["file"])
                boxes = [(_box(b[:4]), _category(b[4:])) for b in entry["boxes"]]
            except _BROKEN:
                yield SkippedItem(f"{path}:{number}", "unreadable annotation")
                continue
            # by the line: several may speak of one image, and their boxes are different objects
            yield Entry(
                path.parent / name, [ObjectBox(f"{name}:{number}#{i}", *b) for i, b in enumerate(boxes)]
            )


def read_coco(path: Path) -> Iterator[Entry | SkippedItem]:
    """COCO's instances JSON.  Images are looked for beside the file, in images/ and in the folder that
    the file is named after (instances_train2017.json: train2017/).  Crowds are left out."""
    try:
        document = load_json(path.read_bytes())
        images = {image["id"]: str(image["file_name"]) for image in document["images"]}
        annotations = list(document["annotations"])
    except _BROKEN as error:
        raise DatasetError(
            f"{path} is no COCO annotation file", hint="it needs images and annotations"
        ) from error
    objects: dict[object, list[ObjectBox]] = {}
    for number, annotation in enumerate(annotations):
        try:
            if not annotation.get("iscrowd"):
                key, box = annotation["image_id"], _box(annotation["bbox"])
                item = ObjectBox(f"{images[key]}#{number}", box, str(annotation.get("category_id", "")))
                objects.setdefault(images[key], []).append(item)
        except (*_BROKEN, AttributeError):
            yield SkippedItem(f"{path}: annotation {number}", "unreadable annotation")
    split = path.stem.rpartition("_")[2]
    folders = [path.parent, path.parent / "images", path.parent / split, path.parent.parent / split]
    for name, objects_there in objects.items():
        files = [f / str(name) for f in folders]
        yield Entry(next((f for f in files if f.is_file()), files[0]), objects_there)


def read_voc(path: Path) -> Iterator[Entry | SkippedItem]:
    """A folder of Pascal VOC XML files (or VOC's root with Annotations/ and JPEGImages/); 1-based corners."""
    folder = path / "Annotations" if (path / "Annotations").is_dir() else path
    for file in _sorted(folder.glob("*.xml"), folder, ".xml"):
        try:
            root = ET.parse(file).getroot()
            name = root.findtext("filename") or f"{file.stem}.jpg"
            boxes = []
            for item in root.iter("object"):
                for box in item.iter("bndbox"):
                    x0, y0, x1, y1 = (
                        float(box.findtext(k) or "nan") for k in ("xmin", "ymin", "xmax", "ymax")
                    )
                    boxes.append((Box(x0 - 1, y0 - 1, x1 - x0 + 1, y1 - y0 + 1), item.findtext("name") or ""))
        except (ET.ParseError, ValueError):
            yield SkippedItem(str(file), "unreadable annotation")
            continue
        places = [folder / name, folder.parent / "JPEGImages" / name, folder.parent / "images" / name]
        image = next((p for p in places if p.is_file()), places[0])
        yield Entry(image, [ObjectBox(f"{file.stem}#{i}", *b) for i, b in enumerate(boxes)])


def read_yolo(path: Path) -> Iterator[Entry | SkippedItem]:
    """A folder with images/ and labels/ (or both in one): class, centre and size in shares of the image, in a
    line of five numbers, or of six with a score.  Longer lines are outlines or key points."""
    labels = path / "labels" if (path / "labels").is_dir() else path
    texts = [folder / n for folder, names in folders_below(labels) for n in names if n.endswith(".txt")]
    for file in _sorted(texts, labels, ".txt"):
        inner = file.relative_to(labels).with_suffix("")
        suffixes = (*IMAGE_SUFFIXES, *map(str.upper, IMAGE_SUFFIXES))  # as cameras write them
        places = [base / f"{inner}{e}" for base in (path / "images", path) for e in suffixes]
        image = next((p for p in places if p.is_file()), None)
        if image is None:
            continue  # classes.txt, README.txt
        try:
            rows = [line.split() for line in file.read_text().splitlines() if line.strip()]
            boxes = [(Box.from_center(*map(float, row[1:5])), row[0]) for row in rows]
        except (ValueError, TypeError):
            yield SkippedItem(str(file), "unreadable annotation")
            continue
        if any(len(row) > 6 for row in rows):
            yield SkippedItem(str(file), "outlines or key points, not boxes")
            continue
        yield Entry(image, [ObjectBox(f"{inner}#{i}", *b) for i, b in enumerate(boxes)], relative=True)


def _box(values: list[float]) -> Box:
    """Four numbers, or ValueError; nonsense among them becomes a box that is not valid."""
    x, y, w, h = (math.nan if v is None else float(v) for v in values)
    return Box(x, y, w, h)


def _category(values: list[object]) -> str:
    """The first of them, "" where there is none; a class may be the number 0."""
    return "" if not values or values[0] is None else str(values[0])


def _sorted(found: Iterable[Path], folder: Path, suffix: str) -> list[Path]:
    files = sorted(found)
    if not files:
        raise DatasetError(
            f"{folder} holds no *{suffix}", hint="check the path and the format of this data set"
        )
    return files
