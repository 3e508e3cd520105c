"""The page that one points on: what its server answers, what it refuses, and how the commands use it."""

from __future__ import annotations

import csv
import re
import shutil
import signal
from contextlib import closing
from urllib.parse import urlsplit

import pytest
from asking import JSON, Asking, fetch
from conftest import DEMO, wait_until


@pytest.fixture
def asking():
    with closing(Asking()) as command:
        yield command


def test_one_page_one_picture_one_answer(asking):
    waiting = asking.ask((480, 360))
    status, page = fetch(asking.address, "")
    assert status == 200 and not re.search(rb"https?://", page)  # nothing from elsewhere
    question = fetch(asking.address, "question")[1]
    assert question == {"number": 1, "title": "a title", "width": 480, "height": 360, "smallest": 2}
    status, jpeg = fetch(asking.address, "1.jpg")
    assert status == 200 and jpeg.startswith(b"\xff\xd8")
    assert fetch(asking.address, "2.jpg")[0] == 404
    reply = asking.answer(1, [1.5, 2, 30, 40])
    assert waiting.result(10) == (1.5, 2, 30, 40)
    second = asking.ask((96, 64), "another")
    assert reply.result(10)[1]["title"] == "another"
    assert fetch(asking.address, "answer", {"number": 1, "box": None})[0] == 409  # a second tab, too late
    assert not second.done()
    reply = asking.answer(2, None)
    assert second.result(10) is None
    asking.close()
    assert reply.result(10) == (200, {"number": None})


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("{", "not an answer"),
        ("[]", "not an answer"),
        ("", "not an answer"),
        ("[" * 300, "not an answer"),
        ("9" * 2000, "2000 bytes"),
        ({"number": 1}, "'box'"),
        ({"number": "1", "box": [1, 2, 3, 4]}, "number 1"),
        ({"number": 1, "box": [1, 2, 3]}, "not enough values"),
        ({"number": 1, "box": [1, 2, 3, [4]]}, "not an answer"),
        ('{"number": 1, "box": [1, 2, 3, 1e999]}', "no area"),
        ({"number": 1, "box": [1, 2, 3, float("nan")]}, "no area"),
        ({"number": 1, "box": [1, 2, 0, 10]}, "no area"),
        ({"number": 1, "box": [1, 2, -5, 10]}, "no area"),
        ({"number": 1, "box": [480, 2, 10, 10]}, "outside the 480x360 frame"),
        ({"number": 1, "box": [479, 2, 10, 10]}, "too small"),
    ],
)
def test_what_is_no_answer(asking, body, says):
    waiting = asking.ask((480, 360))
    status, document = fetch(asking.address, "answer", body)
    assert status == 400 and says in document["error"]
    assert not waiting.done()
    asking.answer(1, [470, 350, 20, 20])
    assert waiting.result(10) == (470, 350, 10, 10)  # cut at the edge, as the window does


def test_strangers_are_refused(asking):
    waiting = asking.ask((480, 360))
    cancel = {"number": 1, "box": None}
    parts = urlsplit(asking.address)
    outside = asking.address.replace(parts.path, "/")
    for path in ("", "x/answer", "x" * len(parts.path[1:-1]) + "/answer", "favicon.ico", "%C3%A9/"):
        assert fetch(outside, path)[0] == 404
        assert fetch(outside, path, cancel)[0] == 404
    port = parts.port
    for host in ("evil.example", f"evil.example:{port}", f"127.0.0.1.evil.example:{port}", "0.0.0.0", ""):
        assert fetch(asking.address, "question", headers=JSON | {"Host": host})[0] == 403
        assert fetch(asking.address, "answer", cancel, headers=JSON | {"Host": host})[0] == 403
    # a forwarded port has another number here than there
    for host in ("localhost", "localhost:9000", "127.0.0.1:9000", "[::1]:9000"):
        assert fetch(asking.address, "question", headers={"Host": host})[0] == 200
    # a form of another page can send text, but not JSON
    assert fetch(asking.address, "answer", cancel, headers={"Content-Type": "text/plain"})[0] == 404
    assert fetch(asking.address, "elsewhere", cancel)[0] == 404
    assert fetch(asking.address, "answer", method="DELETE")[0] == 501
    assert not waiting.done()


