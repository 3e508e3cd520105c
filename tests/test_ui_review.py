"""The review without its page: frames, doubts, corrections, files, and who may ask."""

from __future__ import annotations

import base64
import http.client
import json
import re
import socket
import threading
import time
from contextlib import closing
from dataclasses import replace
from types import SimpleNamespace
from urllib.parse import urlsplit

import clips
import cv2
import numpy as np
import pytest
from asking import fetch
from hypothesis import given
from hypothesis import strategies as st

from siamcli.batch.fix import batch_entries, replace_outputs
from siamcli.batch.manifest import read_manifest
from siamcli.batch.status import Entry
from siamcli.boxes import Box
from siamcli.errors import InputError, OutputError
from siamcli.formats.files import read_trajectory, write_trajectory
from siamcli.frames import SourceInfo
from siamcli.load import load_tracker
from siamcli.media.sources import open_source
from siamcli.session.reading import Reading
from siamcli.trajectory import NO_BOX, TrackHeader, TrackPoint, Trajectory, shared_boxes
from siamcli.ui.review import report
from siamcli.ui.review.changes import StaleError
from siamcli.ui.review.documents import point_rows
from siamcli.ui.review.doubt import Doubt, doubts, summarize
from siamcli.ui.review.fixes import corrections_in, fixes_table
from siamcli.ui.review.frames import FrameStore
from siamcli.ui.review.library import Library, batch_clips, clip_to_pick, one_clip
from siamcli.ui.review.report import PICTURES
from siamcli.ui.review.server import ReviewServer
from siamcli.ui.review.work import Work

FRAMES = 20


def trajectory_of(states, *, checked=False, labels=("bug",), size=clips.SIZE):
    """A trajectory with a letter per frame and target: i init, t tracked, l lost, a absent, . none."""
    names = {"i": "init", "t": "tracked", "l": "lost", "a": "absent"}
    points = [
        TrackPoint(
            index,
            index * 1001 / 30000,
            NO_BOX if letter == "a" else Box(30 * target - 19, 10, 20, 20),
            {"i": 1.0, "t": 0.9, "l": 0.1, "a": 0.0}[letter],
            names[letter],
            target,
            source="human" if letter in "ia" else "forward",
            agreement=0.8 if checked and letter == "t" else None,
        )
        for target, line in enumerate(states, start=1)
        for index, letter in enumerate(line)
        if letter != "."
    ]
    source = SourceInfo("a.mkv", size, None, len(states[0]))
    header = TrackHeader(source, "untrained", "", "0", labels=tuple(labels), checked=checked)
    return Trajectory(header, tuple(sorted(points, key=lambda p: (p.index, p.target))), complete=True)


@pytest.fixture
def clip(tmp_path):
    """A video of FRAMES frames and its trajectory a.json, lost in the frames 8 to 11."""
    video = clips.constant(tmp_path / "a.mkv", frames=FRAMES)
    write_trajectory(trajectory_of(["i" + 7 * "t" + 4 * "l" + 8 * "t"]), tmp_path / "a.json")
    return video


@pytest.fixture
def library(clip, tmp_path):
    with closing(Library([one_clip(str(clip), tmp_path / "a.json", None, Reading)])) as opened:
        yield opened


def test_frames_are_exact_in_any_order(clip, tmp_path):
    with closing(FrameStore(Reading(str(clip)).open, memory=20_000)) as store:
        for index in (0, 1, 2, 19, 18, 3, 17, 4, 5, 12, 0):
            picture = cv2.imdecode(np.frombuffer(store.jpeg(index), np.uint8), cv2.IMREAD_COLOR)
            assert clips.number(picture) == index
        assert store.jpeg(FRAMES) is None and store.jpeg(-1) is None and store.end == FRAMES
        assert store.jpeg(19) is not None


@pytest.mark.parametrize("name", ["a.mkv", "a.h264"])
def test_the_end_is_found_from_beyond(tmp_path, name):
    video = clips.constant(tmp_path / name, frames=FRAMES)
    with closing(FrameStore(Reading(str(video)).open)) as store:
        assert store.jpeg(3) is not None and store.jpeg(10 * FRAMES) is None and store.end == FRAMES
        assert store.jpeg(FRAMES - 1) is not None


