"""The commands of the manual, as they stand there, on short clips: a page is a test.

The recipes of the README's section on scripting are in test_recipes.py, in a shell of their own.
"""

from __future__ import annotations

import re
import shlex
import shutil
import socket
import urllib.request
from pathlib import Path

import clips
import cv2
import numpy as np
import pytest
import typer
from conftest import DEMO

from siamcli.boxes import Box
from siamcli.cli.app import app
from siamcli.cli.commands import doctor
from siamcli.formats.files import write_trajectory
from siamcli.media.sources import open_source
from siamcli.trajectory import TrackHeader, TrackPoint, Trajectory
from siamcli.ui.review.server import ReviewServer

COMMANDS = typer.main.get_command(app).commands
ROOT = Path(__file__).parents[1]
PAGES = {
    name: (ROOT / name).read_text(encoding="utf-8")
    for name in ("README.md", "CORRECTING.md", "FORMATS.md", "RESULTS.md")
}
SPARED = {  # what would take long, or is of another network
    "--trials 50": "--trials 1",
    "steps = 300, batch = 16": "steps = 1, batch = 1",
    "192.168.1.20": "127.0.0.1",
    "63f-80f": "7f-9f",
    "60f": "6f",
    "00:12.5": "00:01.3",
}
MORE = {  # options that a recipe does without, for untrained weights and data sets of one sequence
    "eval": "--device cpu --partial --weights WEIGHTS",
    "score": "--partial",
    "tune": "--device cpu --weights WEIGHTS",
    "bench": "--engine eager --rounds 1 --weights WEIGHTS",
    "export": "--weights WEIGHTS",
    "fix": "--weights WEIGHTS",
    "run": "-y --weights WEIGHTS",
    "batch": "--weights WEIGHTS",
}
NO_RECIPE = {"help"}  # it only shows text


def section(page: str, *headings: str) -> str:
    """A page, or those parts of it that stand under `headings`."""
    text = PAGES[page]
    return "".join(text.partition(f"\n## {name}\n")[2].partition("\n## ")[0] for name in headings) or text


def commands(text: str) -> list[str]:
    """Every `siamtrack ...` in a shell block, without its comment."""
    text = spared(text)
    text = re.sub(r"(?<=ws://127.0.0.1:)\d+", lambda _: str(free_port()), text)
    return [line for line in blocks(text).splitlines() if line.startswith("siamtrack ")]


def spared(text: str) -> str:
    """The text without what would take long."""
    for long, short in SPARED.items():
        text = text.replace(long, short)
    return text


def blocks(text: str) -> str:
    """All shell blocks, a command a line."""
    return "".join(re.findall(r"^```sh\n(.*?)^```$", text, re.S | re.M)).replace("\\\n", " ")


