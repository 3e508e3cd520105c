"""A real Ray cluster on this machine: several workers, one of them killed in the middle."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from conftest import DEMO, wait_until

from siamcli.batch.cluster import WorkerConfig, track_on_ray
from siamcli.batch.status import latest_entries, read_status
from siamcli.errors import DeviceError
from siamcli.formats.files import read_trajectory
from siamcli.media.ffmpeg import ffmpeg_exe
from siamcli.session.job import Job
from siamcli.targets import parse_target

BOX = "43.3,150.4,73.4,79.2"


def workers_below(pid: int) -> list[int]:
    """The processes of ClipWorker actors that descend from `pid`."""
    parents, names = {}, {}
    for path in Path("/proc").iterdir():
        try:
            stat = (path / "stat").read_text()
            name = (path / "cmdline").read_text()
        except (OSError, UnicodeDecodeError):
            continue
        if path.name.isdecimal():
            parents[int(path.name)] = int(stat.rpartition(")")[2].split()[1])
            names[int(path.name)] = name

    def descends(child: int) -> bool:
        while child in parents and child != pid:
            child = parents[child]
        return child == pid

    return [p for p, name in names.items() if name.startswith("ray::ClipWorker") and descends(p)]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds the worker to kill in /proc")
def test_a_worker_killed_in_the_middle(start_siamtrack, siamtrack, weights, tmp_path):
    pytest.importorskip("ray", reason="ray is not installed")
    folder = tmp_path / "clips"
    folder.mkdir()
    for n in range(4):
        command = [ffmpeg_exe(), "-v", "error", "-i", DEMO, "-frames:v", "40", folder / f"{n}.mp4"]
        subprocess.run(command, check=True)
    (folder / "bad.mp4").write_text("no video")
    command = ("batch", "clips", "--weights", weights, "--box", BOX, "-f", "json", "-j", "1")
    process = start_siamtrack(*command, "--ray", "local")
    victims = []
    while process.poll() is None and not victims:
        time.sleep(0.2)
        parts = list((tmp_path / "tracked").glob("*.part"))
        growing = [part for part in parts if part.stat().st_size > 1000]  # it is tracking
        victims = workers_below(process.pid) if growing else []
    assert victims, process.communicate()  # on a busy machine the other one may not have begun
    os.kill(victims[0], signal.SIGKILL)
    _, err = process.communicate()
    assert process.returncode == 7, err
    entries = latest_entries(read_status(tmp_path / "tracked/batch.jsonl")).values()
    assert {Path(e.clip).stem: e.state for e in entries} == dict.fromkeys("0123", "done") | {"bad": "failed"}
    for n in range(4):
        trajectory = read_trajectory(tmp_path / f"tracked/{n}.tracked.json")
        assert trajectory.complete and len(trajectory.points) == 40
    # what the cluster did is done for everybody
    again = siamtrack(*command)
    assert again.code == 7 and "4 skipped" in again.err


@pytest.mark.slow
def test_sigterm_has_its_own_code(start_siamtrack, weights, tmp_path):
    """Ray takes the signal for itself, and makes 1 or an abort of it."""
    pytest.importorskip("ray", reason="ray is not installed")
    command = ("batch", DEMO, "--weights", weights, "--box", BOX, "-f", "json", "--ray", "local")
    process = start_siamtrack(*command)
    wait_until(lambda: list((tmp_path / "tracked").glob("*.part")), process)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate()
    assert process.returncode == 128 + signal.SIGTERM, err
    assert b"the clips under way are given up" in err and b"1 not finished" in err


def test_an_address_without_a_cluster_is_refused(siamtrack, weights):
    pytest.importorskip("ray", reason="ray is not installed")
    done = siamtrack("batch", DEMO, "--weights", weights, "--box", BOX, "--ray", "nonsense://x")
    assert done.code == 6 and "no Ray cluster at nonsense://x" in done.err


def test_an_address_where_nothing_listens_is_refused_at_once(siamtrack, weights):
    """Ray tries an address for a quarter of an hour."""
    pytest.importorskip("ray", reason="ray is not installed")
    done = siamtrack("batch", DEMO, "--weights", weights, "--box", BOX, "--ray", "127.0.0.1:9")
    assert done.code == 6 and "no Ray cluster at 127.0.0.1:9: [Errno 111]" in done.err


@pytest.mark.slow
def test_a_worker_that_cannot_begin(tmp_path):
    """Its reason is said once, and no clip counts as failed."""
    pytest.importorskip("ray", reason="ray is not installed")
    config = WorkerConfig(tmp_path / "gone.safetensors", "cpu", "cpu", None)
    job = Job(str(DEMO), (parse_target(BOX),), (str(tmp_path / "a.json"),))
    events = track_on_ray([job], address="local", config=config, width=1)
    with pytest.raises(DeviceError, match=r"a Ray worker cannot start: .*WeightsError: .*gone") as error:
        list(events)
    assert "every node" in str(error.value.hint)
