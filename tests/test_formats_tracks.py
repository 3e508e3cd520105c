"""Round trips: what other programs corrected comes back; and few key frames say the same."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from xml.etree import ElementTree

import clips
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siamcli.boxes import Box
from siamcli.errors import InputError
from siamcli.formats.files import convert, read_trajectory, write_trajectory
from siamcli.formats.keyframes import key_frames
from siamcli.formats.tracks import between, read_any
from siamcli.frames import SourceInfo
from siamcli.trajectory import NO_BOX, TrackHeader, TrackPoint, Trajectory

SIZE = (640, 360)
RATE = Fraction(25)
SUFFIXES = {"cvat": ".xml", "labelstudio": ".json", "mot": ".txt", "coco": ".json"}


def trajectory(states=None) -> Trajectory:
    """Two targets, the second from frame 2 on; the first is absent in frames 5 and 6."""
    states = states or ["init", *["tracked"] * 4, *["absent"] * 2, "found", *["tracked"] * 4]
    points = []
    for i, state in enumerate(states):
        box = NO_BOX if state == "absent" else Box(10 + 3 * i, 20 + i * i / 4, 30 + i, 40)
        points.append(TrackPoint(i, i / 25, box, 0 if state == "absent" else 0.75, state))
        if i >= 2:
            points.append(TrackPoint(i, i / 25, Box(200, 100 - i, 50, 60), 0.5, "tracked", 2))
    header = TrackHeader(SourceInfo("clip", SIZE, RATE, len(states)), "m", "", "1", labels=("bug", "läufer"))
    return Trajectory(header, tuple(points), complete=True)


def back(tmp_path, kind: str, original: Trajectory, **options) -> Trajectory:
    """Out to a format, and in again by what is in the file."""
    (text,) = convert(original, kind, options=options).values()
    file = tmp_path / f"task{SUFFIXES[kind]}"
    file.write_text(text, encoding="utf-8")
    return read_any(file, None, SourceInfo("clip", SIZE, RATE) if kind in ("mot", "labelstudio") else None)


@pytest.mark.parametrize("kind", SUFFIXES)
def test_round_trip(tmp_path, kind):
    original = trajectory()
    read = back(tmp_path, kind, original)
    assert read.header.source.size == SIZE
    assert read.header.labels == ((None, None) if kind == "mot" else ("bug", "läufer"))
    expected = {(p.index, p.target): p for p in original.points}
    if kind in ("mot", "coco"):  # a frame without a box is no box there
        expected = {key: p for key, p in expected.items() if p.state != "absent"}
    found = {(p.index, p.target): p for p in read.points}
    assert found.keys() == expected.keys()
    for key, point in expected.items():
        assert found[key].state == "absent" or np.allclose(found[key].box, point.box, atol=0.01)
        assert (found[key].state == "absent") == (point.state == "absent")
        if kind in ("cvat", "coco"):
            assert (found[key].state, found[key].score) == (point.state, point.score)
        if kind != "coco":
            assert found[key].time == (pytest.approx(point.time) if kind != "cvat" else None)


moves = st.lists(st.tuples(*[st.floats(-9, 9)] * 2, *[st.floats(-2, 2)] * 2), min_size=1, max_size=40)


@given(moves, st.floats(0, 5), st.integers(1, 4))
def test_key_frames_keep_every_corner(steps, tolerance, step):
    boxes = [Box(*row) for row in (np.array([100, 100, 200, 200]) + np.cumsum(np.array(steps), 0)).tolist()]
    frames = [step * i for i in range(len(boxes))]
    keys = key_frames(frames, boxes, tolerance)
    assert keys[0] == 0 and keys[-1] == len(boxes) - 1
    for a, b in pairwise(keys):
        for i in range(a, b + 1):
            box = between(boxes[a], boxes[b], (i - a) / (b - a))
            for one, other in zip(corners(box), corners(boxes[i]), strict=True):
                assert abs(one - other) <= tolerance + 1e-6


def corners(box: Box) -> tuple[float, ...]:
    return box.x, box.y, box.x + box.w, box.y + box.h


def test_cvat_with_few_key_frames_comes_back_within_the_distance(tmp_path):
    original = trajectory()
    read = back(tmp_path, "cvat", original, keyframes=2.0)
    text = (tmp_path / "task.xml").read_text(encoding="utf-8")
    assert len(list(ElementTree.fromstring(text.partition("?>")[2]).iter("box"))) <= 8
    expected = {(p.index, p.target): p for p in original.points}
    assert {(p.index, p.target) for p in read.points} == expected.keys()
    for point in read.points:
        other = expected[point.index, point.target]
        assert point.state == "absent" or np.allclose(corners(point.box), corners(other.box), atol=2.01)
    assert {p.source for p in read.points} == {"forward", "interpolated"}


def test_what_a_human_changed_is_said_to_be_so(tmp_path):
    (text,) = convert(trajectory(), "cvat").values()
    (tmp_path / "a.xml").write_text(text.replace('source="auto"', 'source="manual"'), encoding="utf-8")
    assert {p.source for p in read_any(tmp_path / "a.xml").points if p.state != "absent"} == {"human"}


def test_labelstudio_annotations_go_before_predictions(tmp_path):
    (text,) = convert(trajectory(), "labelstudio", options={"media_url": "https://host/{name}.mp4"}).values()
    (task,) = json.loads(text)
    assert task["data"]["video"] == "https://host/clip.mp4"
    result = [
        {
            "id": "x",
            "type": "videorectangle",
            "value": {
                "framesCount": 10,
                "duration": 0.4,
                "labels": ["ant"],
                "sequence": [
                    {"frame": 1, "x": 10, "y": 10, "width": 10, "height": 20, "enabled": True},
                    {"frame": 5, "x": 20, "y": 10, "width": 10, "height": 20, "enabled": False},
                    {"frame": 8, "x": 50, "y": 10, "width": 10, "height": 20, "enabled": True},
                ],
            },
        }
    ]
    task["annotations"] = [{"result": result, "was_cancelled": False}]
    (tmp_path / "a.json").write_text(json.dumps([task]))
    read = read_any(tmp_path / "a.json", None, SourceInfo("clip", SIZE))
    assert read.header.labels == ("ant",) and read.header.source.fps == 25
    assert [round(p.box.x) for p in read.points if p.state != "absent"] == [64, 80, 96, 112, 128, 320]
    assert [p.index for p in read.points if p.state == "absent"] == [5, 6]


def test_boxes_of_another_video_are_refused(tmp_path):
    (text,) = convert(trajectory(), "cvat").values()
    (tmp_path / "a.xml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"the frames of .*a\.xml are 640x360, not 160x120"):
        read_any(tmp_path / "a.xml", None, SourceInfo("other", (160, 120), RATE))


def test_a_trajectory_of_images_is_given_their_rate(tmp_path):
    header = TrackHeader(SourceInfo("images", SIZE), "m", "", "1")
    known = Trajectory(header, (TrackPoint(0, None, Box(1, 2, 3, 4), 1.0, "init"),), complete=True)
    write_trajectory(known, tmp_path / "a.json")
    read = read_any(tmp_path / "a.json", None, SourceInfo("a", None, RATE))
    assert (read.header.source.name, read.header.source.size, read.header.source.fps) == (
        "images",
        SIZE,
        RATE,
    )


def test_via(tmp_path):
    def image(name, *regions):
        shapes = [
            {
                "shape_attributes": {"name": "rect", "x": x, "y": 2, "width": 30, "height": 40},
                "region_attributes": {"label": label},
            }
            for x, label in regions
        ]
        return {"filename": name, "size": 1, "regions": shapes}

    images = {
        "b": image("f10.jpg", (30, "bug"), (5, "leaf")),
        "a": image("f9.jpg", (10, "bug"), (20, "bug")),
    }
    for document in (images, {"_via_img_metadata": images, "_via_settings": {}}):
        (tmp_path / "a.json").write_text(json.dumps(document))
        read = read_any(tmp_path / "a.json")
        assert read.header.labels == ("bug", "bug", "leaf")
        assert read.header.source.files == ("f9.jpg", "f10.jpg")
        assert [(p.index, p.target, p.box.x) for p in read.points] == [
            (0, 1, 10),
            (0, 2, 20),
            (1, 1, 30),
            (1, 3, 5),
        ]


def test_convert_brings_a_task_back(siamtrack, tmp_path):
    clip = clips.constant(tmp_path / "clip.mp4", frames=8)
    points = tuple(TrackPoint(i, i * 1001 / 30000, Box(5 + i, 6, 20, 20), 0.9, "tracked") for i in range(8))
    header = TrackHeader(
        SourceInfo("clip", clips.SIZE, Fraction(30000, 1001), 8), "m", "", "1", labels=("bug",)
    )
    original = Trajectory(header, points, complete=True)
    write_trajectory(original, tmp_path / "clip.tracked.json")
    for kind in SUFFIXES:
        assert (
            siamtrack("convert", "clip.tracked.json", "--to", kind, "-o", f"task{SUFFIXES[kind]}", "-y").code
            == 0
        )
        done = siamtrack(
            "convert", f"task{SUFFIXES[kind]}", "--to", "siamtrack", "--video", clip, "-o", "again.json", "-y"
        )
        assert (done.code, done.out) == (0, "again.json\n"), done.err
        read = read_trajectory(tmp_path / "again.json")
        assert [p.time for p in read.points] == pytest.approx([p.time for p in points], abs=1e-5)
        done = siamtrack("render", clip, "again.json", "-o", "drawn.mp4", "-y")
        assert done.code == 0, done.err
    assert siamtrack("convert", "task.xml", "--to", "siamtrack", "-o", "out/").out == "out/task.json\n"


def test_csv_with_a_video_or_a_size(siamtrack, tmp_path):
    clips.constant(tmp_path / "clip.mp4", frames=4)
    header = TrackHeader(SourceInfo("clip", clips.SIZE, RATE, 4), "m", "", "1")
    points = tuple(TrackPoint(i, i / 25, Box(5, 6, 20, 20), 0.9, "tracked") for i in range(4))
    write_trajectory(Trajectory(header, points, complete=True), tmp_path / "a.csv")
    assert siamtrack("convert", "a.csv", "--to", "coco").code == 3
    for more in (("--size", "96x64"), ("--video", "clip.mp4")):
        done = siamtrack("convert", "a.csv", "--to", "coco", "-o", "a.json", "-y", *more)
        assert done.code == 0, done.err
        image = json.loads((tmp_path / "a.json").read_text())["images"][0]
        assert (image["width"], image["height"]) == clips.SIZE


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.xml", "<annotations/>", "no box in a.xml"),
        ("a.xml", "<oops", "a.xml is no cvat file: not XML"),
        ("a.txt", "1,1,2,3,4\n", "a.txt is no mot file: line 1"),
        ("a.txt", "1,1,2,3,4,5,1\n1,1,2,3,4,5,1\n", "twice in frame 0"),
        ("a.json", '[{"data": {}, "predictions": []}]', "a.json is no labelstudio file"),
        ("a.json", '{"images": [], "annotations": []}', "a.json is no coco file"),
        ("a.json", '{"b": 1}', "a.json"),
        ("a.doc", "", "not a trajectory"),
    ],
)
def test_bad_files_are_named(siamtrack, tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    done = siamtrack("convert", name, "--to", "siamtrack", "-o", "b.json")
    assert done.code == 3 and message in done.err, done.err
    assert not (tmp_path / "b.json").exists()


def test_refusals(siamtrack, tmp_path):
    write_trajectory(replace(trajectory()), tmp_path / "a.json")
    for words, message in (
        (("--to", "coco", "--keyframes", "2px"), "--keyframes goes with --to cvat"),
        (("--to", "cvat", "--media-url", "x"), "--media-url goes with --to labelstudio"),
        (("--to", "cvat", "--from", "voc"), "--from takes one of"),
        (("--to", "cvat", "--size", "3"), "--size takes width and height"),
    ):
        done = siamtrack("convert", "a.json", *words)
        assert done.code == 2 and message in done.err.replace("\n", " "), done.err
    (text,) = convert(trajectory(), "labelstudio").values()
    (tmp_path / "t.json").write_text(text)
    done = siamtrack("convert", "t.json", "--to", "siamtrack")
    assert done.code == 3 and "--size WIDTHxHEIGHT" in done.err


def test_motmetrics(tmp_path):
    motmetrics = pytest.importorskip("motmetrics")
    (text,) = convert(trajectory(), "mot").values()
    (tmp_path / "a.txt").write_text(text)
    table = motmetrics.io.loadtxt(str(tmp_path / "a.txt"), fmt="mot15-2D")
    assert len(table) == 20 and table.loc[(1, 1), "Width"] == 30 and table.loc[(1, 1), "X"] == 10


def test_label_studio_sdk(tmp_path):
    interface = pytest.importorskip("label_studio_sdk.label_interface").LabelInterface(
        '<View><Labels name="labels" toName="video"><Label value="bug"/><Label value="läufer"/></Labels>'
        '<Video name="video" value="$video" frameRate="$fps"/>'
        '<VideoRectangle name="box" toName="video"/></View>'
    )
    (text,) = convert(trajectory(), "labelstudio", options={"media_url": "https://host/{name}.mp4"}).values()
    (task,) = json.loads(text)
    (prediction,) = task.pop("predictions")  # the SDK fails on a task that has any
    assert interface.validate_task(task)
    assert interface.validate_prediction(prediction, return_errors=True) == []
