"""README, FORMATS and CORRECTING name the commands, options, formats and exit codes that the program has."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from siamcli import errors
from siamcli.cli.app import app
from siamcli.formats.kinds import FORMATS
from siamcli.media.ffmpeg import ffmpeg_exe
from siamcli.train.config import load_config

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FORMATS_PAGE = (ROOT / "FORMATS.md").read_text(encoding="utf-8")
PAGES = ("CORRECTING.md", "RESULTS.md")
ALL_PAGES = ("README.md", "BENCHMARKS.md", "FORMATS.md", "weights/README.md", *PAGES)
MANUAL = "\n".join([README, FORMATS_PAGE, *((ROOT / page).read_text(encoding="utf-8") for page in PAGES)])
FOREIGN = {"--index-url", "--network"}  # options of pip and docker
COMMANDS = typer.main.get_command(app).commands
BY_SHELL = {0, 1, 2, 129, 130, 141, 143}  # exit codes that are no SiamtrackError's


def options(command) -> set[str]:
    """Every spelling of every option of a command, and of its subcommands."""
    names = {name for p in command.params for name in (*p.opts, *p.secondary_opts) if name.startswith("-")}
    return names.union({"--help", "-h"}, *(options(sub) for sub in getattr(command, "commands", {}).values()))


def calls() -> Iterator[tuple[str, str]]:
    """(command, rest of the call) wherever the manual types one."""
    text = MANUAL.replace("\\\n", " ")
    for match in re.finditer(r"\bsiamtrack ([a-z]+)\b([^`|;&#\n]*)", text):
        if match[1] in COMMANDS:
            yield match[1], match[2]


def test_every_command_is_named():
    assert set(COMMANDS) <= {command for command, _ in calls()}


def test_every_option_exists():
    known = set().union(FOREIGN, *map(options, COMMANDS.values()), options(typer.main.get_command(app)))
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", MANUAL)) <= known
    for command, rest in calls():
        named = re.findall(r"(?<=\s)--?[a-z][a-z-]*", rest)
        assert set(named) <= options(COMMANDS[command]), f"siamtrack {command}{rest}"


def test_every_format_has_a_row():
    """No row more and none less than `convert --to` takes."""
    table = FORMATS_PAGE.partition("| `--to` |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)`", " ".join(rows))) == sorted(FORMATS)


def test_every_exit_code_has_a_meaning():
    raised = {e.exit_code for e in vars(errors).values() if isinstance(e, type) and issubclass(e, Exception)}
    table = README.partition("| code | meaning |")[2].partition("\n\n")[0]
    cells = re.findall(r"\| (\d+(?:, \d+)*) (?=\|)", table)
    assert sorted(int(n) for cell in cells for n in cell.split(", ")) == sorted(raised | BY_SHELL)


def test_it_stays_short():
    assert len(README.splitlines()) <= 300


@pytest.mark.parametrize("page", [*ALL_PAGES, "CHANGELOG.md"])
def test_lines_can_be_read_in_a_terminal(page):
    """Tables, and lines to paste which set up an environment, are as long as they are."""
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if len(line) > 120 and not line.startswith(("|", "python3 -m venv"))] == []


@pytest.mark.parametrize("page", ALL_PAGES)
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", text):
        path = (ROOT / page).parent / target if target else ROOT / page
        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {h.lower().replace(" ", "-") for h in headings}, anchor


def test_the_config_to_fine_tune_with(tmp_path):
    block = re.search(r"```toml\n(.*?)```", README, re.DOTALL)
    assert block
    (tmp_path / "boats.toml").write_text(block[1])
    assert load_config(str(tmp_path / "boats.toml")).track.steps == 300


def test_the_python_example(weights, capsys, monkeypatch, tmp_path):
    """On the first frames of the clip, and weights of the tests, which cost less than the shipped ones."""
    clip = tmp_path / "tests" / "data" / "demo.mp4"
    clip.parent.mkdir(parents=True)
    demo = ROOT / "tests" / "data" / "demo.mp4"
    subprocess.run([ffmpeg_exe(), "-v", "error", "-i", demo, "-frames:v", "9", clip], check=True)
    monkeypatch.chdir(tmp_path)
    block = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert block and "load_tracker()" in block[1]
    load = f"load_tracker(__import__('pathlib').Path({str(weights)!r}))"
    names = {}
    exec(block[1].replace("load_tracker()", load), names)
    assert len(capsys.readouterr().out.splitlines()) == 9
    table = names["table"]
    assert len(table) == 9 and set(table["label"]) == {"bug"} and Path("bug.mp4").is_file()
    assert list(table["frame"][table["state"] == "lost"]) == names["lost"]
