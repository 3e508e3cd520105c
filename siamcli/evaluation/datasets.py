"""Opens a folder in a benchmark's official layout as a data set of sequences."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from siamcli.errors import DatasetError, unread_as
from siamcli.evaluation.catalog import DatasetSpec, SequenceEntry, sequence_entries
from siamcli.evaluation.overlap import Array, Mask, axis_aligned_boxes, box_corners
from siamcli.evaluation.sequence import Dataset, Sequence
from siamcli.evaluation.textfiles import read_boxes, read_flat, read_rows
from siamcli.media.kinds import is_image
from siamcli.schema import load_json

__all__ = ["open_dataset"]


def open_dataset(
    spec: DatasetSpec,
    root: Path,
    *,
    partial: bool = False,
    frames: bool = True,
    only: Iterable[str] = (),
) -> Dataset:
    """The benchmark below `root`, or PySOT's annotation file of it (a .json).

    With `partial` missing and cut sequences are accepted and noted; without `frames` annotations are
    enough, as scoring reads no images.  `only` names the sequences to open, all if empty.
    Raises DatasetError, which names what is missing.
    """
    names = frozenset(only)
    with unread_as(DatasetError, root):
        is_table, is_folder = root.suffix == ".json" and root.is_file(), root.is_dir()
    if is_table:
        sequences = [s for s in _from_json(root) if not names or s.name in names]
        return _checked(spec, root, sequences, [], by_name=bool(names), partial=partial)
    if not is_folder:
        raise DatasetError(f"{'not a' if root.exists() else 'no such'} folder: {root}", hint=_layout(spec))
    table = sequence_entries(spec) or tuple(SequenceEntry(name, name) for name in _names(spec, root))
    unknown = names - {entry.name for entry in table}
    if unknown:
        raise DatasetError(f"{spec.title} has no sequence {', '.join(sorted(unknown))}")
    sequences, missing = [], []
    for entry in [e for e in table if not names or e.name in names]:
        truth = _first(root, spec.truth, entry)
        source = _first(root, spec.frames, entry) if frames else None
        if truth is None or (frames and source is None):
            what, templates = ("annotation", spec.truth) if truth is None else ("frames", spec.frames)
            missing.append(f"{what} of {entry.name} ({_fill(templates[0], entry)})")
        else:
            sequences.append(_sequence(spec, entry, truth, source, partial))
    return _checked(spec, root, sequences, missing, by_name=bool(names), partial=partial)


def _checked(
    spec: DatasetSpec,
    root: Path,
    sequences: list[Sequence],
    missing: list[str],
    *,
    by_name: bool,
    partial: bool,
) -> Dataset:
    """The data set if it is complete or may be partial; `by_name` where the user named its sequences."""
    if not sequences:
        first = f": no {missing[0]}" if missing else ""
        raise DatasetError(f"no sequence of the data set {spec.title} in {root}{first}", hint=_layout(spec))
    if missing and not partial:
        shown = "; ".join(missing[:3]) + (f"; and {len(missing) - 3} more" if len(missing) > 3 else "")
        raise DatasetError(
            f"{spec.title} is incomplete, missing: {shown}",
            hint=f"--partial uses the {len(sequences)} that are there; the figure is then not {spec.title}'s",
        )
    note = f"{len(sequences)} of {len(sequences) + len(missing)} sequences" if missing else None
    if by_name:
        note = f"{len(sequences)} chosen sequences"
    elif partial and note is None and spec.table:
        note = "possibly cut sequences"
    return Dataset(spec, tuple(sequences), note)


def _layout(spec: DatasetSpec) -> str:
    """A hint that names what the folder of the benchmark holds, for its first sequence if that is known."""
    known = sequence_entries(spec)
    entry = known[0] if known else SequenceEntry("NAME", "NAME")
    pairs = [(spec.truth[0], spec.frames[0])]
    pairs += [(spec.truth[-1], name) for name in spec.frames if name.endswith(".mp4")]
    expected = "; or ".join(", ".join(_fill(template, entry) for template in pair) for pair in pairs)
    return f"expected below it{', for example' * bool(known)}: {expected}"


def _fill(template: str, entry: SequenceEntry) -> str:
    return template.format(
        name=entry.name, folder=entry.folder, target=entry.target, group=entry.name.rpartition("-")[0]
    )


def _first(root: Path, templates: tuple[str, ...], entry: SequenceEntry) -> Path | None:
    for template in templates:
        path = root / _fill(template, entry)
        if path.is_dir() and not any(map(is_image, path.iterdir())):
            continue
        if path.exists():
            return path
    return None


def _names(spec: DatasetSpec, root: Path) -> list[str]:
    """Sequence names from the benchmark's list file, or from the annotations that are there."""
    for listed in spec.lists:
        if (root / listed).is_file():
            return [line.strip() for line in (root / listed).read_text().splitlines() if line.strip()]
    if spec.lists:
        raise DatasetError(f"{spec.title}: no {' or '.join(spec.lists)} in {root}")
    names: dict[str, None] = {}
    for template in spec.truth:
        pattern = re.compile(re.escape(template).replace(r"\{name\}", "(?P<name>[^/]+)", 1)
                             .replace(r"\{name\}", "(?P=name)"))  # fmt: skip
        for path in sorted(root.glob(template.replace("{name}", "*"))):
            match = pattern.fullmatch(path.relative_to(root).as_posix())
            if match:
                names[match["name"]] = None
    return sorted(names)


