"""What a batch says: the clips that lost their target, failures once, a plan before anything is done."""

from __future__ import annotations

import json
from pathlib import Path

import clips
import pytest

from siamcli.batch.run import Result
from siamcli.batch.status import Entry
from siamcli.cli.tally import Tally, doubted_rows

BOX = "10,10,20,20"


def entry(name: str, state="done", *, lost=0, frames=20, targets=1, **more) -> Entry:
    return Entry(name, name, "key", state, "2026-01-01", (), frames, 1.0, lost, targets, **more)


@pytest.mark.parametrize(
    ("entries", "names"),
    [
        ([entry("a"), entry("b", lost=10), entry("c", lost=15)], ["c", "b"]),
        # the part of the clip counts, not the number of its frames
        ([entry("long", lost=100, frames=1000), entry("short", lost=15)], ["short", "long"]),
        ([entry("two", lost=20, targets=2), entry("one", lost=12)], ["one", "two"]),
        ([entry("failed", "failed", lost=9), entry("begun", "started", lost=9)], []),
        # lines of batches that did not count targets, and of fewer frames than were lost
        ([entry("old", lost=40, targets=None), entry("b", lost=1)], ["old", "b"]),
        ([entry("unknown", lost=3, frames=None)], ["unknown"]),
    ],
)
def test_clips_that_lost_their_target_are_named_worst_first(entries, names):
    assert [row["clip"] for row in doubted_rows(entries)["lost"]] == names


@pytest.mark.parametrize("verdict", ["done", "skipped", "completed"])
def test_they_are_named_also_when_nothing_is_tracked(verdict, capfd):
    tally = Tally(2)
    tally.add(Result(verdict, entry("a.mp4", lost=5)))
    tally.add(Result(verdict, entry("b.mp4", lost=10)))
    tally.say(1.0, Path("batch.jsonl"))
    said = capfd.readouterr().err.splitlines()
    assert said[-2].split() == ["b.mp4", "lost", "in", "50%", "of", "20", "frames"]
    assert said[-1].split() == ["a.mp4", "lost", "in", "25%", "of", "20", "frames"]
    assert [row["clip"] for row in tally.document(1.0, "batch.jsonl")["lost"]] == ["b.mp4", "a.mp4"]


def test_clips_in_which_two_targets_have_one_box_are_named(capfd):
    tally = Tally(3)
    for name, same_box in (("a", 2), ("b", 10), ("c", 0)):
        tally.add(Result("done", entry(name, targets=2, same_box=same_box)))
    tally.say(1.0, Path("batch.jsonl"))
    said = capfd.readouterr().err.splitlines()
    assert said[-3] == "two targets have nearly the same box in 2 clips, the worst first:"
    assert [line.split() for line in said[-2:]] == [
        ["b", "in", "10", "of", "20", "frames"],
        ["a", "in", "2", "of", "20", "frames"],
    ]
    assert tally.document(1.0, "batch.jsonl")["same_box"][0] == {"clip": "b", "same_box": 10, "frames": 20}


def test_merge_names_clips_that_lost_a_target(siamtrack, tmp_path):
    (tmp_path / "batch.jsonl").write_text(entry("a.mp4", lost=5).line() + entry("b.mp4").line())
    done = siamtrack("merge", "batch.jsonl", "-o", "all.jsonl", "--json")
    assert done.code == 0 and "a.mp4  lost in 25% of 20 frames" in done.err and "b.mp4" not in done.err
    assert json.loads(done.out)["lost"] == [{"clip": "a.mp4", "lost": 5, "frames": 20}]


def test_merge_names_shards_that_are_missing(siamtrack, tmp_path):
    """Of two of three shards all was said to be done."""
    for number, name in ((1, "a.mp4"), (3, "b.mp4")):
        (tmp_path / f"batch.{number}-of-3.jsonl").write_text(entry(name).line())
    files = ("batch.1-of-3.jsonl", "batch.3-of-3.jsonl", "-o", "all.jsonl")
    done = siamtrack("merge", *files, "--json")
    assert done.code == 7 and "a shard is missing: batch.2-of-3.jsonl" in done.err
    assert (json.loads(done.out)["done"], json.loads(done.out)["missing"]) == (2, ["batch.2-of-3.jsonl"])
    (tmp_path / "batch.2-of-3.jsonl").write_text("")
    assert siamtrack("merge", "batch.2-of-3.jsonl", *files, "-y").code == 0