def test_videos_that_are_let_go_of_are_not_opened_again_behind_ones_back(clip, tmp_path, monkeypatch):
    """Their decoders ran on, and nobody ended them."""
    opened = []

    def opens(**how):
        opened.append(how)
        return Reading(str(clip)).open(**how)

    store = FrameStore(opens)
    store.close()
    assert store.jpeg(7) is None and len(opened) == 1
    library = Library([one_clip(str(clip), tmp_path / "a.json", None, Reading)])
    library.frames(0)
    first = library._stores.popitem()[1]  # as another clip makes room, between the two steps of `picture`
    first.close()
    kept = iter([first])
    real = Library.frames
    monkeypatch.setattr(Library, "frames", lambda self, number: next(kept, None) or real(self, number))
    assert library.picture(0, 7) is not None
    library.close()


def test_frames_behind_the_end_of_a_run_are_not_shown(clip, tmp_path):
    short = trajectory_of(["itttttt"])
    source = replace(short.header.source, count=FRAMES)
    write_trajectory(replace(short, header=replace(short.header, source=source)), tmp_path / "short.json")
    with closing(Library([one_clip(str(clip), tmp_path / "short.json", None, Reading)])) as library:
        assert library.document(0)["frames"] == 7
        assert library.frames(0).jpeg(FRAMES) is None  # the end of the video is known now
        assert library.document(0)["frames"] == 7


def test_two_targets_with_nearly_one_box_are_doubted():
    apart = trajectory_of(["itttttttttt"] * 2, labels=("a", "b")).points
    assert not doubts(apart)
    box = apart[0].box  # of a, which b takes over in frames 3 to 5
    merged = [replace(p, box=box) if p.target == 2 and 3 <= p.index <= 5 else p for p in apart]
    assert doubts(merged) == [Doubt(1, 3, 5, 3, "same box"), Doubt(2, 3, 5, 3, "same box")]
    good, bad = (summarize(replace(trajectory_of(["i"]), points=points)) for points in (apart, merged))
    assert (good.shared, bad.shared) == (0, 6 / 22) and bad.order < good.order
    sure = [replace(p, source="human") if p.target == 1 else p for p in merged]
    assert doubts(sure) == [Doubt(2, 3, 5, 3, "same box")]


def test_doubts_and_summary():
    trajectory = trajectory_of(["itttlltaat", ".ittttttll"], labels=("a", "b"))
    assert doubts(trajectory.points) == [Doubt(1, 4, 5, 4, "lost"), Doubt(2, 8, 9, 8, "lost")]
    summary = summarize(trajectory)
    assert summary.lost == 4 / 19 and summary.lowest == 0.1 and summary.disagreeing is None
    better = summarize(trajectory_of(["itttttttttt"], checked=True))
    assert better.disagreeing == 0 and summary.order < better.order


boxes = st.builds(Box, *(st.integers(0, 60).map(float) for _ in range(2)), st.just(8.0), st.just(7.5))


@pytest.mark.parametrize("labels", [("bug, red", None), ("bug", "bug")])
@given(st.dictionaries(st.tuples(st.integers(1, 2), st.integers(0, 29)), boxes | st.none(), min_size=1))
def test_the_table_says_what_was_corrected(tmp_path_factory, labels, corrections):
    folder = tmp_path_factory.mktemp("table")
    path, video = folder / "fixes.csv", str(folder / "a.mkv")
    path.write_text('clip,time,target,box\nother.mkv,3f,x,"1,2,3,4"\na.mkv,5f,#1,absent\n')
    trajectory = trajectory_of(["i" + 29 * "t"] * 2, labels=labels)
    text = fixes_table(path, video, corrections, trajectory.header.labels)
    path.write_text(text)
    assert corrections_in(path, Reading(video), trajectory, clips.SIZE) == corrections
    assert len(read_manifest(path, "xywh").of(str(folder / "other.mkv"))) == 1
    assert fixes_table(path, video, corrections, trajectory.header.labels) == text


def test_a_table_may_have_timecodes(clip, tmp_path):
    (tmp_path / "a.fixes.csv").write_text("clip,time,target,box\na.mkv,00:00:00:09,bug,absent\n")
    known = read_trajectory(tmp_path / "a.json")
    found = corrections_in(tmp_path / "a.fixes.csv", Reading(str(clip)), known, clips.SIZE)
    assert found == {(1, 9): None}


