"""What the files of a job say at their end."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np

from siamcli.boxes import Box
from siamcli.frames import Frame, SourceInfo
from siamcli.session.outputs import Outputs
from siamcli.trajectory import TrackHeader, TrackPoint

STATES = [("init", "init"), ("lost", "tracked"), ("lost", "lost"), ("found", "lost"), ("lost", "found")]


def test_every_file_names_the_lost_intervals_of_its_targets(tmp_path: Path) -> None:
    header = TrackHeader(SourceInfo("x", (64, 48), Fraction(25)), "", "", "", labels=("ant", "bee"))
    image = np.zeros((48, 64, 3), np.uint8)
    paths = [str(tmp_path / name) for name in ("all.json", "{target}.json", "all.jsonl")]
    with Outputs(paths, header, overwrite=False) as outputs:
        for index, states in enumerate(STATES):
            points = [
                TrackPoint(index, index / 25, Box(1, 2, 30, 20), 0.5, state, target)
                for target, state in enumerate(states, start=1)
            ]
            outputs.write(Frame(index, index / 25, image), points)
    ant, bee = [[1, 2], [4, 4]], [[2, 3]]
    lost = {
        name: json.loads((tmp_path / f"{name}.json").read_text())["lost"] for name in ("all", "ant", "bee")
    }
    assert lost["all"] == {"1": ant, "2": bee}
    assert lost["ant"] == {"1": ant} and lost["bee"] == {"2": bee}
    last = json.loads((tmp_path / "all.jsonl").read_text().splitlines()[-1])
    assert last["lost"] == lost["all"] and last["frames"] == len(STATES)
    assert outputs.lost == {1: ((1, 2), (4, 4)), 2: ((2, 3),)}
