"""What a user says of a target: several boxes, and the frames in which it is not there."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from fractions import Fraction

import clips
import numpy as np
import pytest
from conftest import DEMO

from siamcli.boxes import Box
from siamcli.errors import InputError
from siamcli.formats.files import convert, read_trajectory
from siamcli.formats.starts import read_starts
from siamcli.frames import Frame, SourceInfo
from siamcli.media.ffmpeg import ffmpeg_exe
from siamcli.session.fix import Moments
from siamcli.session.job import Job
from siamcli.session.marks import resolve_targets
from siamcli.targets import number_marks, parse_absent, parse_mark, parse_target, target_labels
from siamcli.tracker.follow import Absence, due, is_over
from siamcli.trajectory import TrackHeader, TrackPoint, Trajectory

FIRST, AGAIN = "43.3,150.4,73.4,79.2", "60,140,70,80"


@pytest.fixture
def run(siamtrack, weights):
    """`siamtrack run` on the first frames of the demo clip."""
    return lambda *more, source=DEMO: siamtrack("run", source, "--weights", weights, "--end", "9f", *more)


def points(path):
    return json.loads(path.read_text())["points"]


def test_a_second_box_begins_the_same_target_anew(run, tmp_path):
    again = ("--box-at", f"5f=bug={AGAIN}", "--absent", "bug=2f-3f")
    done = run("--box", f"bug={FIRST}", *again, *("-o", "a.json", "-o", "a.csv", "-o", "a.mp4"))
    assert done.code == 0 and "bug: box 60,140,70,80" in done.err
    document = json.loads((tmp_path / "a.json").read_text())
    found = document["points"]
    assert document["labels"] == ["bug"] and [p["frame"] for p in found] == list(range(9))
    human = {p["frame"]: p["state"] for p in found if p["source"] == "human"}
    assert human == {0: "init", 2: "absent", 3: "absent", 5: "init"}
    assert [found[5][side] for side in "xywh"] == [60, 140, 70, 80] and found[5]["score"] == 1
    assert [found[2][side] for side in "xywh"] == [None] * 4 and found[2]["score"] == 0
    trajectory = read_trajectory(tmp_path / "a.json")
    table = read_trajectory(tmp_path / "a.csv").points
    assert [(p.index, p.state, p.source) for p in table] == [
        (p.index, p.state, p.source) for p in trajectory.points
    ]
    lines = next(iter(convert(trajectory, "mot").values())).splitlines()
    assert [int(line.split(",")[0]) for line in lines] == [1, 2, 5, 6, 7, 8, 9]  # frames from 1, none absent


def test_a_target_that_was_absent_is_looked_for_as_a_lost_one(run, tmp_path):
    assert run("--box", FIRST, "--absent", "1f-4f", "-o", "a.json").code == 0
    states = [p["state"] for p in points(tmp_path / "a.json")]
    assert states[:5] == ["init", *["absent"] * 4] and states[5] in ("lost", "found")


def test_box_file_and_manifest_say_the_same(run, siamtrack, weights, tmp_path):
    run("--box", FIRST, "--box-at", f"5f=#1={AGAIN}", "--absent", "#1=2f-3f", "-o", "a.json")
    expected = points(tmp_path / "a.json")
    assert {p["target"] for p in expected} == {1}
    (tmp_path / "boxes.txt").write_text(f"{FIRST}  # the bug\n5f=#1={AGAIN} # again\n2f-3f=#1=absent\n")
    assert run("--box-file", "boxes.txt", "-o", "b.json").code == 0
    assert points(tmp_path / "b.json") == expected
    command = [ffmpeg_exe(), "-v", "error", "-i", DEMO, "-c", "copy", "-frames:v", "9", tmp_path / "a.mp4"]
    subprocess.run(command, check=True)
    (tmp_path / "boxes.csv").write_text(
        f'clip,time,box,label\na.mp4,,"{FIRST}",\na.mp4,2f-3f,absent,#1\na.mp4,5f,"{AGAIN}",#1\n'
    )
    assert siamtrack("batch", "--boxes", "boxes.csv", "--weights", weights, "-f", "json").code == 0
    assert points(tmp_path / "tracked" / "a.tracked.json") == expected


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--box", f"a={FIRST}", "--box", f"a={AGAIN}"), "a second box for one target at one time"),
        (("--box", f"a={FIRST}", "--box-at", f"0f=a={AGAIN}"), "two boxes for target 1 in frame 0"),
        (("--box", FIRST, "--box-at", f"2f=#2={AGAIN}"), "no target '#2'"),
        (("--box", f"a={FIRST}", "--absent", "b=2f-3f"), "no target 'b'"),
        (("--box", FIRST, "--box", AGAIN, "--absent", "2f-3f"), "which target?"),
        (("--box", FIRST, "--absent", "3f-2f"), "not a stretch of time"),
        (("--box", FIRST, "--absent", "2f-4f", "--box-at", f"3f=#1={AGAIN}"), "is said to be absent"),
        (("--box", FIRST, "--absent", "0f-4f"), "is said to be absent"),
        (("--box", FIRST, "--absent", "2f-3f", "--start", "5f"), "before the first frame"),
    ],
)
def test_what_cannot_be_meant_is_said_in_one_line(run, tmp_path, options, says):
    done = run(*options, "-o", "a.json")
    assert done.code == 3 and says in done.err.splitlines()[-2]
    assert "loading" not in done.err or "boxes for target" in says
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("moment", ["200f", "0:08"])
def test_a_time_beyond_the_end_is_told_before_tracking(siamtrack, weights, tmp_path, moment):
    done = siamtrack("run", DEMO, "--weights", weights, "--box", FIRST, "--absent", moment, "-o", "a.json")
    assert done.code == 3 and "it has 120 frames, 4.80 s: choose an earlier time\n" in done.err
    assert "tracked" not in done.err and not list(tmp_path.iterdir())


@pytest.mark.parametrize("end", ["9f", "0.35"])
def test_annotations_of_the_whole_clip_may_begin_after_the_end(run, tmp_path, end):
    """Ground truth knows nothing of `--end`; a time that the user writes must be before it."""
    (tmp_path / "gt.txt").write_text("NaN,NaN,NaN,NaN\n" * 9 + f"{FIRST}\n")
    done = run("--box-file", "gt.txt", "--end", end, "-o", "a.json")
    assert done.code == 0 and f"whose first box is {FIRST} in frame 9" in done.err
    assert "1 target has no box before --end" in done.err
    document = json.loads((tmp_path / "a.json").read_text())
    assert (document["frames"], document["points"], document["complete"]) == (9, [], True)
    (tmp_path / "mot.txt").write_text(f"10,2,{FIRST},1,-1,-1,-1\n1,1,{FIRST},1,-1,-1,-1\n")
    done = run("--box-file", "mot.txt", "--box-format", "mot", "--end", end, "-o", "b.json")
    assert done.code == 0 and "1 target has no box before --end" in done.err
    assert [p["frame"] for p in points(tmp_path / "b.json")] == list(range(9))


@pytest.mark.parametrize(
    ("more", "begun"),
    [
        (("--start", "2f"), [(2, 102.0)]),
        (("--start", "0.12"), [(3, 103.0)]),
        (("--start", "4f"), [(6, 106.0)]),  # frames 4 and 5 have no box
        (("--start", "4f", "--stride", "3"), [(6, 106.0)]),
        (("--start", "00:00:00:02", "--check"), [(2, 102.0)]),
    ],
)
def test_ground_truth_says_where_the_target_is_at_the_start(run, tmp_path, more, begun):
    rows = [f"{100 + i},140,70,80" if i not in (4, 5) else "NaN,NaN,NaN,NaN" for i in range(9)]
    (tmp_path / "gt.txt").write_text("\n".join(rows))
    done = run("--box-file", "gt.txt", *more, "-o", "a.json")
    assert done.code == 0, done.err
    found = points(tmp_path / "a.json")
    assert (
        [(p["frame"], p["x"]) for p in found if p["state"] == "init"]
        == begun
        == [(found[0]["frame"], found[0]["x"])]
    )
    (frame, x), *_ = begun
    assert f"from --start on, the first box is {x:.0f},140,70,80 in frame {frame}" in done.err


def test_targets_of_annotations_that_ended_before_the_start(run, tmp_path):
    """They keep their number; one that goes on begins with its next box, under its own label."""
    rows = [(1, 1, 20), (3, 1, 25), (1, 2, 40), (7, 2, 60), (2, 3, 80), (8, 3, 90)]
    (tmp_path / "mot.txt").write_text("".join(f"{f},{i},{x},141,70,80,1,-1,-1,-1\n" for f, i, x in rows))
    mot = ("--box-file", "mot.txt", "--box-format", "mot")
    done = run(*mot, "--start", "5f", "-o", "{target}.csv", "-o", "a.json")
    assert done.code == 0, done.err
    assert "2 targets begin with their first box after --start" in done.err
    assert "1 target has no box from --start on" in done.err
    begun = [(p["target"], p["frame"], p["x"]) for p in points(tmp_path / "a.json") if p["state"] == "init"]
    assert begun == [(2, 6, 59), (3, 7, 89)]
    done = run(*mot, "--start", "8f", "-o", "b.json")
    assert done.code == 3 and "no target of the annotations has a box from --start on" in done.err
    assert not (tmp_path / "b.json").exists()


def test_an_estimate_of_the_length_refuses_nothing_that_is_there(siamtrack, weights, tmp_path):
    """The last frame of a clip whose container announces its length in another way."""
    for name in ("a.mkv", "a.mp4", "a.avi"):
        clip = clips.constant(tmp_path / name, frames=12)
        begin = ("--box", "10,10,20,20", "--absent", "11f")
        assert siamtrack("run", clip, "--weights", weights, *begin, "-o", "a.json", "-y").code == 0
        assert points(tmp_path / "a.json")[-1]["state"] == "absent"


def test_a_box_in_the_second_of_two_joined_recordings(siamtrack, weights, tmp_path):
    """Their container announces the frames of the first alone."""
    one = clips.constant(tmp_path / "a.mkv", frames=12).read_bytes()
    (tmp_path / "joined.mkv").write_bytes(one + one)
    done = siamtrack("run", "joined.mkv", "--weights", weights, "--box-at", "20f=10,10,20,20", "-o", "a.json")
    assert done.code == 0, done.err
    assert [point["frame"] for point in points(tmp_path / "a.json")] == [20, 21, 22, 23]


def test_numbers_and_labels():
    marks = [parse_absent("b=1f"), *(parse_target(f"{name}=1,2,3,4") for name in ("a", "b", "a", "#2"))]
    assert number_marks(marks) == [2, 1, 2, 1, 2]
    assert target_labels(marks) == ("a", "b")
    assert number_marks([parse_target("b=1,2,3,4")], ["a", "b"]) == [2]
    with pytest.raises(InputError, match="no target '#3'"):
        number_marks([parse_target("#3=1,2,3,4")], ["a", "b"])


@pytest.mark.parametrize(
    ("line", "label", "frame"),
    [
        ("1,2,3,4", None, None),
        ("60f=1,2,3,4", "60f", None),
        ("60f==1,2,3,4", None, 60),
        ("60f=a=1,2,3,4", "a", 60),
        ("x=a=1,2,3,4", "x=a", None),
        ("60f=x=a=1,2,3,4", "x=a", 60),
        ("60f-61f=x=a=absent", "x=a", 60),
    ],
)
def test_a_line_of_a_box_file(line, label, frame):
    mark = parse_mark(line)
    assert mark.label == label and [moment.frame for moment in mark.moments[:1]] == [frame] * (
        frame is not None
    )


def test_a_label_that_looks_like_a_time_is_named(tmp_path, caplog):
    (tmp_path / "a.box").write_text("60f=1,2,3,4\n00:12.5=1,2,3,4\n7=1,2,3,4\n60f==1,2,3,4\nbuff=1,2,3,4\n")
    assert len(read_starts(tmp_path / "a.box", "xywh")) == 5
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2 and "line 1: 60f is taken for a label; for a time, write 60f==x,y,w,h" in said[0]
    assert "line 2: 00:12.5 is" in said[1]


ORDERS = [("0.28-5f", False), ("7f-0.2", False), ("0.28-7f", True), ("5f-0.2", True), ("0.31-8f", True)]


@pytest.mark.parametrize(("span", "good"), ORDERS)
def test_a_frame_and_seconds_in_the_wrong_order(tmp_path, span, good):
    """At 25 frames per second 5f is at 0.2 s and 7f at 0.28 s."""
    mark = parse_absent(f"bug={span}")
    absence = Absence(1, mark.first, mark.last)
    job = Job("a.mp4", (parse_target("bug=1,2,30,40"), mark), ())
    frames = [Frame(i, i / 25, np.zeros((64, 96, 3), np.uint8)) for i in range(12)]
    known = SourceInfo("a", (96, 64), Fraction(25), 12)
    points = tuple(TrackPoint(f.index, f.time, Box(1, 2, 3, 4), 0.9, "tracked") for f in frames)
    moments = Moments(Trajectory(TrackHeader(known, "", "", ""), points, complete=True))

    if good:
        assert resolve_targets(job, frames[0], known)[1] == absence
        frames_of = moments.between(moments.frame(mark.first), moments.frame(mark.last))
        hidden = [
            f.index
            for f, before in zip(frames[1:], frames, strict=False)
            if not is_over(absence, before) and due(f, [absence])[1]
        ]
        assert hidden == frames_of != []
        return
    with pytest.raises(InputError, match=f"'bug={span}' ends before it begins") as caught:
        resolve_targets(job, frames[0], known)
    assert caught.value.hint == "write the earlier time first"
    resolve_targets(job, frames[0], replace(known, variable=True))  # only the frames will tell
    with pytest.raises(InputError, match=r"target 1 is said to be absent up to .*, which is before"):
        for frame in frames:
            due(frame, [absence])
    with pytest.raises(InputError, match=r"an absence up to frame 5 begins in frame 7"):
        moments.between(moments.frame(mark.first), moments.frame(mark.last))
