"""Opens a folder in a benchmark's official layout as a data set of sequences."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from siamcli.counts import counted
from siamcli.errors import DatasetError, unread_as
from siamcli.evaluation.annotations import read_absent, read_pysot, read_size, read_tags, read_truth
from siamcli.evaluation.catalog import DatasetSpec, SequenceEntry, sequence_entries
from siamcli.evaluation.overlap import Array
from siamcli.evaluation.sequence import Dataset, Sequence
from siamcli.media.images import decode_page, read_image
from siamcli.media.kinds import holds_images, is_image

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
        every = read_pysot(spec, root)
        _check_known(spec, names, {s.name for s in every})
        sequences = [s for s in every if not names or s.name in names]
        return _checked(spec, root, sequences, [], by_name=bool(names), partial=partial)
    if not is_folder:
        raise DatasetError(f"{'not a' if root.exists() else 'no such'} folder: {root}", hint=_layout(spec))
    table = sequence_entries(spec) or tuple(SequenceEntry(name, name) for name in _names(spec, root))
    _check_known(spec, names, {entry.name for entry in table})
    sequences, missing = [], []
    for entry in [e for e in table if not names or e.name in names]:
        truth = _first(root, spec.truth, entry)
        pictures = _first(root, spec.frames, entry) or _first(root, spec.frames, _first_target(entry))
        if truth is None or (frames and pictures is None):
            what, templates = ("annotation", spec.truth) if truth is None else ("frames", spec.frames)
            missing.append(f"{what} of {entry.name} ({_fill(templates[0], entry)})")
        else:
            sequence = _sequence(spec, entry, truth, pictures, frames=frames, partial=partial)
            if sequence.size is None and spec.protocol in ("supervised", "longterm"):
                sequence = replace(sequence, size=_picture_size(pictures))  # VOT clips regions to the image
            sequences.append(sequence)
    return _checked(spec, root, sequences, missing, by_name=bool(names), partial=partial)


def _check_known(spec: DatasetSpec, names: frozenset[str], there: set[str]) -> None:
    if unknown := names - there:
        raise DatasetError(f"{spec.title} has no sequence {', '.join(sorted(unknown))}")


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
    total = max(len(sequences) + len(missing), 0 if by_name else spec.sequences)
    there = counted(len(sequences), "sequence", of=total)
    if total > len(sequences) and not partial:
        shown = "; ".join(missing[:3]) + (f"; and {len(missing) - 3} more" if len(missing) > 3 else "")
        raise DatasetError(
            f"{spec.title} is incomplete, " + (f"missing: {shown}" if missing else f"{there} in {root}"),
            hint=f"--partial uses the {counted(len(sequences), 'sequence')} there; the figure is then not"
            f" {spec.title}'s",
        )
    note = there if total > len(sequences) else None
    if by_name:
        note = counted(len(sequences), "chosen sequence")
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


def _first_target(entry: SequenceEntry) -> SequenceEntry:
    """The sequence of the same frames: NAME for NAME.track2, a further target as in training."""
    name = re.sub(r"\.track\d+$", "", entry.name)
    return SequenceEntry(name, name)


def _first(root: Path, templates: tuple[str, ...], entry: SequenceEntry) -> Path | None:
    for template in templates:
        path = root / _fill(template, entry)
        if path.is_dir() and not holds_images(path):
            continue
        if path.exists():
            return path
    return None


def _names(spec: DatasetSpec, root: Path) -> list[str]:
    """Sequence names from the benchmark's list file, or from the annotations that are there."""
    for listed in spec.lists:
        if (root / listed).is_file():
            lines = map(str.strip, (root / listed).read_text().splitlines())
            return list(dict.fromkeys(filter(None, lines)))  # a name given twice is one sequence
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
    spec: DatasetSpec,
    entry: SequenceEntry,
    truth_file: Path,
    pictures: Path | None,
    *,
    frames: bool,
    partial: bool,
) -> Sequence:
    """The sequence whose truth lies in `truth_file`; with its `frames`, or with the annotations alone."""
    truth, polygons = read_truth(spec, truth_file)
    if entry.first is not None and len(truth) == entry.last:
        truth = truth[entry.first - 1 :]  # the file has rows for the frames before the range too
    images: tuple[Path, ...] = ()
    video = pictures if frames and pictures is not None and pictures.is_file() else None
    if pictures is not None and video is None and (frames or spec.format == "vatic"):
        images = _frame_files(pictures, entry)
    if spec.format == "vatic" and images:
        truth, images = _at_frame_rate(truth, images)
    if frames and video is None:
        truth, polygons = _matched(spec, entry, truth_file, truth, polygons, len(images))
    folder = truth_file.parent
    count = len(truth)
    if entry.last is not None and count != entry.length and not partial:
        raise DatasetError(
            f"{entry.name}: {counted(count, 'frame')}, {spec.title} has {entry.length}"
            f" ({entry.first}-{entry.last})",
            hint=f"--partial accepts cut sequences; the figure is then not {spec.title}'s",
        )
    return Sequence(
        entry.name,
        truth,
        images if frames else (),
        video,
        0 if video else (entry.first or 1) - 1,
        polygons,
        read_absent(spec.absent, folder, count),
        entry.attributes,
        read_tags(folder, count) if spec.protocol == "supervised" else {},
        read_size(folder),
    )


def _at_frame_rate(truth: Array, images: tuple[Path, ...]) -> tuple[Array, tuple[Path, ...]]:
    """NfS at 30 fps comes with annotations for 240, and with one more or one less than frames."""
    if abs(len(truth) / len(images) - 8) < 1:
        truth = truth[::8]
    if abs(len(truth) - len(images)) == 1:
        count = min(len(truth), len(images))
        truth, images = truth[:count], images[:count]
    return truth, images


def _frame_files(folder: Path, entry: SequenceEntry) -> tuple[Path, ...]:
    """The numbered images of a folder inside the entry's range of numbers."""
    numbered = []
    for path in folder.iterdir():
        if is_image(path) and (digits := re.findall(r"\d+", path.stem)):
            numbered.append((int(digits[-1]), path))
    first = entry.first if entry.first is not None else -1
    last = entry.last if entry.last is not None else float("inf")
    frames = sorted((n, path) for n, path in numbered if first <= n <= last)
    if not frames:
        raise DatasetError(f"{entry.name}: no frame of it in {folder}", hint="its images have no numbers")
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
    count: int,
) -> tuple[Array, Array | None]:
    """One row of truth for each of `count` frames, or an error that names both counts."""
    if spec.server and len(truth) == 1:
        return np.concatenate([truth, np.full((count - 1, 4), np.nan)]), None
    if len(truth) != count:
        raise DatasetError(
            f"{entry.name}: {counted(count, 'frame')}, but {counted(len(truth), 'row')} in {path}",
            hint="frames or rows were lost when the data set was copied",
        )
    return truth, polygons


def _picture_size(folder: Path | None) -> tuple[int, int] | None:
    """Width and height of the first image of a folder, None where none is read."""
    images = sorted(filter(is_image, folder.iterdir())) if folder is not None and folder.is_dir() else []
    pixels = decode_page(read_image(images[0]), 0) if images else None
    return None if pixels is None else (pixels.shape[1], pixels.shape[0])
