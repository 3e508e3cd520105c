"""`siamtrack run` as a user meets it: files, lines, exit codes."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time

import cv2
import pytest
import torch
from conftest import DEMO

BOX = "43.3,150.4,73.4,79.2"


@pytest.fixture
def run(siamtrack, weights):
    """`siamtrack run` on the first frames of the demo clip."""
    return lambda *more, source=DEMO: siamtrack("run", source, "--weights", weights, "--end", "5f", *more)


def test_default_outputs(run, tmp_path):
    done = run("--box", f"bug={BOX}")
    assert (done.code, done.out) == (0, "")
    assert "bug: box 43.3,150.4,73.4,79.2 in a 640x360 frame" in done.err
    document = json.loads((tmp_path / "demo.tracked.json").read_text())
    assert document["complete"] is True and document["labels"] == ["bug"]
    assert [p["frame"] for p in document["points"]] == [0, 1, 2, 3, 4]
    assert document["points"][0]["state"] == "init" and document["points"][0]["x"] == 43.3
    rows = list(csv.DictReader((tmp_path / "demo.tracked.csv").open()))
    assert [float(r["x"]) for r in rows] == [p["x"] for p in document["points"]]
    video = cv2.VideoCapture(str(tmp_path / "demo.tracked.mp4"))
    assert video.get(cv2.CAP_PROP_FPS) == 25 and video.get(cv2.CAP_PROP_FRAME_COUNT) == 5
    frame = video.read()[1]
    assert frame.shape == (360, 640, 3)
    assert frame[190, 43, 1] > 150 > frame[190, 43, 2]  # the box's left edge, drawn in green
    assert not list(tmp_path.glob("*.part"))


def test_json_lines_on_stdout(run):
    done = run("--box", BOX, "-o", "-")
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert [line["type"] for line in lines] == ["header", *["point"] * 5, "summary"]
    assert lines[-1]["complete"] is True


def test_summary_on_stdout(run, tmp_path):
    done = run("--box", BOX, "--json", "-o", "a.csv")
    summary = json.loads(done.out)
    assert summary["frames"] == 5 and summary["outputs"] == ["a.csv"] and summary["complete"] is True
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]


def test_quiet_says_nothing(run):
    done = run("--box", BOX, "-q", "-o", "a.csv")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_output_dir_and_no_video(run, tmp_path):
    assert run("--box", BOX, "--output-dir", "new/er", "--no-video").code == 0
    assert sorted(p.name for p in (tmp_path / "new/er").iterdir()) == [
        "demo.tracked.csv",
        "demo.tracked.json",
    ]


def test_a_folder_among_the_outputs_lies_in_the_output_dir(run, tmp_path):
    assert run("--box", BOX, "-o", "sub/", "--output-dir", "new", "--no-video").code == 0
    assert sorted(p.name for p in (tmp_path / "new/sub").iterdir()) == [
        "demo.tracked.csv",
        "demo.tracked.json",
    ]
    assert not (tmp_path / "sub").exists()


def test_existing_outputs(run, tmp_path):
    (tmp_path / "a.csv").write_text("mine")
    refused = run("--box", BOX, "-o", "a.csv")
    assert refused.code == 8 and "a.csv exists" in refused.err and "-y" in refused.err
    skipped = run("--box", BOX, "-o", "a.csv", "-n")
    assert skipped.code == 0 and (tmp_path / "a.csv").read_text() == "mine"
    assert run("--box", BOX, "-o", "a.csv", "-y").code == 0
    assert (tmp_path / "a.csv").read_text().startswith("frame,")


@pytest.mark.parametrize(
    ("box", "code", "says"),
    [
        ("10,20,30", 3, "not a box: '10,20,30'"),
        ("a,b,c,d", 3, "not a box"),
        ("1,2,nan,4", 3, "not a box"),
        ("10,20,0,40", 3, "has no area"),
        ("10,20,-3,40", 3, "has no area"),
        ("700,20,30,40", 3, "outside the 640x360 frame"),
        ("110%,0,10%,10%", 3, "outside the 640x360 frame"),
        ("-5000,-5000,20000,20000", 3, "more than twice as large"),
        ("0,0,1e300,1e300", 3, "more than twice as large"),
        ("10,10,0.0001,20", 3, "smaller than a pixel"),
    ],
)
def test_impossible_boxes(run, tmp_path, box, code, says):
    done = run(f"--box={box}")
    assert done.code == code and says in done.err and "hint:" in done.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ((), 2, "where is the target?"),
        (("--box", BOX, "--pick"), 2, "not both"),
        (("--box", BOX, "--pick-browser"), 2, "not both"),
        (("--pick", "--pick-browser"), 2, "not both"),
        (("--box", BOX, "--stride", "0"), 2, "stride"),
        (("--box", BOX, "--start", "soon"), 3, "not a time"),
        (("--box", BOX, "--start", "500f", "--end", "600f"), 3, "start and end: it has 120 frames, 4.80 s"),
        (("--box", BOX, "--start", "1m30s"), 3, "up to --end it has 5 frames, 0.20 s"),
        (("--box", BOX, "--start", "4f", "--end", "4f"), 3, "--end is not after --start"),
        (("--box-at", f"90={BOX}", "-o", "a.csv"), 3, "no frame at the time"),
        (("--box-at", f"90={BOX}", "-o", "a.csv"), 3, "it has 120 frames"),
        (("--box-at", f"0.3={BOX}", "-o", "a.csv"), 3, "up to --end it has 5 frames, 0.20 s"),
        (("--box-at", f"4f={BOX}", "--end", "4f", "-o", "a.csv"), 3, "is not before --end"),
        (("--box-at", BOX, "-o", "a.csv"), 3, "not a timed box"),
        (("--box", BOX, "-o", "a.xyz"), 8, "unknown format"),
        (("--box", BOX, "-o", "a.csv", "-o", "a.csv"), 8, "named twice"),
        (("--box", f"a={BOX}", "-o", "{target}.csv", "-o", "a.csv"), 8, "named twice"),
        (("--box", f"l\udcff={BOX}"), 3, "is not UTF-8"),
        (("--box", BOX, "--encoder", "h265"), 2, "h265"),
        (("--box", BOX, "--preset", "warp"), 2, "warp"),
        (("--box", BOX, "--crf", "0"), 2, "crf"),  # lossless H.264 does not play everywhere
        (("--box", BOX, "-y", "-n"), 2, "not both"),
        (("--box", BOX, "--no-video", "-o", "a.mp4"), 2, "--no-video leaves out"),
        (("--box-at", f"2f={BOX}", "--start", "3f"), 3, "before the first frame"),
        (("--box-at", f"0.04={BOX}", "--start", "0.08"), 3, "before the first frame"),
        (("--box-at", f"2f={BOX}", "--start", "0.12"), 3, "before the first frame"),
        (("--pick-browser", "--engine", "steam"), 6, "steam"),
        (("--pick-browser", "-o", "/proc/x.json"), 8, "/proc/x.json"),
        (("--box", BOX, "--jsonl", "a.txt"), 8, "a.txt does not end in .jsonl"),
        (("--box", BOX, "-o", ""), 8, "without a name"),
        (("--box", BOX, "-o", f"{'x' * 300}.csv"), 8, "too long"),
        (("--box", BOX, "--device", "abacus"), 6, "abacus"),
        (("--box", BOX, "--engine", "steam"), 6, "steam"),
        (("--box", BOX, "--params", "none.toml"), 4, "none.toml"),
        (("--box-file", "none.txt"), 3, "none.txt"),
    ],
)
def test_run_refuses_wrong_input(run, arguments, code, says):
    done = run(*arguments)
    assert done.code == code and says in done.err and "open in a browser" not in done.err


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
def test_a_named_device_is_never_replaced(run):
    done = run("--box", BOX, "--device", "cuda")
    assert done.code == 6 and "cuda" in done.err


def test_missing_source_and_weights(siamtrack, weights):
    done = siamtrack("run", "nowhere.mp4", "--box", BOX, "--weights", weights)
    assert done.code == 3 and "nowhere.mp4" in done.err
    done = siamtrack("run", "", "--box", BOX, "--weights", weights)
    assert done.code == 3 and "without a name" in done.err
    done = siamtrack("run", DEMO, "--box", BOX, "--model", "nobody")
    assert done.code == 4 and "nobody" in done.err and "weights list" in done.err
    done = siamtrack("run", DEMO, "--box", BOX, "--weights", "nowhere.pth")
    assert done.code == 4 and "nowhere.pth" in done.err


def test_damaged_weights_are_refused(run, siamtrack, weights, tmp_path):
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(weights.read_bytes()[:5000])
    done = siamtrack("run", DEMO, "--box", BOX, "--weights", bad)
    assert done.code == 4 and "bad.safetensors" in done.err


def test_the_source_is_never_an_output(siamtrack, weights, tmp_path):
    (tmp_path / "clip.mp4").write_bytes(DEMO.read_bytes())
    done = siamtrack("run", "clip.mp4", "--weights", weights, "--box", BOX, "-y", "-o", "./clip.mp4")
    assert done.code == 8 and "clip.mp4 is read in this run" in done.err
    assert (tmp_path / "clip.mp4").read_bytes() == DEMO.read_bytes()


def test_files_of_others_are_left_alone(run, tmp_path):
    (tmp_path / "a.csv.part").write_text("a download of somebody else's")
    assert run("--box", BOX, "-o", "a.csv").code == 0
    assert (tmp_path / "a.csv.part").read_text() == "a download of somebody else's"
    (tmp_path / "boxes.txt").write_text(BOX)
    done = run("--box-file", "boxes.txt", "-o", tmp_path / "boxes.txt", "-y")
    assert done.code == 8 and (tmp_path / "boxes.txt").read_text() == BOX
    (tmp_path / "bug.txt").write_text(f"bug={BOX}")
    done = run("--box-file", "bug.txt", "-o", "{target}.txt", "-y")
    assert done.code == 8 and (tmp_path / "bug.txt").read_text() == f"bug={BOX}"
    os.mkfifo(tmp_path / "pipe.csv")
    done = run("--box", BOX, "-o", "pipe.csv", "-y")
    assert done.code == 8 and "pipe.csv is no file" in done.err and (tmp_path / "pipe.csv").is_fifo()
    assert run("--box", BOX, "-o", "b.csv", "-o", tmp_path / "b.csv").code == 8


def test_messages_that_nobody_can_take_are_dropped(start_siamtrack, weights, tmp_path):
    arguments = ("run", DEMO, "--weights", weights, "--box", BOX, "--end", "3f", "-o", "a.json", "--json")
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        process = start_siamtrack(*arguments, stderr=full)
        out, _ = process.communicate()
    assert process.wait() == 0 and json.loads(out)["frames"] == 3
    assert json.loads((tmp_path / "a.json").read_text())["complete"] is True


def test_messages_that_nobody_reads_are_dropped(start_siamtrack):
    process = start_siamtrack("weights", "list")
    process.stderr.close()
    assert b"siamrpnpp-r18" in process.stdout.read() and process.wait() == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("--version",),
        ("run", "--help"),
        ("weights", "list"),
        ("weights", "list", "--json"),
    ],
)
def test_text_that_nobody_can_take(start_siamtrack, arguments):
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        process = start_siamtrack(*arguments, stdout=full)
        _, err = process.communicate()
    assert process.returncode == 8 and err.startswith(b"error: cannot write standard output: No space"), err
    assert b"Traceback" not in err and b"Exception" not in err
    process = start_siamtrack(*arguments)
    process.stdout.close()
    assert (process.stderr.read(), process.wait()) == (b"", 141)
    process = start_siamtrack(*arguments, stdout=None, preexec_fn=lambda: os.close(1))
    assert b"it is closed" in process.stderr.read() and process.wait() == 8


def test_percent_corner_and_file_boxes(run, tmp_path):
    run("--box", "10%,25%,25%,50%", "-o", "a.json")
    run("--box", "64,90,224,270", "--box-format", "xyxy", "-o", "b.json")
    (tmp_path / "boxes.txt").write_text("# corners\nfirst = 64 90 224 270\n\nsecond=0,0,10,10\n")
    run("--box-file", "boxes.txt", "--box-format", "xyxy", "-o", "c.json")
    a, b, c = (json.loads((tmp_path / f"{n}.json").read_text()) for n in "abc")
    first = [{**point, "label": None} for point in c["points"] if point["target"] == 1]
    assert a["points"] == b["points"] == first
    assert c["labels"] == ["first", "second"]
    (tmp_path / "boxes.txt").write_text("1,2,3,4\n1,2,3\n")
    done = run("--box-file", "boxes.txt", "-o", "d.json")
    assert done.code == 3 and "boxes.txt, line 2" in done.err


def test_a_target_may_appear_later(run, tmp_path):
    run("--box", BOX, "--box-at", "0.12=50,50,40,40", "-o", "a.json", "-o", "a.mp4")
    points = json.loads((tmp_path / "a.json").read_text())["points"]
    assert [p["frame"] for p in points if p["target"] == 2] == [3, 4]
    assert next(p["state"] for p in points if p["target"] == 2) == "init"
    assert cv2.VideoCapture(str(tmp_path / "a.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) == 5


def test_lost_is_said_and_can_fail(siamtrack, tmp_path):
    """The weights that come along are never quite sure; the recipe's random ones are."""
    (tmp_path / "doubt.toml").write_text("lost_below = 1.0\nfound_above = 1.0\nlost_shares = []\n")
    options = ("--params", "doubt.toml", "--fail-if-lost", "-o", "a.json")
    done = siamtrack("run", DEMO, "--end", "5f", "--box", BOX, *options)
    assert done.code == 10 and "lost in frames 1-4" in done.err
    document = json.loads((tmp_path / "a.json").read_text())
    assert document["complete"] is True and document["lost"] == {"1": [[1, 4]]}


