"""Formats for editors and scientists, against their readers or their written form."""

from __future__ import annotations

import io
import re
import sys
from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from siamcli.boxes import Box
from siamcli.errors import InputError
from siamcli.formats.files import convert
from siamcli.frames import SourceInfo
from siamcli.trajectory import NO_BOX, TrackHeader, TrackPoint, Trajectory

SIZE = (640, 360)


def trajectory(targets: int = 2) -> Trajectory:
    """Centres at (30 + 2 i, 40) and (300, 200 - i); the first is lost in frame 2, absent in frame 3."""
    points = []
    for i in range(6):
        state = {2: "lost", 3: "absent"}.get(i, "tracked")
        box = NO_BOX if i == 3 else Box.from_center(30 + 2 * i, 40, 20 + 2 * i, 10)
        points.append(TrackPoint(i, i / 25, box, 0.5, state))
        if targets == 2:
            points.append(TrackPoint(i, i / 25, Box.from_center(300, 200 - i, 30, 30), 0.75, "tracked", 2))
    labels = ("bug", 'the "leaf"')[:targets]
    header = TrackHeader(SourceInfo("clip", SIZE, Fraction(25), 6), "m", "", "1", labels=labels)
    return Trajectory(header, tuple(points), complete=True)


def labelled(*labels: str) -> Trajectory:
    made = trajectory(len(labels))
    return replace(made, header=replace(made.header, labels=labels))


def one(kind: str, targets: int = 2, **options) -> str:
    (text,) = convert(trajectory(targets), kind, **options).values()
    return text


def test_aftereffects():
    files = convert(trajectory(), "aftereffects", drop_lost=True)
    assert list(files) == ["clip_bug.aftereffects.txt", "clip_the__leaf_.aftereffects.txt"]
    text = files["clip_bug.aftereffects.txt"]
    assert text.startswith(
        "Adobe After Effects 8.0 Keyframe Data\n\n\tUnits Per Second\t25\n\tSource Width\t640\n"
    )
    assert text.endswith("\n\n\nEnd of Keyframe Data\n")
    position, scale = (
        [[float(v) for v in line.split("\t")[1:-1]] for line in part.splitlines()[2:] if line.strip()]
        for part in re.findall(r"^(Transform\t.*?\n)\n", text, re.DOTALL | re.MULTILINE)
    )
    assert position == [[i, 30 + 2 * i, 40, 0] for i in (0, 1, 4, 5)]
    assert scale == [[i, 100 + 10 * i, 100, 100] for i in (0, 1, 4, 5)]


def test_aftereffects_has_the_pixels_of_the_source():
    made = trajectory(1)
    source = replace(made.header.source, pixel_aspect=Fraction(16, 11))
    for whole, wide in ((made, "1"), (replace(made, header=replace(made.header, source=source)), "1.455")):
        (text,) = convert(whole, "aftereffects").values()
        assert f"\tSource Pixel Aspect Ratio\t{wide}\n\tComp Pixel Aspect Ratio\t{wide}\n" in text


def test_nuke():
    text = one("nuke")
    assert text.count("{") == text.count("}") and '"' not in text.replace('label "', "").replace('"\n', "\n")
    curves = re.findall(r"\{curve ([^}]*)\}", text)
    values = [[tuple(map(float, pair)) for pair in re.findall(r"x(\d+) (\S+)", curve)] for curve in curves]
    assert values[0] == [(i + 1, 30 + 2 * i) for i in (0, 1, 2, 4, 5)]
    assert values[3] == [(i + 1, 360 - 200 + i) for i in range(6)]


def test_nuke_has_no_track_of_what_is_never_seen():
    one_lost = replace(trajectory(1), points=(replace(trajectory(1).points[0], state="lost"),))
    assert list(convert(one_lost, "nuke", drop_lost=True).values()) == [""]


def test_blender(monkeypatch):
    """The script as Blender runs it, with a stand-in for its module."""
    tracks: dict[str, list[tuple[int, float, float]]] = {}

    def new(name, frame):
        tracks[name] = []
        insert = lambda at, co: tracks[name].append((at, *co))  # noqa: E731
        return SimpleNamespace(markers=SimpleNamespace(insert_frame=insert))

    clip = SimpleNamespace(size=list(SIZE), tracking=SimpleNamespace(tracks=SimpleNamespace(new=new)))
    monkeypatch.setitem(sys.modules, "bpy", SimpleNamespace(data=SimpleNamespace(movieclips=[clip])))
    (script,) = convert(labelled("bug 🐞", 'the "leaf"'), "blender").values()
    exec(compile(script, "script", "exec"), {})
    assert list(tracks) == ["bug 🐞", 'the "leaf"']
    assert tracks["bug 🐞"][:2] == [
        (1, round(30 / 640, 6), round(1 - 40 / 360, 6)),
        (2, 0.05, round(1 - 40 / 360, 6)),
    ]
    clip.size = [1, 1]
    with pytest.raises(SystemExit, match="640x360"):
        exec(compile(one("blender"), "script", "exec"), {})


