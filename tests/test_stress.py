"""Kills at random moments, and two of a kind at once: what was finished before stays, or is whole again."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import clips
import pytest
from programs import started

from siamcli.batch.status import latest_entries, read_status
from siamcli.formats.files import read_trajectory
from siamcli.media.sources import open_source

pytestmark = pytest.mark.slow

KILLS = 50
FRAMES = 30
ENDINGS = (signal.SIGKILL, signal.SIGKILL, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def box(round: int) -> str:
    """Another target every time: what is finished is outdated."""
    return f"{10 + round % 20},10,20,20"


def is_whole(folder: Path, stem: str) -> bool:
    """The trajectory and the video of a clip are there with all their frames."""
    trajectory = read_trajectory(folder / f"{stem}.json")
    with open_source(str(folder / f"{stem}.mp4")) as video:
        return trajectory.complete and len(trajectory.points) == FRAMES == sum(1 for _ in video)


def kill_at_random(process: subprocess.Popen, folder: Path, lasts: float, chance: random.Random) -> int:
    """End it `chance` long after its first output began to grow; returns how it ended."""
    while process.poll() is None and not list(folder.glob("*.siamtrack.part")):
        time.sleep(0.005)
    time.sleep(chance.uniform(0, lasts))
    process.send_signal(chance.choice(ENDINGS))
    process.communicate()
    return process.returncode


def test_run_again_killed(start_siamtrack, weights, tmp_path):
    chance = random.Random(0)
    clips.constant(tmp_path / "clip.mkv")

    def begin(round: int) -> subprocess.Popen:
        named = ("clip.mkv", "--weights", weights, "--box", box(round), "-y", "-q")
        return start_siamtrack("run", *named, "-o", "t.json", "-o", "t.mp4")

    assert begin(0).wait() == 0 and is_whole(tmp_path, "t")
    codes = []
    for round in range(1, KILLS + 1):
        codes.append(kill_at_random(begin(round), tmp_path, 0.8, chance))
        assert is_whole(tmp_path, "t"), (round, codes)
    assert begin(0).wait() == 0 and is_whole(tmp_path, "t")
    assert not list(tmp_path.glob("*.part*"))
    assert sum(code != 0 for code in codes) > KILLS / 4, codes  # most of them came in time


def test_batch_again_killed(start_siamtrack, weights, tmp_path):
    chance = random.Random(1)
    stems = [f"{name}.tracked" for name in "ab"]
    for name in "ab":
        clips.constant(tmp_path / f"{name}.mkv")

    def begin(round: int) -> subprocess.Popen:
        named = ("a.mkv", "b.mkv", "--weights", weights, "--box", box(round), "-q", "--output-dir", "out")
        return start_siamtrack("batch", *named, "-f", "json", "-f", "mp4")

    assert begin(0).wait() == 0
    codes = []
    for round in range(1, KILLS + 1):
        codes.append(kill_at_random(begin(round), tmp_path / "out", 1.2, chance))
        assert all(is_whole(tmp_path / "out", stem) for stem in stems), (round, codes)
        assert len(latest_entries(read_status(tmp_path / "out/batch.jsonl"))) == 2
    assert begin(0).wait() == 0 and all(is_whole(tmp_path / "out", stem) for stem in stems)
    assert not list((tmp_path / "out").glob("*.part*")) and not list((tmp_path / "out").glob("*.incomplete*"))
    assert sum(code != 0 for code in codes) > KILLS / 4, codes


def test_two_runs_of_one_output(start_siamtrack, weights, tmp_path):
    clips.constant(tmp_path / "clip.mkv")
    named = ("clip.mkv", "--weights", weights, "--box", box(0), "-y", "-q", "-o", "t.json", "-o", "t.mp4")
    for _ in range(8):
        both = [start_siamtrack("run", *named) for _ in range(2)]
        said = [process.communicate()[1] for process in both]
        codes = sorted(process.returncode for process in both)
        assert codes in ([0, 0], [0, 8]), said
        assert codes == [0, 0] or any(b"another run is writing" in words for words in said)
        assert is_whole(tmp_path, "t") and not list(tmp_path.glob("*.part*"))


class _Mirror(BaseHTTPRequestHandler):
    """Gives DATA in small pieces, from where it is asked to begin unless it cannot (`ranges`)."""

    data = os.urandom(400_000)
    ranges = True

    def do_GET(self) -> None:
        begin = int(self.headers.get("Range", "bytes=0-")[6:-1]) if self.ranges else 0
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(self.data) - 1}/{len(self.data)}")
        self.send_header("Content-Length", str(len(self.data) - begin))
        self.end_headers()
        for at in range(begin, len(self.data), 20_000):
            self.wfile.write(self.data[at : at + 20_000])
            time.sleep(0.1)

    def log_message(self, *words: object) -> None:
        """Nothing."""


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("delay", [0.0, 0.7])
def test_two_fetches_at_once(tmp_path, ranges, delay):
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Mirror,), {"ranges": ranges}))
    Thread(target=server.serve_forever, daemon=True).start()
    entry = {
        "name": "ours",
        "family": "other",
        "file": "ours.pth",
        "license": "none",
        "urls": [f"http://127.0.0.1:{server.server_port}/ours.pth"],
        "sha256": hashlib.sha256(_Mirror.data).hexdigest(),
        "size": len(_Mirror.data),
    }
    catalog = "\n".join(f"{key} = {json.dumps(value)}" for key, value in entry.items())
    (tmp_path / "catalog.toml").write_text(f"[[checkpoint]]\n{catalog}\n")
    start = (
        "from pathlib import Path; import siamcli.checkpoints.catalog as catalog; "
        "catalog.CATALOG = Path('catalog.toml'); from siamcli.cli.app import main; main()"
    )
    environment = {**os.environ, "SIAMTRACK_CACHE": "cache", "no_proxy": "*"}
    command = [sys.executable, "-c", start, "weights", "fetch", "ours"]
    how = {"cwd": tmp_path, "env": environment, "stderr": subprocess.PIPE}
    with started(command, **how) as first:
        time.sleep(delay)
        with started(command, **how) as second:
            both = (first, second)
            said = [process.communicate()[1] for process in both]
    server.shutdown()
    assert [process.returncode for process in both] == [0, 0], said
    assert {path.name: path.read_bytes() for path in (tmp_path / "cache").iterdir()} == {
        "ours.pth": _Mirror.data
    }
