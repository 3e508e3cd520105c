"""What spreadsheets, annotation tools, data sets and other trackers write, read as it is meant."""

from __future__ import annotations

import codecs
import json
import logging
from pathlib import Path

import clips
import pytest

from siamcli.batch.clips import read_names
from siamcli.batch.manifest import Boxes, Manifest, read_manifest
from siamcli.boxes import Box
from siamcli.errors import InputError
from siamcli.formats.files import convert, read_trajectory
from siamcli.formats.kinds import start_formats
from siamcli.formats.starts import read_starts
from siamcli.frames import SourceInfo
from siamcli.media.sources import announced_count
from siamcli.times import TimePoint
from siamcli.trajectory import TrackHeader, TrackPoint, Trajectory

SIZE = (160, 120)
BOX = Box(20, 30, 36, 30)


@pytest.mark.parametrize(
    "text",
    [
        'Clip,Box\nc.mp4,"20,30,36,30"\n',
        ' clip , box \nc.mp4 , "20,30,36,30" \n',
        '"clip";"box"\n"c.mp4";"20,30,36,30"\n',
        "clip;time;box;label\nc.mp4;;20,30,36,30;\n",
        "sep=;\nclip;box\nc.mp4;20,30,36,30\n",
        "clip\tbox\nc.mp4\t20,30,36,30\n",
        '\n\nclip,box\n\nc.mp4,"20,30,36,30"\n,\n',
        '# made by hand\nclip,box\nc.mp4,"(20, 30, 36, 30)"\n',
        "clip,x,y,w,h\nc.mp4,20,30,36,30\n",
        "clip;x;y;w;h\r\nc.mp4;20,0;30,0;36,0;30,0\r\n",
        "clip,box\n.\\c.mp4,20 30 36 30\n",
    ],
)
@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16"])
def test_tables_of_clips(tmp_path: Path, text: str, coding: str) -> None:
    (tmp_path / "c.mp4").touch()
    (tmp_path / "m.csv").write_bytes(text.encode(coding))
    manifest = read_manifest(tmp_path / "m.csv", "xywh")
    assert not manifest.problems and [Path(name).name for name in manifest.clips] == ["c.mp4"]
    (target,) = Boxes(manifest, (), "xywh").of(str(tmp_path / "c.mp4"))
    assert target.box(SIZE) == BOX and target.label is None and target.at is None


def test_a_row_says_its_line_and_its_label(tmp_path: Path) -> None:
    (tmp_path / "m.tsv").write_text(
        "# a\nsep=\t\nclip\tx\ty\tw\th\tlabel\n\na.mp4\t1\t2\t3\t4\ta ball\nb.mp4\t1\n"
    )
    manifest = read_manifest(tmp_path / "m.tsv", "xywh")
    assert Boxes(manifest, (), "xywh").of(str(tmp_path / "a.mp4"))[0].label == "a ball"
    with pytest.raises(InputError, match=r"m\.tsv, line 6: not a box: '1,,,'"):
        Boxes(manifest, (), "xywh").of(str(tmp_path / "b.mp4"))


@pytest.mark.parametrize("names", ["filename,bbox", "clip,x1,y1,x2,y2", "video,box"])
def test_columns_that_are_not_enough_are_named(tmp_path: Path, names: str) -> None:
    (tmp_path / "m.csv").write_text(f"{names}\nc.mp4,1,2,3,4\n")
    with pytest.raises(InputError, match=f"not {names.replace(',', ', ')}") as refused:
        read_manifest(tmp_path / "m.csv", "xywh")
    assert "x,y,w,h" in str(refused.value.hint)


@pytest.mark.parametrize(
    "text", ['[{"clip":"c.mp4","x":20,"y":30,"w":36,"h":30}]', '{"clip":"c.mp4","box":"20,30,36,30"}']
)
def test_one_object_and_sides(tmp_path: Path, text: str) -> None:
    (tmp_path / "m.json").write_text(text)
    (target,) = Boxes(read_manifest(tmp_path / "m.json", "xywh"), (), "xywh").of(str(tmp_path / "c.mp4"))
    assert target.box(SIZE) == BOX


