"""How commands are declared, read and refused: shared options, boxes of four words, wrong usage."""

from __future__ import annotations

import csv
import subprocess
import sys

import pytest
import torch
import typer
from conftest import DEMO
from hypothesis import given
from hypothesis import strategies as st

from siamcli.cli.app import app
from siamcli.cli.commands.doctor import EXAMINATIONS
from siamcli.cli.usage import WrongUsage, join_boxes
from siamcli.targets import parse_target

BOX = "43,150,73,79"
RUN = ("run", "clip.mp4")


def commands() -> list[tuple[str, ...]]:
    """The words of every command."""
    root = typer.main.get_command(app)
    names = []
    for name, command in root.commands.items():
        names += [(name, sub) for sub in getattr(command, "commands", [])] or [(name,)]
    return names


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_takes_the_options_for_messages(words):
    command = typer.main.get_command(app)
    for word in words:
        command = command.commands[word]
    options = {option for parameter in command.params for option in parameter.opts}
    assert {"-q", "--quiet", "-v", "--verbose", "--debug"} <= options


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (("run",), "missing argument 'source'", "`siamtrack run --help` shows what there is"),
        ((*RUN, "--bax"), "no such option: --bax", "`siamtrack run --help` shows"),
        ((*RUN, "--box", BOX, "--stride", "0"), "invalid value for '--stride'", "`siamtrack run --help`"),
        ((*RUN, "--box", BOX, "--encoder", "h265"), "invalid value for '--encoder': 'h265'", "run --help"),
        (("batch", "x", "--jobs", "9" * 5000), "--jobs takes a number from 1 or auto", "batch --help"),
        ((*RUN, "--box", BOX, "--audio", "9" * 5000), "--audio takes the number of a sound", "run --help"),
        (("bench", "--targets", "1,,2"), "--targets takes numbers from 1 to 999999", "bench --help"),
        (("bench", "--targets", "9" * 5000), "--targets takes numbers from 1 to 999999", "bench --help"),
        ((*RUN, "--box", BOX, "-y", "-n"), "give -y or -n, not both", "`siamtrack run --help`"),
        (RUN, "where is the target?", "give --box x,y,w,h"),
        (("batch",), "which clips?", "name folders"),
        (("convert", "x.json"), "missing option '--to'. Choose from: ", "`siamtrack convert --help`"),
        (("wieghts",), "no such command 'wieghts'. Did you mean 'weights'?", "`siamtrack --help`"),
        (("weights", "lisst"), "no such command 'lisst'", "`siamtrack weights --help`"),
        (("clip.mp4", "--box", BOX), "no such command 'clip.mp4'", f"siamtrack run clip.mp4 --box {BOX}"),
        (("a b.mp4",), "no such command 'a b.mp4'", "siamtrack run 'a b.mp4'"),
        (("rtsp://h/s", "--pick"), "no such command 'rtsp://h/s'", "siamtrack run rtsp://h/s --pick"),
        ((*RUN, "--box", "43", "150", "73"), "not a box: --box 43 150 73", "--box 10,20,30,40"),
    ],
)
def test_wrong_usage_is_two_lines(siamtrack, arguments, message, hint):
    done = siamtrack(*arguments)
    first, second = done.err.splitlines()
    assert done.code == 2 and done.out == ""
    assert first.startswith(f"error: {message}") and second.startswith("hint:  ") and hint in second


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("run", DEMO, "--box", BOX, "--weights", "{}"), 4),
        (("run", DEMO, "--box", BOX, "--mask", "{}"), 3),
        (("weights", "info", "{}"), 4),
        (("weights", "import", "siamrpnpp-light", "-o", "{}"), 8),
        (("eval", "folder", "--root", "{}"), 5),
        (("report", "{}"), 3),
        (("review", "{}"), 3),
        (("review", DEMO, "x.json", "-o", "{}.html"), 8),
        (("train", "{}"), 3),
    ],
)
@pytest.mark.parametrize("name", ["n" * 5000, "a/" * 3000 + "b"])
def test_a_name_that_is_too_long_is_no_bug(siamtrack, arguments, code, name):
    """The system does not look it up, and Python's `exists` raises what it says."""
    done = siamtrack(*(str(word).replace("{}", name) for word in arguments))
    first = done.err.splitlines()[0]
    assert done.code == code and first.startswith("error: cannot ") and first.endswith("File name too long")
    assert len(first) < 400


def test_siamtrack_alone_shows_its_help(siamtrack):
    done = siamtrack()
    assert done.code == 2 and "Usage: siamtrack" in done.out and done.err == ""