def test_nothing_tracked_replaces_nothing(run, tmp_path):
    names = ("a.json", "a.csv", "a.mp4")
    outputs = [word for name in names for word in ("-o", name)]
    assert run("--box", BOX, *outputs, "--start", "4f").err.count("tracked 1 frame in") == 1
    before = [(tmp_path / name).read_bytes() for name in names]
    assert run("--box-at", f"99f={BOX}", *outputs, "-y").code == 3
    assert before == [(tmp_path / name).read_bytes() for name in names]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


def test_damaged_source_keeps_what_decodes(siamtrack, weights, tmp_path):
    whole = DEMO.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) * 2 // 3])  # fast start: the index is in front
    done = siamtrack("run", "cut.mp4", "--weights", weights, "--box", BOX, "-o", "a.json", "-o", "a.mp4")
    assert done.code == 3 and "frames decoded" in done.err and "cut.mp4 is damaged" in done.err
    assert "kept, incomplete: a.json, a.mp4" in done.err
    document = json.loads((tmp_path / "a.json").read_text())
    assert document["complete"] is False and 0 < len(document["points"]) < 119
    count = cv2.VideoCapture(str(tmp_path / "a.mp4")).get(cv2.CAP_PROP_FRAME_COUNT)
    assert count == len(document["points"])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_interrupted_files_are_readable(start_siamtrack, weights, tmp_path, number, code):
    process = start_siamtrack(
        "run", DEMO, "--weights", weights, "--box", BOX, "-o", "a.json", "-o", "a.mp4", "--jsonl", "-"
    )
    for _ in range(3):  # the header and two points: it is tracking
        process.stdout.readline()
    process.send_signal(number)
    while process.poll() is None:  # people press Ctrl-C more than once
        process.send_signal(number)
        time.sleep(0.01)
    _, err = process.communicate()
    assert process.returncode == code, err
    document = json.loads((tmp_path / "a.json").read_text())
    assert document["complete"] is False
    count = cv2.VideoCapture(str(tmp_path / "a.mp4")).get(cv2.CAP_PROP_FRAME_COUNT)
    assert count == len(document["points"]) > 1
    assert b"Traceback" not in err and b"Exception ignored" not in err


