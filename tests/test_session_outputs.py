"""What the files of a job say at their end."""

from __future__ import annotations

import errno
import json
import time
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from siamcli.boxes import Box
from siamcli.errors import OutputError
from siamcli.formats.files import read_trajectory
from siamcli.frames import Frame, SourceInfo
from siamcli.session.outputs import Outputs
from siamcli.trajectory import TrackHeader, TrackPoint

HEADER = TrackHeader(SourceInfo("x", (64, 48), Fraction(25)), "", "", "")
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


@pytest.mark.parametrize("count", [60, None, 3])
def test_the_number_of_frames_is_true_once_all_are_read(tmp_path: Path, count: int | None) -> None:
    """The container announces another one; a run that is stopped does not know better."""
    source = SourceInfo("x", (64, 48), Fraction(25), count=count)
    header = TrackHeader(source, "", "", "", labels=("ant",))
    image = np.zeros((48, 64, 3), np.uint8)
    paths = [str(tmp_path / name) for name in ("a.json", "a.jsonl", "a.csv", "a.txt")]
    with suppress(KeyboardInterrupt), Outputs(paths, header, overwrite=True, unfinished="beside") as outputs:
        outputs.write(Frame(0, 0.0, image), [TrackPoint(0, 0.0, Box(1, 2, 30, 20), 0.5, "init")])
        raise KeyboardInterrupt
    assert read_trajectory(tmp_path / "a.incomplete.json").header.source.count == count
    with Outputs(paths, header, overwrite=True) as outputs:
        for index in range(3):
            point = TrackPoint(index, 0.0, Box(1, 2, 3, 4), 0.5, "init")
            outputs.write(Frame(index, index / 25, image), [point])
        outputs.end_of(source.counted(3))
    for name in ("a.json", "a.jsonl"):
        trajectory = read_trajectory(tmp_path / name)
        assert trajectory.header.source == source.counted(3) and trajectory.header.source.count == 3
        assert len(trajectory.points) == 3 and trajectory.complete
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 4
    assert not list(tmp_path.glob("*.part*"))


def test_a_full_disk_at_the_end_leaves_the_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is room for the trajectory, and none for a second copy with a head that knows more."""

    def full(old: object, new: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("siamcli.session.textfile.shutil.copyfileobj", full)
    with (
        pytest.raises(OutputError, match="No space left"),
        Outputs([str(tmp_path / "a.json")], HEADER, overwrite=False) as outputs,
    ):
        outputs.write(
            Frame(0, 0.0, np.zeros((48, 64, 3), np.uint8)), [TrackPoint(0, 0.0, Box(1, 2, 3, 4), 0.5, "init")]
        )
        outputs.end_of(HEADER.source.counted(1))
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert len(read_trajectory(tmp_path / "a.json").points) == 1
    assert outputs.incomplete == [str(tmp_path / "a.json")]


def test_an_end_that_wakes_nobody_is_said_again(tmp_path: Path) -> None:
    """What Ctrl-C in the middle of a put can leave behind, set up by hand: the mark of a sleeper that is
    awake, which takes the next wake-up (Python, gh-92530)."""
    outputs = Outputs([str(tmp_path / "a.json")], HEADER, overwrite=False)
    sleepers = outputs._queue.not_empty
    while True:
        with sleepers:
            if waiting := list(sleepers._waiters):  # type: ignore[attr-defined]
                waiting[0].release()  # as notify() does, before it removes the mark
                break
        time.sleep(0.01)
    while len(sleepers._waiters) < 2:  # type: ignore[attr-defined]
        time.sleep(0.01)
    end = Thread(target=outputs.__exit__, args=(None, None, None), daemon=True)
    end.start()
    end.join(timeout=20)
    assert not end.is_alive() and read_trajectory(tmp_path / "a.json").complete