def test_a_picture_has_the_number_that_editors_show_it_at():
    """Where a movie leaves frames out: frame 3 is at 0.4 s, and the picture before it stands until then.
    Boxes of a recording that begins later, or of every second frame, keep their numbers."""
    made = trajectory(1)
    late = {3: 10, 4: 11, 5: 12}
    gap, later, every = (
        replace(made, points=tuple(replace(p, time=time(p) / 25) for p in made.points if p.index % step == 0))
        for time, step in (
            (lambda p: late.get(p.index, p.index), 1),
            (lambda p: p.index + 18.3, 1),
            (lambda p: p.index, 2),
        )
    )
    expected = {
        "gap": [(0, 30), (1, 32), (2, 34), (9, 34), (11, 38), (12, 40)],
        "later": [(0, 30), (1, 32), (2, 34), (4, 38), (5, 40)],
        "every": [(0, 30), (2, 34), (4, 38)],
    }
    for name, track in {"gap": gap, "later": later, "every": every}.items():
        (keys,), (node,), (script,) = (
            convert(track, kind).values() for kind in ("aftereffects", "nuke", "blender")
        )
        places = re.search(r"Z pixels\t\n(.*?)\n\n", keys, re.DOTALL)[1].splitlines()
        assert [tuple(map(float, line.split("\t")[1:3])) for line in places] == expected[name]
        curve = re.search(r"\{curve ([^}]*)\}", node)[1]
        pairs = re.findall(r"x(\d+) (\S+)", curve)
        assert [(int(n) - 1, float(x)) for n, x in pairs] == expected[name]
        markers = re.findall(r"\[(\d+), ([\d.]+), [\d.]+\]", script)
        assert [(int(n) - 1, round(float(x) * SIZE[0])) for n, x in markers] == expected[name]


@pytest.mark.parametrize("targets", [1, 2])
def test_deeplabcut(targets):
    rows = list(range(2 + targets))
    table = pd.read_csv(io.StringIO(one("deeplabcut", targets)), header=rows, index_col=0)
    assert list(table.columns.names) == ["scorer", *["individuals"] * (targets > 1), "bodyparts", "coords"]
    assert len(table) == 6
    first = table.iloc[:, :3].to_numpy(float)
    np.testing.assert_allclose(first[0], [30, 40, 0.5])
    assert np.isnan(first[3]).all()
    made = trajectory(targets)
    far = replace(made, points=(*made.points, replace(made.points[-1], index=2_000_000_000)))
    with pytest.raises(InputError, match="a row for every frame up to 2000000000"):
        convert(far, "deeplabcut")


def test_sleap_and_napari():
    table = pd.read_csv(io.StringIO(one("sleap", drop_lost=True)))
    assert len(table) == 4 + 6 and table["center.x"][0] == 30 and set(table["track"]) == {"bug", 'the "leaf"'}
    table = pd.read_csv(io.StringIO(one("napari")))
    data = table[["track_id", "t", "y", "x"]].to_numpy(float)
    assert (np.lexsort((data[:, 1], data[:, 0])) == np.arange(len(data))).all()
    np.testing.assert_allclose(data[-1], [2, 5, 195, 300])


def test_two_targets_of_one_label_are_two_tracks():
    """As other programs call them: a label is a class there."""
    (text,) = convert(labelled("bug", "bug"), "sleap").values()
    assert set(pd.read_csv(io.StringIO(text))["track"]) == {"bug", "bug 2"}
    (text,) = convert(labelled("bug", "bug"), "deeplabcut").values()
    table = pd.read_csv(io.StringIO(text), header=[0, 1, 2, 3], index_col=0)
    assert set(table.columns.get_level_values("individuals")) == {"bug", "bug 2"}


def test_sleap_io(tmp_path):
    sleap_io = pytest.importorskip("sleap_io")
    (tmp_path / "a.csv").write_text(one("sleap"))
    labels = sleap_io.load_csv(str(tmp_path / "a.csv"), format="sleap")
    assert sum(len(frame.instances) for frame in labels.labeled_frames) == 11
    np.testing.assert_allclose(labels.labeled_frames[0].instances[0].numpy()[0], [30, 40])