def test_corrections_are_tracked_undone_and_saved(library, clip, weights, tmp_path):
    editing, before = library.state(0), (tmp_path / "a.json").read_bytes()
    editing.change(1, {"do": "box", "target": 1, "frame": 9, "box": [30, 20, 20, 20]})
    editing.change(2, {"do": "absent", "target": 1, "first": 11, "last": 10})
    editing.change(3, {"do": "add", "label": "new", "frame": 15, "box": [-5, 20, 30, 20]})
    editing.change(4, {"do": "name", "target": 1, "label": "beetle"})
    editing.change(5, {"do": "undo"})
    assert editing.edits.trajectory.header.labels == ("bug", "new") and editing.edits.pending == {
        **{(1, 9): Box(30, 20, 20, 20), (1, 10): None, (1, 11): None},
        (2, 15): Box(0, 20, 25, 20),
    }
    with pytest.raises(InputError, match="not tracked yet"):
        list(editing.save(6))
    assert (tmp_path / "a.json").read_bytes() == before and not (tmp_path / "a.fixes.csv").exists()
    steps = list(editing.track(6, lambda: load_tracker(weights)))
    assert steps[-1][:2] == (len(steps), len(steps)) and not editing.edits.pending
    list(editing.save(7))
    assert not editing.unsaved and not list(editing.keep())
    human = [(p.index, p.target) for p in read_trajectory(tmp_path / "a.json").points if p.source == "human"]
    assert human == [(0, 1), (9, 1), (10, 1), (11, 1), (15, 2)]
    assert (tmp_path / "a.fixes.csv").read_text() == (
        'clip,time,target,box\na.mkv,9f,bug,"30,20,20,20"\na.mkv,10f-11f,bug,absent\na.mkv,15f,new,"0,20,25,20"\n'
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"do": "box", "target": 1, "frame": 9, "box": [200, 20, 20, 20]}, "lies outside"),
        ({"do": "box", "target": 1, "frame": 9, "box": [1, 2, 3]}, "no box"),
        ({"do": "box", "target": 1, "frame": 9, "box": [1, 2, 30, 10**400]}, "no box"),
        ({"do": "box", "target": 1, "frame": 99, "box": [1, 2, 30, 30]}, "after frame 19"),
        ({"do": "box", "target": 2, "frame": 9, "box": [1, 2, 30, 30]}, "no target 2"),
        ({"do": "absent", "target": 1, "first": 3}, "no frame None"),
        ({"do": "name", "target": 1, "label": "#2"}, "not a name"),
        ({"do": "add", "label": "bug", "frame": 3, "box": [1, 2, 30, 30]}, "another target is called"),
        ({"do": "dance"}, "no such change"),
    ],
)
def test_what_does_not_fit_changes_nothing(library, change, says):
    editing = library.state(0)
    with pytest.raises(InputError, match=says):
        editing.change(1, change)
    assert editing.version == 1 and not editing.unsaved


def test_neither_tab_nor_program_is_overwritten(library, tmp_path):
    editing = library.state(0)
    editing.change(1, {"do": "name", "target": 1, "label": "first tab"})
    with pytest.raises(StaleError):
        editing.change(1, {"do": "name", "target": 1, "label": "second tab"})
    write_trajectory(trajectory_of(["i" + 19 * "t"]), tmp_path / "a.json", overwrite=True)
    theirs = (tmp_path / "a.json").read_bytes()
    with pytest.raises(OutputError, match="changed by another program"):
        list(editing.save(2))
    assert (tmp_path / "a.json").read_bytes() == theirs
    assert editing.edits.trajectory.header.labels == ("first tab",)


def test_no_hand_that_wrote_into_the_table_meanwhile_is_overwritten(library, tmp_path):
    table, before = tmp_path / "a.fixes.csv", (tmp_path / "a.json").read_bytes()
    editing = library.state(0)
    editing.change(1, {"do": "name", "target": 1, "label": "beetle"})
    table.write_text('clip,time,target,box\na.mkv,9f,bug,"30,20,20,20"\n')
    theirs = table.read_bytes()
    with pytest.raises(OutputError, match=r"a\.fixes\.csv: what it says of .*a\.mkv was changed since"):
        list(editing.save(2))
    assert (table.read_bytes(), (tmp_path / "a.json").read_bytes()) == (theirs, before)
    table.write_text('clip,time,target,box\nb.mkv,9f,bug,"30,20,20,20"\n')  # of other clips nothing is taken
    list(editing.save(2))
    assert "b.mkv,9f,bug" in table.read_text()
    editing.change(3, {"do": "name", "target": 1, "label": "bug"})
    list(editing.save(4))  # what was written here is no change


def test_a_row_without_a_time_stays_in_the_table(library, tmp_path):
    """As in a manifest, it is of the first frame."""
    table = tmp_path / "a.fixes.csv"
    table.write_text('clip,time,target,box\na.mkv,,bug,"30,20,20,20"\na.mkv,9f,bug,absent\n')
    editing = library.state(0)
    editing.change(1, {"do": "name", "target": 1, "label": "beetle"})
    list(editing.save(2))
    assert table.read_text() == (
        'clip,time,target,box\na.mkv,0f,beetle,"30,20,20,20"\na.mkv,9f,beetle,absent\n'
    )