def test_lists_of_clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path('"real".mp4').touch()
    assert read_names('\ufeffa.mp4\r\n"b c.mp4"\r\n\'d.mp4\'\n"real".mp4\n') == [
        "a.mp4",
        "b c.mp4",
        "d.mp4",
        '"real".mp4',
    ]


COLUMNS = ("frame", "time", "target", "x", "y", "w", "h", "score", "state")


@pytest.mark.parametrize(("between", "point"), [(",", "."), (";", "."), (", ", "."), (";", ","), ("\t", ",")])
@pytest.mark.parametrize("coding", ["utf-8-sig", "utf-16"])
def test_trajectories_from_a_spreadsheet(tmp_path: Path, between: str, point: str, coding: str) -> None:
    rows = [
        COLUMNS,
        *((str(n), f"{n / 4}", "1", "20.5", "30.0", "36.0", "30.0", "0.75", "tracked") for n in (0, 1)),
    ]
    text = "\r\n".join(between.join(cell.replace(".", point) for cell in row) for row in rows)
    (tmp_path / "t.csv").write_bytes(text.encode(coding))
    first, second = read_trajectory(tmp_path / "t.csv").points
    assert first.box == Box(20.5, 30, 36, 30) and (second.time, second.score, second.state) == (
        0.25,
        0.75,
        "tracked",
    )


@pytest.mark.parametrize(
    "text",
    ["20,30,36,30", "20;30;36;30", "20\t30\t36\t30", "20 30 36 30", "# a\r20,30,36,30\r", "[20, 30, 36, 30]"],
)
@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16"])
def test_box_files(tmp_path: Path, text: str, coding: str) -> None:
    (tmp_path / "b.box").write_bytes(f"{text}\nball=1,2,3,4\n".encode(coding))
    first, second = read_starts(tmp_path / "b.box", "xywh")
    assert first.box(SIZE) == BOX and second.label == "ball"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("ball=1,2,3,4\nb\xe9ll=1,2,3,4".encode("latin-1"), "line 2: neither UTF-8 nor UTF-16"),
        (b"m20,30,4,2,0,4,4", "line 1: a VOT mask"),
        (b"nan,nan,nan,nan\nnan,nan,nan,nan", "line 1: not a box"),
    ],
)
def test_box_files_that_are_none(tmp_path: Path, data: bytes, says: str) -> None:
    (tmp_path / "b.box").write_bytes(data)
    with pytest.raises(InputError, match=says):
        read_starts(tmp_path / "b.box", "xywh")


@pytest.mark.parametrize("between", [",", "\t", ";", " "])
def test_ground_truth_is_one_target(tmp_path: Path, between: str, caplog: pytest.LogCaptureFixture) -> None:
    """A line for every frame of the clip, or NaN: what no list of targets holds."""
    clip = clips.folder(tmp_path / "clip", frames=12)
    file = tmp_path / "gt.txt"
    file.write_text("".join(between.join(map(str, (20 + i, 30, 36, 30))) + "\n" for i in range(12)))
    with caplog.at_level(logging.WARNING):
        (target,) = read_starts(file, "xywh", lambda: announced_count(str(clip)))
    assert target.box(SIZE) == BOX and target.at == TimePoint(frame=0)
    assert [later.box(SIZE).x for later in target.later] == [*range(21, 32)]
    assert (
        "gt.txt has a line for every frame: one target, whose first box is 20,30,36,30 in frame 0"
        in caplog.text
    )
    for count in (3, None):
        assert len(read_starts(file, "xywh", lambda: count)) == 12  # noqa: B023 - called at once
    rows = ["NaN,NaN,NaN,NaN", "0,0,0,0", "20,30,36,30", "21,30,36,30"]
    file.write_text("\n".join(between.join(row.split(",")) for row in rows))
    (target,) = read_starts(file, "xywh")
    assert target.box(SIZE) == BOX and target.at == TimePoint(frame=2)