def test_lines_without_what_newer_ones_say_are_read(siamtrack, tmp_path):
    """Also those that do not say how many frames there are."""
    old = entry("a.mp4", lost=5, frames=None, targets=None)
    (tmp_path / "batch.jsonl").write_text(old.line() + entry("b.mp4", frames=None, same_box=7).line())
    done = siamtrack("merge", "batch.jsonl", "-o", "all.jsonl")
    assert done.code == 0 and "2 done" in done.err
    assert "a.mp4  lost in 5 frames\n" in done.err and "b.mp4  in 7 frames\n" in done.err


def test_lines_of_another_version_alone_are_no_batch_without_clips(siamtrack, tmp_path):
    line = entry("a.mp4").line().replace("siamtrack-batch/1", "siamtrack-batch/2")
    (tmp_path / "batch.jsonl").write_text(line)
    for words in (("merge", "batch.jsonl", "-o", "all.jsonl"), ("review", ".", "-o", "report.html")):
        done = siamtrack(*words)
        assert done.code == 3 and "did another version write it?" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["batch.jsonl"]


@pytest.mark.parametrize("quiet", [(), ("-q",)])
def test_a_failure_is_said_once(siamtrack, weights, tmp_path, quiet):
    clips.constant(tmp_path / "a.mkv")
    (tmp_path / "broken.mp4").write_text("no video")
    arguments = ("--weights", weights, "--box", BOX, "-f", "csv", *quiet)
    done = siamtrack("batch", "a.mkv", "broken.mp4", "gone.mp4", *arguments)
    assert done.code == 7
    assert done.err.count("broken.mp4") == 1 and done.err.count("gone.mp4") == 1


@pytest.fixture
def plan(siamtrack, weights, tmp_path):
    """`siamtrack batch --dry-run`; nothing may change."""

    def run(*arguments):
        before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
        done = siamtrack("batch", *arguments, "--weights", weights, "-f", "csv", "-f", "json", "--dry-run")
        assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
        return done

    return run


def test_a_plan_is_said_and_nothing_is_done(siamtrack, plan, weights, tmp_path):
    for name in "abc":
        clips.constant(tmp_path / f"{name}.mkv")
    named = ("a.mkv", "b.mkv", "c.mkv", "--box", f"ball={BOX}")
    assert siamtrack("batch", *named[:2], *named[3:], "--weights", weights, "-f", "json").code == 0
    Path("b.mkv.box").write_text("1,2,30,40\n")
    done = plan(*named)
    assert done.code == 0, done.err
    assert [line.split()[0] for line in done.out.splitlines()] == ["complete", "track", "track"]
    assert "ball 10,10,20,20 xywh -> tracked/c.tracked.csv tracked/c.tracked.json" in done.out
    assert "1,2,30,40 xywh" in done.out.splitlines()[1]
    rows = json.loads(plan(*named, "--json").out)["clips"]
    assert [row["action"] for row in rows] == ["complete", "track", "track"]
    assert rows[2]["outputs"] == ["tracked/c.tracked.csv", "tracked/c.tracked.json"]


def test_a_plan_names_what_is_refused(plan, tmp_path):
    clips.constant(tmp_path / "a.mkv")
    (tmp_path / "b\x1b[31m.mkv.box").write_text("1,2\n")
    (tmp_path / "b\x1b[31m.mkv").touch()
    (tmp_path / "tracked").mkdir()
    (tmp_path / "tracked/a.tracked.csv").write_text("mine")
    done = plan("a.mkv", "b\x1b[31m.mkv", "gone.mkv", "--box", BOX)
    assert done.code == 7 and "3 of 3 clips would not be done" in done.err
    assert "refuse    no such file or folder: gone.mkv" in done.out
    assert "did not write it" in done.out and "not a box: '1,2'" in done.out and "\x1b" not in done.out