def test_a_box_that_was_written_into_the_manifest_meanwhile_is_not_overwritten(clip, tmp_path):
    manifest = tmp_path / "boxes.csv"
    with closing(Library([clip_to_pick(str(clip), manifest)])) as library:
        picking = library.state(0)
        picking.change(1, {"do": "add", "frame": 0, "box": [30, 20, 20, 20]})
        manifest.write_text('clip,time,box,label\na.mkv,,"1,2,30,40",bug\n')
        changed = r"boxes\.csv: what it says of .*a\.mkv was changed since"
        with pytest.raises(OutputError, match=changed) as refused:
            list(picking.save(2))
        assert "make it what it was to save what is drawn here" in refused.value.hint
        manifest.unlink()
        list(picking.save(2))
        picking.change(3, {"do": "box", "target": 1, "frame": 0, "box": [30, 20, 20, 30]})
        list(picking.save(4))
    assert '"30,20,20,30"' in manifest.read_text()


def test_a_table_that_cannot_be_added_to(clip, tmp_path):
    (tmp_path / "a.fixes.csv").write_text("name,age\nAda,36\n")
    with pytest.raises(InputError, match="its first line is not clip,time,target,box"):
        Library([one_clip(str(clip), tmp_path / "a.json", None, Reading)]).state(0)


