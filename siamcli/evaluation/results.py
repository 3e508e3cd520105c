"""Writes and reads result files in each benchmark's official format.

    ope          NAME.txt  x,y,w,h                    times/NAME_time.txt
    got10k       NAME/NAME_001.txt  x,y,w,h           NAME/NAME_time.txt
                 further repetitions NAME_002.txt ...
    trackingnet  NAME.txt  x,y,w,h                    times/NAME_time.txt
    supervised   baseline/NAME/NAME_001.txt           baseline/NAME/NAME_001_time.value
                 x,y,w,h or a polygon, or a code alone: 1 started, 2 failed, 0 not tracked
    longterm     longterm/NAME/NAME_001.txt           longterm/NAME/NAME_time.txt
                 first line 1                         longterm/NAME/NAME_001_confidence.value
                                                      first line empty

Coordinates in files start where the benchmark's do (`DatasetSpec.origin`); in memory at 0.  Times are
seconds per frame.
"""

from __future__ import annotations

import glob
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from siamcli.atomic import atomic_file, write_text
from siamcli.counts import counted
from siamcli.errors import DatasetError
from siamcli.evaluation.catalog import DatasetSpec
from siamcli.evaluation.overlap import Array, box_corners
from siamcli.evaluation.sequence import Sequence
from siamcli.evaluation.textfiles import read_boxes, read_flat, read_rows
from siamcli.evaluation.vot import FAILED, SKIPPED, STARTED, TRACKED, VotRun

__all__ = [
    "TrackerOutput",
    "has_output",
    "output_texts",
    "pack",
    "read_output",
    "read_runs",
    "run_text",
    "write_output",
    "write_runs",
]

_FILES = {
    "ope": "{name}.txt",
    "trackingnet": "{name}.txt",
    "got10k": "{name}/{name}_001.txt",
    "supervised": "baseline/{name}/{name}_001.txt",
    "longterm": "longterm/{name}/{name}_001.txt",
}
_TIME_FILES = {
    "ope": "times/{name}_time.txt",
    "trackingnet": "times/{name}_time.txt",
    "got10k": "{name}/{name}_time.txt",
    "supervised": "baseline/{name}/{name}_001_time.value",
    "longterm": "longterm/{name}/{name}_time.txt",
}
# decimals of boxes and of times: got10k, pytracking's TrackingNet packer, VOT and PySOT
_DECIMALS = {"ope": (4, 6), "trackingnet": (2, 6), "got10k": (3, 8), "supervised": (4, 6), "longterm": (4, 6)}


@dataclass(frozen=True, slots=True, eq=False)
class TrackerOutput:
    """A tracker's output on one sequence: boxes (N, 4) 0-based; scores and seconds (N,), None if unknown.

    `repeats` are the boxes of further repetitions.
    """

    boxes: Array
    scores: Array | None = None
    seconds: Array | None = None
    repeats: tuple[Array, ...] = ()


def write_output(folder: Path, spec: DatasetSpec, name: str, output: TrackerOutput) -> list[Path]:
    """Write one sequence's files in the official format; returns them.  Raises OutputError.

    Further repetitions of GOT-10k that another program wrote go: they would count with this one.
    """
    texts = output_texts(spec, name, output)
    for file, text in texts.items():
        write_text(folder / file, text)
    files = [folder / file for file in texts]
    if spec.protocol == "got10k":
        _remove_others(files[0].parent, files)
    return files


def has_output(folder: Path, spec: DatasetSpec, name: str) -> bool:
    """True where one sequence's boxes are in `folder`, in the official format."""
    return (folder / _FILES[spec.protocol].format(name=name)).is_file()


def output_texts(spec: DatasetSpec, name: str, output: TrackerOutput) -> dict[str, str]:
    """One sequence's files in the official format: path below the folder of results -> text."""
    decimals, time_decimals = _DECIMALS[spec.protocol]
    boxes_file = _FILES[spec.protocol].format(name=name)
    boxes = output.boxes + np.array([spec.origin, spec.origin, 0, 0])
    lines = [_row(box, decimals) for box in boxes]
    files = {boxes_file: lines if spec.protocol != "longterm" else ["1", *lines[1:]]}
    if output.seconds is not None:
        times_file = _TIME_FILES[spec.protocol].format(name=name)
        files[times_file] = [_row([t], time_decimals) for t in output.seconds]
    if spec.protocol == "longterm" and output.scores is not None:
        confidence_file = boxes_file.removesuffix(".txt") + "_confidence.value"
        files[confidence_file] = ["", *(_row([s], 6) for s in output.scores[1:])]
    return {file: "\n".join(rows) + "\n" for file, rows in files.items()}


def _unlike(path: Path, there: str, sequence: Sequence) -> DatasetError:
    return DatasetError(f"{path}: {there} for {counted(len(sequence), 'frame')} of {sequence.name}")


def read_output(folder: Path, spec: DatasetSpec, sequence: Sequence) -> TrackerOutput:
    """One sequence's files in an official format, also of other toolkits.  Raises DatasetError."""
    path = _find(folder, spec, sequence.name)
    boxes = _boxes(path, spec, sequence)
    scores = None
    if spec.protocol == "longterm":
        values = path.with_name(f"{path.stem}_confidence.value")
        scores = np.array([row[0] for row in read_rows(values, {1}, first_blank=True)], np.float64)
        if len(scores) != len(boxes):
            raise _unlike(values, counted(len(scores), "line"), sequence)
    further = [p for p in _repetitions(path.parent) if p != path] if spec.protocol == "got10k" else []
    repeats = tuple(_boxes(p, spec, sequence) for p in further)
    return TrackerOutput(boxes, scores, _seconds(folder, spec, sequence), repeats)


