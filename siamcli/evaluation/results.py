"""Result files: each benchmark's official format, written and read.

    ope          NAME.txt  x,y,w,h                    times/NAME_time.txt
    got10k       NAME/NAME_001.txt  x,y,w,h           NAME/NAME_time.txt
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

import zipfile
from collections.abc import Sequence as Items
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from siamcli.errors import DatasetError
from siamcli.evaluation.catalog import DatasetSpec
from siamcli.evaluation.overlap import Array, box_corners
from siamcli.evaluation.sequence import Sequence
from siamcli.evaluation.textfiles import read_boxes, read_flat, read_rows
from siamcli.evaluation.vot import STARTED, TRACKED, VotRun
from siamcli.parts import whole_file, write_text

__all__ = [
    "Track",
    "pack",
    "read_runs",
    "read_track",
    "run_text",
    "track_texts",
    "write_runs",
    "write_track",
]

_PLACES = {
    "ope": "{name}.txt",
    "trackingnet": "{name}.txt",
    "got10k": "{name}/{name}_001.txt",
    "supervised": "baseline/{name}/{name}_001.txt",
    "longterm": "longterm/{name}/{name}_001.txt",
}
_TIMES = {
    "ope": "times/{name}_time.txt",
    "trackingnet": "times/{name}_time.txt",
    "got10k": "{name}/{name}_time.txt",
    "supervised": "baseline/{name}/{name}_001_time.value",
    "longterm": "longterm/{name}/{name}_time.txt",
}
# decimals of boxes and of times: got10k, pytracking's TrackingNet packer, VOT and PySOT
_DECIMALS = {"ope": (4, 6), "trackingnet": (2, 6), "got10k": (3, 8), "supervised": (4, 6), "longterm": (4, 6)}


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """A tracker's answer to one sequence: boxes (N, 4) 0-based; scores and seconds (N,), None if unknown."""

    boxes: Array
    scores: Array | None = None
    seconds: Array | None = None


def write_track(folder: Path, spec: DatasetSpec, name: str, track: Track) -> list[Path]:
    """Write one sequence's files in the official format; returns them.  Raises OutputError."""
    texts = track_texts(spec, name, track)
    for place, text in texts.items():
        write_text(folder / place, text)
    return [folder / place for place in texts]


def track_texts(spec: DatasetSpec, name: str, track: Track) -> dict[str, str]:
    """One sequence's files in the official format: place below the results' folder -> text."""
    decimals, time_decimals = _DECIMALS[spec.protocol]
    place = _PLACES[spec.protocol].format(name=name)
    boxes = track.boxes + np.array([spec.origin, spec.origin, 0, 0])
    lines = [_row(box, decimals) for box in boxes]
    written = {place: lines if spec.protocol != "longterm" else ["1", *lines[1:]]}
    if track.seconds is not None:
        times = _TIMES[spec.protocol].format(name=name)
        written[times] = [_row([t], time_decimals) for t in track.seconds]
    if spec.protocol == "longterm" and track.scores is not None:
        confidence = place.removesuffix(".txt") + "_confidence.value"
        written[confidence] = ["", *(_row([s], 6) for s in track.scores[1:])]
    return {place: "\n".join(rows) + "\n" for place, rows in written.items()}


def read_track(folder: Path, spec: DatasetSpec, sequence: Sequence) -> Track:
    """One sequence's files, ours or anybody's in an official format.  Raises DatasetError."""
    path = _find(folder, spec, sequence.name)
    boxes = read_boxes(path, gaps=spec.protocol == "longterm")
    boxes[:, :2] -= spec.origin
    if spec.truncate and len(boxes) > len(sequence):
        boxes = boxes[: len(sequence)]  # LaSOT's toolkit does so, for monkey-17 was cut after publication
    if len(boxes) != len(sequence):
        raise DatasetError(f"{path}: {len(boxes)} rows for {len(sequence)} frames of {sequence.name}")
    scores = None
    if spec.protocol == "longterm":
        values = path.with_name(f"{path.stem}_confidence.value")
        scores = np.array([row[0] for row in read_rows(values, {1}, first_blank=True)], np.float64)
        if len(scores) != len(boxes):
            raise DatasetError(f"{values}: {len(scores)} lines for {len(boxes)} frames")
    return Track(boxes, scores, _seconds(folder, spec, sequence.name))


