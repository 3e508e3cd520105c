"""Corrections: what they change, what stays to the digit, and what is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from fractions import Fraction

import clips
import pytest

from siamcli.boxes import Box
from siamcli.checkpoints.store import ROLES, bundled_folder
from siamcli.cli.again import loader_again
from siamcli.cli.options import TrackerOptions
from siamcli.errors import InputError
from siamcli.formats.files import read_trajectory, write_trajectory
from siamcli.load import load_tracker
from siamcli.session.fix import fix
from siamcli.times import TimePoint
from siamcli.tracker.follow import Absence, Start
from siamcli.trajectory import CorrectedWith

A, B, C = "40,20,20,20", "10,10,20,20", "50,30,16,16"
TWO_BOXES = ("--box", f"a={A}", "--box-at", f"20f=a={B}", "--box", f"b={C}")


@pytest.fixture(scope="module")
def trajectories():
    """Clip and options -> the trajectory: what is tracked once need not be tracked again."""
    return {}


@pytest.fixture
def tracked(siamtrack, weights, tmp_path, trajectories):
    """Track a clip into a.json: `tracked(name, options of run)` gives the clip."""

    def make(name="a.mkv", *options):
        clip, key = tmp_path / name, (name, *options)
        if not clip.exists():
            clip = clips.constant(clip) if clip.suffix else clips.folder(clip)
            if key in trajectories:
                (tmp_path / "a.json").write_bytes(trajectories[key])
                return clip
        run = siamtrack("run", clip, "--weights", weights, "-o", "a.json", "-y", *options)
        assert run.code == 0, run.err
        trajectories[key] = (tmp_path / "a.json").read_bytes()
        return clip

    return make


@pytest.fixture
def correct(siamtrack, weights):
    return lambda clip, *more: siamtrack("fix", clip, "a.json", "--weights", weights, *more)


def lines(path):
    """(frame, target) -> its line in a JSON trajectory, as it stands there."""
    rows = [line.strip().rstrip(",") for line in path.read_text().splitlines() if '"frame":' in line]
    return {(p["frame"], p["target"]): row for row in rows for p in [json.loads(row)]}


def test_only_the_gaps_that_a_correction_touches_are_tracked_again(tracked, correct, tmp_path):
    clip = tracked("a.mkv", *TWO_BOXES)
    done = correct(clip, "--box-at", f"25f=a={C}", "-o", "b.json")
    assert done.code == 0 and done.out == "b.json\n"
    before, after = lines(tmp_path / "a.json"), lines(tmp_path / "b.json")
    assert before.keys() == after.keys()
    changed = {key for key in before if before[key] != after[key]}
    assert changed <= {(frame, 1) for frame in range(21, 30)} and (25, 1) in changed
    point = json.loads(after[25, 1])
    assert [point[side] for side in "xywh"] == [50, 30, 16, 16]
    assert (point["state"], point["source"], point["score"]) == ("init", "human", 1)
    assert json.loads(after[24, 1])["source"] == "backward" or json.loads(after[21, 1])["source"] == "forward"
    assert read_trajectory(tmp_path / "b.json").complete


@pytest.mark.parametrize("check", [(), ("--check",)])
def test_it_equals_a_run_that_was_told_at_once(tracked, correct, tmp_path, check):
    """Of a checked trajectory what is tracked again is checked too, also where there is one pass."""
    marks = ("--box-at", f"7f=a={B}", "--absent", "a=3f-4f")
    clip = tracked("a.mkv", "--box", f"a={A}", *check)
    assert correct(clip, *marks, "-o", "b.json").code == 0
    tracked("a.mkv", "--box", f"a={A}", *marks, "--both-ways", *check)
    assert lines(tmp_path / "a.json") == lines(tmp_path / "b.json")
    points = read_trajectory(tmp_path / "b.json").points
    assert {p.index for p in points if p.agreement is None} == ({0, 3, 4, 7} if check else set(range(30)))


def test_a_human_box_is_never_moved(tracked, correct, tmp_path):
    clip = tracked("a.mkv", *TWO_BOXES, "--both-ways")
    assert correct(clip, "--absent", "a=5f-8f", "--box-at", f"12f=b={B}", "-o", "b.json").code == 0
    before, after = (
        {(p.index, p.target): p.box for p in read_trajectory(tmp_path / name).points if p.state == "init"}
        for name in ("a.json", "b.json")
    )
    assert before.items() <= after.items() and after.keys() - before.keys() == {(12, 2)}
    states = [p.state for p in read_trajectory(tmp_path / "b.json").points if p.target == 1]
    assert states[5:9] == ["absent"] * 4 and "absent" not in states[:5] + states[9:]


def test_a_box_before_the_first_one_begins_the_target_there(tracked, correct, tmp_path):
    clip = tracked("a.mkv", "--box-at", f"20f={A}", "--stride", "2")
    assert correct(clip, "--box-at", f"10f={B}", "-o", "b.json").code == 0
    points = read_trajectory(tmp_path / "b.json").points
    assert [p.index for p in points] == list(range(10, 30, 2))
    assert [p.time for p in points] == [pytest.approx(p.index * 1001 / 30000, abs=1e-3) for p in points]


def test_images_and_times_in_seconds(tracked, correct, tmp_path):
    clip = tracked("images", "--box", A, "--fps", "10")
    assert correct(clip, "--box-at", f"0.45={B}", "-o", "b.csv", "-o", "b.mp4").code == 0
    human = [p for p in read_trajectory(tmp_path / "b.csv").points if p.source == "human"]
    assert [(p.index, p.time) for p in human] == [(0, 0), (5, 0.5)]
    assert (tmp_path / "b.mp4").stat().st_size > 0


def test_a_table_of_points_can_be_corrected_in_place(tracked, siamtrack, weights, tmp_path):
    clip = tracked("a.mkv", "--box", A, "-o", "a.csv")
    options = ("--box-at", f"9f={B}", "-o", "a.csv", "--weights", weights)
    assert siamtrack("fix", clip, "a.csv", *options).code == 8
    assert siamtrack("fix", clip, "a.csv", *options, "-y").code == 0
    assert [p.index for p in read_trajectory(tmp_path / "a.csv").points if p.source == "human"] == [0, 9]
    # what a table does not say of the video is known by now
    assert siamtrack("fix", clip, "a.csv", "--absent", "3f", "-o", "b.json", "--weights", weights).code == 0
    source = read_trajectory(tmp_path / "b.json").header.source
    assert (source.name, source.size, source.count) == ("a", clips.SIZE, 30)
    assert source.fps == Fraction(30000, 1001)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--box-at", f"30f=a={B}"), "30f is after frame 29"),
        (("--box-at", f"5=a={B}"), "5 s is after frame 29"),
        (("--box-at", "9f=a=200,10,20,20"), "lies outside the 96x64 frame"),
        (("--box-at", f"9f=c={B}"), "no target 'c' in the trajectory"),
        (("--box-at", f"9f=#3={B}"), "no target '#3'"),
        (("--box-at", f"9f={B}"), "which target?"),
        (("--box-at", f"9f=a={B}", "--box-at", f"9f=a={C}"), "two corrections of target #1 in frame 9"),
        (("--box-at", f"9f=a={B}", "--absent", "a=8f-10f"), "two corrections of target #1 in frame 9"),
        (("--absent", "b=0f-2f"), "b has no box left"),
        (("--fixes", "none.csv"), "cannot read none.csv: No such file or directory"),
    ],
)
def test_bad_corrections_change_nothing(tracked, correct, tmp_path, options, says):
    clip = tracked("a.mkv", *TWO_BOXES)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    done = correct(clip, *options, "-o", "a.json", "-y")
    assert done.code == 3 and says in done.err
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("correction", [("--box-at", f"9f=a={B}"), ("--absent", "a=8f-10f")])
def test_a_label_of_two_targets_names_none_of_them(tracked, correct, tmp_path, correction):
    clip = tracked("a.mkv", *TWO_BOXES)
    known = read_trajectory(tmp_path / "a.json")
    header = replace(known.header, labels=("a", "a"))
    write_trajectory(replace(known, header=header), tmp_path / "a.json", overwrite=True)
    done = correct(clip, *correction, "-o", "b.json")
    assert done.code == 3 and "which target?\nhint:  there are: #1, #2" in done.err


def test_another_video_is_refused(tracked, correct, tmp_path):
    tracked("a.mkv", "--box", A)
    clips.ffmpeg("-itsscale", "1.25", "-i", str(tmp_path / "a.mkv"), "-c", "copy", str(tmp_path / "slow.mkv"))
    others = {
        "large": clips.constant(tmp_path / "large.mkv", size=(128, 96)),
        "long": clips.constant(tmp_path / "long.mkv", frames=60),
        "slow": tmp_path / "slow.mkv",
    }
    for clip in others.values():
        done = correct(clip, "--box-at", f"9f={B}", "-o", "b.json")
        assert done.code == 3 and not (tmp_path / "b.json").exists(), clip
    assert correct("-", "--box-at", f"9f={B}", "-o", "b.json").code == 3


def test_corrections_of_a_batch(siamtrack, weights, tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a.mkv", "b.mkv"):
        clips.constant(tmp_path / "in" / name, frames=12)
    batch = ("batch", "in", "--box", f"a={A}", "--weights", weights, "-f", "json", "-f", "csv", "-f", "mp4")
    assert siamtrack(*batch).code == 0
    (tmp_path / "fixes.csv").write_text(
        f'clip,time,target,box\nin/a.mkv,6f,a,"{B}"\nin/a.mkv,8f-9f,a,absent\nin/gone.mkv,6f,a,"{B}"\n'
    )
    out = tmp_path / "tracked"
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    done = siamtrack("fix", "tracked", "--fixes", "fixes.csv", "--weights", weights, "-q")
    assert done.code == 7 and "failed: in/gone.mkv is not tracked" in done.err
    changed = {path.name for path in out.iterdir() if path.read_bytes() != before[path.name]}
    assert changed == {"a.tracked.json", "a.tracked.csv", "a.tracked.mp4", "batch.jsonl"}
    points = read_trajectory(out / "a.tracked.json").points
    assert [(p.index, p.state) for p in points if p.source == "human"] == [
        *((0, "init"), (6, "init"), (8, "absent"), (9, "absent")),
    ]
    again = siamtrack(*batch, "--json")
    assert json.loads(again.out)["skipped"] == 2  # the corrections are not tracked over
    # nor with other boxes, whatever was tried meanwhile; b.mkv was not corrected
    status, corrected = (out / "batch.jsonl").read_text(), (out / "a.tracked.json").read_bytes()
    other = tuple(f"a={C}" if word == f"a={A}" else word for word in batch)
    for words in (("batch", "in/a.mkv", "--box", "a=1,1,0,0", *batch[4:]), other, other):
        done = siamtrack(*words)
        assert done.code == 7, done.err
    assert (
        "in/a.mkv was corrected; as its file, boxes or settings changed, -y would track it again" in done.err
    )
    assert (out / "a.tracked.json").read_bytes() == corrected
    lines = (out / "batch.jsonl").read_text().removeprefix(status).splitlines()
    assert {json.loads(line)["clip"] for line in lines} == {"in/b.mkv"}
    (tmp_path / "in/a.mkv").rename(tmp_path / "in/a.away")
    done = siamtrack("batch", "in/a.mkv", *other[2:])
    assert done.code == 7 and "no such file or folder: in/a.mkv" in done.err
    (tmp_path / "in/a.away").rename(tmp_path / "in/a.mkv")
    kept = {path: path.read_bytes() for path in out.glob("a.tracked.*")}
    (out / "a.tracked.json").unlink()
    done = siamtrack(*batch, "--dry-run")
    assert done.code == 7 and "an output is missing and no .json says what it was" in done.out
    for path in kept:
        path.unlink(missing_ok=True)
    assert siamtrack(*batch, "--dry-run").code == 0  # nothing is left that was corrected
    for path, data in kept.items():
        path.write_bytes(data)
    assert siamtrack(*other, "-y").code == 0
    points = read_trajectory(out / "a.tracked.json").points
    assert [p.index for p in points if p.source == "human"] == [0]


def test_the_table_for_one_clip(tracked, correct, tmp_path):
    clip = tracked("a.mkv", "--box", A)
    (tmp_path / "fixes.csv").write_text(f'clip,time,target,box\nb.mkv,6f,#1,"{B}"\n')
    done = correct(clip, "--fixes", "fixes.csv")
    assert done.code == 3 and "has no row for" in done.err
    (tmp_path / "fixes.csv").write_text(f'clip,time,target,box\na.mkv,6f,#1,"{B}"\n')
    assert correct(clip, "--fixes", "fixes.csv").code == 0
    assert [p.index for p in read_trajectory(tmp_path / "a.fixed.json").points if p.source == "human"] == [
        0,
        6,
    ]


def test_the_python_function(tracked, correct, weights, tmp_path):
    clip = tracked("a.mkv", *TWO_BOXES)
    marks = ("--box-at", f"25f=a={C}", "--absent", "b=4f")
    assert correct(clip, *marks, "-o", "b.json").code == 0
    at, four = TimePoint(frame=25), TimePoint(frame=4)
    corrections = [Start(Box(50, 30, 16, 16), at, 1), Absence(2, four, four)]
    wrong, tracker = read_trajectory(tmp_path / "a.json"), load_tracker(weights)
    right = fix(wrong, corrections, str(clip), tracker)
    written = read_trajectory(tmp_path / "b.json")
    assert [(p.index, p.target, p.state, p.source) for p in right.points] == [
        (p.index, p.target, p.state, p.source) for p in written.points
    ]
    with pytest.raises(InputError, match="no target #3"):
        fix(wrong, [Start(Box(1, 1, 9, 9), at, 3)], str(clip), tracker)


def test_the_header_says_what_else_it_was_corrected_with(tracked, siamtrack, weights, tmp_path):
    """Once, however often; nothing is said of the trajectory's own, nor where nothing was tracked."""
    clip = tracked("a.mkv", "--box", A)
    (tmp_path / "p.toml").write_text("lr = 0.2")
    own, other = ("--weights", weights), ("--weights", weights, "--params", "p.toml")
    steps = [(own, "20f", 0), (other, "20f", 1), (other, "25f", 1), (own, "25f", 1)]
    before, name = read_trajectory(tmp_path / "a.json").header, "a.json"
    for number, (with_these, at, entries) in enumerate(steps):
        out = f"{number}.json"
        assert siamtrack("fix", clip, name, "--box-at", f"{at}={B}", *with_these, "-o", out).code == 0
        header, name = read_trajectory(tmp_path / out).header, out
        assert (header.model, header.params) == (before.model, before.params)
        assert [one.params["lr"] for one in header.corrected_with] == [0.2] * entries
    assert siamtrack("fix", clip, "a.json", "--absent", "1f-29f", *other, "-o", "gone.json").code == 0
    assert read_trajectory(tmp_path / "gone.json").header.corrected_with == ()
    assert siamtrack("convert", name, "--to", "labelstudio", "-o", "l.json").code == 0
    assert json.loads((tmp_path / "l.json").read_text())[0]["predictions"][0]["model_version"] == "untrained"
    assert replace(header, corrected_with=(CorrectedWith("r50", ""),)).models == ("untrained", "r50")