def address_in(process, *, asks=True):
    """The address that the command says, once it asks; it also says how to forward it."""
    while "open in a browser" not in (line := process.stderr.readline()):
        assert line, "it ended"
    address = line.split()[-1]
    port = urlsplit(address).port
    assert f"ssh -L {port}:127.0.0.1:{port} " in process.stderr.readline()
    assert not asks or fetch(address, "question")[1]["number"] == 1  # waits for it
    return address


def test_run_tracks_what_was_picked(start_siamtrack, weights, tmp_path):
    arguments = ("run", DEMO, "--weights", weights, "--pick-browser", "-o", "a.csv", "--quiet", "--end", "3f")
    process = start_siamtrack(*arguments, text=True)
    address = address_in(process)
    assert "demo.mp4" in fetch(address, "question")[1]["title"]
    done = fetch(address, "answer", {"number": 1, "box": [43, 150, 73, 79]})
    assert done == (200, {"number": None})
    assert process.wait() == 0, process.stderr.read()
    first = next(csv.DictReader((tmp_path / "a.csv").open()))
    assert [float(first[name]) for name in "xywh"] == [43, 150, 73, 79] and first["state"] == "init"
    with pytest.raises(ConnectionRefusedError):
        fetch(address, "")


def test_run_cancelled_and_interrupted(start_siamtrack, weights, tmp_path):
    command = ("run", DEMO, "--weights", weights, "--pick-browser")
    process = start_siamtrack(*command, text=True)
    cancel = {"number": 1, "box": None}
    assert fetch(address_in(process), "answer", cancel) == (200, {"number": None})
    assert process.wait() == 9 and "no box was picked" in process.stderr.read()
    process = start_siamtrack(*command, text=True)
    address_in(process)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130 and "Traceback" not in process.stderr.read()
    assert not list(tmp_path.iterdir())


def test_pick_takes_targets_of_any_frame_and_leaves_clips_out(start_siamtrack, tmp_path):
    (tmp_path / "clips").mkdir()
    for name in ("a.mp4", "c.mp4", "d.mp4"):
        shutil.copy(DEMO, tmp_path / "clips" / name)
    (tmp_path / "clips/b.mp4").write_text("no video")
    process = start_siamtrack("pick", "clips", "-o", "boxes.csv", "--pick-browser", text=True)
    address = address_in(process, asks=False)
    assert [row["name"][-5:] for row in fetch(address, "clips")[1]] == ["a.mp4", "b.mp4", "c.mp4", "d.mp4"]

    def change(clip, version, **what):
        status, reply = fetch(address, f"clips/{clip}", {"version": version, **what})
        assert status == 200, reply
        return reply

    change(2, 1, do="add", frame=7, box=[5, 6, 70, 80.25])  # any clip first, any frame
    change(2, 2, do="add", label="leaf", frame=0, box=[9, 9, 30, 40])
    change(2, 3, do="box", target=1, frame=9, box=[15, 6, 70, 80])
    change(2, 4, do="absent", target=2, first=3, last=5)
    assert change(2, 5, do="save")["labels"][1] == "leaf"
    wait_until(lambda: not fetch(address, "clips/2")[1]["unsaved"], process)
    assert fetch(address, "clips/1")[0] == 422
    change(0, 1, do="add", frame=0, box=[1, 2, 30, 40])
    change(0, 2, do="undo")
    change(0, 3, do="finish")
    assert process.wait() == 7 and "clips/b.mp4" in process.stderr.read()
    assert (tmp_path / "boxes.csv").read_text() == (
        "clip,time,box,label\n"
        'clips/c.mp4,7f,"5,6,70,80.25",\nclips/c.mp4,9f,"15,6,70,80",#1\n'
        'clips/c.mp4,,"9,9,30,40",leaf\nclips/c.mp4,3f-5f,absent,leaf\n'
    )
    (tmp_path / "clips/b.mp4").unlink()
    process = start_siamtrack("pick", "clips", "-o", "boxes.csv", "--pick-browser", text=True)
    address = address_in(process, asks=False)
    assert [row["name"][-5:] for row in fetch(address, "clips")[1]] == ["a.mp4", "d.mp4"]
    change(0, 1, do="finish")
    assert process.wait() == 9 and "2 of 2 clips have no box yet" in process.stderr.read()
