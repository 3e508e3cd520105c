"""`siamtrack batch` as a user meets it: what is tracked, skipped, redone, reported, survived."""

from __future__ import annotations

import csv
import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import pytest
from conftest import DEMO, wait_until

from siamcli.batch.schedule import Finished, default_concurrency, track_jobs
from siamcli.batch.status import latest_entries, read_status
from siamcli.formats.files import read_trajectory
from siamcli.media.ffmpeg import ffmpeg_exe
from siamcli.media.sources import open_source
from siamcli.session.job import Job
from siamcli.targets import parse_target
from siamcli.tracker.engine import Engine

BOX = "43.3,150.4,73.4,79.2"
FRAMES = 3


@pytest.fixture(scope="session")
def short(tmp_path_factory) -> Path:
    """The first frames of the demo clip, small."""
    path = tmp_path_factory.mktemp("short") / "short.mp4"
    command = [
        ffmpeg_exe(),
        "-v",
        "error",
        "-i",
        DEMO,
        "-frames:v",
        str(FRAMES),
        "-preset",
        "ultrafast",
        path,
    ]
    subprocess.run(command, check=True)
    return path


@pytest.fixture
def clips(short, tmp_path):
    """Make clips below `clips/`: `clips("a.mp4", "in/b.mp4")`."""

    def make(*names: str) -> Path:
        for name in names:
            path = tmp_path / "clips" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(short, path)
        return tmp_path / "clips"

    return make


@pytest.fixture
def batch(siamtrack, weights):
    """`siamtrack batch` with a box for all, trajectories only."""
    return lambda *more: siamtrack("batch", "--weights", weights, "-f", "json", "--box", BOX, *more)


def states(folder="tracked", name="batch.jsonl"):
    """Stem of the clip -> its last state."""
    entries = latest_entries(read_status(Path(folder) / name)).values()
    return {Path(entry.clip).stem: entry.state for entry in entries}


def lines():
    return Path("tracked/batch.jsonl").read_text().splitlines()


def summary(done):
    counts = json.loads(done.out)
    return tuple(counts[key] for key in ("done", "skipped", "failed", "failed_before"))


