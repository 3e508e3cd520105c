"""What people see while they wait: a word about loading, a bar, lines without a terminal, help."""

from __future__ import annotations

import io
import json
import re
import time
from threading import Event

import clips
import pytest
from conftest import DEMO
from rich.console import Console

import siamcli.cli.commands.run
import siamcli.load
from siamcli.cli import console
from siamcli.cli.commands import doctor
from siamcli.extras import EXTRAS
from siamcli.targets import parse_target

BOX = "43.3,150.4,73.4,79.2"
PATIENT = 3600.0


@pytest.fixture
def said(monkeypatch):
    """Everything that `console.info` is given, and an event for the first time."""
    lines, spoken = [], Event()

    def say(message: str, style: str = "") -> None:
        lines.append(message)
        spoken.set()

    monkeypatch.setattr(console, "info", say)
    return lines, spoken


@pytest.fixture
def terminal(monkeypatch):
    """Standard error as a wide terminal; returns what was drawn, without the codes."""
    drawn = io.StringIO()
    monkeypatch.setattr(console, "err", Console(file=drawn, force_terminal=True, width=140, soft_wrap=True))
    return lambda: re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", drawn.getvalue())


def test_what_takes_long_is_said_while_it_lasts(said, monkeypatch):
    lines, spoken = said
    monkeypatch.setattr(console, "PATIENCE", 0.01)
    with console.patience("loading …"):
        assert spoken.wait(300)
    assert lines == ["loading …"]


def test_what_is_quick_needs_no_words(said, monkeypatch):
    monkeypatch.setattr(console, "PATIENCE", PATIENT)
    with console.patience("loading …"):
        pass
    assert said[0] == []


def test_run_says_that_it_loads(siamtrack, weights, monkeypatch, said):
    lines, _ = said
    monkeypatch.setattr(console, "PATIENCE", 0.01)
    load = siamcli.load.load_tracker

    def slow(*args, **more):
        while "loading untrained …" not in lines:  # said while the load goes on, not after it
            time.sleep(0.01)
        return load(*args, **more)

    monkeypatch.setattr(siamcli.load, "load_tracker", slow)
    done = siamtrack("run", DEMO, "--weights", weights, "--box", f"bug={BOX}", "--end", "2f", "-o", "a.csv")
    assert done.code == 0, done.err
    assert "loading untrained …" in lines


def test_the_user_draws_while_the_tracker_loads(siamtrack, weights, monkeypatch, tmp_path):
    asked = Event()
    load = siamcli.load.load_tracker

    def after_the_question(*args, **more):
        assert asked.wait(300)
        return load(*args, **more)

    def ask(job, first, info):
        asked.set()
        return [parse_target("43,150,73,79")]

    monkeypatch.setattr(siamcli.load, "load_tracker", after_the_question)
    monkeypatch.setattr(siamcli.cli.commands.run, "ask_on_page", ask)
    done = siamtrack("run", DEMO, "--weights", weights, "--pick-browser", "--end", "2f", "-o", "a.json")
    assert done.code == 0, done.err
    first = json.loads((tmp_path / "a.json").read_text())["points"][0]
    assert (first["x"], first["y"], first["w"], first["h"]) == (43, 150, 73, 79)


def test_a_load_that_fails_while_the_user_draws_is_said(siamtrack, weights, monkeypatch, tmp_path):
    """Its data are damaged, which shows only when they are read."""
    whole = bytearray(weights.read_bytes())
    whole[-1] ^= 1
    (tmp_path / "bad.safetensors").write_bytes(whole)

    def ask(job, first, info):
        return [parse_target("43,150,73,79")]

    monkeypatch.setattr(siamcli.cli.commands.run, "ask_on_page", ask)
    done = siamtrack("run", DEMO, "--weights", "bad.safetensors", "--pick-browser", "-o", "a.json")
    assert done.code == 4 and "bad.safetensors" in done.err
    assert not (tmp_path / "a.json").exists()


def test_a_count_that_a_file_announced_too_low_is_left_out(monkeypatch, capfd):
    monkeypatch.setattr(console, "SAID_EVERY", 0.0)
    with console.progress("a.ts", 2) as update:
        update(2)
        update(3)
    assert re.findall(r"a\.ts: (.*?) frames,", capfd.readouterr().err) == ["2 of 2", "3"]


def test_lines_without_a_terminal(siamtrack, weights, monkeypatch):
    monkeypatch.setattr(console, "SAID_EVERY", 0.0)
    common = ("run", DEMO, "--weights", weights, "--end", "3f", "-o", "a.csv", "-y")
    done = siamtrack(*common, "--box", BOX)
    (line,) = re.findall(r"^demo\.mp4: 2 of 3 frames, .*$", done.err, re.M)
    assert re.fullmatch(r"demo\.mp4: 2 of 3 frames, \d+\.\d frames/s, \d\.\d\d \w+", line)
    done = siamtrack(*common, "--box", f"bug={BOX}", "--box", "300,100,50,60")
    (line,) = re.findall(r"^demo\.mp4: 3 of 3 frames, .*$", done.err, re.M)
    assert re.search(r"/s, bug \d\.\d\d \w+, target 2 \d\.\d\d \w+$", line)
    assert "demo.mp4: " not in siamtrack(*common, "--box", BOX, "-q").err
    monkeypatch.setattr(console, "SAID_EVERY", PATIENT)
    assert "demo.mp4: " not in siamtrack(*common, "--box", BOX).err