def test_all_outputs_of_a_batch_are_replaced_the_worst_first(siamtrack, weights, tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a.mkv", "b.mkv"):
        clips.constant(tmp_path / "in" / name, frames=8)
    (tmp_path / "in" / "c.mkv").write_text("no video")
    batch = ("batch", "in", "--box", "bug=40,20,20,20", "--weights", weights, "-f", "json", "-f", "csv")
    assert siamtrack(*batch).code == 7
    out = tmp_path / "tracked"
    with closing(Library(batch_clips(out, None, Reading))) as library:
        assert [clip.name for clip in library.clips][2] == "c.mkv" and "c.mkv" in library.clips[2].error
        number = [clip.name for clip in library.clips].index("a.mkv")
        editing = library.state(number)
        saves = [out / "a.tracked.json", out / "a.tracked.csv", out / "fixes.csv"]
        assert editing.document()["saves"] == list(map(str, saves))
        editing.change(1, {"do": "name", "target": 1, "label": "beetle"})
        before = (out / "b.tracked.json").read_bytes()
        list(editing.save(2))
    assert (out / "b.tracked.json").read_bytes() == before
    for file in ("a.tracked.json", "a.tracked.csv"):
        assert read_trajectory(out / file).header.labels == ("beetle",)
    lines = [json.loads(line) for line in (out / "batch.jsonl").read_text().splitlines()]
    assert lines[-1]["clip"].endswith("a.mkv") and lines[-1]["state"] == "done"


def write_batch(folder, lost):
    """A batch of one clip and a trajectory per share of frames that its status file says are lost."""
    clips.constant(folder / "a.mkv", frames=8)
    entries = []
    for number, frames in enumerate(lost):
        (folder / f"{number}.mkv").symlink_to("a.mkv")
        states = "i" + 7 * "t" if frames == 0 else "i" + frames * "l" + (7 - frames) * "t"
        write_trajectory(trajectory_of([states]), folder / f"{number}.json")
        entries.append(
            Entry(
                *(f"{number}.mkv", f"{number}.mkv", "key", "done", "2026-01-01T00:00:00"),
                *((f"{number}.json",), 8, 1.0, frames, 1),
            )
        )
    (folder / "batch.jsonl").write_text("".join(entry.line() for entry in entries))


def test_a_batch_whose_clip_is_corrected_counts_shared_boxes_anew(tmp_path):
    write_batch(tmp_path, [0])
    two = trajectory_of(["ittttttt"] * 2, labels=("a", "b"))
    same = replace(two, points=tuple(replace(p, box=two.points[0].box) for p in two.points))
    for trajectory, count in ((same, 8), (two, 0)):
        assert shared_boxes(trajectory.points).frames == count
        for _ in replace_outputs(tmp_path, "0.mkv", Reading(str(tmp_path / "0.mkv")), trajectory, {}):
            pass
        entry = batch_entries(tmp_path)["0.mkv"]
        assert (entry.same_box, entry.targets) == (count, 2)  # one is new: the share that is lost is of both


def test_a_clip_that_a_batch_was_at_is_shown_when_it_is_done(tmp_path):
    write_batch(tmp_path, [0, 3])
    status = tmp_path / "batch.jsonl"
    *_, last = status.read_text().splitlines(keepends=True)
    status.write_text(status.read_text().replace(last, last.replace('"done"', '"started"')))
    with closing(Library(batch_clips(tmp_path, None, Reading))) as library:
        assert [clip.error for clip in library.clips] == [None, "it is not tracked to its end"]
        assert not library.can_be_shown(1) and library.clips[1].error == "it is not tracked to its end"
        with status.open("a") as file:
            file.write(last)
        assert library.can_be_shown(1) and library.clips[1].error is None
        assert library.rows()[1]["lost"] == 3 / 8


def test_a_batch_is_served_before_its_trajectories_are_read(tmp_path):
    write_batch(tmp_path, [0, 3, 1])
    (tmp_path / "2.json").write_text("{}")
    library = Library(batch_clips(tmp_path, None, Reading))
    assert [row["name"] for row in library.rows()] == ["1.mkv", "2.mkv", "0.mkv"]
    assert [(row["lost"], row["lowest"]) for row in library.rows()] == [
        (3 / 8, None),
        (1 / 8, None),
        (0, None),
    ]
    with closing(library):
        assert library.state(2).version == 1 and library.row(2)["lowest"] == 0.9  # read when it is looked at
        assert list(library.read_all()) == [0, 1] and list(library.read_all()) == []
    assert library.row(0)["lowest"] == 0.1 and "2.json" in library.row(1)["error"]


def test_pages_hear_of_clips_that_are_read(tmp_path, monkeypatch):
    write_batch(tmp_path, [0, 3])
    listening = threading.Event()
    read_all = Library.read_all

    def later(library):
        assert listening.wait(60)
        yield from read_all(library)

    monkeypatch.setattr(Library, "read_all", later)
    with closing(ReviewServer(Library(batch_clips(tmp_path, None, Reading)), None)) as server:
        parts = urlsplit(server.address)
        link = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
        link.request("GET", f"{parts.path}events")
        stream = link.getresponse()
        assert b"retry" in stream.readline()
        listening.set()
        while not (line := stream.readline()).startswith(b"data: "):
            assert line
        rows = json.loads(line[6:])["rows"]
        assert {number: (row["name"], row["lowest"]) for number, row in rows.items()} == {
            "0": ("1.mkv", 0.1),
            "1": ("0.mkv", 0.9),
        }
        link.close()


@pytest.fixture
def server(library, weights):
    with closing(ReviewServer(library, lambda trajectory: load_tracker(weights))) as serving:
        yield serving


def test_what_the_server_gives_and_refuses(server):
    for name, status in (("", 200), ("app.js", 200), ("clips", 200), ("../server.py", 404), ("clips/7", 422)):
        assert fetch(server.address, name)[0] == status, name
    status, picture = fetch(server.address, "clips/0/frames/7")
    assert status == 200
    assert clips.number(cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)) == 7
    assert fetch(server.address, f"clips/0/frames/{FRAMES}")[0] == 404
    change = {"version": 1, "do": "name", "target": 1, "label": "beetle"}
    assert fetch(server.address, "clips/0", change)[1]["version"] == 2
    status, reply = fetch(server.address, "clips/0", change)
    assert status == 409 and "another tab" in reply["error"]
    for body in ("[]", "{", '{"version": true, "do": null}', "x" * 20_000, "9" * 9000, "[" * 9000):
        assert fetch(server.address, "clips/0", body)[0] in (400, 409, 422)
    assert fetch(server.address, "clips/0", change, {"Content-Type": "text/plain"})[0] == 404


def test_strangers_are_refused(server):
    parts = urlsplit(server.address)
    asked = (
        ("/wrong/clips", "127.0.0.1", 404),
        (f"{parts.path}clips", "evil.example", 403),
        ("/", "[::1]", 404),
    )
    for path, host, status in asked:
        link = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
        link.request("GET", path, headers={"Host": host})
        assert link.getresponse().status == status, path
        link.close()


def test_the_end_of_a_body_that_is_too_long_is_not_waited_for(server):
    """It was read whole, however long it was."""
    parts = urlsplit(server.address)
    link = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
    link.putrequest("POST", f"{parts.path}clips/0")
    for name, value in {"Content-Type": "application/json", "Content-Length": str(10**9)}.items():
        link.putheader(name, value)
    link.endheaders(b"9" * 20_000)
    assert link.getresponse().status == 400
    link.close()