def test_a_clip_of_one_frame_needs_no_tracking(tracked, correct, tmp_path):
    clips.constant(tmp_path / "a.mkv", frames=1)
    clip = tracked("a.mkv", "--box", A)
    assert correct(clip, "--box-at", f"0f={B}", "-o", "b.json").code == 0
    (point,) = read_trajectory(tmp_path / "b.json").points
    assert tuple(point.box) == (10, 10, 20, 20) and point.source == "human"


def test_a_new_target_is_asked_for_and_tracked_to_the_end(tracked, correct, tmp_path):
    clip = tracked("a.mkv", "--box", f"a={A}")
    marks = ("--box-at", f"20f=new={B}", "--box-at", f"24f=new={C}", "--absent", "new=27f")
    refused = correct(clip, *marks, "-o", "b.json")
    assert refused.code == 3 and "--new-targets adds it" in refused.err
    assert correct(clip, *marks, "--new-targets", "-o", "b.json").code == 0
    before, after = read_trajectory(tmp_path / "a.json"), read_trajectory(tmp_path / "b.json")
    assert after.header.labels == ("a", "new")
    assert [p for p in after.points if p.target == 1] == list(before.points)
    new = {p.index: p.source for p in after.points if p.target == 2}
    assert list(new) == list(range(20, 30))
    assert [frame for frame, source in new.items() if source == "human"] == [20, 24, 27]


