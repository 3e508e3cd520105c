"""The page that one points on: what its server answers, what it refuses, and how the commands use it."""

from __future__ import annotations

import csv
import http.client
import json
import re
import shutil
import signal
import subprocess
from urllib.parse import urlsplit

import clips
import cv2
import numpy as np
import pytest
from asking import JSON, asked, fetch
from conftest import DEMO, wait_until

from siamcli.drawing.style import Effect, Style
from siamcli.targets import parse_target
from siamcli.times import FrameRange, TimePoint
from siamcli.ui.review.server import ReviewServer


@pytest.fixture
def asking():
    with asked() as command:
        yield command


def test_one_page_several_targets(asking):
    status, page = fetch(asking.address, "")
    assert status == 200 and not re.search(rb"https?://", page)  # nothing from elsewhere
    document = fetch(asking.address, "clips/0")[1]
    shown = {name: document[name] for name in ("mode", "name", "size", "first", "frames", "endless", "saves")}
    assert shown == {
        **{"mode": "pick", "name": "-", "size": [480, 360], "first": 0, "frames": 1},
        **{"endless": False, "saves": []},
    }
    status, jpeg = fetch(asking.address, "clips/0/frames/0")
    assert status == 200 and clips.number(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)) == 5
    assert fetch(asking.address, "clips/0/frames/1")[0] == 404
    assert asking.change(1, do="add", frame=0, box=[1.5, 2, 30, 40])[0] == 200
    assert asking.change(1, do="add", frame=0, box=[1, 2, 3, 4])[0] == 409  # a second tab, too late
    assert asking.change(2, do="add", label="leaf", frame=0, box=[9, 8, 70, 60])[0] == 200
    assert asking.change(3, do="save")[0] == 200 and asking.waits
    asking.change(3, do="finish")
    assert [mark.text for mark in asking.marks()] == ["0f==1.5,2,30,40", "0f=leaf=9,8,70,60"]


def test_the_frames_of_the_cut_are_shown(tmp_path):
    video = clips.constant(tmp_path / "a.mkv")
    cut = FrameRange(TimePoint(frame=10), TimePoint(frame=20), 4)
    with asked(video, cut=cut) as asking:
        document = fetch(asking.address, "clips/0")[1]
        assert (document["first"], document["frames"]) == (10, 20)
        for index in (19, 10, 15):
            status, jpeg = fetch(asking.address, f"clips/0/frames/{index}")
            picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
            assert status == 200 and clips.number(picture) == index
        assert fetch(asking.address, "clips/0/frames/20")[0] == 404


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"style": Style(effects=(Effect("blur", "face"),))}, "no target 'face'"),
        ({"region": parse_target("0,0,100,100")}, "outside"),
    ],
)
def test_what_the_run_would_refuse_is_said_on_the_page(more, says):
    with asked(**more) as asking:
        parts = urlsplit(asking.address)
        link = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
        link.request("GET", f"{parts.path}events")
        stream = link.getresponse()
        assert b"retry" in stream.readline()
        asking.change(1, do="add", label="leaf", frame=0, box=[200, 200, 30, 40])
        asking.change(2, do="save")
        while b'"done": "save"' not in (line := stream.readline()):
            assert line
        assert says in json.loads(line[6:])["error"] and asking.waits
        link.close()


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ("{", 400, "not a change"),
        ("[]", 400, "not a change"),
        ("", 400, "not a change"),
        ("[" * 300, 400, "not a change"),
        ("9" * 20_000, 400, "not a change"),
        ({"do": "add", "box": [1, 2, 3, 4]}, 400, "not a change"),
        ({"version": 1, "do": "add", "frame": 0}, 422, "no box"),
        ({"version": 1, "do": "add", "frame": "0", "box": [1, 2, 3, 4]}, 422, "no frame"),
        ({"version": 1, "do": "add", "frame": 0, "box": [1, 2, 3]}, 422, "no box"),
        ({"version": 1, "do": "add", "frame": 0, "box": [1, 2, 3, [4]]}, 422, "no box"),
        ('{"version": 1, "do": "add", "frame": 0, "box": [1, 2, 3, 1e999]}', 422, "no area"),
        ({"version": 1, "do": "add", "frame": 0, "box": [1, 2, 3, float("nan")]}, 422, "no area"),
        ({"version": 1, "do": "add", "frame": 0, "box": [1, 2, -5, 10]}, 422, "no area"),
        ({"version": 1, "do": "add", "frame": 0, "box": [480, 2, 10, 10]}, 422, "outside the 480x360 frame"),
        ({"version": 1, "do": "add", "frame": 0, "box": [479.5, 2, 10, 10]}, 422, "smaller than a pixel"),
        ({"version": 1, "do": "box", "target": 1, "frame": 0, "box": [1, 2, 3, 4]}, 422, "no target 1"),
    ],
)
def test_what_is_no_answer(asking, body, status, says):
    told, document = fetch(asking.address, "clips/0", body)
    assert (told, says in document["error"]) == (status, True), document
    assert asking.change(1, do="save")[0] == 200 and asking.waits  # nothing to use
    assert asking.change(1, do="add", frame=0, box=[470, 350, 20, 20])[1]["pending"][0]["box"] == [
        470,
        350,
        10,
        10,
    ]