def _boxes(path: Path, spec: DatasetSpec, sequence: Sequence) -> Array:
    """The boxes of a result file, 0-based, one per frame of the sequence."""
    boxes = read_boxes(path, gaps=spec.protocol == "longterm")
    boxes[:, :2] -= spec.origin
    if spec.truncate and len(boxes) > len(sequence):
        boxes = boxes[: len(sequence)]  # LaSOT's toolkit does so, for monkey-17 was cut after publication
    if len(boxes) != len(sequence):
        raise _unlike(path, counted(len(boxes), "row"), sequence)
    return boxes


def write_runs(
    folder: Path, spec: DatasetSpec, name: str, runs: Iterable[tuple[VotRun, TrackerOutput]]
) -> list[Path]:
    """Write the repetitions of a reset-based experiment; each `TrackerOutput` holds the boxes of its run.

    Those of an earlier experiment go: with more repetitions, some of them would count among the new ones.
    """
    files = []
    for number, (run, output) in enumerate(runs, 1):
        path = folder / f"baseline/{name}/{name}_{number:03d}.txt"
        write_text(path, run_text(run, output))
        files.append(path)
        if output.seconds is not None:
            times = path.with_name(f"{path.stem}_time.value")
            write_text(times, "".join(_row([t], 6) + "\n" for t in output.seconds))
            files.append(times)
    _remove_others(folder / "baseline" / name, files)
    return files


def _remove_others(folder: Path, files: Iterable[Path]) -> None:
    """Remove the repetitions in a folder that are not among `files`, with their times."""
    for path in set(_repetitions(folder)).difference(files):
        path.unlink()
        path.with_name(f"{path.stem}_time.value").unlink(missing_ok=True)


def _repetitions(folder: Path) -> list[Path]:
    """The files NAME_001.txt, NAME_002.txt and so on in the folder NAME."""
    return sorted(folder.glob(f"{glob.escape(folder.name)}_[0-9][0-9][0-9].txt"))


def run_text(run: VotRun, output: TrackerOutput) -> str:
    """One repetition of a reset-based experiment: a box or a code per line."""
    rows = zip(run.codes.tolist(), output.boxes, strict=True)
    return "".join(f"{_row(box, 4) if code == TRACKED else code}\n" for code, box in rows)


def read_runs(folder: Path, spec: DatasetSpec, sequence: Sequence) -> list[VotRun]:
    """The repetitions of a reset-based experiment.  Raises DatasetError."""
    first = _find(folder, spec, sequence.name)
    runs = []
    for path in _repetitions(first.parent) or [first]:
        rows = read_rows(path, {1, 4, 8})
        if len(rows) != len(sequence):
            raise _unlike(path, counted(len(rows), "row"), sequence)
        for number, row in enumerate(rows, 1):
            if len(row) == 1 and row[0] not in (STARTED, FAILED, SKIPPED):
                raise DatasetError(
                    f"{path}, line {number}: no code is {row[0]:g}",
                    hint=f"{STARTED} started, {FAILED} failed, {SKIPPED} not tracked",
                )
        codes = np.array([int(row[0]) if len(row) == 1 else TRACKED for row in rows])
        if codes[0] != STARTED:
            raise DatasetError(f"{path}, line 1: a run starts with the code {STARTED}")
        regions = np.full((len(rows), 8), np.nan)
        for i, row in enumerate(rows):
            if len(row) > 1:
                regions[i] = row if len(row) == 8 else box_corners(np.array([row]))[0]
        runs.append(VotRun(codes, regions))
    return runs


def pack(folder: Path, spec: DatasetSpec, names: Iterable[str], archive: Path) -> Path:
    """Zip the result files for a benchmark's server, in the order of `names`; returns `archive`.

    GOT-10k takes NAME/NAME_001.txt with times, TrackingNet a flat folder of NAME.txt.  Equal results
    give equal bytes.
    """
    templates = [_FILES[spec.protocol]]
    if spec.protocol == "got10k":
        templates.append(_TIME_FILES[spec.protocol])
    files = [template.format(name=name) for name in names for template in templates]
    contents = {file: (folder / file).read_bytes() for file in files}
    with atomic_file(archive, overwrite=True) as part, zipfile.ZipFile(part, "w") as zipped:
        for file, content in contents.items():
            zipped.writestr(zipfile.ZipInfo(file), content, zipfile.ZIP_DEFLATED)
    return archive


def _row(values: Iterable[float], decimals: int) -> str:
    return ",".join(f"{value:.{decimals}f}" for value in values)


def _find(folder: Path, spec: DatasetSpec, name: str) -> Path:
    """The result file of a sequence, under the names that other toolkits give it.

    That is for sequences of a table: of others, `a_1` may be another one than `a-1`.
    """
    others = (name.replace("-", "."), name.replace("-", "_"), name.lower()) if spec.table else ()
    templates = (_FILES[spec.protocol], "{name}.txt", "{name}/{name}_001.txt")
    for spelling in (name, *others):
        for template in templates:
            path = folder / template.format(name=spelling)
            if path.is_file():
                return path
    raise DatasetError(
        f"{folder} has no result for {name}", hint=f"expected {_FILES[spec.protocol].format(name=name)}"
    )


def _seconds(folder: Path, spec: DatasetSpec, sequence: Sequence) -> Array | None:
    """The times of a sequence; None without a number per frame, as where a toolkit wrote the sum alone."""
    path = folder / _TIME_FILES[spec.protocol].format(name=sequence.name)
    times = read_flat(path) if path.is_file() else None
    return None if times is None or len(times) < len(sequence) else times