def test_the_stream_that_was_tracked_is_corrected(tracked, correct, siamtrack, weights, tmp_path):
    clips.constant(tmp_path / "one.mkv")
    clips.constant(tmp_path / "two.mkv", size=(128, 96))
    both = ("-i", str(tmp_path / "one.mkv"), "-i", str(tmp_path / "two.mkv"), "-map", "0", "-map", "1")
    clips.ffmpeg(*both, "-c", "copy", str(tmp_path / "a.mkv"))
    clip = tracked("a.mkv", "--box", A, "--stream", "0")
    assert correct(clip, "--box-at", f"9f={B}", "--stream", "1", "-o", "b.json").code == 3
    assert correct(clip, "--box-at", f"9f={B}", "--stream", "0", "-o", "b.json", "-o", "b.mp4").code == 0


def test_the_tracker_of_the_trajectory_corrects_it(tracked, weights, tmp_path, monkeypatch, capfd):
    """Its weights are found by name and hash; a named model goes before them, and that is said once."""
    tracked("a.mkv", *TWO_BOXES)
    before = read_trajectory(tmp_path / "a.json")
    own = tmp_path / "cache" / f"{before.header.model}.safetensors"
    own.parent.mkdir()
    monkeypatch.setenv("SIAMTRACK_CACHE", str(own.parent))
    shutil.copy(weights, own)
    assert loader_again(TrackerOptions())(before).sha256 == before.header.weights_sha256
    slow = replace(before, header=replace(before.header, params={**before.header.params, "lr": 0.9}))
    assert loader_again(TrackerOptions())(slow).params.lr == 0.9 != before.header.params["lr"]
    (tmp_path / "p.toml").write_text("lr = 0.2")
    assert loader_again(TrackerOptions(params=tmp_path / "p.toml"))(slow).params.lr == 0.2
    assert "before" not in capfd.readouterr().err
    light = loader_again(TrackerOptions(model="light"))
    assert light(before) is light(before) and light(before).model == ROLES["light"]
    said = f"tracked with {before.header.model} before, with {ROLES['light']} now"
    assert capfd.readouterr().err.count(said) == 1
    shutil.copy(bundled_folder() / f"{ROLES['light']}.safetensors", own)  # of that name, but others
    assert loader_again(TrackerOptions())(before).model == ROLES["fast"]
    assert "before, with" in capfd.readouterr().err
