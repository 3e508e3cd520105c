"""`siamtrack run` and `batch` on clips as cameras, phones and browsers record them."""

from __future__ import annotations

import json
import subprocess

import clips
import pytest

from siamcli.batch.schedule import Finished, track_jobs
from siamcli.formats.files import read_trajectory
from siamcli.load import load_tracker
from siamcli.session.job import Job
from siamcli.targets import parse_timed_target
from siamcli.times import FrameRange


@pytest.fixture
def run(siamtrack, weights):
    """`siamtrack run` with one target."""
    return lambda source, *more, **how: siamtrack("run", source, "--weights", weights, *more, **how)


def test_tone_mapping_is_said_to_those_who_ask(run, tmp_path):
    tags = "setparams=color_primaries=bt2020:color_trc=arib-std-b67:colorspace=bt2020nc"
    clip = clips.constant(tmp_path / "phone.mp4", "-vf", tags, "-c:v", "libx265", frames=3)
    done = run(clip, "--box", "10,10,20,20", "-o", "a.json", "-v")
    assert f"{clip}: HDR (HLG), tone-mapped to BT.709" in done.err
    assert "HDR" not in run(clip, "--box", "10,10,20,20", "-o", "b.json").err


def test_a_sound_that_nobody_decodes_costs_one_line(run, tmp_path):
    clip = clips.two_sounds(tmp_path / "phone.mp4", 0, unknown=2)
    done = run(clip, "--box", "10,10,20,20", "-o", "a.mp4", "-o", "a.json")
    assert done.code == 0
    assert done.err.count("a.mp4 has no sound: apple_apac of ") == 1
    assert "wrote a.mp4, a.json" in done.err and "incomplete" not in done.err


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_leaves_whole_what_is_whole(run, tmp_path):
    clip = clips.constant(tmp_path / "clip.mp4", sound=True, frames=3)
    done = run(clip, "--box", "10,10,20,20", "-o", "a.mp4", "-o", "a.json")
    assert done.code == 8 and "is there space on the disk?" in done.err
    assert "wrote a.json" in done.err and "kept, incomplete: a.mp4" in done.err


def test_what_is_kept_of_a_video_that_is_cut_off_is_said(run, siamtrack, tmp_path):
    clip = clips.damaged(clips.constant(tmp_path / "clip.mkv", "-c:v", "mjpeg", frames=12), 0.6)
    done = run(clip, "--box", "10,10,20,20", "-o", "a.json", "-o", "a.mp4")
    assert done.code == 3 and "kept, incomplete: a.json, a.mp4" in done.err
    done = siamtrack("render", clip, "a.json", "-o", "b.mp4")
    assert done.code == 3 and "kept, incomplete: b.mp4" in done.err and (tmp_path / "b.mp4").exists()
    done = siamtrack("render", tmp_path / "none.mkv", "a.json", "-o", "c.mp4")
    assert done.code == 3 and "kept, incomplete" not in done.err


@pytest.mark.parametrize("moment", ["5f", "0.16"])
def test_a_target_between_strides_begins_in_its_own_frame(run, tmp_path, moment):
    """Frame 5 is at 0.1668 s: 0.16 s, as a player shows it, is between frames 4 and 5."""
    clip = clips.constant(tmp_path / "clip.mkv", frames=16)
    begin = ("--box-at", f"{moment}=late=45,25,16,16")
    assert run(clip, "--box", "10,10,20,20", *begin, "--stride", "4", "-o", "a.json").code == 0
    points = json.loads((tmp_path / "a.json").read_text())["points"]
    assert [p["frame"] for p in points if p["target"] == 1] == [0, 4, 5, 8, 12]
    late = [p for p in points if p["target"] == 2]
    assert [(p["frame"], p["state"] == "init") for p in late] == [(5, True), (8, False), (12, False)]
    assert [late[0][side] for side in "xywh"] == [45, 25, 16, 16]
    assert run(clip, *begin, "--stride", "4", "-o", "b.json").code == 0
    alone = json.loads((tmp_path / "b.json").read_text())["points"]
    assert [p["frame"] for p in alone] == [5, 8, 12]


def test_clips_of_a_batch_begin_in_their_own_frames_too(weights, tmp_path):
    clip = clips.constant(tmp_path / "clip.mkv", frames=16)
    targets = (parse_timed_target("5f=45,25,16,16"), parse_timed_target("0.3=10,10,20,20"))
    job = Job(str(clip), targets, (str(tmp_path / "a.json"),), FrameRange(stride=4))
    events = track_jobs(load_tracker(weights), [job], width=1)
    assert [event.error for event in events if isinstance(event, Finished)] == [None]
    points = read_trajectory(tmp_path / "a.json").points
    assert [(p.index, p.target) for p in points if p.state == "init"] == [(5, 1), (9, 2)]
    assert sorted({p.index for p in points}) == [5, 8, 9, 12]


@pytest.mark.parametrize("source", ["-", "/dev/stdin"])
def test_standard_input_by_both_names(run, tmp_path, source):
    clip = clips.constant(tmp_path / "clip.mkv", frames=3)
    with subprocess.Popen(["cat", clip], stdout=subprocess.PIPE) as writing:
        done = run(source, "--box", "10,10,20,20", "-o", "a.csv", stdin=writing.stdout)
    assert done.code == 0, done.err
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 4
