"""Result files of benchmarks: one target per sequence, a line per frame, lost or not."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from siamcli.errors import InputError
from siamcli.evaluation.catalog import find_spec
from siamcli.evaluation.results import TrackerOutput, output_texts, run_text
from siamcli.evaluation.vot import STARTED, TRACKED, VotRun
from siamcli.formats.names import file_stem
from siamcli.formats.select import Converter, target_name, targets
from siamcli.trajectory import TrackPoint, Trajectory

__all__ = ["results_of", "vot"]


def results_of(benchmark: str) -> Converter:
    """The converter to the official result format of `benchmark`."""

    def convert(trajectory: Trajectory, *, drop_lost: bool = False) -> dict[str, str]:
        spec = find_spec(benchmark)
        files: dict[str, str] = {}
        for name, points in _sequences(trajectory, drop_lost=drop_lost).items():
            files.update(output_texts(spec, name, _output(points)))
        return files

    return convert


def vot(trajectory: Trajectory, *, drop_lost: bool = False) -> dict[str, str]:
    """VOT: baseline/NAME/NAME_001.txt, 1 for the given box, then x,y,w,h.

    Without truth nobody knows of failures, so the run has none.
    """
    files = {}
    for name, points in _sequences(trajectory, drop_lost=drop_lost).items():
        codes = np.full(len(points), TRACKED)
        codes[0] = STARTED
        run = VotRun(codes, np.full((len(points), 8), np.nan))
        files[f"baseline/{name}/{name}_001.txt"] = run_text(run, _output(points))
    return files


def _output(points: Sequence[TrackPoint]) -> TrackerOutput:
    return TrackerOutput(
        np.array([point.box for point in points]), np.array([point.score for point in points])
    )


def _sequences(trajectory: Trajectory, *, drop_lost: bool) -> dict[str, Sequence[TrackPoint]]:
    """Sequence name -> one target's points; raises InputError where a frame is missing or to be dropped."""
    if drop_lost:
        raise InputError(
            "benchmark files have a line for every frame, lost or not", hint="leave out --drop-lost"
        )
    every = targets(trajectory)
    stem = trajectory.header.source.name
    found = {}
    for target, points in every.items():
        own = f"_{file_stem(target_name(trajectory, target))}" if len(every) > 1 else ""
        for before, after in pairwise(points):
            if after.index != before.index + 1:
                raise InputError(
                    f"{stem}: {target_name(trajectory, target)} has no point between frames "
                    f"{before.index} and {after.index}",
                    hint="benchmark files have a line for every frame: track without --stride",
                )
        name = stem + own if stem + own not in found else f"{stem}{own}_{target}"
        found[name] = points
    return found