def test_the_name_that_was_asked_for_is_served(library, monkeypatch):
    """The page answered with `only from this machine`, as to a stranger."""
    monkeypatch.setattr(socket, "gethostname", lambda: "Desk")
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, *rest, **more: real("127.0.0.1", *rest, **more))
    with closing(ReviewServer(library, None, "Desk.lan")) as server:
        for host, status in (("desk", 200), ("Desk.local", 200), ("desk.lan", 200), ("desk.example", 403)):
            link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
            link.request("GET", f"{urlsplit(server.address).path}clips", headers={"Host": host})
            assert link.getresponse().status == status, host
            link.close()


def test_what_is_stopped_before_its_first_step_does_nothing(library, weights):
    editing = library.state(0)
    editing.change(1, {"do": "box", "target": 1, "frame": 9, "box": [30, 20, 20, 20]})
    steps = editing.track(2, lambda: load_tracker(weights))
    editing.stopped = True
    assert list(steps) == [] and editing.version == 2


def test_every_page_hears_of_changes_and_of_tracking(server):
    parts = urlsplit(server.address)
    link = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
    link.request("GET", f"{parts.path}events")
    stream = link.getresponse()
    assert stream.headers["Content-Type"].startswith("text/event-stream") and b"retry" in stream.readline()
    box = {"version": 1, "do": "box", "target": 1, "frame": 9, "box": [30, 20, 20, 20]}
    assert fetch(server.address, "clips/0", box)[0] == 200
    assert fetch(server.address, "clips/0", {"version": 2, "do": "track"})[0] == 200
    heard = []
    while not heard or "done" not in heard[-1]:
        line = stream.readline()
        if line.startswith(b"data: "):
            heard.append(json.loads(line[6:]))
    assert heard[0] == {"clip": 0, "version": 2, "unsaved": True} and heard[-1] == {
        "clip": 0,
        "done": "track",
        "version": 3,
    }
    assert any(event.get("points") for event in heard)
    link.close()


def test_the_command_says_where_and_refuses_what_does_not_fit(siamtrack, clip, tmp_path, monkeypatch):
    other = clips.constant(tmp_path / "large.mkv", size=(128, 96))
    for arguments, code, says in (
        ((other, "a.json"), 3, "the frames of large are 128x96"),
        ((clip, "none.json"), 3, "cannot read none.json"),
        ((clip,), 2, "which trajectory?"),
        (("gone",), 3, "no such file or folder: gone"),
        ((tmp_path,), 3, "no batch in"),
        ((clip, "a.json", "--host", "192.0.2.1"), 8, "cannot serve on 192.0.2.1"),
        ((clip, "a.json", "--host", "a..b"), 8, "cannot serve on a..b: no such host"),
        ((clip, "a.json", "--fixes", "a.txt"), 2, "the table is a .csv"),
    ):
        done = siamtrack("review", *arguments)
        assert done.code == code and says in done.err, done.err


def test_what_is_not_saved_is_kept_at_the_end(siamtrack, clip, tmp_path, monkeypatch):
    def someone(server):
        box = {"version": 1, "do": "box", "target": 1, "frame": 9, "box": [30, 20, 20, 20]}
        assert fetch(server.address, "clips/0", box)[0] == 200
        raise KeyboardInterrupt

    monkeypatch.setattr(ReviewServer, "wait", someone)
    done = siamtrack("review", clip, "a.json")
    assert done.code == 0 and "http://127.0.0.1:" in done.err and "a.fixes.unsaved.csv" in done.err
    assert '9f,bug,"30,20,20,20"' in (tmp_path / "a.fixes.unsaved.csv").read_text()
    assert not [thread for thread in threading.enumerate() if thread.name == "review"]


def test_what_was_not_saved_is_kept_beside_what_was_not_saved_before(clip, tmp_path):
    kept = tmp_path / "a.fixes.unsaved.csv"
    for frame in (7, 9):
        with closing(Library([one_clip(str(clip), tmp_path / "a.json", None, Reading)])) as opened:
            box = {"do": "box", "target": 1, "frame": frame, "box": [30, 20, 20, 20]}
            opened.state(0).change(1, box)
            assert list(opened.state(0).keep()) == [f"these corrections are in {kept}"]
    assert [line.split(",")[1] for line in kept.read_text().splitlines()] == ["time", "7f", "9f"]