@pytest.mark.parametrize(
    "words",
    [
        ("--box", "43", "150", "73", "79"),
        ("--box", "43,", "150,", "73,", "79"),
        ("--box", "[43, 150, 73, 79]"),
        ("--box", "(43,150,73,79)"),
    ],
)
def test_a_box_as_people_write_it(siamtrack, weights, tmp_path, words):
    done = siamtrack("run", *words, DEMO, "--weights", weights, "--end", "1f", "-o", "a.csv")
    assert done.code == 0, done.err
    (first,) = csv.DictReader((tmp_path / "a.csv").read_text().splitlines())
    assert [float(first[key]) for key in "xywh"] == [43, 150, 73, 79]


@given(st.lists(st.decimals(-9999, 9999, places=2), min_size=4, max_size=4), st.sampled_from(["", "ball="]))
def test_four_words_are_the_box_that_one_word_is(numbers, label):
    words = [str(number) for number in numbers]
    joined = join_boxes(["--box", label + words[0], *words[1:], "0"])
    assert joined == ["--box", label + ",".join(words), "0"]
    assert parse_target(joined[1]).values == tuple(map(float, numbers))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("render", "--fill", "-o", "x.mp4", "clip.mp4", "a.json"), "--fill needs a value before -o"),
        (("run", "clip.mp4", "--box", "--end", "3f"), "--box needs a value before --end"),
        (("run", "clip.mp4", "--box", "1,2,3,4", "-o", "-q"), "-o needs a value before -q"),
        (("weights", "list", "--json", "-q", "clip.mp4"), "unexpected extra argument"),
    ],
)
def test_an_option_is_no_value_of_another(siamtrack, words, says):
    done = siamtrack(*words)
    assert done.code == 2 and says in done.err


@pytest.mark.parametrize(
    "words", [["--box", BOX, "0"], ["--box"], ["--box", "a", "b"], ["--box", "43"], ["1", "2", "3", "4"]]
)
def test_join_boxes_leaves_other_words_alone(words):
    assert join_boxes(words) == words


def test_two_numbers_are_no_box():
    with pytest.raises(WrongUsage, match="not a box: --box-at 2=43 150"):
        join_boxes(["--box-at", "2=43", "150", "-y"])


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("run --engine ", {"auto", "cpu", "cuda", "openvino"}),
        ("run --model siamrpnpp", {"siamrpnpp-r18"}),
        ("batch --device ", {"auto", "cpu", "cuda", "mps"}),
        ("eval otb", {"otb2015", "otb2013", "otb50"}),
        ("clip.mp4 ", {"run", "batch"}),
        ("run --output-dir '' --mo", {"--model"}),
    ],
)
def test_names_complete_in_the_shell(monkeypatch, words, names):
    """Without importing what takes long."""
    monkeypatch.setenv("_SIAMTRACK_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"siamtrack {words}")
    monkeypatch.setenv("COMP_CWORD", str(len(f"siamtrack {words}".split(" ")) - 1))
    code = (
        "import sys; sys.argv[:] = ['siamtrack']\n"
        "from siamcli.cli.app import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([m for m in ('torch', 'cv2', 'numpy') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert names <= set(done.stdout.split()) and done.stderr == "[]\n"


def test_help_ends_with_examples(siamtrack):
    done = siamtrack("run", "--help")
    names = ("Target", "Input", "Output", "Video", "Model", "Messages")
    panels = [done.out.index(f" {name} ─") for name in names]
    assert panels == sorted(panels) and panels[-1] < done.out.index("Examples:")
    front = siamtrack("--help").out
    assert (
        front.index(" Track ─") < front.index(" batch ") < front.index(" Research ─") < front.index(" tune ")
    )


def test_a_paragraph_of_help_is_as_wide_as_the_terminal(siamtrack, monkeypatch):
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 70)
    text = siamtrack("review", "--help").out.partition("╭")[0]
    paragraph = text.partition("The page shows")[2].rstrip().splitlines()
    assert len(paragraph) > 2 and all(len(line.rstrip()) > 50 for line in paragraph[:-1])


@pytest.mark.skipif(torch.cuda.is_available(), reason="auto takes the CUDA device that is here")
def test_doctor_sees_an_apple_gpu_that_auto_leaves_alone(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    (device,) = [check for check in EXAMINATIONS["torch"]() if check.what == "device"]
    assert device.verdict == "note" and "Apple GPU" in device.finding and "--device mps" in device.hint
