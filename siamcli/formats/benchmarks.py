"""Result files of benchmarks: one target per sequence, a line per frame, lost or not."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from siamcli.boxes import Box
from siamcli.counts import counted
from siamcli.errors import InputError
from siamcli.evaluation.catalog import find_spec
from siamcli.evaluation.results import TrackerOutput, output_texts, run_text
from siamcli.evaluation.vot import STARTED, TRACKED, VotRun
from siamcli.formats.names import file_stems, source_stem
from siamcli.formats.select import targets
from siamcli.formats.starts import first_box, start_target
from siamcli.labels import target_name
from siamcli.targets import Target
from siamcli.trajectory import TrackPoint, Trajectory

__all__ = ["files", "starts"]


def files(trajectory: Trajectory, benchmark: str) -> dict[str, str]:
    """File name -> text in the official result format of `benchmark`.

    A run of a reset-based benchmark (VOT) starts with the given box and has no failures: without ground
    truth they are not known.  Raises InputError where a frame is missing.
    """
    spec = find_spec(benchmark)
    texts: dict[str, str] = {}
    for name, points in _sequences(trajectory).items():
        if spec.protocol == "supervised":
            codes = np.full(len(points), TRACKED)
            codes[0] = STARTED
            run = VotRun(codes, np.full((len(points), 8), np.nan))
            texts[f"baseline/{name}/{name}_001.txt"] = run_text(run, _output(points))
        else:
            texts.update(output_texts(spec, name, _output(points)))
    return texts


def _output(points: Sequence[TrackPoint]) -> TrackerOutput:
    return TrackerOutput(
        np.array([point.box for point in points]), np.array([point.score for point in points])
    )


def _sequences(trajectory: Trajectory) -> dict[str, Sequence[TrackPoint]]:
    """Sequence name -> one target's points; raises InputError where a frame is missing."""
    every = targets(trajectory)
    stem = source_stem(trajectory.header.source.name)
    names = file_stems([target_name(trajectory.header.labels, target) for target in every])
    found = {}
    for name, (target, points) in zip(names, every.items(), strict=True):
        for before, after in pairwise(points):
            if after.index != before.index + 1:
                raise InputError(
                    f"{stem}: {target_name(trajectory.header.labels, target)} has no point between frames"
                    f" {before.index} and {after.index}",
                    hint="benchmark files have a line for every frame: track without --stride",
                )
        found[f"{stem}_{name}" if len(every) > 1 else stem] = points
    return found


def starts(path: Path, text: str) -> list[Target]:
    """The target of VOT's ground truth, a line x,y,w,h or a polygon per frame, at its first upright box.

    Raises ValueError.
    """
    boxes = []
    for frame, line in enumerate(text.splitlines()):
        if line.startswith("m"):
            raise ValueError(f"line {frame + 1} is a VOT mask, which is not read")
        cells = [float(cell) for cell in line.replace(",", " ").split()]
        if len(cells) not in (0, 4, 8):
            raise ValueError(f"line {frame + 1}: {counted(len(cells), 'number')} where 4 or 8 are expected")
        if len(cells) == 8:
            xs, ys = cells[::2], cells[1::2]
            cells = [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
        if cells and Box(*cells).valid:
            boxes.append(start_target(Box(*cells), frame))
    return [first_box(boxes)] if boxes else []