def test_the_bar_names_targets_and_counts_frames(siamtrack, weights, terminal):
    named = [word for label in "abcde" for word in ("--box", f"{label}={BOX}")]
    done = siamtrack("run", DEMO, "--weights", weights, "--end", "3f", "-o", "a.csv", *named)
    assert done.code == 0
    drawn = terminal()
    assert re.search(r"demo\.mp4 .* 3/3 .* \d+\.\d frames/s a \d\.\d\d \w+, b .* d .*, 1 more", drawn)
    assert "demo.mp4: 3 of 3" not in drawn


def test_a_batch_counts_clips_and_frames(siamtrack, weights, monkeypatch, tmp_path):
    monkeypatch.setattr(console, "SAID_EVERY", 0.0)
    (tmp_path / "clips").mkdir()
    for name in ("a", "b"):
        clips.constant(tmp_path / "clips" / f"{name}.mkv")
    done = siamtrack("batch", "clips", "--weights", weights, "--box", "10,10,20,20", "-f", "csv", "-j", 1)
    assert done.code == 0, done.err
    counts = [
        (int(finished), int(frames))
        for finished, frames in re.findall(r"^batch: (\d) of 2 clips, (\d+) frames, \d+\.\d", done.err, re.M)
    ]
    assert counts[-1] == (2, 60) and counts == sorted(counts)
    assert len({frames for _, frames in counts}) > 50  # every frame moves it
    assert all(frames >= 30 * finished for finished, frames in counts)  # a clip half done is not done


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("-h",), "Usage: siamtrack [OPTIONS] COMMAND"),
        (("run", "-h"), "Usage: siamtrack run [OPTIONS]"),
        (("weights", "list", "-h"), "Usage: siamtrack weights list"),
        (("help",), "Usage: siamtrack [OPTIONS] COMMAND"),
        (("help", "run"), "Usage: siamtrack run [OPTIONS]"),
        (("help", "weights", "list"), "Usage: siamtrack weights list"),
    ],
)
def test_help_of_a_command_is_that_of_its_option(siamtrack, arguments, says):
    done = siamtrack(*arguments)
    assert done.code == 0 and says in done.out
    assert done.out == siamtrack(*(word for word in arguments if word not in ("help", "-h")), "--help").out


def test_help_of_what_is_no_command(siamtrack):
    done = siamtrack("help", "weights", "lisst")
    assert done.code == 2 and "no such command 'lisst'" in done.err
    for words, known in ((("run", "extra"), "run"), (("weights", "list", "extra"), "weights list")):
        done = siamtrack("help", *words, "--debug")
        assert (done.code, done.out) == (2, "") and "no help on 'extra'" in done.err
        assert f"hint:  siamtrack help {known}\n" in done.err


def test_run_of_a_folder_of_videos_names_batch(siamtrack, weights, tmp_path):
    (tmp_path / "clips").mkdir()
    for name in ("a.mp4", "b.MOV"):
        (tmp_path / "clips" / name).touch()
    for way in ((), ("--box", BOX), ("--pick",)):
        done = siamtrack("run", "clips", "--weights", weights, *way)
        assert done.code == 3 and "clips holds 2 videos" in done.err
        assert "`siamtrack pick clips` and `siamtrack batch clips`" in done.err


def test_doctor_names_what_to_install(monkeypatch):
    """PyTorch with CUDA on Linux without a GPU, and the extras, in full."""
    monkeypatch.setattr("torch.version.cuda", "13.0")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("platform.system", lambda: "Linux")
    (device,) = [check for check in doctor._torch() if check.what == "device"]
    assert device.verdict == "note"
    assert device.hint.endswith(
        "pip install --force-reinstall torch --index-url https://download.pytorch.org/whl/cpu"
    )
    monkeypatch.setattr(doctor, "find_spec", lambda module: None)
    extras = list(doctor._extras())
    assert [check.verdict for check in extras] == ["note"] * len(EXTRAS)
    assert extras[0].hint == "in siamtrack's folder: pip install -e '.[openvino]'"


def test_the_extras_are_those_of_the_package():
    project = (DEMO.parents[2] / "pyproject.toml").read_text()
    optional = project.partition("[project.optional-dependencies]\n")[2].partition("\n[")[0]
    assert set(EXTRAS) == set(re.findall(r"^(\w+) = ", optional, re.M)) - {"dev"}


def test_the_readme_sets_up_an_environment_that_is_active():
    """Whatever follows in the README is typed there: `siamtrack` must be found."""
    blocks = re.findall(
        r"```sh\n(python3 -m venv.*?)\n```", (DEMO.parents[2] / "README.md").read_text(), re.S
    )
    assert len(blocks) == 3
    assert all(
        block.startswith("python3 -m venv .venv && . .venv/bin/activate && pip install ") for block in blocks
    )