def trajectory() -> Trajectory:
    """Two targets, the second from frame 2 on."""
    points = [TrackPoint(i, i / 25, Box(20 + 3 * i, 30, 36, 30), 0.9, "tracked", 1) for i in range(4)]
    points += [TrackPoint(i, i / 25, Box(100, 10.5 + i, 25, 30), 0.9, "tracked", 2) for i in (2, 3)]
    info = SourceInfo("clip", SIZE, count=4)
    return Trajectory(TrackHeader(info, "m", "", "1", labels=("ball", "a dog")), tuple(points), complete=True)


@pytest.mark.parametrize("name", ["mot", "coco", "cvat"])
def test_exports_are_box_files(tmp_path: Path, name: str) -> None:
    """What siamtrack itself exports: every target in its first frame; a frame of twice the size has it twice
    as large where the file says the size."""
    ((file, text),) = convert(trajectory(), name).items()
    (tmp_path / file).write_text(text)
    first, second = read_starts(tmp_path / file, name)
    assert (first.at, second.at) == (TimePoint(frame=0), TimePoint(frame=2))
    assert first.box(SIZE) == pytest.approx(BOX) and second.box(SIZE) == pytest.approx((100, 12.5, 25, 30))
    assert [first.label, second.label] == ([None, None] if name == "mot" else ["ball", "a dog"])
    later = [(box.at.frame, round(box.box(SIZE).x, 3)) for box in first.later]
    assert later == [(1, 23), (2, 26), (3, 29)]
    if name != "mot":
        assert first.box((320, 240)) == pytest.approx((40, 60, 72, 60))


def test_yolo_labels_are_box_files(tmp_path: Path) -> None:
    for file, text in convert(trajectory(), "yolo").items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(text)
    first, second = read_starts(tmp_path / "labels" / "clip_000002.txt", "yolo")
    assert first.at == second.at == TimePoint(frame=2) and [first.label, second.label] == ["ball", "a dog"]
    assert first.box(SIZE) == pytest.approx((26, 30, 36, 30), abs=1e-3)
    assert second.box(SIZE) == pytest.approx((100, 12.5, 25, 30), abs=1e-3)


@pytest.mark.parametrize("line", ["20,30,56,30,56,60,20,60", "20 30 36 30", "38,30,56,45,38,60,20,45"])
def test_vot_regions_are_box_files(tmp_path: Path, line: str) -> None:
    (tmp_path / "groundtruth.txt").write_text(f"nan,nan,nan,nan\n{line}\n1,2,3,4\n")
    (target,) = read_starts(tmp_path / "groundtruth.txt", "vot")
    assert target.box(SIZE) == BOX and target.at == TimePoint(frame=1)
    assert [(box.at, box.box(SIZE)) for box in target.later] == [(TimePoint(frame=2), (1, 2, 3, 4))]


def test_targets_of_one_label_stay_apart(tmp_path: Path) -> None:
    box = '<box frame="{}" outside="{}" xtl="20" ytl="30" xbr="56" ybr="60"/>'
    track = f'<track label="ball">{box.format(0, 1)}{box.format(1, 0)}</track>'
    (tmp_path / "a.xml").write_text(f"<annotations>{track}{track}</annotations>")
    targets = read_starts(tmp_path / "a.xml", "cvat")
    assert [(t.label, t.at) for t in targets] == [("ball 1", TimePoint(1)), ("ball 2", TimePoint(1))]


def test_ground_truth_that_does_not_count_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "gt.txt").write_text("1,7,1,1,9,9,0,1,1\n3,2,21,31,36,30,1,1,1\n2,2,20,31,36,30,1,1,1\n")
    (target,) = read_starts(tmp_path / "gt.txt", "mot")
    assert target.box(SIZE) == Box(19, 30, 36, 30) and target.at == TimePoint(frame=1)


