"""The commands of RESULTS.md, as they stand there, on a short clip."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import cv2
import numpy as np
from conftest import DEMO

from siamcli.boxes import Box
from siamcli.formats.files import write_trajectory
from siamcli.media.ffmpeg import ffmpeg_exe
from siamcli.media.sources import open_source
from siamcli.trajectory import TrackHeader, TrackPoint, Trajectory

PAGE = Path(__file__).parents[1] / "RESULTS.md"


def recipes() -> list[list[str]]:
    """The arguments of every `siamtrack` in a shell block."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("siamtrack ")]


def _expanded(word: str, folder: Path) -> list[str]:
    """What a shell makes of a pattern."""
    return sorted(path.name for path in folder.glob(word)) if "*" in word else [word]


def test_recipes(siamtrack, weights, tmp_path):
    """In one test, as each may build on what those before it left behind."""
    command = [ffmpeg_exe(), "-v", "error", "-i", DEMO, "-frames:v", "6", "-preset", "ultrafast", "video.mp4"]
    subprocess.run(command, cwd=tmp_path, check=True)
    with open_source(str(tmp_path / "video.mp4")) as frames:
        header = TrackHeader(frames.info, "m", "0" * 64, "1", labels=("bug",))
        points = [
            TrackPoint(frame.index, frame.time, Box(43 + 2 * frame.index, 150, 73, 79), 0.9, "tracked")
            for frame in frames
        ]
    trajectory = Trajectory(header, tuple(points), complete=True, frames=len(points))
    write_trajectory(trajectory, tmp_path / "video.tracked.json")
    cv2.imwrite(str(tmp_path / "arena.png"), np.full((360, 640), 255, np.uint8))
    assert recipes()
    for recipe in recipes():
        words = [name for word in recipe for name in _expanded(word, tmp_path)]
        more = ["--weights", weights] if words[0] == "run" else []
        done = siamtrack(*words, *more)
        assert done.code == 0, f"{shlex.join(words)}\n{done.err}"
        for place, word in enumerate(words):
            if word == "-o" and words[place + 1] != "-":
                assert (tmp_path / words[place + 1]).exists(), shlex.join(words)