def write_runs(folder: Path, spec: DatasetSpec, name: str, runs: Items[tuple[VotRun, Track]]) -> list[Path]:
    """Write the repetitions of a reset-based experiment; each `Track` holds the boxes of its run."""
    written = []
    for number, (run, track) in enumerate(runs, 1):
        path = folder / f"baseline/{name}/{name}_{number:03d}.txt"
        write_text(path, run_text(run, track))
        written.append(path)
        if track.seconds is not None:
            times = path.with_name(f"{path.stem}_time.value")
            write_text(times, "".join(_row([t], 6) + "\n" for t in track.seconds))
            written.append(times)
    return written


def run_text(run: VotRun, track: Track) -> str:
    """One repetition of a reset-based experiment: a box or a code per line."""
    rows = zip(run.codes.tolist(), track.boxes, strict=True)
    return "".join(f"{_row(box, 4) if code == TRACKED else code}\n" for code, box in rows)


def read_runs(folder: Path, spec: DatasetSpec, sequence: Sequence) -> list[VotRun]:
    """The repetitions of a reset-based experiment.  Raises DatasetError."""
    first = _find(folder, spec, sequence.name)
    runs = []
    for path in sorted(first.parent.glob(f"{sequence.name}_[0-9][0-9][0-9].txt")):
        rows = read_rows(path, {1, 4, 8})
        if len(rows) != len(sequence):
            raise DatasetError(f"{path}: {len(rows)} rows for {len(sequence)} frames of {sequence.name}")
        codes = np.array([int(row[0]) if len(row) == 1 else TRACKED for row in rows])
        if codes[0] != STARTED:
            raise DatasetError(f"{path}, line 1: a run starts with the code {STARTED}")
        regions = np.full((len(rows), 8), np.nan)
        for i, row in enumerate(rows):
            if len(row) > 1:
                regions[i] = row if len(row) == 8 else box_corners(np.array([row]))[0]
        runs.append(VotRun(codes, regions))
    return runs


def pack(folder: Path, spec: DatasetSpec, names: Items[str], target: Path) -> Path:
    """Zip the result files for a benchmark's server, in the order of `names`; returns `target`.

    GOT-10k wants NAME/NAME_001.txt with times, TrackingNet a flat folder of NAME.txt.  Equal results
    give equal bytes.
    """
    places = [_PLACES[spec.protocol], *([_TIMES[spec.protocol]] if spec.protocol == "got10k" else [])]
    files = [place.format(name=name) for name in names for place in places]
    contents = {file: (folder / file).read_bytes() for file in files}
    with whole_file(target, overwrite=True) as part, zipfile.ZipFile(part, "w") as archive:
        for file, content in contents.items():
            archive.writestr(zipfile.ZipInfo(file), content, zipfile.ZIP_DEFLATED)
    return target


def _row(values: Items[float] | Array, decimals: int) -> str:
    return ",".join(f"{value:.{decimals}f}" for value in values)


def _find(folder: Path, spec: DatasetSpec, name: str) -> Path:
    """The result file of a sequence, under the spellings of the known toolkits."""
    spellings = (name, name.replace("-", "."), name.replace("-", "_"), name.lower())
    places = (_PLACES[spec.protocol], "{name}.txt", "{name}/{name}_001.txt")
    for spelling in spellings:
        for place in places:
            path = folder / place.format(name=spelling)
            if path.is_file():
                return path
    raise DatasetError(
        f"{folder} has no result for {name}", hint=f"expected {_PLACES[spec.protocol].format(name=name)}"
    )


def _seconds(folder: Path, spec: DatasetSpec, name: str) -> Array | None:
    path = folder / _TIMES[spec.protocol].format(name=name)
    return read_flat(path) if path.is_file() else None