def test_a_batch_gives_what_run_gives(siamtrack, batch, weights, clips, short):
    """Interleaved clips do not disturb each other: boxes as from `run`, for several targets and times."""
    folder = clips("a.mp4", "b.mp4", "in/a.mp4", "late.mp4")
    rows = [
        ("clips/a.mp4", "", BOX, "bug"),
        ("clips/a.mp4", "1f", "300,100,50,60", ""),
        ("clips/b.mp4", "", "300,100,50,60", "ball"),
        ("clips/in/a.mp4", "", BOX, ""),
        ("clips/late.mp4", "0.04", BOX, ""),
    ]
    with (folder.parent / "boxes.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("clip", "time", "box", "label"), *rows])
    done = siamtrack(
        *("batch", "clips", "-r", "--boxes", "boxes.csv", "--weights", weights, "-j", 3, "--json"),
        *("-f", "json", "-f", "mp4", "-f", "{target}.csv"),
    )
    assert done.code == 0, done.err
    assert summary(done) == (4, 0, 0, 0)
    runs = {
        "a": ("--box", f"bug={BOX}", "--box-at", "1f=300,100,50,60"),
        "late": ("--box-at", f"0.04={BOX}"),
    }
    for stem, boxes in runs.items():
        alone = siamtrack("run", short, "--weights", weights, *boxes, "-o", "alone.json", "-y")
        assert alone.code == 0, alone.err
        ours, single = (read_trajectory(p) for p in (f"tracked/{stem}.tracked.json", "alone.json"))
        assert ours.complete and ours.header.labels == single.header.labels
        assert [(p.index, p.target, p.state) for p in ours.points] == [
            (p.index, p.target, p.state) for p in single.points
        ]
        for one, other in zip(ours.points, single.points, strict=True):
            assert one.box == pytest.approx(other.box, abs=0.05)
    assert sorted(p.name for p in Path("tracked").glob("a.*")) == [
        f"a.tracked.{suffix}" for suffix in ("2.csv", "bug.csv", "json", "mp4")
    ]
    entry = latest_entries(read_status(Path("tracked/batch.jsonl")))["../clips/a.mp4"]
    assert entry.frames == FRAMES and set(entry.outputs) == {p.name for p in Path("tracked").glob("a.*")}


@dataclass(frozen=True)
class Counting:
    """An engine that notes how many search regions come at once."""

    engine: Engine
    counts: list[int]

    def __getattr__(self, name):
        return getattr(self.engine, name)

    def locate(self, templates, searches, sizes, ranking):
        self.counts.append(len(templates))
        return self.engine.locate(templates, searches, sizes, ranking)


def test_clips_share_the_batches_of_the_network(load_once, weights, clips, tmp_path):
    """Three clips with four targets at a time: fewer calls than frames, and every region goes through."""
    folder = clips("a.mp4", "b.mp4", "c.mp4", "d.mp4")
    loaded = load_once(weights, device="auto", engine="auto", params=None)
    engine = Counting(loaded.engine, [])
    loaded = replace(loaded, engine=engine)
    boxes = (parse_target(BOX), parse_target("300,100,50,60"))
    jobs = [
        Job(str(path), boxes[: 1 + (path.stem == "a")], (str(path) + ".csv",)) for path in folder.iterdir()
    ]
    events = list(track_jobs(loaded, jobs, width=3))
    assert [e.error for e in events if isinstance(e, Finished)] == [None] * 4
    assert sum(engine.counts) == 5 * (FRAMES - 1) and max(engine.counts) > 1
    assert 1 <= default_concurrency(on_gpu=False) <= default_concurrency(on_gpu=True) <= 32


def test_finished_clips_are_skipped_until_something_changes(batch, clips, tmp_path):
    folder = clips("a.mp4", "b.mp4")
    assert batch(folder, "--json").code == 0
    before = lines()
    assert summary(batch("./clips", "--json")) == (0, 2, 0, 0) and lines() == before
    # another input
    os.utime(folder / "a.mp4", (1, 1))
    assert summary(batch(folder, "--json")) == (1, 1, 0, 0)
    # another box
    (folder / "b.box").write_text("ball=300,100,50,60\n")
    assert summary(batch(folder, "--json")) == (1, 1, 0, 0)
    assert json.loads((tmp_path / "tracked/b.tracked.json").read_text())["labels"] == ["ball"]
    # another setting
    (tmp_path / "calm.toml").write_text("window_influence = 0.5\n")
    assert summary(batch(folder, "--json", "--params", "calm.toml")) == (2, 0, 0, 0)
    # an output that went away
    (tmp_path / "tracked/a.tracked.json").unlink()
    assert summary(batch(folder, "--json", "--params", "calm.toml")) == (1, 1, 0, 0)


def test_each_failure_is_named_and_the_rest_goes_on(batch, clips, tmp_path):
    folder = clips("a.mp4", "cut.mp4", "far.mp4", "foreign.mp4", "z.mp4")
    whole = DEMO.read_bytes()
    (folder / "cut.mp4").write_bytes(whole[: len(whole) // 4])
    (folder / "junk.mp4").write_text("no video")
    (folder / "far.mp4.box").write_text("700,10,20,20\n")
    (tmp_path / "tracked").mkdir()
    (tmp_path / "tracked/foreign.tracked.json").write_text("mine")
    done = batch(folder, "gone.mp4", folder / "a.mp4", "--json")
    assert done.code == 7 and summary(done) == (2, 0, 5, 0)
    why = {Path(row["clip"]).stem: row["error"] for row in json.loads(done.out)["failures"]}
    assert why.keys() == {"cut", "junk", "far", "foreign", "gone"}
    assert "damaged or cut short" in why["cut"] and "cannot read" in why["junk"]
    assert "outside the 640x360 frame" in why["far"] and "did not write it" in why["foreign"]
    assert "no such file" in why["gone"] and all(name in done.err for name in why)
    assert "5 of 7 clips are not done" in done.err and "a.mp4 is named more than once" in done.err
    assert (tmp_path / "tracked/foreign.tracked.json").read_text() == "mine"
    assert not (tmp_path / "tracked/cut.tracked.json").exists()
    assert read_trajectory(tmp_path / "tracked/cut.tracked.incomplete.json").complete is False
    assert states() == dict.fromkeys(why, "failed") | {"a": "done", "z": "done"}
    # what failed in tracking is left alone until asked, what was never tracked is looked at again
    again = batch(folder, "gone.mp4", "--json")
    assert again.code == 7 and summary(again) == (0, 2, 2, 3)
    (folder / "far.mp4.box").write_text("70,10,20,20\n")
    assert summary(batch(folder, "gone.mp4", "--json", "--retry-failed", "-y")) == (2, 2, 3, 0)


def test_names_as_long_as_a_file_system_takes(batch, clips):
    """Their outputs are shortened, alike in every batch, and no two of them are one."""
    names = ["m" * 235, "n" * 251, "n" * 250 + "o"]
    folder = clips(*(f"{name}.mp4" for name in names))
    assert batch(folder).code == 0
    made = {path.name for path in Path("tracked").glob("*.json")}
    assert len(made) == 3 and all(len(name) == 210 + len("-12345678.tracked.json") for name in made)
    assert summary(batch(folder, "--json"))[1] == 3 and set(states().values()) == {"done"}


def test_stop_on_error_begins_no_more(batch, clips):
    folder = clips("b.mp4", "c.mp4", "d.mp4")
    (folder / "a.mp4").write_text("no video")
    done = batch(folder, "--stop-on-error", "-j", 1)
    assert done.code == 7 and states() == {"a": "failed"}
    assert "4 of 4 clips are not done: 1 failed, 3 not begun" in done.err
    assert batch(folder).code == 7 and set(states().values()) == {"failed", "done"} and len(states()) == 4


def test_equal_names_get_outputs_of_their_own(batch, clips):
    clips("x/a.mp4", "y/a.mp4")
    assert batch("clips/x", "clips/y").code == 0
    assert len(list(Path("tracked").glob("a-*.tracked.json"))) == 2
    clips("z/a.mp4", "w/a.mp4")
    assert batch("clips/z").code == 0 and batch("clips/w").code == 0
    assert len(list(Path("tracked").glob("a*.tracked.json"))) == 4
    assert summary(batch("clips/w", "--json")) == (0, 1, 0, 0)


def test_shards_and_merge(siamtrack, batch, clips):
    folder = clips(*(f"{n}.mp4" for n in range(4)), "bad.mp4")
    (folder / "bad.mp4").write_text("no video")
    for n in (1, 2):
        assert batch(folder, "--shard", f"{n}/2").code in (0, 7)
    one, two = (states(name=f"batch.{n}-of-2.jsonl") for n in (1, 2))
    assert not set(one) & set(two) and set(one) | set(two) == {"0", "1", "2", "3", "bad"}
    parts = sorted(Path("tracked").glob("batch.*-of-2.jsonl"))
    done = siamtrack("merge", *parts, "-o", "tracked/batch.jsonl", "--json")
    assert done.code == 7 and json.loads(done.out)["done"] == 4 and "bad.mp4" in done.err
    # the merged file takes the place of all
    assert summary(batch(folder, "--json")) == (0, 4, 0, 1)


def test_names_from_stdin_and_a_list(batch, clips, monkeypatch):
    clips("a b.mp4", "c.mp4")
    with Path("list.txt").open("w") as file:
        file.write("clips/a b.mp4\n")
    with Path("list.txt").open() as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert batch("-").code == 0
    assert states() == {"a b": "done"}
    Path("list.txt").write_text("clips/a b.mp4\nclips/c.mp4\n")
    assert summary(batch("-a", "list.txt", "--json")) == (1, 1, 0, 0)


def test_names_need_not_be_utf_8(batch, clips, short, tmp_path):
    folder = clips("a.mp4")
    shutil.copy(short, folder / os.fsdecode(b"x\xff.mp4"))
    (tmp_path / "m.jsonl").write_text('{"clip": "clips/a.mp4", "box": "1,2,30,40", "label": "x\\udcff"}')
    done = batch("clips", "--boxes", "m.jsonl", "--json", "-f", "json")
    assert summary(done) == (1, 0, 1, 0) and "is not UTF-8" in done.err
    assert summary(batch("clips", "--json")) == (1, 1, 0, 0)


def test_an_empty_list_names_no_clip(batch, monkeypatch, tmp_path):
    """What a `find` without a match sends; a daemon has no stdin at all."""
    (tmp_path / "list.txt").touch()
    (tmp_path / "m.csv").write_text("clip,box\nx.mp4,'1,2,3,4'\n")
    for stdin in (io.StringIO(), None):
        monkeypatch.setattr(sys, "stdin", stdin)
        for boxes in ((), ("--boxes", "m.csv")):
            done = batch("-", *boxes)
            assert done.code == 3 and "stdin names no clip" in done.err
    done = batch("-a", "list.txt")
    assert done.code == 3 and "list.txt names no clip" in done.err


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ((), 2, "which clips?"),
        (("x.mp4", "--jobs", "many"), 2, "--jobs"),
        (("x.mp4", "--jobs", "0"), 2, "--jobs"),
        (("x.mp4", "-f", "gif"), 2, "not .gif"),
        (("x.mp4", "--shard", "9/8"), 3, "not a shard"),
        (("x.mp4", "--boxes", "gone.csv"), 3, "gone.csv"),
        (("-a", "gone.txt"), 3, "gone.txt"),
        (("x.mp4", "--box", "1,2,3"), 3, "not a box"),
    ],
)
def test_batch_refuses_wrong_input(batch, arguments, code, says):
    done = batch(*arguments)
    assert done.code == code and says in done.err


def wait_for_states(tmp_path, wanted, process):
    """Wait until `wanted` clips are done."""
    path = tmp_path / "tracked/batch.jsonl"
    wait_until(lambda: path.exists() and sum(e.state == "done" for e in read_status(path)) >= wanted, process)


def test_a_killed_batch_goes_on_where_it_was(start_siamtrack, batch, clips, weights, tmp_path):
    """kill -9 in the middle: nothing finished is done again, nothing is missing, nothing is half."""
    folder, pipe = clips(*(f"{n}.mp4" for n in range(4))), tmp_path / "clips" / "4.mp4"
    os.mkfifo(pipe)  # its clip never ends
    named = (folder, pipe, "--weights", weights, "-f", "json", "--box", BOX, "-j", 2)
    process = start_siamtrack("batch", *named)
    wait_for_states(tmp_path, 2, process)
    process.send_signal(signal.SIGKILL)
    os.close(os.open(pipe, os.O_RDWR))  # lets go what reads it
    process.communicate()
    pipe.unlink()
    clips("4.mp4")
    kept = {clip for clip, state in states().items() if state == "done"}
    times = {clip: (tmp_path / f"tracked/{clip}.tracked.json").stat().st_mtime_ns for clip in kept}
    assert 2 <= len(kept) < 5
    done = batch(folder, "--json")
    assert done.code == 0 and summary(done) == (5 - len(kept), len(kept), 0, 0)
    assert {c: (tmp_path / f"tracked/{c}.tracked.json").stat().st_mtime_ns for c in kept} == times
    for n in range(5):
        trajectory = read_trajectory(tmp_path / f"tracked/{n}.tracked.json")
        assert trajectory.complete and len(trajectory.points) == FRAMES
    assert not list((tmp_path / "tracked").glob("*.part"))


def test_an_interrupted_batch_ends_in_order(start_siamtrack, clips, weights, tmp_path):
    folder = clips("a.mp4", "z.mp4")
    shutil.copy(DEMO, folder / "long.mp4")
    process = start_siamtrack(
        *("batch", folder, "--weights", weights, "-f", "json", "--box", BOX, "-j", 1, "--json")
    )
    wait_for_states(tmp_path, 1, process)
    growing = tmp_path / "tracked/long.tracked.json.siamtrack.part"
    wait_until(lambda: growing.exists() and '"frame"' in growing.read_text(), process)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate()
    assert process.returncode == 128 + signal.SIGTERM and b"Traceback" not in err, err
    said = err.decode()
    assert "stopping" in said and "1 done, 1 not finished, 1 not begun" in said
    assert "run the same command again to continue" in said
    counts = json.loads(out)
    assert (counts["done"], counts["not_finished"], counts["not_begun"]) == (1, 1, 1)
    assert states(tmp_path / "tracked") == {"a": "done", "long": "started"}
    assert not (tmp_path / "tracked/long.tracked.json").exists()
    assert read_trajectory(tmp_path / "tracked/long.tracked.incomplete.json").complete is False
    assert not list((tmp_path / "tracked").glob("*.part"))


def test_a_full_disk_fails_that_clip_alone(batch, clips):
    """A limit on file sizes stands in for the disk: the long trajectory does not fit, the short does."""
    folder = clips("b.mp4")
    cut = [ffmpeg_exe(), "-v", "error", "-i", DEMO, "-c", "copy", "-frames:v", "40", folder / "a.mp4"]
    subprocess.run(cut, check=True)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6000, hard))
    try:
        done = batch(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert done.code == 7 and "a.mp4" in done.err and "File too large" in done.err, done.err
    assert states() == {"a": "failed", "b": "done"}
    assert not Path("tracked/a.tracked.json").exists()
    assert batch(folder, "--retry-failed").code == 0


@pytest.mark.parametrize("again", [False, True])
def test_a_batch_ends_when_its_folder_goes_away(start_siamtrack, batch, clips, weights, tmp_path, again):
    """What it wrote after that no later batch would take for its own, also where the folder is made again."""
    folder, pipe, out = clips("0.mp4", "2.mp4"), tmp_path / "clips" / "1.mp4", tmp_path / "tracked"
    os.mkfifo(pipe)
    named = (folder / "0.mp4", pipe, folder / "2.mp4", "--weights", weights, "-f", "json", "--box", BOX)
    process = start_siamtrack("batch", *named, "-j", 1)
    status = out / "batch.jsonl"
    wait_until(lambda: status.exists() and states(out) == {"0": "done", "1": "started"}, process)
    out.rename(tmp_path / "moved")
    if again:
        out.mkdir()
        status.touch()
    pipe.open("wb").close()  # it waits until the batch reads, which then goes on
    _, err = process.communicate()
    assert process.returncode == 8 and b"was removed, moved or replaced while" in err, err
    assert b"the same command tracks all clips again" in err and b"command again to continue" not in err
    assert (b"; see tracked/batch.jsonl" in err) == again, err
    assert [path.name for path in out.rglob("*")] == ["batch.jsonl"] * again
    pipe.unlink()
    clips("1.mp4")
    assert summary(batch(folder, "--output-dir", "moved", "--json")) == (2, 1, 0, 0)


@pytest.mark.parametrize("engine", ["auto", "eager"])
def test_numbers_do_not_depend_on_what_else_is_open(load_once, weights, clips, tmp_path, engine):
    """One clip, box and weights: the same bytes with one clip open or three, one target or several."""
    folder = clips("a.mp4", "b.mp4", "c.mp4")
    loaded = load_once(weights, device="cpu", engine=engine, params=None)
    boxes = {"a": (BOX, "300,100,50,60"), "b": ("300,100,50,60",), "c": (BOX,)}

    def tracked(name: str, width: int) -> dict[str, list[str]]:
        """Clip -> the lines of its trajectory."""
        jobs = [
            Job(
                source=str(folder / f"{clip}.mp4"),
                targets=tuple(map(parse_target, some)),
                paths=(str(tmp_path / name / f"{clip}.csv"),),
            )
            for clip, some in boxes.items()
        ]
        events = list(track_jobs(loaded, jobs, width))
        assert [event.error for event in events if isinstance(event, Finished)] == [None] * 3
        return {clip: (tmp_path / name / f"{clip}.csv").read_text().splitlines() for clip in boxes}

    alone, together = tracked("alone", 1), tracked("together", 3)
    assert alone == together
    assert len(alone["c"]) == 1 + FRAMES
    assert [line for line in alone["a"] if line in alone["c"]] == alone["c"]  # header and first target


def test_nothing_left_to_do_loads_nothing(batch, clips, weights, tmp_path):
    folder = clips("a.mp4")
    assert batch(folder).code == 0
    command = ["siamtrack", "batch", "--weights", weights, "-f", "json", "--box", BOX, folder, "--json"]
    code = (
        f"import sys; sys.argv = {[str(word) for word in command]!r}\n"
        "from siamcli.cli.app import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('torch' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert json.loads(done.stdout)["skipped"] == 1
    assert done.stderr.splitlines()[-1] == "False", done.stderr


def test_no_box_at_all_is_said_once(siamtrack, clips, weights, tmp_path):
    folder = clips("a.mp4", "b.mp4")
    done = siamtrack("batch", "clips", "--weights", weights)
    assert done.code == 2 and not (tmp_path / "tracked").exists()
    said = " ".join(done.err.replace("│", " ").split())
    assert said.count("has a box") == 1 and "none of 2 clips has a box" in said
    assert "siamtrack pick clips -o boxes.csv" in said and "--boxes boxes.csv" in said
    (folder / "b.mp4.box").write_text(BOX)
    done = siamtrack("batch", "clips", "--weights", weights, "-f", "json")
    assert done.code == 7 and states() == {"a": "failed", "b": "done"}
    assert "run the same command again" in done.err and "with --retry-failed" in done.err


def test_params_that_change_make_clips_outdated(batch, clips, tmp_path):
    folder = clips("a.mp4")
    (tmp_path / "p.toml").write_text("penalty_k = 0.1\n")
    assert summary(batch(folder, "--json")) == (1, 0, 0, 0)
    assert summary(batch(folder, "--json", "--params", "p.toml")) == (1, 0, 0, 0)
    assert summary(batch(folder, "--json", "--params", "p.toml")) == (0, 1, 0, 0)
    (tmp_path / "p.toml").write_text("penalty_k = 0.2\n")
    assert summary(batch(folder, "--json", "--params", "p.toml")) == (1, 0, 0, 0)


def test_fps_gives_images_of_a_batch_a_rate(batch, clips, tmp_path):
    """It belongs to what a clip is tracked with; a clip beside it that has times of its own keeps them."""
    folder = clips("a.mp4")
    (folder / "scans").mkdir()
    source = [ffmpeg_exe(), "-v", "error", "-i", folder / "a.mp4", folder / "scans/img%d.png"]
    subprocess.run(source, check=True)
    assert batch(folder / "scans", "--fps", "12.5").code == 0
    document = json.loads((tmp_path / "tracked/scans.tracked.json").read_text())
    assert document["source"]["fps"] == "25/2"
    assert [point["time"] for point in document["points"]] == [0.0, 0.08, 0.16]
    assert "1 skipped" in batch(folder / "scans", "--fps", "25/2").err
    assert "1 done" in batch(folder / "scans", "--fps", "25").err
    done = batch(folder / "a.mp4", folder / "scans", "--fps", "12.5", "-f", "csv")
    assert done.code == 0 and "2 done" in done.err, done.err
    document = json.loads((tmp_path / "tracked/a.tracked.json").read_text())
    assert document["source"]["fps"] == "25/1" and document["points"][1]["time"] == 0.04
    (tmp_path / "tracked/a.tracked.csv").unlink()  # made again from the trajectory, with the same clock
    assert batch(folder / "a.mp4", "--fps", "12.5", "-f", "csv", "-f", "mp4").code == 0
    with open_source("tracked/a.tracked.mp4") as drawn:
        assert [round(frame.time, 3) for frame in drawn] == [0.0, 0.04, 0.08]
    assert batch(folder / "scans", "--fps", "fast").code == 3


def test_a_pattern_of_images_is_one_clip(batch, clips, tmp_path):
    folder = clips("a.mp4")
    source = [ffmpeg_exe(), "-v", "error", "-i", folder / "a.mp4", folder / "img%d.png"]
    subprocess.run(source, check=True)
    pattern = f"{folder}/*.png"
    assert summary(batch(pattern, "--json")) == (1, 0, 0, 0)
    found = read_trajectory(tmp_path / "tracked/clips.tracked.json")
    assert found.header.source.files == ("img1.png", "img2.png", "img3.png")
    assert summary(batch(pattern, "--json")) == (0, 1, 0, 0)
    (folder / "img3.png").unlink()
    assert summary(batch(pattern, "--json")) == (1, 0, 0, 0)
    assert summary(batch(f"{folder}/*", "--output-dir", "all", "--json")) == (1, 0, 0, 0)  # the video


@pytest.mark.parametrize("change", ["more", "order", "fewer", "gone", "video", "outdated"])
def test_outputs_come_from_the_trajectory_that_is_there(batch, clips, tmp_path, change):
    folder, out = clips("a.mp4"), tmp_path / "tracked"
    first = {"more": [], "video": []}.get(change, ["-f", "csv"])
    assert batch(folder, *first).code == 0
    kept = (out / "a.tracked.json").stat().st_mtime_ns
    table = (out / "a.tracked.csv").read_bytes() if first else None
    again = ["-f", "csv"]
    if change == "gone":
        (out / "a.tracked.csv").unlink()
    elif change == "fewer":
        again = []
    elif change == "order":
        again = ["-f", "csv", "-f", "json"]
    elif change == "video":
        again = ["-f", "mp4", "-f", "txt", "-f", "jsonl"]
    elif change == "outdated":  # tracked with another box, JSON alone: the table is of the first
        (out / "a.tracked.csv").write_text("frame\n")
        other = batch(folder, "--box", "10,10,50,50")
        assert other.code == 0 and "not written again: a.tracked.csv;" in other.err.replace("\n", " ")
        kept = (out / "a.tracked.json").stat().st_mtime_ns
        again = ["-f", "csv", "--box", "10,10,50,50"]
    done = batch(folder, *again, "--json")
    assert "not written again" not in done.err.replace("\n", " ")
    counts = json.loads(done.out)
    made = change in ("more", "gone", "video", "outdated")
    assert done.code == 0 and (counts["done"], counts["completed"], counts["skipped"]) == (0, made, not made)
    assert (out / "a.tracked.json").stat().st_mtime_ns == kept
    whole = read_trajectory(out / "a.tracked.json")
    if change == "video":
        assert read_trajectory(out / "a.tracked.jsonl") == whole
        assert len((out / "a.tracked.txt").read_text().splitlines()) == FRAMES
        assert cv2.VideoCapture(str(out / "a.tracked.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) == FRAMES
    elif change != "fewer":
        assert read_trajectory(out / "a.tracked.csv").points == whole.points
        assert change not in ("gone", "order") or (out / "a.tracked.csv").read_bytes() == table
    assert summary(batch(folder, *again, "--json")) == (0, 1, 0, 0)


def test_another_style_draws_the_videos_again(batch, clips, tmp_path):
    """Nothing is tracked again.  A video that is not wanted now keeps its style, and is drawn when it is."""
    folder, out = clips("a.mp4"), tmp_path / "tracked"
    assert batch(folder, "-f", "json", "-f", "mp4", "-f", "mkv").code == 0
    kept = (out / "a.tracked.json").stat().st_mtime_ns
    x, y, w, h = (int(float(side)) for side in BOX.split(","))

    def hidden(name: str) -> bool:
        taken, picture = cv2.VideoCapture(str(out / name)).read()
        assert taken
        return bool(picture[y : y + h, x : x + w].max() < 40)

    black = ("-f", "json", "-f", "mp4", "--fill", "black")
    assert "needs a video" in batch(folder, "-f", "csv", "--fill", "black").err
    assert not hidden("a.tracked.mp4")
    done = batch(folder, *black, "--json")
    assert json.loads(done.out)["completed"] == 1 and "give the options again" not in done.err
    assert hidden("a.tracked.mp4") and not hidden("a.tracked.mkv")
    assert summary(batch(folder, *black, "--json")) == (0, 1, 0, 0)
    assert json.loads(batch(folder, "-f", "mkv", "--fill", "black", "--json").out)["completed"] == 1
    assert hidden("a.tracked.mkv")
    done = batch(folder, "-f", "mp4", "--json")
    assert json.loads(done.out)["completed"] == 1 and not hidden("a.tracked.mp4")
    assert "a.mp4: its video had other effects" in done.err and "give the options again" in done.err
    assert (out / "a.tracked.json").stat().st_mtime_ns == kept


def test_the_stream_that_is_named(batch, clips, short, tmp_path):
    """Of two, and in a clip that has one alone it is refused; another one makes the clip outdated."""
    folder = clips("one.mp4")
    larger = (
        "-filter:v:0",
        "scale=320:-2",
        "-map",
        "0:v",
        "-map",
        "1:v",
        "-c:v:0",
        "libx264",
        "-preset",
        "ultrafast",
    )
    command = [ffmpeg_exe(), "-v", "error", "-i", short, "-i", short, *larger, folder / "two.mkv"]
    subprocess.run(command, check=True)
    assert summary(batch(folder, "--json", "--stream", 0)) == (2, 0, 0, 0)
    first = read_trajectory(tmp_path / "tracked/two.tracked.json")
    done = batch(folder, "--json", "--stream", 1)
    assert summary(done) == (1, 0, 1, 0) and "one.mp4" in done.err
    second = read_trajectory(tmp_path / "tracked/two.tracked.json")
    assert first.header.source.size != second.header.source.size
    assert summary(batch(folder / "two.mkv", "--json", "--stream", 1)) == (0, 1, 0, 0)
    assert summary(batch(folder / "two.mkv", "--json", "--stream", 1, "--deinterlace")) == (1, 0, 0, 0)


def test_timecodes_of_a_manifest(siamtrack, weights, clips, tmp_path):
    """They are frames of each clip; the batch goes on to the others, and knows the clips again."""
    clips("a.mp4", "b.mp4", "c.mp4")
    rows = ("a.mp4,00:00:00:02", "b.mp4,00:00:00:25", "c.mp4,00:00:00:01")
    table = "\n".join(["clip,time,box", *(f'{row},"{BOX}"' for row in rows)])
    (tmp_path / "clips/boxes.csv").write_text(table)
    command = ("batch", "--boxes", tmp_path / "clips/boxes.csv", "--weights", weights, "-f", "json", "--json")
    done = siamtrack(*command)
    assert done.code == 7 and summary(done) == (2, 0, 1, 0), done.err
    assert "b.mp4: 00:00:00:25: there is no frame 25 in a second of 25" in done.err
    first = [read_trajectory(tmp_path / f"tracked/{name}.tracked.json").points[0] for name in "ac"]
    assert [(point.index, point.state) for point in first] == [(2, "init"), (1, "init")]
    assert summary(siamtrack(*command)) == (0, 2, 0, 1)
