"""The shell recipes of the README, as they stand there, on real clips."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import DEMO
from shell_commands import commands_in

from siamcli.media.ffmpeg import ffmpeg_exe

README = Path(__file__).parents[1] / "README.md"
TOOLS = ("find", "jq", "parallel", "xargs")


def recipes() -> list[str]:
    """The shell blocks of the section `## Scripting`."""
    section = README.read_text(encoding="utf-8").partition("\n## Scripting\n")[2].partition("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, weights):
    """A folder with clips, where the recipes run one after the other as a reader would run them."""
    folder = tmp_path_factory.mktemp("recipes")
    (folder / "clips").mkdir()
    command = [ffmpeg_exe(), "-v", "error", "-i", DEMO, "-frames:v", "3", "-preset", "ultrafast", "video.mp4"]
    subprocess.run(command, cwd=folder, check=True)
    for name in ("a.mp4", "b c.mp4"):
        shutil.copy(folder / "video.mp4", folder / "clips" / name)
    (folder / "bin").mkdir()
    with commands_in(folder / "bin", weights):
        yield folder


def test_there_are_recipes():
    text = "".join(recipes())
    commands = ("run", "batch", "merge", "pick", "convert", "render", "weights")
    assert all(f"siamtrack {name}" in text for name in commands) and all(tool in text for tool in TOOLS)


def test_every_recipe_gives_what_it_says(folder):
    """In one test, as each builds on what those before it left behind."""
    env = {**os.environ, "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    lacking: set[str] = set()
    for recipe in recipes():
        missing = {t for t in TOOLS if re.search(rf"\b{t}\b", recipe) and shutil.which(t) is None}
        lacking |= missing
        if missing:
            continue
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", recipe], cwd=folder, env=env, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{recipe}\n{done.stdout}\n{done.stderr}"
        for wanted in re.findall(r"# gives (.*)$", recipe, re.MULTILINE):
            assert wanted in done.stdout, f"{recipe}\n{done.stdout}"
    if lacking:
        pytest.skip(f"not installed, so that some recipes were left out: {' '.join(sorted(lacking))}")
