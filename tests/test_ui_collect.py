"""`siamtrack pick` as a person uses it: a real X server, a real mouse, stopped and taken up again."""

from __future__ import annotations

import csv
import os
import shutil

import pytest
from conftest import DEMO
from x_display import Hand, x_display

from siamcli.batch.clips import Clip
from siamcli.batch.manifest import read_manifest
from siamcli.boxes import Box
from siamcli.ui.collect import clips_without_box, pick_all

missing = [tool for tool in ("Xvfb", "xdotool") if shutil.which(tool) is None]


@pytest.fixture
def display():
    with x_display() as name:
        yield name


@pytest.mark.skipif(bool(missing), reason=f"not installed: {' '.join(missing)}")
def test_pick_stop_and_go_on(start_siamtrack, display, tmp_path):
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in ("a.mp4", "c.mp4", "d.mp4"):
        shutil.copy(DEMO, folder / name)
    (folder / "b.mp4").write_text("no video")
    env = {**os.environ, "DISPLAY": display}

    def start(first):
        process = start_siamtrack("pick", "clips", "-o", "lists/boxes.csv", env=env, text=True)
        assert process.stderr.readline().startswith(first)
        return process, Hand(display, process, "^siamtrack pick: . of .: clips/")

    process, hand = start("0 of 4 clips")
    hand.drag(100, 100, 300, 200)
    hand.do("key Return")
    assert "a.mp4" in process.stderr.readline()
    hand.drag(50, 60, 150, 160)
    hand.do("key Return")
    assert "c.mp4" in process.stderr.readline()
    hand.do("key Escape")
    assert "stopped at clips/d.mp4" in process.stderr.read()
    assert process.wait() == 9
    # a crash in the middle of a row
    with (tmp_path / "lists/boxes.csv").open("a") as file:
        file.write('../clips/d.mp4,,"10,')
    process, hand = start("2 of 4 clips")
    hand.drag(200, 200, 300, 300)
    hand.do("key Return")
    assert "cannot read clips/b.mp4" in process.stderr.read()
    assert process.wait() == 7
    rows = list(csv.DictReader((tmp_path / "lists/boxes.csv").open()))
    assert [row["clip"] for row in rows] == [f"../clips/{name}.mp4" for name in "acd"]
    manifest = read_manifest(tmp_path / "lists/boxes.csv", "xywh")
    assert len(manifest.targets) == 3 and not manifest.problems
    # the window shows 640x360 enlarged to fit 1000 x 562: its middle is the middle of the frame
    x, y, w, h = manifest.targets[str(folder / "a.mp4")][0].values
    assert w / h == pytest.approx(2, abs=0.1) and 0 < x < 320 and 0 < y < 180


def test_which_clips_are_left(tmp_path):
    clips = [Clip(str(tmp_path / name), name) for name in ("a.mp4", "b.mp4")]
    manifest = tmp_path / "boxes.csv"
    assert clips_without_box(clips, manifest) == clips
    for text, left in (("", 2), ("clip,ti", 2), ("clip,time,box,label\n", 2)):
        manifest.write_text(text)
        assert len(clips_without_box(clips, manifest)) == left
    manifest.write_text('clip,time,box,label\na.mp4,,"1,2,3,4",\nb.mp4,,"1,')
    assert clips_without_box(clips, manifest) == clips[1:]
    assert manifest.read_text().endswith('"1,2,3,4",\n')
    manifest.write_text('clip,time,box,label\na.mp4,,"1,2,3,4",bug')  # as some editors end a file
    assert clips_without_box(clips, manifest) == clips[1:]
    assert manifest.read_text().endswith('"1,2,3,4",bug\n')


def test_clips_that_others_pick_in_meanwhile_have_one_box(tmp_path, caplog):
    """Two rows of a clip are two targets."""
    manifest = tmp_path / "boxes.csv"
    found = []
    for name in "abc":
        shutil.copy(DEMO, tmp_path / f"{name}.mp4")
        found.append(Clip(str(tmp_path / f"{name}.mp4"), name))

    def ask(image, title):
        with manifest.open("a") as file:  # in this clip and the next one
            file.writelines(f'{name}.mp4,,"1,2,30,40",theirs\n' for name in "bc" if "b.mp4" in title)
        return Box(5, 6, 50, 60)

    assert [(one.box, one.error) for one in pick_all(found, manifest, ask)] == [
        (Box(5, 6, 50, 60), None),
        (None, None),
        (None, None),
    ]
    assert caplog.messages == [f"{found[1].source}: {manifest} has a box of it by now, which stays"]
    clips = read_manifest(manifest, "xywh")
    assert [[mark.label for mark in clips.of(clip.source)] for clip in found] == [
        [None],
        ["theirs"],
        ["theirs"],
    ]


def test_pick_without_a_display(start_siamtrack, tmp_path, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    process = start_siamtrack("pick", DEMO, text=True)
    err = process.communicate()[1]
    assert (
        process.returncode == 9 and "no display" in err and "--pick-browser" in err and "Traceback" not in err
    )


def test_what_cannot_be_shown_opens_no_page(siamtrack):
    done = siamtrack("pick", "nothere", "--pick-browser")
    assert done.code == 3 and "nothere" in done.err and "open in a browser" not in done.err
