"""What `import siamcli` offers: every public name, reading and writing, and what a notebook shows."""

from __future__ import annotations

import csv
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

import siamcli
from siamcli import (
    Box,
    Frame,
    InputError,
    OutputError,
    SiamtrackError,
    SourceInfo,
    Start,
    TrackHeader,
    TrackPoint,
    Trajectory,
    follow,
    load_tracker,
    read_trajectory,
    write_trajectory,
)

HEADER = TrackHeader(SourceInfo("a.mp4", (64, 48), Fraction(25)), "ours", "0" * 64, "1", labels=("bug", None))
POINTS = (
    TrackPoint(0, 0.0, Box(1, 2, 3, 4), 1.0, "init", 1, source="human"),
    TrackPoint(0, 0.0, Box(9, 8, 7, 6), 1.0, "init", 2, source="human"),
    TrackPoint(1, 0.04, Box(1.5, 2, 3, 4), 0.75, "lost", 1, raw_score=0.5),
)
TRAJECTORY = Trajectory(HEADER, POINTS, complete=True, frames=2)


def test_every_public_name_is_there():
    assert (
        dir(siamcli)
        == sorted(siamcli.__all__)
        == sorted({name for name in dir(siamcli) if getattr(siamcli, name)})
    )
    listed = {name for names in siamcli._MODULES.values() for name in names}
    assert listed == set(siamcli.__all__) - {"__version__"}
    assert not hasattr(siamcli, "tracked")
    assert issubclass(InputError, SiamtrackError)


def test_importing_it_loads_nothing_heavy():
    code = "import sys, siamcli; dir(siamcli); print({'torch', 'cv2', 'numpy', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize("suffix", ["json", "jsonl", "csv"])
def test_a_trajectory_comes_back(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    write_trajectory(TRAJECTORY, path)
    back = read_trajectory(path)
    assert back.points == POINTS and back.header.labels == HEADER.labels
    with pytest.raises(OutputError, match="exists"):
        write_trajectory(TRAJECTORY, path)
    write_trajectory(TRAJECTORY, path, overwrite=True)
    with pytest.raises(InputError, match="suffix"):
        write_trajectory(TRAJECTORY, tmp_path / "a.xyz")


def test_a_table_has_the_columns_of_a_csv_file(tmp_path):
    pytest.importorskip("pandas", reason="pandas is not installed")
    write_trajectory(TRAJECTORY, tmp_path / "a.csv")
    table = TRAJECTORY.to_pandas()
    assert list(table) == next(csv.reader((tmp_path / "a.csv").open()))
    assert table["x"].tolist() == [1, 9, 1.5] and table["label"].tolist()[::2] == ["bug", "bug"]


def test_reprs_say_what_it_is(weights):
    assert repr(TRAJECTORY) == "<trajectory of a.mp4: 3 points, targets: 2>"
    assert repr(Frame(3, 0.12, np.zeros((4, 4, 3), np.uint8))) == "Frame(index=3, time=0.12)"
    assert repr(load_tracker(weights, engine="eager")) == "<tracker untrained on eager (cpu, float32)>"


def test_a_box_is_a_start_in_the_first_frame(weights):
    image = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
    frames = [Frame(i, None, image) for i in range(2)]
    tracker, box = load_tracker(weights), Box(40, 30, 40, 40)
    given, plain = (list(follow(tracker, frames, [start])) for start in (Start(box), box))
    assert [states for _, states in plain] == [states for _, states in given]
