"""Reads the annotations of one sequence, and PySOT's files of many."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from siamcli.counts import counted
from siamcli.errors import DatasetError
from siamcli.evaluation.catalog import DatasetSpec
from siamcli.evaluation.overlap import Array, Mask, axis_aligned_boxes, box_corners
from siamcli.evaluation.sequence import Sequence
from siamcli.evaluation.textfiles import read_boxes, read_flat, read_rows
from siamcli.schema import load_json

__all__ = ["read_absent", "read_pysot", "read_size", "read_tags", "read_truth"]


def read_truth(spec: DatasetSpec, path: Path) -> tuple[Array, Array | None]:
    """Boxes (N, 4), 0-based, and polygons (N, 8) where the benchmark has them."""
    if spec.protocol == "supervised":
        return _from_regions(read_rows(path, {4, 8}))
    if spec.format == "vatic":  # id, left, top, right, bottom, flags and a label that is not a number
        rows = [line.split()[1:5] for line in path.read_text().splitlines() if line.strip()]
        try:
            corners = np.array(rows, np.float64).reshape(-1, 4)
        except ValueError:
            raise DatasetError(f"{path}: lines are not: id left top right bottom ...") from None
        return np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1), None
    boxes = read_boxes(path)
    boxes[:, :2] -= spec.origin
    return boxes, None


def _from_regions(rows: list[list[float]]) -> tuple[Array, Array]:
    upright = np.array([len(row) == 4 for row in rows], bool)
    given = np.array([row for row in rows if len(row) == 4], np.float64).reshape(-1, 4)
    polygons = np.empty((len(rows), 8))
    polygons[upright] = box_corners(given)
    polygons[~upright] = np.array([row for row in rows if len(row) != 4], np.float64).reshape(-1, 8)
    boxes = axis_aligned_boxes(polygons)
    boxes[upright] = given
    return boxes, polygons


def read_absent(names: Iterable[str], folder: Path, count: int) -> Mask | None:
    """Frames that any of the label files with these names declares absent.  Raises DatasetError."""
    absent: Mask | None = None
    for name in names:
        if (folder / name).is_file():
            flags = read_flat(folder / name)
            if len(flags) != count:
                raise DatasetError(
                    f"{folder / name}: {counted(len(flags), 'label')} for {counted(count, 'frame')}"
                )
            absent = (flags > 0) if absent is None else absent | (flags > 0)
    return absent


def read_tags(folder: Path, count: int) -> dict[str, Mask]:
    """VOT's per-frame attributes; False for the frames after the end of a shorter file."""
    tags = {}
    for path in sorted([*folder.glob("*.tag"), *folder.glob("*.label")]):
        flags = np.zeros(count, bool)
        values = read_flat(path)[:count] > 0
        flags[: len(values)] = values
        tags[path.stem] = flags
    return tags


def read_size(folder: Path) -> tuple[int, int] | None:
    """The image size from GOT-10k's meta_info.ini, where there is one."""
    meta = folder / "meta_info.ini"
    text = meta.read_text() if meta.is_file() else ""
    match = re.search(r"resolution\s*[:=]\s*\(?(\d+)\s*,\s*(\d+)", text)
    return (int(match[1]), int(match[2])) if match else None


def read_pysot(spec: DatasetSpec, path: Path) -> list[Sequence]:
    """PySOT's annotation files: gt_rect per frame, size, and per-frame attributes.

    Its boxes count from where those of the benchmark and of result files do: PySOT compares them as they are.
    """
    wrong = f"{path} is not a PySOT annotation file"
    try:
        raw = load_json(path.read_bytes())
    except ValueError as error:
        raise DatasetError(f"{wrong}: {error}") from None
    if not isinstance(raw, dict):
        raise DatasetError(f"{wrong}: it has no sequences by name")
    sequences = []
    for name, fields in raw.items():
        try:
            sequences.append(_json_sequence(name, fields, spec.origin))
        except (ValueError, KeyError, TypeError, OverflowError):
            raise DatasetError(f"{wrong}: {name} has no gt_rect with 4 or 8 numbers per frame") from None
    return sequences


def _json_sequence(name: str, fields: dict[str, Any], origin: int) -> Sequence:
    rows = [[float("nan")] * 4 if len(r) == 1 else [float(v) for v in r] for r in fields["gt_rect"]]
    if {len(row) for row in rows} - {4, 8}:
        raise ValueError("a region of another number")
    has_polygons = any(len(row) == 8 for row in rows)
    truth, polygons = _from_regions(rows) if has_polygons else (np.array(rows, np.float64), None)
    truth[:, :2] -= origin
    tags = {
        key: np.array(value) > 0
        for key, value in fields.items()
        if isinstance(value, list) and len(value) == len(rows) and key not in ("gt_rect", "img_names", "attr")
    }
    seen = tags.pop("absent", None)  # LaSOT's: what PySOT calls absent is 1 where the target is to be seen
    absent = None if seen is None else ~seen
    attr = fields.get("attr")
    attributes = frozenset(str(a) for a in attr) if isinstance(attr, list) else frozenset()
    width, height = fields.get("width"), fields.get("height")
    size = (width, height) if isinstance(width, int) and isinstance(height, int) else None
    return Sequence(
        name, truth, polygons=polygons, absent=absent, attributes=attributes, tags=tags, size=size
    )
