"""Tracking backward and in both directions, on real clips."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import clips
import cv2
import numpy as np
import pytest
from conftest import DEMO
from hypothesis import given
from hypothesis import strategies as st

from siamcli.boxes import Box, iou
from siamcli.formats.files import read_trajectory
from siamcli.load import load_tracker
from siamcli.media.reverse import reversed_frames
from siamcli.media.sources import open_source
from siamcli.session.check import confirmed, return_gap, with_agreement
from siamcli.session.gaps import Gap, Given, gaps_of, in_frame_order, join
from siamcli.session.job import Job
from siamcli.session.twoway import TwoWaySession
from siamcli.targets import parse_target
from siamcli.trajectory import TrackPoint

BOX = "40,20,20,20"
FRAME_BYTES = clips.SIZE[0] * clips.SIZE[1] * 3


@pytest.fixture
def run(siamtrack, weights):
    return lambda source, *more: siamtrack("run", source, "--weights", weights, "-o", "a.json", "-y", *more)


@pytest.mark.parametrize("kind", ["constant", "variable", "folder"])
@pytest.mark.parametrize("memory", [1, 5 * FRAME_BYTES, 1000 * FRAME_BYTES])
def test_the_same_frames_last_first(tmp_path, kind, memory):
    source = str(getattr(clips, kind)(tmp_path / ("images" if kind == "folder" else "a.mp4")))
    with open_source(source, stride=2) as frames:
        forward = [(frame.index, frame.time, clips.number(frame.image)) for frame in frames]
    indices = [index for index, _, _ in forward]
    backward = reversed_frames(partial(open_source, source), indices, clips.SIZE, memory=memory)
    found = [(frame.index, frame.time, clips.number(frame.image)) for frame in backward]
    assert found[::-1] == forward and len(found) > 5


def test_both_ways_from_the_middle_finds_the_target_in_the_whole_clip(siamtrack, tmp_path):
    truth = np.loadtxt(DEMO.with_suffix(".csv"), delimiter=",", skiprows=1)
    box = ",".join(map(str, truth[60]))
    options = (
        "--model",
        "light",
        "--box-at",
        f"60f={box}",
        "--both-ways",
        "-o",
        "a.json",
        "-o",
        "a.csv",
        "-o",
        "a.mp4",
    )
    assert siamtrack("run", DEMO, *options).code == 0
    trajectory = read_trajectory(tmp_path / "a.json")
    assert [p.index for p in trajectory.points] == list(range(120)) and trajectory.complete
    assert [p.time for p in trajectory.points] == [pytest.approx(i / 25, abs=1e-6) for i in range(120)]
    assert [p.source for p in trajectory.points] == ["backward"] * 60 + ["human"] + ["forward"] * 59
    assert trajectory.points[60].box == pytest.approx(tuple(truth[60]), abs=1e-3)
    overlaps = [iou(p.box, Box(*row)) for p, row in zip(trajectory.points, truth, strict=True)]
    assert np.mean(overlaps) > 0.7 and min(overlaps) > 0
    assert [p.source for p in read_trajectory(tmp_path / "a.csv").points] == [
        p.source for p in trajectory.points
    ]
    video = cv2.VideoCapture(str(tmp_path / "a.mp4"))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 120


def test_backward_from_the_first_frame_is_refused(run, tmp_path):
    done = run(clips.constant(tmp_path / "a.mkv", frames=12), "--box", BOX, "--backward")
    assert done.code == 3 and "no frame is before a box" in done.err
    assert not (tmp_path / "a.json").exists()


def test_backward_ends_at_the_box(run, tmp_path):
    clip = clips.constant(tmp_path / "a.mkv", frames=12)
    assert run(clip, "--box-at", f"8f={BOX}", "--backward", "--start", "2f", "--stride", "2").code == 0
    document = json.loads((tmp_path / "a.json").read_text())
    assert [(p["frame"], p["source"]) for p in document["points"]] == [
        *((frame, "backward") for frame in (2, 4, 6)),
        (8, "human"),
    ]
    assert document["frames"] == 5 and document["complete"] is True


def test_forward_from_the_first_frame_is_the_same_by_both_ways(run, tmp_path):
    clip = clips.folder(tmp_path / "images")
    marks = ("--box", f"a={BOX}", "--box", "b=10,10,20,20", "--absent", "a=3f-4f")
    assert run(clip, *marks).code == 0
    forward = (tmp_path / "a.json").read_text()
    assert run(clip, *marks, "--both-ways").code == 0
    assert (tmp_path / "a.json").read_text() == forward


def test_two_boxes_are_joined_where_the_passes_agree(run, tmp_path):
    clip = clips.constant(tmp_path / "a.mkv", frames=12)
    marks = ("--box-at", f"2f=a={BOX}", "--box-at", f"9f=a={BOX}")
    assert run(clip, *marks, "--both-ways").code == 0
    sources = [p["source"] for p in json.loads((tmp_path / "a.json").read_text())["points"]]
    between = sources[3:9]
    assert sources[:3] == ["backward", "backward", "human"] and sources[9:] == ["human", "forward", "forward"]
    assert between == sorted(between, reverse=True)  # forward first, then backward


def test_a_damaged_clip_keeps_what_decodes(run, tmp_path):
    clip = clips.damaged(clips.constant(tmp_path / "a.mkv", frames=30), keep=0.7)
    done = run(clip, "--box-at", f"5f={BOX}", "--both-ways")
    assert done.code == 3 and "damaged" in done.err
    document = json.loads((tmp_path / "a.json").read_text())
    assert document["complete"] is False and [p["frame"] for p in document["points"]][:7] == list(range(7))


@pytest.mark.parametrize("source", ["-", "0", "rtsp://127.0.0.1/x"])
def test_what_cannot_be_read_twice_is_refused(run, tmp_path, source):
    done = run(source, "--box", BOX, "--both-ways")
    assert done.code == 3 and "can be read only once" in done.err and not list(tmp_path.iterdir())


@pytest.mark.parametrize("more", [("--both-ways",), ("--show",), ("--check", "--show")])
def test_options_that_exclude_each_other(run, tmp_path, more):
    assert run("a.mp4", "--box", BOX, "--backward", *more).code == 2


def test_a_time_that_never_comes_leaves_nothing(run, tmp_path):
    clip = clips.constant(tmp_path / "a.h264", frames=12)  # says no length
    done = run(clip, "--box-at", f"50f={BOX}", "--both-ways")
    assert done.code == 3 and "no frame at the time" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["a.h264"]


frames = st.lists(st.integers(0, 60), min_size=1, unique=True).map(sorted)


@given(frames, st.sets(st.integers(0, 60)))
def test_gaps_and_boxes_cover_every_frame_once(indices, boxes):
    boxes &= set(indices)
    gaps = gaps_of(1, indices, Given(dict.fromkeys(boxes, Box(0, 0, 1, 1))))
    covered = [*boxes, *(frame for gap in gaps for frame in gap.frames)]
    assert sorted(covered) == indices
    for gap in gaps:
        assert gap.left is None or (gap.left in boxes and gap.left < gap.frames[0])
        assert gap.right is None or (gap.right in boxes and gap.right > gap.frames[-1])


def point(index, x, score=0.9, state="tracked", source="forward"):
    return TrackPoint(index, None, Box(x, 0, 10, 10), score, state, source=source)


def test_the_change_is_where_the_passes_agree_best():
    forward = [point(i, i if i < 4 else i + 20) for i in range(8)]  # leaves the target in frame 4
    backward = [point(i, i if i > 2 else i + 30, source="backward") for i in range(8)]  # leaves it in frame 2
    assert [p.box.x for p in join(forward, backward)] == list(range(8))
    assert join(forward, []) == forward and join([], backward) == backward


def test_passes_that_never_meet_are_changed_by_their_scores():
    forward = [point(i, 0, score=0.9 if i < 3 else 0.1) for i in range(6)]
    backward = [point(i, 50, score=0.9 if i >= 3 else 0.1, source="backward") for i in range(6)]
    assert [p.source for p in join(forward, backward)] == ["forward"] * 3 + ["backward"] * 3


def test_a_pass_that_is_lost_does_not_replace_one_that_is_not():
    """A cut between two scenes: each pass holds its target up to it; its lost box meets the other once."""
    forward = [point(i, 3 * i) if i < 5 else point(i, 15, 0.2, "lost") for i in range(10)]
    backward = [point(i, 2, 0.2, "lost", "backward") for i in range(5)]
    backward += [point(i, 90, source="backward") for i in range(5, 10)]
    joined = join(forward, backward)
    assert [p.source for p in joined] == ["forward"] * 5 + ["backward"] * 5
    assert {p.state for p in joined} == {"tracked"}


def test_states_read_from_the_first_frame_on():
    backward = ["tracked", "found", "lost", "tracked", "init", "absent", "tracked"]
    ordered = in_frame_order([point(i, 0, state=state) for i, state in enumerate(backward)])
    assert [p.state for p in ordered] == ["tracked", "tracked", "lost", "found", "init", "absent", "found"]


def test_check_adds_agreement_and_changes_no_box_or_score(run, tmp_path):
    clip = clips.constant(tmp_path / "a.mkv", frames=12)
    marks = ("--box", f"a={BOX}", "--absent", "a=3f-4f", "--box", "b=10,10,20,20")
    assert run(clip, *marks).code == 0
    plain = read_trajectory(tmp_path / "a.json").points
    assert run(clip, *marks, "--check", "-o", "a.csv").code == 0
    checked = read_trajectory(tmp_path / "a.json")
    assert checked.header.checked and [replace(p, agreement=None) for p in checked.points] == list(plain)
    for point in checked.points:
        if point.source == "human":
            assert point.agreement is None
        else:
            assert point.agreement is not None and 0 <= point.agreement <= 1
    table = read_trajectory(tmp_path / "a.csv")
    assert table.header.checked and [p.agreement for p in table.points] == [
        p.agreement for p in checked.points
    ]


def test_the_steps_of_a_check_are_counted_on_over_the_way_back(tmp_path, weights):
    """One rising count of one total, or a bar begins anew and shows a negative rate."""
    clip = clips.constant(tmp_path / "a.mkv", frames=12)
    job = Job(str(clip), (parse_target(BOX),), (str(tmp_path / "a.json"),), check=True)
    with TwoWaySession(job, partial(load_tracker, weights)) as session:
        steps = [(step.done, step.total) for step in session.prepare()]
    assert [done for done, _ in steps] == list(range(1, len(steps) + 1))
    assert len(steps) > 11 and steps[0][1] == 22 and steps[-1] == (len(steps), len(steps))


@pytest.mark.parametrize(("left", "right"), [(0, None), (None, 9)])
def test_the_way_back_begins_at_the_last_believed_point(left, right):
    """The target is lost far from its box: nothing agrees there."""
    states = ["tracked"] * 6 + ["lost"] * 2
    points = [point(i + 1, i, state=state) for i, state in enumerate(states)]
    if left is None:
        points = [replace(p, index=9 - p.index) for p in reversed(points)]
    way, end = return_gap(Gap(1, left, right, tuple(p.index for p in points)), points)
    assert (way.left is None) == (right is None) and end.state == "tracked"
    assert len(way.frames) == 5 and end.index not in way.frames
    back = [replace(p, box=Box(p.box.x + 5, 0, 10, 10)) for p in points if p.index in way.frames]
    found = {p.index: p.agreement for p in with_agreement(points, [end, *back])}
    assert [found[i] for i in way.frames] == [pytest.approx(1 / 3)] * 5
    assert found[end.index] == 1 and [found[p.index] for p in points if p.state == "lost"] == [0, 0]


def test_there_is_no_way_back_from_nowhere():
    lost = [point(i, 0, state="lost") for i in range(1, 4)]
    assert return_gap(Gap(1, 0, None, (1, 2, 3)), lost) is None


def test_a_lost_point_is_tracked_where_the_other_pass_believes_in_its_box():
    points = [point(i, 0, 0.2, "lost") for i in range(4)] + [point(4, 0, 0.2)]
    others = [point(0, 2), point(1, 6), point(2, 2, 0.2, "lost"), point(4, 20)]  # none in frame 3
    states = [p.state for p in confirmed(with_agreement(points, others), others)]
    assert states == ["tracked", "lost", "lost", "lost", "tracked"]


@pytest.mark.parametrize("left", [0, None])
def test_a_way_back_confirms_only_if_it_comes_to_the_given_box(left):
    """It confirms frame 5; then it stays on the target, or leaves it before it comes to frame 1 (or 9)."""
    points = [point(i, 0, *((0.2, "lost") if i == 5 else (0.9, "tracked"))) for i in range(1, 10)]
    way = Gap(1, None, 9, tuple(range(1, 9))) if left == 0 else Gap(1, 1, None, tuple(range(2, 10)))
    beside = 1 if left == 0 else 9
    returned = [point(i, 1) for i in range(1, 10)]
    elsewhere = [replace(p, box=Box(40, 0, 10, 10)) if p.index == beside else p for p in returned]
    assert {p.state for p in confirmed(with_agreement(points, returned), returned, way)} == {"tracked"}
    assert confirmed(with_agreement(points, elsewhere), elsewhere, way)[4].state == "lost"