def test_what_was_not_saved_stays_where_it_names_a_target_that_is_not_there(clip, tmp_path):
    """A target that was added and not saved: the next time, what is kept took the place of its rows."""
    changes = [
        {"do": "add", "label": "leaf", "frame": 7, "box": [30, 20, 20, 20]},
        {"do": "box", "target": 1, "frame": 9, "box": [30, 20, 20, 20]},
        {"do": "name", "target": 1, "label": "beetle"},
    ]
    names = [
        [f"these corrections are in {tmp_path / 'a.fixes.unsaved.csv'}"],
        [f"these corrections are in {tmp_path / 'a.fixes.unsaved-2.csv'}"],
        [f"bug was called beetle: {tmp_path / 'a.json'} has the old name"],
    ]
    for change, said in zip(changes, names, strict=True):
        with closing(Library([one_clip(str(clip), tmp_path / "a.json", None, Reading)])) as opened:
            opened.state(0).change(1, change)
            assert list(opened.state(0).keep()) == said
    rows = [(tmp_path / f"a.fixes.unsaved{n}.csv").read_text().splitlines()[1] for n in ("", "-2")]
    assert [row.split(",")[1:3] for row in rows] == [["7f", "leaf"], ["9f", "bug"]]


def test_what_was_not_saved_names_targets_as_the_file_does(clip, tmp_path):
    with closing(Library([one_clip(str(clip), tmp_path / "a.json", None, Reading)])) as opened:
        opened.state(0).change(1, {"do": "name", "target": 1, "label": "beetle"})
        opened.state(0).change(2, {"do": "box", "target": 1, "frame": 9, "box": [30, 20, 20, 20]})
        assert len(list(opened.state(0).keep())) == 2
    assert '9f,bug,"30,20,20,20"' in (tmp_path / "a.fixes.unsaved.csv").read_text()


def test_a_save_that_breaks_is_not_told_as_done(clip, tmp_path, monkeypatch):
    told = []
    work = Work(None, SimpleNamespace(send=told.append))
    monkeypatch.setattr(threading, "excepthook", lambda failure: None)

    def broken(version):
        raise RuntimeError("broken")

    work.begin(0, SimpleNamespace(save=broken, version=1), "save", 1)
    work.finish([])
    until = time.monotonic() + 5
    while not told and time.monotonic() < until:  # the end is told after the work
        time.sleep(0.01)
    assert told == [{"clip": 0, "done": "save", "error": "RuntimeError: broken", "version": 1}]


def test_a_video_whose_frames_are_not_all_there_is_shown_as_far_as_it_goes(tmp_path):
    video = clips.damaged(clips.constant(tmp_path / "a.mkv"), 0.7)
    with open_source(str(video)) as source:
        seen = []
        with pytest.raises(InputError):
            for frame in source:
                seen.append(frame.index)
    with closing(FrameStore(Reading(str(video)).open)) as store:
        assert store.jpeg(seen[-1]) is not None and store.jpeg(seen[-1] + 1) is None


def test_the_page_to_look_at_stands_by_itself(siamtrack, clip, tmp_path):
    done = siamtrack("review", clip, "a.json", "-o", "report.html")
    assert done.code == 0 and done.out == "report.html\n"
    page = (tmp_path / "report.html").read_text()
    assert not re.search(r"""(src|href)=["'](?!data:)""", page)
    data = json.loads(
        re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1]
    )
    (entry,) = data["clips"]
    assert (entry["lost"], entry["lowest"], entry["frames"]) == (0.2, 0.1, [0, 19])
    (target,) = entry["targets"]
    assert target["strip"] == "9" * 8 + "llll" + "9" * 8 and target["lost"] == [[8, 11]]
    assert target["color"] == "#56b4e9"  # as in its pictures
    frames = [picture["frame"] for picture in entry["pictures"]]
    assert len(frames) == PICTURES and frames == sorted(frames) and {8, 10} & set(frames)
    for picture in entry["pictures"]:
        image = cv2.imdecode(np.frombuffer(base64.b64decode(picture["jpeg"]), np.uint8), cv2.IMREAD_COLOR)
        assert image.shape[1] <= 240
    assert siamtrack("review", clip, "a.json", "-o", "report.html").code == 8
    assert siamtrack("review", clip, "a.json", "-o", "report.txt", "-y").code == 8


def test_scores_are_rounded_once_as_in_the_pictures(siamtrack, clip, tmp_path):
    """0.5853 was 0.58 in the report, as 0.585, and 0.59 in its picture."""
    tracked = read_trajectory(tmp_path / "a.json")
    points = [replace(p, score=0.5853, state="tracked") for p in tracked.points]
    write_trajectory(replace(tracked, points=tuple(points)), tmp_path / "a.json", overwrite=True)
    assert siamtrack("review", clip, "a.json", "-o", "report.html").code == 0
    page = (tmp_path / "report.html").read_text()
    assert '"lowest":0.59,' in page
    (rows,) = point_rows(read_trajectory(tmp_path / "a.json"))
    assert rows[-1][2] == 0.5853


