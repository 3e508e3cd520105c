"""Every format against its own reader, or its written rules where there is none to install."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siamcli.boxes import Box
from siamcli.errors import InputError, OutputError
from siamcli.evaluation.catalog import find_spec
from siamcli.evaluation.results import read_output, read_runs
from siamcli.evaluation.sequence import Sequence
from siamcli.formats.files import convert, with_paths, write_files
from siamcli.formats.kinds import FORMATS
from siamcli.frames import SourceInfo
from siamcli.session.textfile import open_text
from siamcli.trajectory import TrackHeader, TrackPoint, Trajectory

WIDTH, HEIGHT = 640, 360
relaxed = settings(deadline=None, max_examples=40)  # the machine may be busy
sides = st.floats(2, 200)
boxes = st.builds(Box, st.floats(-20, 600), st.floats(-20, 340), sides, sides)
states = st.sampled_from(["tracked", "lost", "found", "absent"])


@st.composite
def trajectories(draw, targets=range(1, 4)):
    """Targets of a 640x360 clip at 25 fps in every frame from 0 on."""
    count, length = draw(st.sampled_from(targets)), draw(st.integers(1, 6))
    labels = tuple(draw(st.sampled_from([None, "player", "a & b", "läufer"])) for _ in range(count))
    points = tuple(
        TrackPoint(
            index=index,
            time=index / 25,
            box=draw(boxes),
            score=round(draw(st.floats(0, 1)), 4),
            state="init" if index == 0 else draw(states),
            target=target,
        )
        for index in range(length)
        for target in range(1, count + 1)
    )
    source = SourceInfo("clip", (WIDTH, HEIGHT), Fraction(25), length)
    return Trajectory(TrackHeader(source, "m", "", "1", labels=labels), points, complete=True)


def seen(trajectory, drop_lost=False):
    """(frame, target) -> the point of every box that belongs into an export."""
    left_out = ("lost", "absent") if drop_lost else ("absent",)
    return {(p.index, p.target): p for p in trajectory.points if p.state not in left_out}


def only(files):
    (text,) = files.values()
    return text


def near(a, b, tolerance=2e-3):
    return np.allclose(a, b, atol=tolerance)


@relaxed
@given(trajectories(), st.booleans())
def test_mot(trajectory, drop_lost):
    text = only(convert(trajectory, "mot", drop_lost=drop_lost))
    rows = [list(map(float, line.split(","))) for line in text.splitlines()]
    found = {(int(f) - 1, int(t)): (x - 1, y - 1, w, h, s) for f, t, x, y, w, h, s, *_ in rows}
    expected = seen(trajectory, drop_lost)
    assert found.keys() == expected.keys() and all(len(row) == 10 for row in rows)
    assert all(near(found[key], (*p.box, p.score)) for key, p in expected.items())


@relaxed
@given(trajectories(), st.booleans())
def test_coco_with_its_own_reader(tmp_path_factory, trajectory, drop_lost):
    reader = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    path = tmp_path_factory.mktemp("coco") / "a.json"
    path.write_text(only(convert(trajectory, "coco", drop_lost=drop_lost)))
    data = reader.COCO(path)
    names = [trajectory.header.labels[t] or f"target {t + 1}" for t in range(len(trajectory.header.labels))]
    found = {}
    for annotation in data.loadAnns(data.getAnnIds()):
        (image,) = data.loadImgs(annotation["image_id"])
        (category,) = data.loadCats(annotation["category_id"])
        assert category["name"] == names[annotation["track_id"] - 1]
        assert image["file_name"] == f"clip/{image['frame_id']:06d}.jpg"
        found[image["frame_id"], annotation["track_id"]] = annotation
    kept = {p.index for p in trajectory.points if not (drop_lost and p.state == "lost")}
    assert {image["frame_id"] for image in data.loadImgs(data.getImgIds())} == kept
    expected = seen(trajectory, drop_lost)
    assert found.keys() == expected.keys()
    for key, point in expected.items():
        assert near(found[key]["bbox"], point.box) and found[key]["score"] == point.score
        assert found[key]["attributes"] == {"state": point.state}


@relaxed
@given(trajectories(), st.booleans())
def test_cvat(trajectory, drop_lost):
    root = ElementTree.fromstring(only(convert(trajectory, "cvat", drop_lost=drop_lost)))
    assert root.findtext("version") == "1.1" and root.findtext("meta/task/mode") == "interpolation"
    assert root.findtext("meta/task/original_size/width") == str(WIDTH)
    labels = {label.findtext("name") for label in root.iterfind("meta/task/labels/label")}
    found = {}
    for track in root.iterfind("track"):
        assert track.get("label") in labels
        frames = [int(box.get("frame")) for box in track]
        assert frames == sorted(set(frames))
        for box in track:
            a, b, c, d = (float(box.get(side)) for side in ("xtl", "ytl", "xbr", "ybr"))
            if box.get("outside") == "0":
                values = {attribute.get("name"): attribute.text for attribute in box}
                place = (a, b, c - a, d - b)
                found[int(box.get("frame")), int(track.get("id")) + 1] = (place, values)
    expected = seen(trajectory, drop_lost)
    assert found.keys() == expected.keys()
    for key, point in expected.items():
        place, values = found[key]
        assert near(place, point.box)
        assert values == {"state": point.state, "score": f"{point.score:.4f}"}
    declared = root.findall("meta/task/labels/label/attributes/attribute/name")
    assert {name.text for name in declared} == {"state", "score"}


def test_cvat_track_that_ends_early_goes_outside():
    points = [TrackPoint(i, None, Box(1, 2, 3, 4), 1, "tracked", t) for t, i in ((1, 0), (2, 0), (2, 1))]
    source = SourceInfo("clip", (WIDTH, HEIGHT))
    trajectory = Trajectory(TrackHeader(source, "", "", "", labels=(None, None)), tuple(points), True)
    first = ElementTree.fromstring(only(convert(trajectory, "cvat"))).find("track")
    assert [(box.get("frame"), box.get("outside")) for box in first] == [("0", "0"), ("1", "1")]


@relaxed
@given(trajectories(), st.booleans())
def test_labelstudio(trajectory, drop_lost):
    (task,) = json.loads(only(convert(trajectory, "labelstudio", drop_lost=drop_lost)))
    assert task["data"] == {"video": "clip", "fps": 25.0}
    found, goes_on = {}, {}
    for number, region in enumerate(task["predictions"][0]["result"], start=1):
        assert region["type"] == "videorectangle" and len(region["value"]["labels"]) == 1
        assert region["value"]["framesCount"] == trajectory.header.source.count
        for step in region["value"]["sequence"]:
            assert step["time"] == pytest.approx((step["frame"] - 1) / 25)
            found[step["frame"] - 1, number] = [step[side] for side in ("x", "y", "width", "height")]
            goes_on[step["frame"] - 1, number] = step["enabled"]
    expected = seen(trajectory, drop_lost)
    assert found.keys() == expected.keys()
    last = max(point.index for point in trajectory.points)
    for frame, number in expected:  # it is shown up to the next step unless the step ends it
        assert goes_on[frame, number] == ((frame + 1, number) in expected or frame == last)
    scale = np.array([WIDTH, HEIGHT, WIDTH, HEIGHT]) / 100
    assert all(near(found[key] * scale, p.box) for key, p in expected.items())


def label_studio_frames(times, fps):
    """The frames, and the value, of one target that was seen at these times."""
    points = tuple(TrackPoint(i, time, Box(i, 2, 3, 4), 1.0, "tracked") for i, time in enumerate(times))
    header = TrackHeader(SourceInfo("clip", (WIDTH, HEIGHT), fps, len(times)), "", "", "")
    (task,) = json.loads(only(convert(Trajectory(header, points, True), "labelstudio")))
    value = task["predictions"][0]["result"][0]["value"]
    return task["data"]["fps"], value, [step["frame"] for step in value["sequence"]]


def test_labelstudio_counts_time_not_frames():
    """Six frames 0.04 s apart, then six 0.2 s apart: the box of 1.24 s stood at 0.44 s."""
    times = [*(n / 25 for n in range(6)), *(0.24 + n / 5 for n in range(6))]
    fps, value, frames = label_studio_frames(times, Fraction(25))
    assert frames == [1, 2, 3, 4, 5, 6, 7, 12, 17, 22, 27, 32]
    assert (fps, value["framesCount"], value["duration"]) == (25, 32, 1.28)
    assert [step["time"] for step in value["sequence"]] == pytest.approx(times)
    fps, _, frames = label_studio_frames([0, 0.001, 0.04], Fraction(25))  # two frames at one moment
    assert frames == [1, 2]
    fps, value, frames = label_studio_frames([0, 0.1, 0.2, 0.5], None)  # a camera
    assert (fps, value["framesCount"], frames) == (10, 8, [1, 2, 3, 6])


@relaxed
@given(trajectories(targets=[1]), st.booleans())
def test_yolo_is_the_visible_part(trajectory, drop_lost):
    files = convert(trajectory, "yolo", drop_lost=drop_lost)
    (label,) = files.pop("classes.txt").splitlines()
    assert label == (trajectory.header.labels[0] or "target 1")
    kept = [p for p in trajectory.points if not (drop_lost and p.state == "lost")]
    assert set(files) == {f"labels/clip_{p.index:06d}.txt" for p in kept}
    for point in kept:
        text = files[f"labels/clip_{point.index:06d}.txt"]
        x0, y0 = max(point.box.x, 0), max(point.box.y, 0)
        x1, y1 = min(point.box.x + point.box.w, WIDTH), min(point.box.y + point.box.h, HEIGHT)
        if point.state == "absent" or min(x1 - x0, y1 - y0) <= 0:
            assert text == ""
            continue
        number, *values = map(float, text.split())
        assert number == 0 and all(0 <= value <= 1 for value in values)
        cx, cy, w, h = np.array(values) * [WIDTH, HEIGHT, WIDTH, HEIGHT]
        assert near((cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2), (x0, y0, x1, y1))


@relaxed
@given(trajectories(targets=[1]), st.sampled_from(["otb", "got10k", "lasot", "trackingnet"]))
def test_benchmark_files_come_back(tmp_path_factory, trajectory, format):
    folder = tmp_path_factory.mktemp(format)
    write_files(with_paths(convert(trajectory, format), file=None, folder=folder), overwrite=False)
    key = {"otb": "otb2015", "got10k": "got10k-val"}.get(format, format)
    truth = np.array([p.box for p in trajectory.points])
    track = read_output(folder, find_spec(key), Sequence("clip", truth))
    assert near(track.boxes, truth, 0.006)


def test_where_pixels_count_from():
    point = TrackPoint(0, 0.0, Box(10, 20, 30, 40), 1.0, "init")
    trajectory = Trajectory(TrackHeader(SourceInfo("clip", (WIDTH, HEIGHT)), "", "", ""), (point,), True)
    starts = {format: only(convert(trajectory, format)).split(",")[0] for format in ("otb", "got10k")}
    assert {format: float(x) for format, x in starts.items()} == {"otb": 11, "got10k": 10}
    assert only(convert(trajectory, "mot")).startswith("1,1,11.000,21.000,30.000,40.000,")


@relaxed
@given(trajectories(targets=[1]))
def test_vot_run_comes_back(tmp_path_factory, trajectory):
    folder = tmp_path_factory.mktemp("vot")
    write_files(with_paths(convert(trajectory, "vot"), file=None, folder=folder), overwrite=False)
    truth = np.array([p.box for p in trajectory.points])
    (run,) = read_runs(folder, find_spec("vot2018"), Sequence("clip", truth))
    assert run.codes.tolist()[0] == 1
    corners = run.regions[1:].reshape(-1, 4, 2)
    assert near(corners.min(axis=1), truth[1:, :2])
    assert near(np.ptp(corners, axis=1) + 1, truth[1:, 2:])  # polygons join pixel centres


@relaxed
@given(trajectories(), st.booleans())
def test_webvtt_with_a_reader(tmp_path_factory, trajectory, drop_lost):
    reader = pytest.importorskip("webvtt", reason="webvtt-py is not installed")
    path = tmp_path_factory.mktemp("vtt") / "a.vtt"
    path.write_text(only(convert(trajectory, "webvtt", drop_lost=drop_lost)))
    found = {}
    for caption in reader.read(path):
        for box in json.loads(caption.text):
            assert caption.start_in_seconds == int(box["frame"] / 25)
            assert caption.end > caption.start
            found[box["frame"], box["target"]] = box
    expected = seen(trajectory, drop_lost)
    assert found.keys() == expected.keys()
    for key, point in expected.items():
        assert near([found[key][side] for side in "xywh"], point.box)
        assert (found[key]["score"], found[key]["state"]) == (point.score, point.state)


def test_several_targets_are_several_sequences():
    labels = ("player 7", None, "player 7")
    points = tuple(TrackPoint(0, 0.0, Box(t, t, 5, 5), 1.0, "init", t) for t in (1, 2, 3))
    header = TrackHeader(SourceInfo("clip", (WIDTH, HEIGHT)), "", "", "", labels=labels)
    files = convert(Trajectory(header, points, True), "lasot")
    assert list(files) == ["clip_player_7.txt", "clip_target_2.txt", "clip_player_7_3.txt"]


@pytest.mark.parametrize(
    ("format", "indices", "says"),
    [
        ("otb", (0, 2), "no point between frames 0 and 2"),
        ("coco", (0,), "how large its frames are"),
        ("webvtt", (0,), "neither times nor a frame rate"),
        ("yolo", (), "how large"),
        ("otb", (), "no point"),
    ],
)
def test_what_cannot_be_said_is_refused(format, indices, says):
    points = tuple(TrackPoint(i, None, Box(1, 2, 3, 4), 1.0, "tracked") for i in indices)
    with pytest.raises(InputError, match=says):
        convert(Trajectory(TrackHeader(SourceInfo("clip"), "", "", ""), points, True), format)


@relaxed
@given(trajectories(), st.booleans())
def test_run_writes_the_same_mot_lines(tmp_path_factory, trajectory, drop_lost):
    path = tmp_path_factory.mktemp("mot") / "a.txt"
    with open_text(str(path), trajectory.header, overwrite=False, drop_lost=drop_lost) as writer:
        for index in range(max(p.index for p in trajectory.points) + 1):
            writer.write([p for p in trajectory.points if p.index == index])
    assert path.read_text() == only(convert(trajectory, "mot", drop_lost=drop_lost))


def test_benchmark_files_drop_no_frame():
    header = TrackHeader(SourceInfo("clip", (WIDTH, HEIGHT)), "", "", "")
    points = tuple(TrackPoint(i, None, Box(1, 2, 3, 4), 1.0, "lost") for i in range(2))
    with pytest.raises(InputError, match="a line for every frame") as refused:
        convert(Trajectory(header, points, True), "otb", drop_lost=True)
    assert refused.value.hint == "leave out --drop-lost"


def test_files_are_not_replaced_unasked(tmp_path):
    files = {"a/b.txt": "1", "c.txt": "2"}
    texts = with_paths(files, file=None, folder=tmp_path)
    write_files(texts, overwrite=False)
    (tmp_path / "a/b.txt").unlink()
    with pytest.raises(OutputError, match=r"c\.txt exists"):
        write_files(texts, overwrite=False)
    assert not (tmp_path / "a/b.txt").exists()
    with pytest.raises(InputError, match="2 files"):
        with_paths(files, file=tmp_path / "one", folder=Path())


def images(files, indices):
    """A trajectory of one target in some of the images of a folder."""
    source = SourceInfo("gap", (WIDTH, HEIGHT), count=len(files), files=files)
    points = tuple(TrackPoint(i, None, Box(10 + i, 20, 30, 40), 0.5, "tracked") for i in indices)
    return Trajectory(TrackHeader(source, "m", "", "1"), points, complete=True)


GAP = ("img_1000.png", "img_1001.png", "img_1004.png", "sub/img 1005.JPG")


def test_exports_name_the_images_themselves():
    trajectory = images(GAP, (0, 2, 3))
    document = json.loads(only(convert(trajectory, "coco")))
    assert [image["file_name"] for image in document["images"]] == [GAP[0], GAP[2], GAP[3]]
    assert set(convert(trajectory, "yolo")) == {
        "labels/img_1000.txt",
        "labels/img_1004.txt",
        "labels/sub/img 1005.txt",
        "classes.txt",
    }
    root = ElementTree.fromstring(only(convert(trajectory, "cvat")))
    assert root.findtext("meta/task/mode") == "annotation" and root.find("track") is None
    found = {image.get("name"): image.find("box").get("xtl") for image in root.iterfind("image")}
    assert found == {GAP[0]: "10.000", GAP[2]: "12.000", GAP[3]: "13.000"}
    assert [image.get("id") for image in root.iterfind("image")] == ["0", "2", "3"]


def test_yolo_cannot_label_two_images_of_one_stem():
    with pytest.raises(InputError, match="two images have one name but for the suffix"):
        convert(images(("a.png", "a.jpg"), (0, 1)), "yolo")


def test_more_frames_than_images_are_refused():
    with pytest.raises(InputError, match="gap: frame 4 of 4 images"):
        convert(images(GAP, (4,)), "coco")


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", ["../out", "/out", "..\\out", "one\ntwo", "one\0two", "a\ud800b", "..", ""])
def test_a_name_in_a_trajectory_does_not_choose_the_folder(tmp_path, format, name):
    points = tuple(TrackPoint(i, i / 25, Box(1, 2, 30, 40), 0.5, "init", 1) for i in range(2))
    source = SourceInfo(name, (WIDTH, HEIGHT), Fraction(25), 2)
    folder = tmp_path / "asked" / "for"
    texts = convert(Trajectory(TrackHeader(source, "m", "", "1"), points, complete=True), format)
    write_files(with_paths(texts, file=None, folder=folder), overwrite=False)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert written and all(folder in path.parents and str(path).isprintable() for path in written)