def test_a_closed_pipe_ends_quietly(start_siamtrack, weights):
    process = start_siamtrack("run", DEMO, "--weights", weights, "--box", BOX, "-o", "-")
    process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait() == 141
    assert b"Traceback" not in err and b"error" not in err


def test_reads_a_container_from_stdin(siamtrack, weights, tmp_path):
    with DEMO.open("rb") as clip:
        options = ("--weights", weights, "--box", BOX, "--end", "3f", "-o", "a.csv")
        done = siamtrack("run", "-", *options, stdin=clip)
    assert done.code == 0, done.err
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 4


@pytest.mark.parametrize(
    ("begins", "kind"),
    [(b"<!DOCTYPE html><html>", "a web page"), (b"PK\x03\x04" + bytes(500), "a ZIP archive")],
)
def test_what_is_no_video_on_stdin_is_named(begins: bytes, kind: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from siamcli.media.sources import open_source; open_source('-')"],
        input=begins,
        capture_output=True,
        check=False,
    )
    assert f"stdin is {kind}, not a video" in done.stderr.decode()


def test_reads_a_named_pipe(run, tmp_path):
    os.mkfifo(tmp_path / "clip")
    with subprocess.Popen(["/bin/sh", "-c", f"cat '{DEMO}' > clip 2>/dev/null"], cwd=tmp_path) as writer:
        done = run("--box", BOX, "-o", "a.csv", source="clip")
        writer.terminate()
    assert done.code == 0, done.err
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 6