def test_no_report_of_a_video_that_was_not_tracked(siamtrack, clip, tmp_path):
    """It was written without pictures, and the exit code was 0."""
    small = clips.constant(tmp_path / "small.mkv", frames=FRAMES, size=(64, 48))
    short = clips.constant(tmp_path / "short.mkv", frames=FRAMES - 4)
    slow = tmp_path / "slow.mp4"
    clips.ffmpeg("-itsscale", "1.25", "-i", str(clip), "-c", "copy", str(slow))
    for video, says in (
        (small, "the frames of small are 64x48, but 96x64 in the trajectory"),
        (short, "short has 16 frames, but the tracked video has 20"),
        (slow, "of slow is at "),
        (tmp_path / "gone.mkv", "no such file"),
    ):
        done = siamtrack("review", video, "a.json", "-o", "report.html")
        assert done.code == 3 and says in done.err, done.err
    assert not (tmp_path / "report.html").exists()


def test_a_report_of_a_folder_names_the_clips_without_pictures(siamtrack, tmp_path):
    write_batch(tmp_path, [0, 0, 0, 0])
    (tmp_path / "1.mkv").unlink()
    clips.constant(tmp_path / "1.mkv", frames=8, size=(64, 48))
    (tmp_path / "2.mkv").unlink()
    (tmp_path / "3.json").write_text("{}")
    done = siamtrack("review", tmp_path, "-o", "report.html")
    assert done.code == 0 and "pictures are missing of 3 of 4 clips:" in done.err
    for name, why in (("1.mkv", "the frames of 1 are 64x48"), ("2.mkv", "no such file"), ("3.mkv", "3.json")):
        assert re.search(rf"^  {re.escape(name)}  .*{why}", done.err, re.MULTILINE), done.err
        assert why in (tmp_path / "report.html").read_text()
    assert "0.mkv" not in done.err


def test_a_clip_whose_name_is_not_utf8_hides_no_other(siamtrack, clip, tmp_path):
    """The page had no list of clips at all, and what was picked in such a clip was lost."""
    bad = tmp_path / "r\udcff.mkv"
    try:
        bad.symlink_to(clip)
    except OSError:
        pytest.skip("this file system has names in UTF-8 alone")
    found = [clip_to_pick(str(path), tmp_path / "boxes.csv") for path in (clip, bad)]
    with closing(ReviewServer(Library(found), None)) as server:
        status, rows = fetch(server.address, "clips")
        assert status == 200 and [row["error"] for row in rows] == [None, None]
        status, refused = fetch(server.address, "clips/1")
        assert status == 422 and "not UTF-8" in refused["error"]
        assert fetch(server.address, "clips/0")[0] == 200
    done = siamtrack("pick", bad)
    assert done.code == 3 and "not UTF-8" in done.err


def test_a_trajectory_without_a_point(clip, tmp_path):
    write_trajectory(trajectory_of([20 * "."]), tmp_path / "a.json", overwrite=True)
    one = one_clip(str(clip), tmp_path / "a.json", None, Reading)
    with closing(Library([one])) as library, pytest.raises(InputError, match="no point"):
        library.state(0)
    assert [entry["error"] for entry, _ in report.report_entries([one])] == ["the trajectory has no point"]


def test_frames_after_the_end_of_a_video_are_said_to_have_no_picture(clip, tmp_path):
    """A table does not name the second of joined files."""
    write_trajectory(trajectory_of(["i" + 39 * "t"]), tmp_path / "joined.csv")
    one = one_clip(str(clip), tmp_path / "joined.csv", None, Reading)
    ((entry, problem),) = report.report_entries([one])
    assert 0 < len(entry["pictures"]) < PICTURES
    assert entry["problem"] == str(problem) == "the trajectory continues to frame 39, but a does not"


def test_pictures_of_a_page_are_bounded(clip, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "PICTURE_BYTES", 10_000)
    one = one_clip(str(clip), tmp_path / "a.json", None, Reading)
    entries = [entry for entry, _ in report.report_entries([one] * 5)]
    assert entries[0]["pictures"] and not entries[-1]["pictures"]
    name = "</script><script>alert(1)</script>"
    assert name not in report.report_page("all", [{**entries[0], "name": name}])