def free_port() -> int:
    """One that nobody has just now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def follow(siamtrack, weights, tmp_path, monkeypatch):
    """Run the commands of a text one after the other, as each may build on what those before it left."""
    monkeypatch.setattr(ReviewServer, "wait", look_at_page)
    monkeypatch.setattr(doctor, "SELF_TEST_SECONDS", 0.01)

    def run(text: str) -> list[str]:
        lines = commands(text)
        assert lines
        for line in lines:
            typed = shlex.split(re.sub(r"\s#.*", "", line))[1:]
            words = [name for word in typed for name in expanded(word, tmp_path)]
            if "--weights" not in words:
                words += MORE.get(words[0], "").replace("WEIGHTS", str(weights)).split()
            done = siamtrack(*words)
            assert done.code == 0, f"{line}\n{done.err}"
            for place, word in enumerate(words):
                if word == "-o" and words[place + 1] != "-" and "://" not in words[place + 1]:
                    assert any(tmp_path.glob(re.sub(r"\{.*?\}", "*", words[place + 1]))), line
        return lines

    return run


def expanded(word: str, folder: Path) -> list[str]:
    """What a shell makes of a pattern."""
    found = sorted(str(path.relative_to(folder)) for path in folder.glob(word)) if "*" in word else []
    return found or [word]


def look_at_page(server: ReviewServer) -> None:
    """What a reader does: look, and press Ctrl-C."""
    with urllib.request.urlopen(server.address) as page:
        assert page.status == 200
    raise KeyboardInterrupt


def track(video: Path, name: str = "bug") -> None:
    """A trajectory beside a video."""
    with open_source(str(video)) as frames:
        header = TrackHeader(frames.info, "m", "0" * 64, "1", labels=(name,))
        points = [
            TrackPoint(frame.index, frame.time, Box(43 + frame.index, 150, 73, 79), 0.9, "tracked")
            for frame in frames
        ]
    points[0] = TrackPoint(0, 0.0, points[0].box, 1.0, "init", source="human")
    whole = Trajectory(header, tuple(points), complete=True, frames=len(points))
    write_trajectory(whole, video.with_name(f"{video.stem}.tracked.json"), overwrite=True)


@pytest.mark.parametrize("page", ["RESULTS.md", "FORMATS.md"])
def test_every_command_of_a_page_runs(follow, tmp_path, page):
    clips.ffmpeg("-i", str(DEMO), "-frames:v", "6", "-preset", "ultrafast", str(tmp_path / "video.mp4"))
    track(tmp_path / "video.mp4")
    cv2.imwrite(str(tmp_path / "arena.png"), np.full((360, 640), 255, np.uint8))
    for name in ("GX010042.mp4", "GX020042.mp4"):
        shutil.copy(tmp_path / "video.mp4", tmp_path / name)
    sounds = clips.two_sounds(tmp_path / "two.mp4", default=0)
    clips.ffmpeg(
        *("-i", str(tmp_path / "video.mp4"), "-i", str(sounds), "-map", "0:v", "-map", "1:a"),
        *("-c", "copy", "-t", "0.2", str(tmp_path / "film.mp4")),
    )
    follow(PAGES[page])


def test_every_command_of_correcting_runs(follow, siamtrack, weights, tmp_path):
    """On a clip that is long enough for the times that stand there, the longest shortened."""
    still = "testsrc2=size=400x240:rate=5:duration=2.2"
    clips.ffmpeg("-f", "lavfi", "-i", still, "-preset", "ultrafast", str(tmp_path / "video.mp4"))
    (tmp_path / "in").mkdir()
    shutil.copy(tmp_path / "video.mp4", tmp_path / "in" / "a.mp4")
    (table,) = re.findall(
        r"^```\n(clip,time,target,box\n.*?)^```$", spared(PAGES["CORRECTING.md"]), re.S | re.M
    )
    (tmp_path / "fixes.csv").write_text(table + table.partition("\n")[2].replace("in/a.mp4", "video.mp4"))
    done = siamtrack("batch", "in/a.mp4", "video.mp4", "--box", "bug=43,150,73,79", "-f", "json",
                     "--output-dir", "tracked", "--weights", weights)  # fmt: skip
    assert done.code == 0, done.err
    for part in PAGES["CORRECTING.md"].split("\n## "):
        if commands(part):
            track(tmp_path / "video.mp4")
            follow(part)


def test_every_command_of_train_runs(follow, tmp_path):
    (config,) = re.findall(r"```toml\n(.*?)```", PAGES["README.md"], re.S)
    (tmp_path / "boats.toml").write_text(spared(config))
    (tmp_path / "clips").mkdir()
    clips.constant(tmp_path / "clips" / "boat1.mp4", frames=3, size=(320, 240))
    (tmp_path / "clips" / "boat1.txt").write_text("120,80,60,40\n" * 3)
    shutil.copy(tmp_path / "clips" / "boat1.mp4", tmp_path / "boat2.mp4")
    follow(section("README.md", "Train"))


def test_every_command_of_evaluate_runs(follow, tmp_path):
    rng = np.random.default_rng(0)
    for folder, truth in (
        ("data/OTB/Basketball", "groundtruth_rect.txt"),
        ("my_videos/x", "groundtruth.txt"),
    ):
        (tmp_path / folder / "img").mkdir(parents=True)
        for i in range(1, 4):
            image = rng.integers(0, 255, (96, 128, 3), np.uint8)
            cv2.imwrite(str(tmp_path / folder / "img" / f"{i:04d}.jpg"), image)
        (tmp_path / folder / truth).write_text("40,30,24,20\n" * 3)
    (tmp_path / "theirs" / "SRDCF").mkdir(parents=True)
    (tmp_path / "theirs" / "SRDCF" / "Basketball.txt").write_text("40,30,24,20\n" * 3)
    follow(section("README.md", "Evaluate"))


def test_every_command_of_speed_runs(follow):
    follow(section("README.md", "Speed"))


def test_every_command_has_a_recipe():
    """One that is run here, or in test_recipes.py."""
    run = [section("README.md", "Train", "Evaluate", "Speed", "Scripting")]
    run += [text for page, text in PAGES.items() if page != "README.md"]
    there = {
        name for name in COMMANDS if re.search(rf"^[^#\n]*\bsiamtrack {name}\b", blocks("\n".join(run)), re.M)
    }
    assert set(COMMANDS) - there == NO_RECIPE
