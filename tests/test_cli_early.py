"""What can be known from the command line and the files is refused before weights are loaded."""

from __future__ import annotations

import shlex

import clips
import pytest

import siamcli.cli.network
import siamcli.load
import siamcli.ui.review.report
from siamcli.batch.status import Entry
from siamcli.boxes import Box
from siamcli.formats.files import write_trajectory
from siamcli.frames import SourceInfo
from siamcli.trajectory import TrackHeader, TrackPoint, Trajectory

RUN = "run a.mp4 --box 40,20,20,20"
FIX = "fix a.mp4 a.json --box-at 3f=40,20,20,20"
BATCH = "batch --box 40,20,20,20 --output-dir out"
EVAL = "folder --root data"
REFUSED = {
    f"{RUN} -o file/x.json": (8, "a file has that name"),
    f"{RUN} --output-dir file": (8, "a file has that name"),
    f"{RUN} --output-dir loop": (8, "or a link that leads to no folder"),
    f"{RUN} --output-dir ''": (2, "--output-dir: an empty name"),
    f"{RUN} --output-dir=": (2, "--output-dir: an empty name"),
    "render a.mp4 ''": (2, "trajectory: an empty name"),
    "report data ''": (2, "results: an empty name"),
    f"{RUN} -o '{{target}}.mp4'": (8, "a video shows all targets"),
    f"{RUN} -o x.json --engine no": (6, "unknown engine 'no'"),
    f"{RUN} -o x.json --params none.toml": (4, "cannot read tracker parameters from none.toml"),
    "fix a.mp4 file --box-at 3f=40,20,20,20": (3, "file: not a trajectory"),
    f"{FIX} -o file/x.json": (8, "a file has that name"),
    f"{FIX} -o x.mp4 --audio 2": (3, "a.mp4 has no sound 2"),
    f"{FIX} -o x.json --audio 2": (2, "--audio needs a video among the outputs"),
    f"{FIX} -o x.json --blur '#1'": (2, "--blur needs a video among the outputs"),
    "review a.mp4 a.json --blur '#1'": (2, "--blur needs a video among the outputs"),
    "fix gone --fixes fixes.csv": (3, "no such file or folder: gone"),
    "fix gone": (3, "no such file or folder: gone hint:  siamtrack fix VIDEO TRAJECTORY, or BATCH_FOLDER"),
    "review gone": (
        3,
        "no such file or folder: gone hint:  siamtrack review VIDEO TRAJECTORY, or BATCH_FOLD",
    ),
    "render gone a.json": (3, "no such file or folder: gone hint:  give a video, a folder of images or a q"),
    "fix '' --fixes fixes.csv": (3, "a source without a name"),
    "review ''": (3, "a source without a name"),
    "fix a.mp4": (2, "which trajectory?"),
    "fix tracked --fixes fixes.csv --audio 2": (2, "--audio needs a video among the outputs"),
    "fix tracked --fixes fixes.csv --blur '#1'": (2, "--blur needs a video among the outputs"),
    "review tracked --audio 2": (2, "--audio needs a video among the outputs"),
    "review a.mp4 a.json -o file/r.html": (8, "a file has that name"),
    "pick a.mp4 -o file/b.csv --pick-browser": (8, "a file has that name"),
    f"{BATCH} ''": (3, "a clip without a name"),
    f"{BATCH} none.mp4": (7, "no such file or folder: none.mp4"),
    f"{BATCH} empty": (7, "no video and no image in empty"),
    f"{BATCH} a.mp4 --mask file": (3, "cannot read the mask file"),
    f"eval {EVAL} -o file": (8, "the folder in that path is a file"),
    f"eval {EVAL} --engine no": (6, "unknown engine 'no'"),
    f"tune {EVAL} --params none.toml": (4, "cannot read tracker parameters from none.toml"),
    "export --to onnx -o empty": (8, "empty exists"),
    "export --to int8 --calibrate none.mp4": (3, "no such file or folder: none.mp4"),
    "bench --pipeline none.mp4": (3, "no such file or folder: none.mp4"),
    "bench --precision none": (5, "no such folder: none"),
    "bench --precision file": (5, "not a folder: file"),
    f"{RUN} -o x.json --weights empty": (4, "not a file: empty"),
    f"{BATCH} --boxes blank.json": (3, "blank.json: not JSON: it is empty"),
    f"{BATCH} --boxes blank.csv": (3, "columns clip and box are needed, not none"),
    "eval folder --root binary.json": (5, "annotation file: not JSON: it is not text"),
    "bench --engine no": (6, "unknown engine 'no'"),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A clip, its trajectory, a batch without videos, a data set, an empty folder, a file and a loop."""
    folder = tmp_path_factory.mktemp("files")
    clips.constant(folder / "a.mp4", frames=6)
    header = TrackHeader(SourceInfo("a", (96, 64)), "m", "", "1")
    points = tuple(TrackPoint(i, None, Box(40, 20, 20, 20), 0.9, "tracked") for i in range(6))
    write_trajectory(Trajectory(header, points, complete=True), folder / "a.json")
    (folder / "tracked").mkdir()
    entry = Entry("../a.mp4", "a.mp4", "key", "done", "2026-01-01T00:00:00", ("a.tracked.json",))
    (folder / "tracked" / "batch.jsonl").write_text(entry.line())
    (folder / "empty").mkdir()
    for name in ("file", "blank.json", "blank.csv"):
        (folder / name).touch()
    (folder / "binary.json").write_bytes(b"\xe9")
    (folder / "loop").symlink_to("loop")
    (folder / "data" / "x").mkdir(parents=True)
    clips.folder(folder / "data" / "x" / "img", frames=2)
    (folder / "data" / "x" / "groundtruth.txt").write_text("40,20,20,20\n" * 2)
    return folder


@pytest.mark.parametrize("line", REFUSED)
def test_it_is_refused_before_weights_are_loaded(siamtrack, files, monkeypatch, line):
    def load(*_, **__):
        pytest.fail("weights were loaded")

    monkeypatch.chdir(files)
    monkeypatch.setattr(siamcli.load, "load_tracker", load)
    monkeypatch.setattr(siamcli.cli.network, "load_network", load)
    monkeypatch.setattr(siamcli.ui.review.report, "report_entries", load)
    before = sorted(path.name for path in files.iterdir())
    done = siamtrack(*shlex.split(line))
    code, message = REFUSED[line]
    assert (done.code, "loading" in done.err) == (code, False), done.err
    assert message in done.err.replace("\n", " ")
    made = {path.name for path in files.iterdir()} - set(before)
    assert made <= {"out", "results", "tuning"}