def test_images_without_tracks(tmp_path: Path) -> None:
    """COCO and CVAT for images: every box of the first image that has one."""
    document = {
        "images": [
            {"id": 8, "file_name": "a.png"},
            {"id": 9, "file_name": "b.png", "width": 160, "height": 120},
        ],
        "annotations": [
            {"image_id": 9, "bbox": BOX, "category_id": 0},
            {"image_id": 9, "bbox": [1, 2, 0, 0]},
        ],
        "categories": [{"id": 0, "name": "a\nball\x1b[31m"}],
    }
    (tmp_path / "a.json").write_text(json.dumps(document))
    (target,) = read_starts(tmp_path / "a.json", "coco")
    assert target.box(SIZE) == BOX and (target.at, target.label) == (TimePoint(frame=1), "a ball [31m")
    box = '<box label="ball" xtl="20" ytl="30" xbr="56" ybr="60"/>'
    image = '<image id="{}" name="a.png" width="160" height="120">{}</image>'
    text = f"<annotations>{image.format(0, '')}{image.format(3, box)}{image.format(4, box)}</annotations>"
    (tmp_path / "a.xml").write_text(text)
    (target,) = read_starts(tmp_path / "a.xml", "cvat")
    assert target.box(SIZE) == BOX and (target.at, target.label) == (TimePoint(frame=3), "ball")
    (tmp_path / "a.xml").write_text(
        text.replace('id="4"', 'id="2000000000"')
    )  # takes no memory for those between
    (target,) = read_starts(tmp_path / "a.xml", "cvat")
    assert target.at == TimePoint(frame=3)


ODD = [
    "",
    "{",
    "[]",
    "{}",
    "1,2",
    "a b c d e f",
    "<a/>",
    "<!DOCTYPE a><a/>",
    '{"images": 3}',
    "1e999,1,1,1,1,1",
    "nan " * 6,
]
ODD += [
    '{"images": [{"id": []}], "annotations": []}',
    '<a><track><box frame="x"/></track></a>',
    "9" * 5000,
    "0 1 1 nan 1",
]


@pytest.mark.parametrize("name", start_formats())
@pytest.mark.parametrize("text", ODD)
def test_what_is_no_such_file_is_said_in_one_line(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "a.txt").write_bytes(codecs.BOM_UTF8 + text.encode())
    with pytest.raises(InputError, match=r"a\.txt") as refused:
        read_starts(tmp_path / "a.txt", name)
    assert "\n" not in str(refused.value)


def test_run_and_batch_take_them(siamtrack, weights, tmp_path: Path) -> None:
    clip = clips.constant(tmp_path / "clip.mp4", frames=3, size=SIZE)
    Path("gt.txt").write_text("1,1,21,31,36,30,1,-1,-1,-1\n2,2,100,10,30,30,1,-1,-1,-1\n")
    shared = ("--weights", weights, "--box-format", "mot")
    done = siamtrack("run", clip, "--box-file", "gt.txt", *shared, "-o", "a.json")
    assert done.code == 0, done.err
    points = json.loads(Path("a.json").read_text())["points"]
    begun = [(p["frame"], p["target"], *(p[side] for side in "xywh")) for p in points if p["state"] == "init"]
    assert begun == [(0, 1, 20, 30, 36, 30), (1, 2, 99, 9, 30, 30)]
    Path("gt.txt").rename("clip.box")
    assert siamtrack("batch", clip, *shared, "-f", "json", "--output-dir", "out").code == 0
    assert json.loads(Path("out/clip.tracked.json").read_text())["points"] == points
    for command in ("run", "batch"):
        refused = siamtrack(command, clip, "--box", "1,2,3,4", *shared)
        assert refused.code == 2 and "--box-format mot is for box files" in refused.err
        assert siamtrack(command, clip, "--box", "1,2,3,4", "--box-format", "abcd").code == 2


def test_a_manifest_of_other_columns_is_not_added_to(siamtrack, tmp_path: Path) -> None:
    clip = clips.constant(tmp_path / "clip.mp4", frames=2)
    Path("m.csv").write_text("clip;box\nother.mp4;1,2,3,4")
    done = siamtrack("pick", clip, "-o", "m.csv")
    assert done.code == 3 and "its first line is not clip,time,box,label" in done.err
    assert Path("m.csv").read_text() == "clip;box\nother.mp4;1,2,3,4"
    assert Boxes(Manifest(), (), "xywh").has("other.mp4") is False
