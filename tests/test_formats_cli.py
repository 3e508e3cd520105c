"""`siamtrack convert` and `siamtrack render` as a user meets them."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import clips
import cv2
import pytest
from conftest import DEMO

from siamcli.atomic import atomic_file
from siamcli.boxes import Box
from siamcli.formats.kinds import FORMATS
from siamcli.frames import SourceInfo
from siamcli.session.textfile import open_text
from siamcli.trajectory import TrackHeader, TrackPoint

BOX = "43.3,150.4,73.4,79.2"


@pytest.fixture
def tracked(siamtrack, weights, tmp_path):
    """A trajectory of two targets over six frames, and the video that `run` drew."""
    boxes = ("--box", f"bug={BOX}", "--box", "300,100,60,60")
    outputs = ("-o", "a.json", "-o", "a.mp4", "-o", "a.txt")
    done = siamtrack("run", DEMO, "--weights", weights, *boxes, "--end", "6f", *outputs)
    assert done.code == 0, done.err
    return tmp_path / "a.json"


def trajectory(
    path: Path, frames: int = 4, name: str = "demo", label: str = "bug", lost: tuple[int, ...] = ()
) -> Path:
    """A trajectory of DEMO that nobody tracked."""
    header = TrackHeader(SourceInfo(name, (640, 360)), "m", "", "1", labels=(label,))
    with open_text(str(path), header, overwrite=True) as writer:
        for index in range(frames):
            state = "lost" if index in lost else "tracked"
            writer.write([TrackPoint(index, index / 25, Box(10, 20, 30, 40), 0.9, state)])
    return path


def test_convert_to_every_format(siamtrack, tracked, tmp_path):
    done = siamtrack("convert", tracked, "--to", "mot", "-o", "same.txt")
    assert (done.code, done.out) == (0, "same.txt\n")
    assert (tmp_path / "same.txt").read_text() == (tmp_path / "a.txt").read_text()
    for format in FORMATS:
        done = siamtrack("convert", tracked, "--to", format, "-o", f"{format}/")
        assert done.code == 0 and done.out.startswith(f"{format}/"), done.err
    assert (tmp_path / "otb/demo_bug.txt").read_text().startswith("44.3000,151.4000,73.4000,79.2000\n")
    assert len((tmp_path / "got10k/demo_target_2/demo_target_2_001.txt").read_text().splitlines()) == 6
    assert len(list((tmp_path / "yolo/labels").iterdir())) == 6


def test_convert_to_json_is_what_run_wrote(siamtrack, tracked, tmp_path):
    for format in ("json", "jsonl", "csv"):
        assert siamtrack("convert", tracked, "--to", format, "-o", f"b.{format}").code == 0
    for name in ("b.json", "b.jsonl"):
        assert siamtrack("convert", name, "--to", "json", "-o", "c.json", "-y").code == 0
        assert (tmp_path / "c.json").read_text() == tracked.read_text()
    assert siamtrack("convert", "b.csv", "--to", "csv", "-o", "c.csv").code == 0
    assert (tmp_path / "c.csv").read_text() == (tmp_path / "b.csv").read_text()


def test_convert_refusals(siamtrack, tracked, tmp_path):
    assert siamtrack("convert", "none.json", "--to", "mot").code == 3
    done = siamtrack("convert", tracked, "--to", "parquet")
    assert done.code == 2 and all(name in done.err for name in FORMATS)
    done = siamtrack("convert", tracked, "--to", "csv", "--drop-lost")
    assert done.code == 3 and "csv keeps lost frames" in done.err
    (tmp_path / "a.vtt").write_text("mine")
    done = siamtrack("convert", tracked, "--to", "webvtt")
    assert done.code == 8 and "a.vtt exists" in done.err
    assert siamtrack("convert", tracked, "--to", "webvtt", "-y").code == 0


@pytest.mark.parametrize(
    ("name", "more", "output"),
    [
        ("j.json", ("coco", "-o", "j.json"), "j.json"),
        ("j.json", ("coco", "-o", "link.json"), "link.json"),
        ("j.json", ("json",), "j.json"),
        ("j.json", ("json", "-o", "./"), "j.json"),
    ],
)
def test_convert_spares_its_trajectory(siamtrack, tmp_path, name, more, output):
    path = trajectory(tmp_path / name)
    (tmp_path / "link.json").symlink_to(name)
    before = path.read_bytes()
    done = siamtrack("convert", name, "-y", "--to", *more)
    assert done.code == 8 and f"{output} is read in this run" in done.err
    assert path.read_bytes() == before


def test_convert_names_every_file(siamtrack, tmp_path):
    done = siamtrack("convert", trajectory(tmp_path / "j.json", frames=9), "--to", "yolo", "-o", "yy/")
    assert done.code == 0 and done.err == ""
    assert len(done.out.splitlines()) == 10 and all((tmp_path / name).exists() for name in done.out.split())


def test_convert_keeps_lost_frames_unless_they_are_dropped(siamtrack, tmp_path):
    path = trajectory(tmp_path / "j.json", frames=5, lost=(1, 2))
    assert siamtrack("convert", path, "--to", "mot", "-o", "all.txt").err == ""
    assert len((tmp_path / "all.txt").read_text().splitlines()) == 5
    done = siamtrack("convert", path, "--to", "webvtt", "-o", "some.vtt", "--drop-lost")
    assert (done.code, done.out, done.err) == (0, "some.vtt\n", "2 of 5 frames left out as lost\n")
    cues = [line for line in (tmp_path / "some.vtt").read_text().splitlines() if "-->" in line]
    assert cues[0] == "00:00:00.000 --> 00:00:00.040"  # not on through the lost frames
    assert cues[1] == "00:00:00.120 --> 00:00:00.160"
    done = siamtrack("convert", path, "--to", "yolo", "-o", "y/", "--drop-lost")
    assert done.code == 0 and len(list((tmp_path / "y/labels").iterdir())) == 3


def test_run_keeps_lost_frames_in_mot_lines_unless_they_are_dropped(siamtrack, tmp_path):
    params = tmp_path / "params.toml"
    params.write_text("lost_below = 1.0\nfound_above = 1.0\nlost_shares = []\n")
    command = ("run", DEMO, "--params", params, "--box", BOX, "--end", "6f")
    done = siamtrack(*command, "-o", "all.txt", "-o", "all.json")
    states = [point["state"] for point in json.loads((tmp_path / "all.json").read_text())["points"]]
    assert states == ["init", *["lost"] * 5], done.err
    assert len((tmp_path / "all.txt").read_text().splitlines()) == 6
    done = siamtrack(*command, "-o", "some.txt", "--drop-lost")
    assert done.code == 0 and "5 of 6 frames left out as lost" in done.err
    assert len((tmp_path / "some.txt").read_text().splitlines()) == 1
    done = siamtrack(*command, "-o", "some.json", "--drop-lost")
    assert done.code == 2 and "--drop-lost is for .txt (MOT)" in done.err


def test_convert_to_stdout(siamtrack, start_siamtrack, tmp_path):
    path = trajectory(tmp_path / "j.json", label="läufer")
    assert siamtrack("convert", path, "--to", "cvat", "-o", "file.xml").code == 0
    latin = {**os.environ, "PYTHONIOENCODING": "latin-1"}  # the text says that it is UTF-8
    process = start_siamtrack("convert", path, "--to", "cvat", "-o", "-", env=latin)
    assert process.communicate() == ((tmp_path / "file.xml").read_bytes(), b"")
    done = siamtrack("convert", path, "--to", "yolo", "-o", "-")
    assert done.code == 3 and done.out == "" and "5 files do not fit into -" in done.err
    assert not (tmp_path / "-").exists()


def test_a_label_that_is_no_text(siamtrack, tmp_path):
    path = trajectory(tmp_path / "j.json", label="dog\udcff")
    for command in (("convert", path, "--to", "cvat"), ("render", DEMO, path)):
        done = siamtrack(*command)
        assert done.code == 3 and "labels[0] must be one line of valid UTF-8, not 'dog\\udcff'" in done.err


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text here")
def test_a_file_name_that_is_no_text(start_siamtrack, tmp_path):
    path = trajectory(tmp_path / "a\udcff.json", name="a\udcff")
    strict = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}  # as in every locale but C
    process = start_siamtrack("convert", path, "--to", "cvat", env=strict)
    assert process.communicate() == (b"a\xff.cvat.xml\n", b"")
    assert b"<name>a?</name>" in (tmp_path / "a\udcff.cvat.xml").read_bytes()


def test_render_draws_what_run_draws(siamtrack, tracked, tmp_path):
    done = siamtrack("render", DEMO, tracked)
    assert (done.code, done.out) == (0, "demo.rendered.mp4\n")
    ours, runs = (cv2.VideoCapture(str(tmp_path / n)) for n in ("demo.rendered.mp4", "a.mp4"))
    assert ours.get(cv2.CAP_PROP_FRAME_COUNT) == 120 and ours.get(cv2.CAP_PROP_FPS) == 25
    mine = ours.read()[1]
    assert cv2.absdiff(mine, runs.read()[1]).mean() < 1.5  # both went through x264
    assert mine[190, 43, 1] > 150 > mine[190, 43, 2]  # the first target's left edge, in green
    again = siamtrack("render", DEMO, tracked)
    assert again.code == 8 and "demo.rendered.mp4 exists" in again.err
    assert "-y replaces it" in again.err and "-n" not in again.err


def test_render_spares_what_it_reads(siamtrack, tmp_path):
    path = trajectory(tmp_path / "j.json")
    (tmp_path / "in.mp4").write_bytes(DEMO.read_bytes())
    (tmp_path / "link.mp4").symlink_to("in.mp4")
    for source, output in (("in.mp4", "in.mp4"), ("in.mp4", "link.mp4"), ("link.mp4", "in.mp4")):
        done = siamtrack("render", source, path, "-o", output, "-y")
        assert done.code == 8 and f"{output} is read in this run" in done.err
    assert (tmp_path / "in.mp4").read_bytes() == DEMO.read_bytes()
    assert (tmp_path / "link.mp4").is_symlink()


@pytest.mark.parametrize("earlier", [b"an earlier video", None])
def test_a_render_that_fails_leaves_what_was_there(siamtrack, tmp_path, earlier):
    if earlier:
        (tmp_path / "b.mp4").write_bytes(earlier)
    done = siamtrack("render", DEMO, trajectory(tmp_path / "j.json", 121), "-o", "b.mp4", "-y")
    assert done.code == 3 and "continues to frame 120, " in done.err and "ends with frame 119" in done.err
    there = {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.name != "j.json"}
    assert there == ({"b.mp4": earlier} if earlier else {})


def test_a_damaged_video_is_drawn_as_far_as_it_goes(siamtrack, tmp_path):
    (tmp_path / "clip.mp4").write_bytes(DEMO.read_bytes())
    clips.damaged(tmp_path / "clip.mp4", keep=0.7)
    done = siamtrack("render", "cut_clip.mp4", trajectory(tmp_path / "j.json", 3), "-o", "b.mp4")
    assert done.code == 3 and "damaged" in done.err
    assert cv2.VideoCapture(str(tmp_path / "b.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) > 3


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_render_that_is_stopped_leaves_what_was_there(start_siamtrack, tmp_path, number, code):
    clips.ffmpeg("-stream_loop", "40", "-i", str(DEMO), "-c", "copy", str(tmp_path / "long.mp4"))
    (tmp_path / "b.mp4").write_bytes(b"an earlier video")
    process = start_siamtrack("render", "long.mp4", trajectory(tmp_path / "j.json"), "-o", "b.mp4", "-y")
    part = tmp_path / "b.mp4.siamtrack.part"
    while process.poll() is None and not (part.exists() and part.stat().st_size):
        time.sleep(0.05)
    process.send_signal(number)
    _, err = process.communicate()
    assert process.returncode == code and b"Traceback" not in err
    assert (tmp_path / "b.mp4").read_bytes() == b"an earlier video"
    assert {p.name for p in tmp_path.iterdir()} == {"b.mp4", "j.json", "long.mp4"}


def test_render_refuses_another_video(siamtrack, tracked, tmp_path):
    document = json.loads(tracked.read_text())
    document["source"]["width"] = 320
    (tmp_path / "small.json").write_text(json.dumps(document))
    done = siamtrack("render", DEMO, "small.json", "-o", "b.mp4")
    assert done.code == 3 and "640x360" in done.err and not (tmp_path / "b.mp4").exists()
    assert "--anyway takes this one" in done.err
    done = siamtrack(
        "convert", "small.json", "--to", "yolo", "--images", "every:5", "--video", DEMO, "-o", "y/"
    )
    assert done.code == 3 and "640x360" in done.err and "--anyway" not in done.err
    document["source"]["width"] = 640
    document["points"][-1]["frame"] = 500
    (tmp_path / "long.json").write_text(json.dumps(document))
    done = siamtrack("render", DEMO, "long.json", "-o", "b.mp4")
    assert done.code == 3 and "continues to frame 500" in done.err
    done = siamtrack("render", DEMO, "small.json", "-o", "b.mp4", "--anyway")
    assert (done.code, done.out, done.err) == (0, "b.mp4\n", "")
    assert siamtrack("render", DEMO, tracked, "-o", "b.gif").code == 8


def test_the_video_of_a_conversion_is_no_address(siamtrack, tmp_path):
    made = trajectory(tmp_path / "x.json", name="c")
    done = siamtrack("convert", made, "--to", "mot", "--video", "http://127.0.0.1/c.mp4", "-o", "mot/")
    assert done.code == 2 and "not an address" in done.err and not (tmp_path / "mot").exists()


def test_two_clips_of_one_name_have_files_of_their_own(siamtrack, tmp_path):
    for name in ("x.tracked.json", "y.json"):
        done = siamtrack("convert", trajectory(tmp_path / name, name="c"), "--to", "mot", "-y", "-o", "mot/")
        assert (done.code, done.out) == (0, f"mot/{name[0]}.mot.txt\n")


def into_set(siamtrack, path: Path, *more: str):
    return siamtrack("convert", path, "--to", "yolo", "-o", "set/", *more)


def test_yolo_sets_keep_their_class_numbers(siamtrack, tmp_path):
    for name, label in (("a", "ball"), ("b", "player"), ("c", "ball")):
        done = into_set(siamtrack, trajectory(tmp_path / f"{name}.json", name=name, label=label))
        assert done.code == 0, done.err
    assert (tmp_path / "set/classes.txt").read_text() == "ball\nplayer\n"
    kinds = [(tmp_path / f"set/labels/{name}_000000.txt").read_text().split()[0] for name in "abc"]
    assert kinds == ["0", "1", "0"]
    assert len(list((tmp_path / "set/labels").iterdir())) == 12


@pytest.mark.parametrize(("frames", "lost"), [(2, ()), (6, ()), (4, (0, 1, 2))])
def test_yolo_labels_of_one_clip_are_replaced_together(siamtrack, tmp_path, frames, lost):
    others = [trajectory(tmp_path / f"{name}.json", name=name) for name in ("clip_2", "clip.b")]
    ours = trajectory(tmp_path / "clip.json", name="clip")
    assert [into_set(siamtrack, path).code for path in (*others, ours)] == [0, 0, 0]
    before = {path: path.read_bytes() for path in (tmp_path / "set").rglob("*") if path.is_file()}
    ours = trajectory(ours, frames=frames, name="clip", label="other", lost=lost)
    done = into_set(siamtrack, ours, "--drop-lost")
    assert done.code == 8 and "exists" in done.err  # and nothing has changed
    assert {path: path.read_bytes() for path in (tmp_path / "set").rglob("*") if path.is_file()} == before
    assert into_set(siamtrack, ours, "--drop-lost", "-y").code == 0
    left = {path.name for path in (tmp_path / "set/labels").glob("clip_0*.txt")}
    assert left == {f"clip_{n:06d}.txt" for n in range(frames) if n not in lost}
    assert len(list((tmp_path / "set/labels").iterdir())) == len(left) + 8
    assert (tmp_path / "set/classes.txt").read_text() == "bug\nother\n"


@pytest.mark.usefixtures("impatient")
def test_a_yolo_set_that_another_process_writes_is_left_alone(siamtrack, tmp_path):
    path = trajectory(tmp_path / "a.json", name="a")
    (tmp_path / "set").mkdir()
    with atomic_file(tmp_path / "set/classes.txt", overwrite=True):
        done = into_set(siamtrack, path)
    assert done.code == 8 and "another run is writing" in done.err