def test_a_file_per_target_in_folders_of_their_own(run, tmp_path):
    done = run("--box", f"bug={BOX}", "--box", f"..={BOX}", "-o", "by/{target}/x.csv", "--json")
    assert done.code == 0, done.err
    (same,) = json.loads(done.out)["same_box"]
    assert same["targets"] == [1, 2] and same["frames"][0][0] == 0
    assert sorted(p.name for p in (tmp_path / "by").iterdir()) == ["__", "bug"]
    assert [p.name for p in tmp_path.rglob("*.csv")] == ["x.csv", "x.csv"]
    assert "bug and ..: nearly the same box in frame 0: do" in done.err


def test_of_a_crowd_with_one_box_ten_pairs_are_named(run):
    done = run(
        *(word for number in range(6) for word in ("--box", f"t{number}={BOX}")), "-o", "a.csv", "--json"
    )
    assert done.code == 0, done.err
    assert len(json.loads(done.out)["same_box"]) == 15
    assert done.err.count("nearly the same box in frame 0:") == 10
    assert "t0 and t1: nearly the same box" in done.err
    assert "... and 5 more pairs: --json names all" in done.err


def test_version_and_plain_output(siamtrack):
    assert siamtrack("--version").out.startswith("siamtrack ")
    done = siamtrack("run", "nowhere.mp4", "--box", BOX)
    assert "\x1b" not in done.err


def test_folder_of_images(siamtrack, weights, tmp_path):
    folder = tmp_path / "shots"
    folder.mkdir()
    video = cv2.VideoCapture(str(DEMO))
    for name in ("shot 9.png", "shot 10.png", "shot 11.png"):
        cv2.imwrite(str(folder / name), video.read()[1])
    done = siamtrack("run", folder, "--weights", weights, "--box", BOX)
    assert done.code == 0, done.err
    assert {p.name for p in tmp_path.glob("shots.tracked.*")} == {
        "shots.tracked.mp4",
        "shots.tracked.json",
        "shots.tracked.csv",
    }


def test_no_display_says_what_to_do(start_siamtrack, weights, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    process = start_siamtrack("run", DEMO, "--weights", weights, "--pick")
    _, err = process.communicate()
    assert (
        process.returncode == 9 and b"--box" in err and b"--pick-browser" in err and b"Traceback" not in err
    )
    process = start_siamtrack("run", DEMO, "--weights", weights, "--pick-browser", "--show")
    _, err = process.communicate()
    assert process.returncode == 9 and b"leave out --show" in err and b"--pick-browser" not in err