def test_strangers_are_refused(asking):
    finish = {"version": 1, "do": "finish"}
    parts = urlsplit(asking.address)
    outside = asking.address.replace(parts.path, "/")
    for path in ("", "x/clips/0", "x" * len(parts.path[1:-1]) + "/clips/0", "favicon.ico", "%C3%A9/"):
        assert fetch(outside, path)[0] == 404
        assert fetch(outside, path, finish)[0] == 404
    port = parts.port
    for host in ("evil.example", f"evil.example:{port}", f"127.0.0.1.evil.example:{port}"):
        assert fetch(asking.address, "clips/0", headers=JSON | {"Host": host})[0] == 403
        assert fetch(asking.address, "clips/0", finish, headers=JSON | {"Host": host})[0] == 403
    # a forwarded port has another number here than there
    for host in ("localhost", "localhost:9000", "127.0.0.1:9000", "[::1]:9000"):
        assert fetch(asking.address, "clips/0", headers={"Host": host})[0] == 200
    # a form of another page can send text, but not JSON
    assert fetch(asking.address, "clips/0", finish, headers={"Content-Type": "text/plain"})[0] == 404
    assert fetch(asking.address, "elsewhere", finish)[0] in (404, 405)
    assert fetch(asking.address, "clips/0", method="DELETE")[0] == 405
    assert asking.waits


def address_in(process):
    """The address that the command says, once it asks; it also says how to forward it."""
    while "open in a browser" not in (line := process.stderr.readline()):
        assert line, "it ended"
    address = line.split()[-1]
    port = urlsplit(address).port
    assert f"ssh -L {port}:127.0.0.1:{port} " in process.stderr.readline()
    return address


def change(address, version, *, clip=0, **what):
    status, reply = fetch(address, f"clips/{clip}", {"version": version, **what})
    assert status == 200, reply
    return reply


def use(address, version, process=None):
    """Use the boxes, as the page does it."""
    change(address, version, do="save")
    wait_until(lambda: not fetch(address, "clips/0")[1]["unsaved"], process)
    change(address, version + 1, do="finish")


@pytest.fixture
def visited(siamtrack, monkeypatch):
    """Run a command in this process, whose page has a visitor: `visited(visit, "pick", ...) -> Done`."""
    wait = ReviewServer.wait

    def run(visit, *arguments):
        def visit_and_wait(server):
            visit(server.address)
            wait(server)

        monkeypatch.setattr(ReviewServer, "wait", visit_and_wait)
        return siamtrack(*arguments)

    return run


def test_run_tracks_what_was_picked(visited, weights, tmp_path):
    """A target of a frame that the stride leaves out, and two in the first one."""
    addresses = []

    def visit(address):
        addresses.append(address)
        assert fetch(address, "clips/0")[1]["name"].endswith("demo.mp4")
        change(address, 1, do="add", frame=3, box=[43, 150, 73, 79])
        change(address, 2, do="add", label="leaf", frame=5, box=[9, 9, 30, 40])
        use(address, 3)

    arguments = ("run", DEMO, "--weights", weights, "--pick-browser", "-o", "{target}.csv", "--quiet")
    cut = ("--start", "3f", "--end", "9f", "--stride", "4", "--blur", "leaf", "-o", "a.mp4")
    done = visited(visit, *arguments, *cut)
    assert done.code == 0 and f"open in a browser: {addresses[0]}" in done.err, done.err
    rows = list(csv.DictReader((tmp_path / "1.csv").open()))
    assert [row["frame"] for row in rows] == ["3", "5", "7"]
    assert [float(rows[0][name]) for name in "xywh"] == [43, 150, 73, 79] and rows[0]["state"] == "init"
    leaf = next(csv.DictReader((tmp_path / "leaf.csv").open()))
    assert (leaf["frame"], leaf["state"]) == ("5", "init")
    with pytest.raises(ConnectionRefusedError):
        fetch(addresses[0], "")


