"""Round trips: what other programs corrected comes back; and few key frames say the same."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from xml.etree import ElementTree

import clips
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from siamcli.boxes import Box
from siamcli.errors import InputError
from siamcli.formats.coco import dataset
from siamcli.formats.datasets import class_list, make_clips
from siamcli.formats.files import convert, read_trajectory, write_trajectory
from siamcli.formats.keyframes import key_frames
from siamcli.formats.starts import read_starts
from siamcli.formats.tracks import between, read_each
from siamcli.frames import SourceInfo
from siamcli.trajectory import NO_BOX, TrackHeader, TrackPoint, Trajectory

SIZE = (640, 360)
RATE = Fraction(25)
ABSENT = "1 target is absent for some frames, which is not read from a box file: give --absent, too"
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


def read_one(path, kind: str | None = None, info: SourceInfo | None = None) -> Trajectory:
    """The only trajectory of a file."""
    (one,) = read_each(path, kind, lambda name: (info, None)).values()
    return one


def back(tmp_path, kind: str, original: Trajectory, **options) -> Trajectory:
    """Out to a format, and in again by what is in the file."""
    (text,) = convert(original, kind, options=options).values()
    file = tmp_path / f"task{SUFFIXES[kind]}"
    file.write_text(text, encoding="utf-8")
    return read_one(file, None, SourceInfo("clip", SIZE, RATE) if kind in ("mot", "labelstudio") else None)


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


@pytest.mark.parametrize("keyframes", [None, 2.0])
def test_absences_at_both_ends_come_back_from_cvat(tmp_path, keyframes):
    """The target has no box of its own there, and none follows the last of them."""
    states = [*["absent"] * 3, "init", *["tracked"] * 3, *["absent"] * 5]
    read = back(tmp_path, "cvat", trajectory(states), keyframes=keyframes)
    assert [point.state for point in read.points if point.target == 1] == states


def test_a_score_of_0_in_mot_is_no_row_that_does_not_count(tmp_path):
    original = trajectory()
    lost = tuple(replace(point, score=0.00001, state="lost") for point in original.points[1:3])
    read = back(tmp_path, "mot", replace(original, points=(original.points[0], *lost)))
    assert [(point.index, point.score) for point in read.points] == [(0, 0.75), (1, 0.0001), (2, 0.0001)]


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
    found = [p for p in read.points if p.state not in ("init", "absent")]
    assert {p.source for p in found} == {"forward", "interpolated"}


@pytest.mark.parametrize("kind", ["cvat", "coco", "labelstudio"])
def test_targets_without_a_label_have_none_again(tmp_path, kind):
    original = trajectory()
    read = back(tmp_path, kind, replace(original, header=replace(original.header, labels=(None, "bug"))))
    assert read.header.labels == (None, "bug")


def test_targets_of_one_label_in_images_of_cvat_stay_apart(tmp_path):
    """The second one took the place of the first where that is absent."""
    original = trajectory()
    source = SourceInfo("clip", SIZE, None, 12, files=tuple(f"{i}.png" for i in range(12)))
    header = replace(original.header, source=source, labels=("bug", "bug"))
    read = back(tmp_path, "cvat", replace(original, header=header))
    seen = {(p.index, p.target): p.box for p in original.points if p.has_box}
    assert {(p.index, p.target) for p in read.points} == seen.keys()
    assert all(p.box == pytest.approx(seen[p.index, p.target], abs=0.01) for p in read.points)
    starts = read_starts(tmp_path / "task.xml", "cvat")
    assert [start.at.frame for start in starts] == [0, 2]


def test_a_box_drawn_beside_numbered_ones_in_images_of_cvat_is_one_target(tmp_path):
    """It was another one where a numbered box of its label is in the image, too."""
    box = '<box label="bug" xtl="{0}" ytl="1" xbr="{1}" ybr="9">{2}</box>'
    drawn, tracked = box.format(50, 60, ""), box.format(1, 9, '<attribute name="track_id">1</attribute>')
    both = "".join(
        f'<image id="{i}" name="{i}.png" width="96" height="64">{boxes}</image>'
        for i, boxes in enumerate((tracked + drawn, drawn))
    )
    (tmp_path / "task.xml").write_text(f"<annotations><version>1.1</version>{both}</annotations>")
    points = read_one(tmp_path / "task.xml").points
    assert [(p.index, p.target, p.box.x) for p in points] == [(0, 1, 1), (0, 2, 50), (1, 2, 50)]


@pytest.mark.parametrize("keyframes", [None, 200.0])
def test_what_a_human_gave_is_a_key_frame_of_cvat(tmp_path, keyframes):
    original = trajectory(["init", *["tracked"] * 3, "init", *["tracked"] * 4])
    points = tuple(
        replace(p, source="human" if p.state == "init" else "forward", score=1.0) for p in original.points
    )
    read = back(tmp_path, "cvat", replace(original, points=points), keyframes=keyframes)
    assert [(p.index, p.target) for p in read.points if p.source == "human"] == [(0, 1), (4, 1)]


def test_of_two_people_s_annotations_it_is_said_that_one_is_read(tmp_path, caplog):
    (task,) = json.loads(convert(trajectory(), "labelstudio")["clip.labelstudio.json"])
    results = [{"result": task["predictions"][0]["result"][:n]} for n in (1, 2)]
    (tmp_path / "a.json").write_text(json.dumps({**task, "annotations": results}))
    assert read_one(tmp_path / "a.json", None, SourceInfo("clip", SIZE, RATE)).header.labels == ("bug",)
    assert caplog.messages == ["clip: the first of 2 annotations is read"]


def test_what_was_predicted_is_no_box_of_a_human_in_label_studio(tmp_path):
    (text,) = convert(trajectory(), "labelstudio").values()
    info = SourceInfo("clip", SIZE, RATE)

    def given(task) -> set[int]:
        (tmp_path / "a.json").write_text(json.dumps(task))
        points = read_one(tmp_path / "a.json", None, info).points
        return {p.target for p in points if p.source == "human" and p.has_box}

    (task,) = json.loads(text)
    assert given(task) == set()
    result = task["predictions"][0]["result"]
    result[1]["origin"] = "prediction-changed"
    assert given({**task, "annotations": [{"result": result}]}) == {2}
    del result[0]["origin"]
    assert given({**task, "annotations": [{"result": result}]}) == {1, 2}


@pytest.mark.parametrize(
    ("confidence", "score", "source"),
    [("1", 1, "human"), ("0.5", 0.5, "forward"), ("87.5", 1, "forward"), ("-1", 1, "forward")],
)
def test_a_confidence_of_mot_other_than_1_is_no_human_s(tmp_path, confidence, score, source):
    (tmp_path / "a.txt").write_text(f"1,1,11,21,30,40,{confidence},-1,-1,-1\n")
    (point,) = read_one(tmp_path / "a.txt", "mot").points
    assert (point.score, point.source, point.box) == (score, source, (10, 20, 30, 40))


@pytest.mark.parametrize("score", ["87.5", "-3", "NaN"])
def test_a_score_that_is_no_share_of_1_is_none(tmp_path, score):
    """One that is no number made a file that could not be read."""
    (tmp_path / "a.xml").write_text(convert(trajectory(), "cvat")["clip.cvat.xml"].replace("0.7500", score))
    document = json.loads(convert(trajectory(), "coco")["clip.coco.json"])
    (tmp_path / "a.json").write_text(json.dumps(document).replace('"score": 0.75', f'"score": {score}'))
    for name in ("a.xml", "a.json"):
        scores = {p.score for p in read_one(tmp_path / name).points if p.target == 1 and p.has_box}
        assert scores == {1.0}


def test_boxes_of_images_of_several_sizes_are_in_pixels_of_the_first(tmp_path):
    """As such images are tracked and shown."""
    sizes = [(640, 360), (320, 180)]
    boxes = [[10, 20, 30, 40], [5, 10, 15, 20]]
    images = [{"id": i, "file_name": f"{i}.png", "width": w, "height": h} for i, (w, h) in enumerate(sizes)]
    found = [{"image_id": i, "bbox": box, "track_id": 1} for i, box in enumerate(boxes)]
    (tmp_path / "a.json").write_text(json.dumps({"images": images[::-1], "annotations": found}))
    text = "".join(
        f'<image id="{i}" name="{i}.png" width="{w}" height="{h}"><box label="bug" xtl="{x}" ytl="{y}"'
        f' xbr="{x + a}" ybr="{y + b}"/></image>'
        for i, ((w, h), (x, y, a, b)) in enumerate(zip(sizes, boxes, strict=True))
    )
    (tmp_path / "a.xml").write_text(f"<annotations>{text}</annotations>")
    for name in ("a.json", "a.xml"):
        read = read_one(tmp_path / name)
        assert read.header.source.size == (640, 360)
        assert [p.box for p in read.points] == [(10, 20, 30, 40)] * 2


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('xtl="10.000"', "", "track 0, frame 0: no 'xtl'"),
        ('xtl="10.000"', 'xtl="ten"', "track 0, frame 0: could not convert string to float: 'ten'"),
        ('frame="0"', 'frame="first"', "track 0: a box of frame 'first'"),
        ('frame="0"', "", "track 0: a box of frame None"),
    ],
)
def test_a_slip_in_a_file_of_cvat_is_found(tmp_path, old, new, says):
    (text,) = convert(trajectory(), "cvat").values()
    (tmp_path / "a.xml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError, match=rf"a\.xml is not a cvat file: {says}$"):
        read_one(tmp_path / "a.xml")


@pytest.mark.parametrize("kind", ["cvat", "coco", "mot"])
def test_what_was_given_comes_back_as_given(tmp_path, kind):
    """`fix` keeps it, and tracks the rest again."""
    original = trajectory()
    first = replace(original.points[0], score=1.0)
    read = back(tmp_path, kind, replace(original, points=(first, *original.points[1:])))
    given = {(p.index, p.target) for p in read.points if p.source == "human"}
    assert given == {(0, 1)} | ({(5, 1), (6, 1)} if kind == "cvat" else set())


def test_between_key_frames_nothing_is_given_or_found_again(tmp_path):
    original = trajectory(["init", *["tracked"] * 4, *["lost"] * 2, "found", *["tracked"] * 4])
    read = back(tmp_path, "cvat", original, keyframes=200.0)
    between_keys = [p for p in read.points if p.source == "interpolated"]
    assert len(between_keys) > 6 and {p.state for p in between_keys} == {"tracked"}
    assert [p.index for p in read.points if p.state in ("init", "found")] == [0, 7]


def test_what_a_human_changed_is_said_to_be_so(tmp_path):
    (text,) = convert(trajectory(), "cvat").values()
    (tmp_path / "a.xml").write_text(text.replace('source="auto"', 'source="manual"'), encoding="utf-8")
    assert {p.source for p in read_one(tmp_path / "a.xml").points if p.state != "absent"} == {"human"}


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
    read = read_one(tmp_path / "a.json", None, SourceInfo("clip", SIZE))
    assert read.header.labels == ("ant",) and read.header.source.fps == 25
    assert [round(p.box.x) for p in read.points if p.has_box] == [64, 80, 96, 112, 128, 320, 320, 320]
    assert [p.index for p in read.points if p.state == "absent"] == [5, 6]


@pytest.mark.parametrize(
    ("enabled", "frame", "count", "boxes", "absent"),
    [
        (False, 3, None, range(3), range(3, 8)),  # away up to the end
        (True, 3, None, range(8), range(0)),  # shown up to the end
        (True, 3, 7, range(7), range(0)),  # of the video, whose length is only estimated in a browser
        (False, 8, None, range(8), range(0)),
        (False, 8, 8, range(8), range(0)),
    ],
)
def test_the_last_key_of_labelstudio_holds_up_to_the_end(tmp_path, enabled, frame, count, boxes, absent):
    """An absence at the end was one frame long, and a box that stays where it is, too."""
    box = {"x": 10, "y": 10, "width": 10, "height": 20, "rotation": 0}
    keys = [{"frame": 1, "enabled": True, **box}, {"frame": frame, "enabled": enabled, **box}]
    value = {"framesCount": 8, "duration": 0.32, "labels": ["ant"], "sequence": keys}
    result = [{"id": "x", "type": "videorectangle", "value": value}]
    task = {"data": {"video": "clip.mp4"}, "annotations": [{"result": result}]}
    (tmp_path / "a.json").write_text(json.dumps([task]))
    read = read_one(tmp_path / "a.json", None, SourceInfo("clip", SIZE, RATE, count))
    assert [p.index for p in read.points if p.state != "absent"] == list(boxes)
    assert [p.index for p in read.points if p.state == "absent"] == list(absent)
    assert all(p.source == ("interpolated" if enabled else "human") for p in read.points if p.index >= frame)


def test_an_absence_at_the_end_comes_back_from_labelstudio(tmp_path):
    original = trajectory(["init", *["tracked"] * 3, *["absent"] * 4])
    read = back(tmp_path, "labelstudio", original)
    absent = {(p.index, p.target) for p in original.points if p.state == "absent"}
    assert {(p.index, p.target) for p in read.points if p.state == "absent"} == absent


def test_labelstudio_says_times_of_a_video_with_pauses(tmp_path):
    """Its frame 8 at 25 a second is picture 5 of this video: the boxes moved to other pictures, or were
    refused."""
    times = {0: 0.0, 1: 0.04, 2: 0.08, 3: 0.2, 4: 0.24, 5: 0.28, 6: 0.32, 7: 0.52}
    original = trajectory(["init", "tracked", "tracked", "tracked", "absent", "tracked", "tracked", "absent"])
    points = tuple(replace(point, time=times[point.index]) for point in original.points)
    (text,) = convert(replace(original, points=points), "labelstudio").values()
    info = SourceInfo("clip", SIZE, RATE, len(times))

    def read() -> dict[tuple[int, int], tuple[float | None, str, tuple[float, ...]]]:
        (tmp_path / "a.json").write_text(text, encoding="utf-8")
        (one,) = read_each(tmp_path / "a.json", None, lambda name: (info, times)).values()
        return {(p.index, p.target): (p.time, p.state, tuple(p.box)) for p in one.points}

    found = read()
    for point in points:
        time, state, box = found.pop((point.index, point.target))
        assert time == point.time and (state == "absent") == (point.state == "absent")
        assert state == "absent" or box == pytest.approx(tuple(point.box), abs=0.01)
    assert not found
    task = json.loads(text)
    keys = task[0]["predictions"][0]["result"][0]["value"]["sequence"]
    keys.append({**keys[2], "frame": 5, "x": 50, "enabled": True})  # drawn while picture 2 is still shown
    text = json.dumps(task)
    assert read()[2, 1][2][0] == SIZE[0] / 2
    keys.append({**keys[2], "frame": 60})
    text = json.dumps(task)
    with pytest.raises(InputError, match="goes on after the end of the video"):
        read()


def test_boxes_of_another_video_are_refused(tmp_path):
    (text,) = convert(trajectory(), "cvat").values()
    (tmp_path / "a.xml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"the frames of .*a\.xml are 640x360, not 160x120"):
        read_one(tmp_path / "a.xml", None, SourceInfo("other", (160, 120), RATE))


def test_a_trajectory_of_images_is_given_their_rate(tmp_path):
    header = TrackHeader(SourceInfo("images", SIZE), "m", "", "1")
    known = Trajectory(header, (TrackPoint(0, None, Box(1, 2, 3, 4), 1.0, "init"),), complete=True)
    write_trajectory(known, tmp_path / "a.json")
    read = read_one(tmp_path / "a.json", None, SourceInfo("a", None, RATE))
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
        read = read_one(tmp_path / "a.json")
        assert read.header.labels == ("bug", "bug", "leaf")
        assert read.header.source.files == ("f9.jpg", "f10.jpg")
        assert [(p.index, p.target, p.box.x) for p in read.points] == [
            (0, 1, 10),
            (0, 2, 20),
            (1, 1, 30),
            (1, 3, 5),
        ]


sides = st.floats(1, 170).map(lambda v: round(v, 3))
tracked = st.builds(Box, sides, sides, sides, sides)
one_clip = st.lists(st.lists(tracked | st.none(), min_size=1, max_size=8), min_size=1, max_size=3)


def made(rows: list[list[Box | None]], name: str = "clip") -> Trajectory:
    """A target per row, without a point where the row has no box."""
    points = [
        TrackPoint(i, i / 25, box, 0.5, "tracked", target)
        for target, row in enumerate(rows, start=1)
        for i, box in enumerate(row)
        if box is not None
    ]
    points.sort(key=lambda point: (point.index, point.target))
    labels = tuple(f"bug {n}" for n in range(1, len(rows) + 1))
    header = TrackHeader(SourceInfo(name, SIZE, RATE, 8), "m", "", "1", labels=labels)
    return Trajectory(header, tuple(points), complete=True)


def boxes_of(trajectory: Trajectory) -> dict[tuple[int, str | None], Box]:
    """By frame and label: a target that is never seen leaves no number free."""
    return {(p.index, trajectory.header.labels[p.target - 1]): p.box for p in trajectory.points if p.has_box}


@pytest.mark.parametrize("kind", SUFFIXES)
@settings(max_examples=25)
@given(rows=one_clip)
def test_every_box_comes_back(tmp_path_factory, kind, rows):
    """Of any targets that begin, pause and end anywhere."""
    original = made(rows)
    assume(original.points)
    read = back(tmp_path_factory.mktemp("trip"), kind, original)
    # targets keep their order, also where a later one begins first; MOT has no labels
    seen = sorted({point.target for point in original.points})
    labels = tuple(original.header.labels[target - 1] for target in seen)
    assert kind == "mot" or read.header.labels == labels
    read = replace(read, header=replace(read.header, labels=labels))
    there, found = boxes_of(original), boxes_of(read)
    assert found.keys() >= there.keys()
    for key, box in there.items():
        assert found[key] == pytest.approx(box, abs=0.01), key
    # nothing is added but what tools draw between two boxes
    assert found.keys() == there.keys() or kind in ("cvat", "labelstudio")


def test_names_of_videos_with_dots_come_back(tmp_path):
    """A date is no suffix: two clips of one month had one name."""
    named = [(name, made([[Box(1, 2, 3, 4)]], name)) for name in ("2024.05.01", "2024.05.02")]
    clips_of = make_clips(named, every=1, held_back=0, drop_lost=False)
    (text,) = dataset(clips_of, class_list(clips_of)).values()
    (tmp_path / "a.json").write_text(text)
    assert list(read_each(tmp_path / "a.json", None, lambda name: (None, None))) == [
        "2024.05.01",
        "2024.05.02",
    ]
    tasks = [json.loads(text)[0] for _, one in named for text in convert(one, "labelstudio").values()]
    (tmp_path / "b.json").write_text(json.dumps(tasks))
    read = read_each(tmp_path / "b.json", None, lambda name: (SourceInfo(name, SIZE, RATE), None))
    assert list(read) == ["2024.05.01", "2024.05.02"]


@settings(max_examples=25)
@given(clips_of=st.lists(one_clip, min_size=2, max_size=4))
def test_several_videos_of_coco_come_back(tmp_path_factory, clips_of):
    trajectories = [made(rows, f"clip{n}") for n, rows in enumerate(clips_of)]
    assume(all(one.points for one in trajectories))
    made_clips = make_clips(
        [(one.header.source.name, one) for one in trajectories], every=1, held_back=0, drop_lost=False
    )
    ((_, text),) = dataset(made_clips, class_list(made_clips)).items()
    path = tmp_path_factory.mktemp("trip") / "a.json"
    path.write_text(text)
    read = read_each(path, None, lambda name: (None, None))
    assert list(read) == [one.header.source.name for one in trajectories]
    for original, again in zip(trajectories, read.values(), strict=True):
        assert again.header.source.name == original.header.source.name
        assert again.header.source.size == SIZE
        assert boxes_of(again) == {k: pytest.approx(b, abs=0.01) for k, b in boxes_of(original).items()}
    with pytest.raises(InputError, match=f"holds {len(read)} videos$"):
        read_starts(path, "coco")


def project(times: list[float]) -> dict:
    """A project of VIA 3: two videos and two images; regions of other shapes, and a stretch of time."""

    def region(view, z, x, values, shape=2):
        return {"vid": view, "flg": 0, "z": z, "xy": [shape, x, 2, 30, 40], "av": values}

    return {
        "project": {"pid": "x", "data_format_version": "3.1.1", "vid_list": ["1", "2", "3", "4"]},
        "config": {"ui": {"spatial_region_label_attribute_id": ""}},
        "attribute": {
            "1": {"aname": "Object", "anchor_id": "FILE1_Z1_XY1", "type": 4, "options": {"0": "bug"}},
            "2": {"aname": "id", "anchor_id": "FILE1_Z1_XY1", "type": 1, "options": {}},
            "3": {"aname": "activity", "anchor_id": "FILE1_Z2_XY0", "type": 1, "options": {}},
        },
        "file": {
            "1": {"fid": "1", "fname": "one.mp4", "type": 4, "loc": 1, "src": ""},
            "2": {"fid": "2", "fname": "two.mp4", "type": 4, "loc": 1, "src": ""},
            "3": {"fid": "3", "fname": "b.jpg", "type": 2, "loc": 1, "src": ""},
            "4": {"fid": "4", "fname": "a.jpg", "type": 2, "loc": 1, "src": ""},
        },
        "metadata": {
            **{f"m{i}": region("1", [t], 10 + i, {"1": "0", "2": "7"}) for i, t in enumerate(times)},
            "a": region("2", [0.5], 50, {"1": "0"}),
            "b": region("2", [0.5], 60, {"1": "0"}),
            "c": region("2", [0.5], 60, {"1": "0"}, shape=3),
            "d": {"vid": "1", "flg": 0, "z": [0.1, 2.5], "xy": [], "av": {"3": "walks"}},
            "e": region("3", [], 5, {"1": "0"}),
            "f": region("4", [], 6, {"1": "0"}),
        },
        "view": {n: {"fid_list": [n]} for n in ("1", "2", "3", "4")},
    }


def test_via_3(tmp_path):
    # as VIA writes them: with three digits, at a frame's beginning or in its middle
    times = [round(i / 25 + more, 3) for i, more in ((0, 0), (1, 0.02), (2, 0.035), (50, 0))]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(project(times)))
    read = read_each(path, None, lambda name: (SourceInfo(name, None, RATE), None))
    assert list(read) == ["images", "one", "two"]
    one, two, images = read["one"], read["two"], read["images"]
    assert [(p.index, p.box.x) for p in one.points] == [(0, 10), (1, 11), (2, 12), (50, 13)]
    assert one.header.labels == ("bug",) and {p.source for p in one.points} == {"human"}
    assert [(p.index, p.target, p.box.x) for p in two.points] == [(12, 1, 50), (12, 2, 60)]
    assert images.header.source.files == ("b.jpg", "a.jpg")
    assert [(p.index, p.box.x, p.time) for p in images.points] == [(0, 5, 0.0), (1, 6, 0.04)]
    with pytest.raises(InputError, match="gives times but no frame numbers"):
        read_each(path, None, lambda name: (None, None))


@settings(max_examples=40)
@given(st.integers(0, 900), st.sampled_from([Fraction(24000, 1001), RATE, Fraction(60)]), st.floats(0, 0.9))
def test_a_time_of_via_3_is_the_frame_that_is_shown_then(tmp_path_factory, frame, rate, later):
    path = tmp_path_factory.mktemp("via") / "a.json"
    path.write_text(json.dumps(project([round(float((frame + later) / rate), 3)])))
    info, times = SourceInfo("", None, rate), {i: float(i / rate) for i in range(frame + 3)}
    for known in ((info, None), (info, times)):
        read = read_each(path, None, lambda name: known)  # noqa: B023 - called at once
        assert [p.index for p in read["one"].points] == [frame]


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


def test_convert_takes_several_videos_apart(siamtrack, tmp_path):
    for name in ("one", "two"):
        write_trajectory(made([[Box(1, 2, 30, 40), Box(2, 3, 30, 40)]], name), tmp_path / f"{name}.json")
    many = siamtrack("convert", "one.json", "two.json", "--to", "coco", "-o", "data/", "--val", "0%")
    assert many.code == 0, many.err
    data = "data/annotations/instances_train.json"
    done = siamtrack("convert", data, "--to", "siamtrack", "-o", "again/")
    assert (done.code, done.out) == (0, "again/one.json\nagain/two.json\n"), done.err
    for name in ("one", "two"):
        assert boxes_of(read_trajectory(tmp_path / "again" / f"{name}.json")) == {
            (i, "bug 1"): Box(1 + i, 2 + i, 30, 40) for i in (0, 1)
        }
    for words, message in (
        (("--to", "siamtrack", "-o", "all.json"), "2 files do not fit into all.json"),
        (("--to", "siamtrack", "-o", "-"), "2 files do not fit into -"),
        (("--to", "siamtrack", "-o", "again/"), "again/one.json exists"),
        (("--to", "siamtrack", "-o", "more/", "--video", "one.json"), "--video names one"),
        (("--to", "siamtrack", "-o", "more/", "--video", "again/"), "one: its video is not there"),
    ):
        done = siamtrack("convert", data, *words)
        assert done.code in (3, 8) and message in done.err.replace("\n", " "), done.err
    assert not (tmp_path / "more").exists() and not (tmp_path / "all.json").exists()
    done = siamtrack("convert", data, "--to", "yolo", "-o", "yolo/", "--val", "0%")
    assert done.code == 0 and len(list((tmp_path / "yolo" / "labels" / "train").iterdir())) == 4, done.err


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


def _far_track(frame: int) -> str:
    """A track of CVAT with a box in frame 0 and one in `frame`."""
    box = '<box frame="{}" outside="0" occluded="0" keyframe="1" xtl="1" ytl="1" xbr="9" ybr="9"/>'
    return f'<annotations><track id="0" label="a">{box.format(0)}{box.format(frame)}</track></annotations>'


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.xml", "<annotations/>", "no box in a.xml"),
        ("a.xml", "<oops", "a.xml is not a cvat file: not XML"),
        ("a.txt", "1,1,2,3,4\n", "a.txt is not a mot file: line 1"),
        ("a.txt", "1,1,2,3,1e308,4\n", "of track 1 in frame 0 is not a box"),
        ("a.txt", "99999999999,1,2,3,4,5\n", "frame 99999999998 of track 1"),
        ("a.txt", "1,1,2,3,4,5,1\n1,1,2,3,4,5,1\n", "twice in frame 0"),
        (
            "a.xml",
            _far_track(2_000_000_000),
            "a.xml is not a cvat file: its boxes reach through 2000000001 frames",
        ),
        ("a.json", '[{"data": {}, "predictions": []}]', "no box in a.json"),
        ("a.json", '[{"data": {}, "predictions": 3}]', "a.json is not a labelstudio file"),
        ("a.json", '{"images": [], "annotations": []}', "no box in a.json"),
        ("a.json", '{"b": 1}', "a.json"),
        ("a.doc", "", "not a trajectory"),
    ],
)
def test_bad_files_are_named(siamtrack, tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    done = siamtrack("convert", name, "--to", "siamtrack", "-o", "b.json")
    assert done.code == 3 and message in done.err, done.err
    assert not (tmp_path / "b.json").exists()


def test_convert_refuses_options_of_another_format(siamtrack, tmp_path):
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


def test_a_label_of_two_lines_becomes_one(tmp_path):
    document = {
        "images": [{"id": 1, "file_name": "a.png", "width": 96, "height": 64}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}],
        "categories": [{"id": 1, "name": "ball\nred\x01\uffff"}],
    }
    (tmp_path / "a.json").write_text(json.dumps(document))
    assert read_one(tmp_path / "a.json", "coco").header.labels == ("ball red",)


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


def cvat_project(of_images: bool = False) -> str:
    """As CVAT dumps a project: every track and image names its task, and frames count from 0 in each."""

    def box(left: int, more: str) -> str:
        return f'<box {more} occluded="0" xtl="{left}" ytl="2" xbr="{left + 30}" ybr="42" z_order="0"/>'

    if of_images:
        parts = [
            f'<image id="{i}" name="{name}{i}.png" subset="" task_id="{task}" width="96" height="{height}">'
            + box(left + i, 'label="bug" source="manual"')
            + "</image>"
            for task, name, left, height in ((7, "a", 1, 64), (9, "b", 50, 72))
            for i in (0, 1)
        ]
    else:
        parts = [
            f'<track id="{number}" label="bug" source="manual" task_id="{task}" subset="default">'
            + "".join(box(left + i, f'frame="{i}" keyframe="1" outside="0"') for i in (0, 1))
            + "</track>"
            for number, (task, left) in enumerate(((7, 1), (9, 50)))
        ]
    tasks = "".join(
        f"<task><id>{id}</id><name>{name}</name><size>2</size></task>"
        for id, name in ((7, "one.mp4"), (8, "empty.mp4"), (9, "day 1.2"))
    )
    meta = f"<meta><project><id>1</id><name>p</name><tasks>{tasks}</tasks></project></meta>"
    return f"<annotations><version>1.1</version>{meta}{''.join(parts)}</annotations>"


@pytest.mark.parametrize(
    ("states", "says"),
    [
        (None, True),
        ([*["tracked"] * 4, *["absent"] * 3], True),  # it does not come back
        ([*["absent"] * 3, *["tracked"] * 4], False),  # it begins later
        ([*["tracked"] * 4, *["lost"] * 3, *["found"] * 3], False),
        (["tracked"] * 4, False),
    ],
)
def test_a_box_file_of_cvat_says_that_its_absences_are_not_read(tmp_path, caplog, states, says):
    path = tmp_path / "a.xml"
    (text,) = convert(trajectory(states), "cvat").values()
    path.write_text(text)
    assert [target.label for target in read_starts(path, "cvat")] == ["bug", "läufer"]
    assert caplog.messages == [f"{path}: {ABSENT}"] * says


@pytest.mark.parametrize("of_images", [False, True])
def test_the_tasks_of_a_cvat_project_are_videos_of_their_own(tmp_path, of_images):
    path = tmp_path / "p.xml"
    path.write_text(cvat_project(of_images))
    read = read_each(path, None, lambda name: (None, None))
    assert list(read) == ["one", "day 1.2"]
    for left, one in zip((1, 50), read.values(), strict=True):
        assert one.header.labels == ("bug",)
        assert [(p.index, p.target, p.box) for p in one.points] == [
            (i, 1, Box(left + i, 2, 30, 40)) for i in (0, 1)
        ]
    if of_images:
        one, two = (clip.header.source for clip in read.values())
        assert (one.size, two.size) == ((96, 64), (96, 72))
        assert (one.files, two.files) == (("a0.png", "a1.png"), ("b0.png", "b1.png"))
    with pytest.raises(InputError, match=r"holds 2 tasks$"):
        read_starts(path, "cvat")
    path.write_text(re.sub(r' task_id="\d"', "", cvat_project(of_images)))
    for reads in (read_one, lambda path: read_starts(path, "cvat")):
        with pytest.raises(InputError, match="3 tasks, but no track or image names its task"):
            reads(path)
    path.write_text(re.sub(r"<meta>.*</meta>", "", re.sub(r' task_id="\d"', "", cvat_project(of_images))))
    if of_images:
        with pytest.raises(InputError, match="image 0 appears twice"):
            read_one(path)


def test_boxes_that_are_turned_become_upright(tmp_path):
    """CVAT turns about the centre, Label Studio about the left upper corner, in pixels."""
    sides = 'xtl="20" ytl="30" xbr="56" ybr="60" rotation="90"'
    track = f'<track id="0" label="a"><box frame="0" {sides}/><points frame="0" points="1,2"/></track>'
    key = {"frame": 1, "enabled": True, "rotation": 90, "x": 12.5, "y": 25, "width": 22.5, "height": 25}
    region = {"type": "videorectangle", "id": "a", "value": {"labels": ["a"], "sequence": [key]}}
    task = {"data": {"video": "a.mp4"}, "annotations": [{"result": [region]}]}
    (tmp_path / "task.xml").write_text(f"<annotations>{track}</annotations>")
    (tmp_path / "task.json").write_text(json.dumps(task))
    (point,) = read_one(tmp_path / "task.xml").points
    assert point.box == pytest.approx((23, 27, 30, 36))
    (start,) = read_starts(tmp_path / "task.xml", "cvat")
    assert start.box_in((160, 120)) == pytest.approx((23, 27, 30, 36))
    (point,) = read_one(tmp_path / "task.json", info=SourceInfo("a", (160, 120))).points
    assert point.box == pytest.approx((-10, 30, 30, 36))


def _via_region(shape: str) -> dict:
    numbers = {"x": 1, "y": 2, "width": 3, "height": 4}
    return {"shape_attributes": {"name": shape, **numbers}, "region_attributes": {}}


OTHERS = {
    "a.xml": "<annotations><track id='0' label='a'><box frame='0' xtl='1' ytl='2' xbr='4' ybr='6'/></track>"
    "<track id='1' label='b'><polygon frame='0' points='1,2;3,4;5,6'/></track></annotations>",
    "a.json": json.dumps(
        {"a.png1": {"filename": "a.png", "regions": [*map(_via_region, ("rect", "polygon"))]}}
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_box_is_said(tmp_path, caplog, name):
    file = tmp_path / name
    file.write_text(OTHERS[name])
    assert [point.box for point in read_one(file).points] == [(1, 2, 3, 4)]
    assert caplog.messages == [f"{file}: left out, as they are no boxes: 1 polygon"]
    file.write_text(OTHERS[name].replace("<box", "<ellipse").replace('"rect"', '"ellipse"'))
    with pytest.raises(InputError, match=r"no box in .*, only 1 ellipse, 1 polygon"):
        read_one(file)


def test_a_box_file_of_cvat_says_what_is_no_box(tmp_path, caplog):
    file = tmp_path / "a.xml"
    file.write_text(OTHERS["a.xml"])
    assert [target.label for target in read_starts(file, "cvat")] == ["a"]
    assert caplog.messages == [f"{file}: left out, as they are no boxes: 1 polygon"]
    file.write_text(OTHERS["a.xml"].replace("<box", "<ellipse"))
    with pytest.raises(InputError, match=r"no box in .*, only 1 ellipse, 1 polygon") as error:
        read_starts(file, "cvat")
    assert "--box-format" in (error.value.hint or "")


@pytest.mark.parametrize("numbers", ["frame_id", "frame_index", ""])
def test_frames_of_coco_images_in_any_order(tmp_path, numbers):
    """By what the images say, else by their names; MMTracking calls the track `instance_id`."""
    frames = [9, 10, 2]
    images = [{"id": n, "file_name": f"f{n}.jpg"} | ({numbers: n} if numbers else {}) for n in frames]
    boxes = [{"image_id": n, "bbox": [n, 2, 3, 4], "instance_id": 7} for n in frames]
    (tmp_path / "a.json").write_text(json.dumps({"images": images, "annotations": boxes}))
    points = read_one(tmp_path / "a.json").points
    assert [(p.index, p.box.x, p.target) for p in points] == [
        (index if numbers else place, index, 1) for place, index in enumerate(sorted(frames))
    ]


@pytest.mark.parametrize("text", ['[{"image_id": 1, "bbox": [1, 2, 3, 4]}]', '{"videos": []}', "[]"])
def test_json_of_no_known_format_is_said_to_be_so(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match="neither a trajectory that siamtrack wrote nor a file of coco"):
        read_one(tmp_path / "a.json")


def test_numbers_of_targets_with_a_decimal_point(tmp_path):
    """As pandas writes them where some are missing."""
    rows = "frame,time,target,x,y,w,h,score,state,label\n0.0,0.0,1.0,1,2,3,4,0.9,tracked,bug\n"
    (tmp_path / "a.csv").write_text(rows)
    assert read_trajectory(tmp_path / "a.csv").header.labels == ("bug",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('\n{"images": []}', "boxes is no list of boxes"),
        ("[", "boxes is no list of boxes"),
        ("[\n  [1, 2, 3, 4]\n]", "boxes is no list of boxes"),
        ("<annotations>", "boxes is no list of boxes"),
        ("\n1,1,21,31,36,30,1,-1,-1,-1", "boxes, line 2: not a box: '1,1,21,"),
        ("0 0.2 0.3 0.2 0.2", "boxes, line 1: not a box"),
        ("10,20,30,40\n10,20,30,40,50", "boxes, line 2: not a box: '10,20,30,40,50'"),
        ("bug=10,20,30", "boxes, line 1: not a box: 'bug=10,20,30'"),
    ],
)
def test_a_line_that_is_no_box_is_named_with_what_it_must_hold(tmp_path, text, says):
    """A slip, or a file of another program, which needs its format."""
    file = tmp_path / "boxes"
    file.write_text(f"{text}\n")
    with pytest.raises(InputError, match=re.escape(says)) as error:
        read_starts(file, "xywh")
    hint = error.value.hint or ""
    assert "another program needs --box-format mot, coco" in hint
    assert hint.startswith("write four numbers, for example 10,20,30,40; ") == ("line" in says)


def test_a_box_file_may_have_brackets(tmp_path):
    file = tmp_path / "boxes"
    file.write_text("[20, 30, 36, 30]\nball=1,2,3,4\n")
    assert [start.label for start in read_starts(file, "xywh")] == [None, "ball"]


def test_images_of_coco_may_have_no_name(tmp_path):
    images = [{"id": 1, "file_name": None}, {"id": 2}]
    document = {"images": images, "annotations": [{"image_id": 2, "bbox": [1, 2, 3, 4]}]}
    (tmp_path / "a.json").write_text(json.dumps(document))
    assert [point.index for point in read_one(tmp_path / "a.json").points] == [1]


@pytest.mark.parametrize(("shape", "said"), [(7, "polygon"), (9, "other")])
def test_shapes_of_via_3_that_are_no_rectangles(tmp_path, shape, said):
    regions = {"a": {"vid": "1", "xy": [shape, 1, 2, 3, 4], "z": [], "av": {}}}
    document = {"metadata": regions, "attribute": {}, "view": {"1": {"fid_list": ["1"]}}}
    (tmp_path / "a.json").write_text(json.dumps({**document, "file": {"1": {"type": 2, "fname": "a.png"}}}))
    with pytest.raises(InputError, match=f"only 1 {said}"):
        read_one(tmp_path / "a.json")