def _sequence(
    spec: DatasetSpec, entry: SequenceEntry, truth_file: Path, source: Path | None, partial: bool
) -> Sequence:
    truth, polygons = _truth(spec, truth_file)
    frames: tuple[Path, ...] = ()
    video = source if source is not None and source.is_file() else None
    if source is not None and video is None:
        frames = _frame_files(source, entry)
        if spec.format == "vatic" and abs(len(truth) / len(frames) - 8) < 1:
            truth = truth[::8]  # NfS at 30 fps comes with annotations for 240
        truth, polygons, frames = _matched(spec, entry, truth_file, truth, polygons, frames, partial)
    folder = truth_file.parent
    count = len(truth)
    return Sequence(
        entry.name,
        truth,
        frames,
        video,
        0 if video else (entry.first or 1) - 1,
        polygons,
        _absent(spec, folder, count),
        entry.attributes,
        _tags(folder, count) if spec.protocol == "supervised" else {},
        _size(folder),
    )


def _truth(spec: DatasetSpec, path: Path) -> tuple[Array, Array | None]:
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


def _frame_files(folder: Path, entry: SequenceEntry) -> tuple[Path, ...]:
    """The numbered images of a folder inside the entry's range of numbers."""
    numbered = []
    for path in folder.iterdir():
        if is_image(path) and (digits := re.findall(r"\d+", path.stem)):
            numbered.append((int(digits[-1]), path))
    first = entry.first if entry.first is not None else -1
    last = entry.last if entry.last is not None else float("inf")
    frames = sorted((n, path) for n, path in numbered if first <= n <= last)
    for (before, _), (after, _) in itertools.pairwise(frames):
        if after != before + 1:
            raise DatasetError(f"{folder}: frame {before + 1} is missing ({before} is followed by {after})")
    return tuple(path for _, path in frames)


def _matched(
    spec: DatasetSpec,
    entry: SequenceEntry,
    path: Path,
    truth: Array,
    polygons: Array | None,
    frames: tuple[Path, ...],
    partial: bool,
) -> tuple[Array, Array | None, tuple[Path, ...]]:
    """One row of truth per frame, or an error that names both counts."""
    if spec.server and len(truth) == 1:
        hidden = np.full((len(frames) - 1, 4), np.nan)
        return np.concatenate([truth, hidden]), None, frames
    expected = None if entry.first is None or entry.last is None else entry.last - entry.first + 1
    if entry.first is not None and len(truth) == entry.last:
        # the file has rows for the frames before the range too
        truth = truth[entry.first - 1 :]
    off_by_one = spec.format == "vatic" and abs(len(truth) - len(frames)) == 1
    if off_by_one:
        n = min(len(truth), len(frames))
        truth, frames = truth[:n], frames[:n]
    if len(truth) != len(frames):
        raise DatasetError(
            f"{entry.name}: {len(frames)} frames, but {len(truth)} rows in {path}",
            hint="frames or rows were lost when the data set was copied",
        )
    if expected is not None and len(frames) != expected and not partial:
        raise DatasetError(
            f"{entry.name}: {len(frames)} frames, {spec.title} has {expected} ({entry.first}-{entry.last})",
            hint=f"--partial accepts cut sequences; the figure is then not {spec.title}'s",
        )
    return truth, polygons, frames


def _absent(spec: DatasetSpec, folder: Path, count: int) -> Mask | None:
    """Frames that any of the benchmark's label files declares absent."""
    absent: Mask | None = None
    for name in spec.absent:
        if (folder / name).is_file():
            flags = read_flat(folder / name)
            if len(flags) != count:
                raise DatasetError(f"{folder / name}: {len(flags)} labels for {count} frames")
            absent = (flags > 0) if absent is None else absent | (flags > 0)
    return absent


def _tags(folder: Path, count: int) -> dict[str, Mask]:
    """VOT's per-frame attributes; False for the frames after the end of a shorter file."""
    tags = {}
    for path in sorted([*folder.glob("*.tag"), *folder.glob("*.label")]):
        flags = np.zeros(count, bool)
        values = read_flat(path)[:count] > 0
        flags[: len(values)] = values
        tags[path.stem] = flags
    return tags


def _size(folder: Path) -> tuple[int, int] | None:
    """The image size from GOT-10k's meta_info.ini, where there is one."""
    meta = folder / "meta_info.ini"
    text = meta.read_text() if meta.is_file() else ""
    match = re.search(r"resolution\s*[:=]\s*\(?(\d+)\s*,\s*(\d+)", text)
    return (int(match[1]), int(match[2])) if match else None


def _from_json(path: Path) -> list[Sequence]:
    """PySOT's annotation files: gt_rect per frame, size, and per-frame attributes."""
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
            sequences.append(_json_sequence(name, fields))
        except (ValueError, KeyError, TypeError, OverflowError):
            raise DatasetError(f"{wrong}: {name} has no gt_rect with 4 or 8 numbers per frame") from None
    return sequences


def _json_sequence(name: str, fields: dict[str, Any]) -> Sequence:
    rows = [[float("nan")] * 4 if len(r) == 1 else [float(v) for v in r] for r in fields["gt_rect"]]
    if {len(row) for row in rows} - {4, 8}:
        raise ValueError("a region of another number")
    has_polygons = any(len(row) == 8 for row in rows)
    truth, polygons = _from_regions(rows) if has_polygons else (np.array(rows, np.float64), None)
    tags = {
        key: np.array(value) > 0
        for key, value in fields.items()
        if isinstance(value, list) and len(value) == len(rows) and key not in ("gt_rect", "img_names", "attr")
    }
    attr = fields.get("attr")
    attributes = frozenset(str(a) for a in attr) if isinstance(attr, list) else frozenset()
    width, height = fields.get("width"), fields.get("height")
    size = (width, height) if isinstance(width, int) and isinstance(height, int) else None
    return Sequence(name, truth, polygons=polygons, attributes=attributes, tags=tags, size=size)
