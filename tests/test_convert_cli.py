"""`siamtrack convert` and `siamtrack render` as a user meets them."""

from __future__ import annotations

import json

import cv2
import pytest
from conftest import DEMO

BOX = "43.3,150.4,73.4,79.2"


@pytest.fixture
def tracked(siamtrack, weights, tmp_path):
    """A trajectory of two targets over six frames, and the video that `run` drew."""
    boxes = ("--box", f"bug={BOX}", "--box", "300,100,60,60")
    outputs = ("-o", "a.json", "-o", "a.mp4", "-o", "a.txt")
    done = siamtrack("run", DEMO, "--weights", weights, *boxes, "--end", "6f", *outputs)
    assert done.code == 0, done.err
    return tmp_path / "a.json"


def test_convert_to_every_format(siamtrack, tracked, tmp_path):
    done = siamtrack("convert", tracked, "--to", "mot", "-o", "same.txt")
    assert (done.code, done.out) == (0, "same.txt\n")
    assert (tmp_path / "same.txt").read_text() == (tmp_path / "a.txt").read_text()
    for format in ("coco", "cvat", "labelstudio", "yolo", "otb", "got10k", "vot", "lasot", "trackingnet"):
        done = siamtrack("convert", tracked, "--to", format, "-o", f"{format}/")
        assert done.code == 0 and done.out.startswith(f"{format}/"), done.err
    assert (tmp_path / "otb/demo_bug.txt").read_text().startswith("44.3000,151.4000,73.4000,79.2000\n")
    assert len((tmp_path / "got10k/demo_target_2/demo_target_2_001.txt").read_text().splitlines()) == 6
    assert len(list((tmp_path / "yolo/labels").iterdir())) == 6


def test_convert_refusals(siamtrack, tracked, tmp_path):
    assert siamtrack("convert", "none.json", "--to", "mot").code == 3
    assert siamtrack("convert", tracked, "--to", "parquet").code == 2
    (tmp_path / "demo.vtt").write_text("mine")
    done = siamtrack("convert", tracked, "--to", "webvtt")
    assert done.code == 8 and "demo.vtt exists" in done.err
    assert siamtrack("convert", tracked, "--to", "webvtt", "-y").code == 0


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


def test_render_refuses_another_video(siamtrack, tracked, tmp_path):
    document = json.loads(tracked.read_text())
    document["source"]["width"] = 320
    (tmp_path / "small.json").write_text(json.dumps(document))
    done = siamtrack("render", DEMO, "small.json", "-o", "b.mp4")
    assert done.code == 3 and "640x360" in done.err and not (tmp_path / "b.mp4").exists()
    document["source"]["width"] = 640
    document["points"][-1]["frame"] = 500
    (tmp_path / "long.json").write_text(json.dumps(document))
    done = siamtrack("render", DEMO, "long.json", "-o", "b.mp4")
    assert done.code == 3 and "goes on to frame 500" in done.err
    assert siamtrack("render", DEMO, tracked, "-o", "b.gif").code == 8