def test_of_a_pipe_the_first_frame_is_shown(start_siamtrack, weights, tmp_path):
    arguments = ("run", "-", "--weights", weights, "--pick-browser", "--jsonl", "-", "--quiet")
    with subprocess.Popen(["cat", DEMO], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as writing:
        process = start_siamtrack(*arguments, "--end", "3f", text=True, stdin=writing.stdout)
        writing.stdout.close()  # so that it hears when the command has enough
        address = address_in(process)
        document = fetch(address, "clips/0")[1]
        assert (document["name"], document["frames"], document["size"]) == ("-", 1, [640, 360])
        change(address, 1, do="add", frame=0, box=[43, 150, 73, 79])
        use(address, 2, process)
        assert process.wait() == 0, process.stderr.read()
        points = [json.loads(line) for line in process.stdout if '"state"' in line]
        assert len(points) == 3 and points[0]["x"] == 43


def test_run_cancelled(visited, weights, tmp_path):
    command = ("run", DEMO, "--weights", weights, "--pick-browser")
    done = visited(lambda address: change(address, 1, do="finish"), *command)
    assert done.code == 9 and "no box was picked" in done.err
    assert not list(tmp_path.iterdir())


def test_run_interrupted(start_siamtrack, weights, tmp_path):
    process = start_siamtrack("run", DEMO, "--weights", weights, "--pick-browser", text=True)
    address_in(process)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130 and "Traceback" not in process.stderr.read()
    assert not list(tmp_path.iterdir())


def test_pick_takes_targets_of_any_frame_and_leaves_clips_out(visited, tmp_path):
    (tmp_path / "clips").mkdir()
    for name in ("a.mp4", "c.mp4", "d.mp4"):
        shutil.copy(DEMO, tmp_path / "clips" / name)
    (tmp_path / "clips/b.mp4").write_text("no video")
    pick = ("pick", "clips", "-o", "boxes.csv", "--pick-browser")

    def visit(address):
        def at(clip, version, **what):
            return change(address, version, clip=clip, **what)

        shown = [row["name"][-5:] for row in fetch(address, "clips")[1]]
        assert shown == ["a.mp4", "b.mp4", "c.mp4", "d.mp4"]
        at(2, 1, do="add", frame=7, box=[5, 6, 70, 80.25])  # any clip first, any frame
        at(2, 2, do="add", label="leaf", frame=0, box=[9, 9, 30, 40])
        at(2, 3, do="box", target=1, frame=9, box=[15, 6, 70, 80])
        at(2, 4, do="absent", target=2, first=3, last=5)
        assert at(2, 5, do="save")["labels"][1] == "leaf"
        wait_until(lambda: not fetch(address, "clips/2")[1]["unsaved"])
        assert fetch(address, "clips/1")[0] == 422
        at(0, 1, do="add", frame=0, box=[1, 2, 30, 40])
        at(0, 2, do="undo")
        at(0, 3, do="finish")

    done = visited(visit, *pick)
    assert done.code == 7 and "clips/b.mp4" in done.err
    assert (tmp_path / "boxes.csv").read_text() == (
        "clip,time,box,label\n"
        'clips/c.mp4,7f,"5,6,70,80.25",\nclips/c.mp4,9f,"15,6,70,80",#1\n'
        'clips/c.mp4,,"9,9,30,40",leaf\nclips/c.mp4,3f-5f,absent,leaf\n'
    )
    (tmp_path / "clips/b.mp4").unlink()

    def visit_again(address):
        assert [row["name"][-5:] for row in fetch(address, "clips")[1]] == ["a.mp4", "d.mp4"]
        change(address, 1, do="finish")

    done = visited(visit_again, *pick)
    assert done.code == 9 and "2 of 2 clips have no box yet" in done.err
