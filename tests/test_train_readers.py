"""Every annotation format, with damage in it: usable things are read, the rest is counted."""

from __future__ import annotations

import json
import struct
import zlib
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from training_set import SIZE, draw, make_sequences

from siamcli.boxes import Box
from siamcli.errors import DatasetError
from siamcli.train.config import DataConfig
from siamcli.train.data import check_there, load_footage
from siamcli.train.store import TrainingImages

WIDTH, HEIGHT = SIZE
BOX = (60.0, 50.0, 36.0, 30.0)
IMPOSSIBLE = (500.0, 20.0, 30.0, 30.0)
WHOLE = (0.0, 0.0, 190.0, 150.0)


def images(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / "good.jpg"), draw([BOX], np.random.default_rng(0)))
    (folder / "bad.jpg").write_bytes(b"\xff\xd8 not a picture")


def read(path: Path, form: str, **more: object) -> TrainingImages:
    return load_footage([DataConfig(str(path), form, **more)])  # type: ignore[arg-type]


def check(footage: TrainingImages) -> None:
    """One good image with one box, one damaged image, one impossible box, one that fills the image."""
    assert [t.boxes for t in footage.tracks] == [(pytest.approx(Box(*BOX), abs=0.01),)]
    assert footage.size.tolist() == [[WIDTH, HEIGHT]]
    reasons = Counter(s.reason for s in footage.skipped)
    assert reasons == {"unreadable image": 1, "impossible box": 1, "box fills the image": 1}


def test_jsonl(tmp_path: Path) -> None:
    images(tmp_path / "a")
    lines = [
        {"file": "a/good.jpg", "boxes": [[*BOX, "dog"], [*IMPOSSIBLE, None], [*WHOLE, None]]},
        {"file": "a/bad.jpg", "boxes": [[*BOX, "dog"]]},
    ]
    path = tmp_path / "annotations.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    check(read(path, "jsonl"))
    path.write_text(path.read_text() + "\n{cut sho")
    assert "unreadable annotation" in {s.reason for s in read(path, "jsonl").skipped}


def test_coco(tmp_path: Path) -> None:
    images(tmp_path / "train2017")
    whole = {
        "images": [{"id": 1, "file_name": "good.jpg"}, {"id": 2, "file_name": "bad.jpg"}],
        "annotations": [
            *({"image_id": 1, "bbox": list(b)} for b in (BOX, IMPOSSIBLE, WHOLE)),
            {"image_id": 1, "bbox": list(BOX), "iscrowd": 1},
            {"image_id": 2, "bbox": list(BOX)},
        ],
    }
    (tmp_path / "annotations").mkdir()
    path = tmp_path / "annotations" / "instances_train2017.json"
    path.write_text(json.dumps(whole))
    check(read(path, "coco"))
    path.write_text("{}")
    with pytest.raises(DatasetError, match="no COCO annotation file"):
        read(path, "coco")


def test_voc(tmp_path: Path) -> None:
    images(tmp_path / "JPEGImages")
    (tmp_path / "Annotations").mkdir()
    for name, boxes in {"good": (BOX, IMPOSSIBLE, WHOLE), "bad": (BOX,)}.items():
        corners = "".join(
            f"<object><bndbox><xmin>{x + 1}</xmin><ymin>{y + 1}</ymin>"
            f"<xmax>{x + w}</xmax><ymax>{y + h}</ymax></bndbox></object>"
            for x, y, w, h in boxes
        )
        text = f"<annotation><filename>{name}.jpg</filename>{corners}</annotation>"
        (tmp_path / "Annotations" / f"{name}.xml").write_text(text)
    check(read(tmp_path, "voc"))
    (tmp_path / "Annotations" / "torn.xml").write_text("<annotation><obj")
    assert "unreadable annotation" in {s.reason for s in read(tmp_path, "voc").skipped}


def test_yolo(tmp_path: Path) -> None:
    images(tmp_path / "images")
    (tmp_path / "labels").mkdir()
    for name, boxes in {"good": (BOX, IMPOSSIBLE, WHOLE), "bad": (BOX,)}.items():
        rows = [(x + w / 2, y + h / 2, w, h) for x, y, w, h in boxes]
        shares = [(a / WIDTH, b / HEIGHT, c / WIDTH, d / HEIGHT) for a, b, c, d in rows]
        text = "\n".join("0 " + " ".join(f"{v:.6f}" for v in row) for row in shares)
        (tmp_path / "labels" / f"{name}.txt").write_text(text)
    (tmp_path / "labels" / "classes.txt").write_text("dog\n")
    check(read(tmp_path, "yolo"))


def test_outlines_of_yolo_are_no_boxes(tmp_path: Path) -> None:
    """The first two corners of an outline were learned as centre and size."""
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    for name, line in (
        ("box", "0 .5 .5 .3 .3"),
        ("scored", "0 .5 .5 .3 .3 .9"),
        ("line", "0 .2 .2 .6 .2 .4 .6"),
    ):
        cv2.imwrite(str(tmp_path / "images" / f"{name}.png"), draw([BOX], np.random.default_rng(0)))
        (tmp_path / "labels" / f"{name}.txt").write_text(line)
    footage = read(tmp_path, "yolo")
    assert [track.name for track in footage.tracks] == ["box#0", "scored#0"]
    assert [skip.reason for skip in footage.skipped] == ["outlines or key points, not boxes"]


def test_labels_of_yolo_may_lie_behind_a_symbolic_link(tmp_path: Path) -> None:
    images(tmp_path / "set" / "images" / "train")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "good.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    (tmp_path / "set" / "labels").mkdir()
    (tmp_path / "set" / "labels" / "train").symlink_to(tmp_path / "mine")
    assert [track.name for track in read(tmp_path / "set", "yolo").tracks] == ["train/good#0"]


def test_yolo_with_the_suffixes_of_cameras(tmp_path: Path) -> None:
    images(tmp_path)
    (tmp_path / "good.jpg").rename(tmp_path / "GX01.JPG")
    (tmp_path / "GX01.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    assert [track.name for track in read(tmp_path, "yolo").tracks] == ["GX01#0"]


def test_folders(tmp_path: Path) -> None:
    make_sequences(tmp_path, count=2, frames=6)
    footage = read(tmp_path, "folders", stride=2)
    assert [t.name for t in footage.tracks] == ["seq0", "seq1"]
    assert [b.x for b in footage.tracks[0].boxes] == [40, 50, 60]
    assert len(read(tmp_path, "folders", include="*1").tracks) == 1
    (tmp_path / "seq0" / "groundtruth.txt").write_text("1,2,3,4\n")
    assert [s.reason for s in read(tmp_path, "folders").skipped] == ["not one box per image"]
    (tmp_path / "seq0" / "groundtruth.txt").write_text("x y w h\n")
    (skip,) = read(tmp_path, "folders").skipped
    assert skip.where.endswith("groundtruth.txt, line 1: not numbers: 'x y w h'")


def test_images_of_a_folder_go_by_their_numbers(tmp_path: Path) -> None:
    """9.png comes before 10.png: boxes would belong to other images."""
    make_sequences(tmp_path, count=1, frames=3)
    for old, new in (("0000", "8"), ("0001", "9"), ("0002", "10")):
        (tmp_path / "seq0" / f"{old}.png").rename(tmp_path / "seq0" / f"{new}.png")
    expected = [cv2.imread(str(tmp_path / "seq0" / f"{n}.png"))[0, 0].tolist() for n in (8, 9, 10)]
    footage = read(tmp_path, "folders")
    assert [footage.pixels[start].tolist() for start in footage.start] == expected


def test_a_sequence_with_two_files_of_boxes_is_read_once(tmp_path: Path) -> None:
    make_sequences(tmp_path, count=1, frames=3)
    (tmp_path / "seq0" / "groundtruth_rect.txt").write_bytes((tmp_path / "seq0/groundtruth.txt").read_bytes())
    assert [len(track.images) for track in read(tmp_path, "folders").tracks] == [3]


def test_sequences_may_be_symbolic_links(tmp_path: Path) -> None:
    """A link back to the whole ends there."""
    make_sequences(tmp_path / "made", count=2, frames=3)
    chosen = tmp_path / "chosen"
    chosen.mkdir()
    (chosen / "one").symlink_to(tmp_path / "made" / "seq0")
    (chosen / "more").symlink_to(tmp_path / "made")
    (tmp_path / "made" / "round").symlink_to(chosen)
    assert [track.name for track in read(chosen, "folders").tracks] == ["more/seq0", "more/seq1", "one"]


def test_otb_folders_count_from_one(tmp_path: Path) -> None:
    make_sequences(tmp_path / "made", count=1, frames=3)
    otb = tmp_path / "set" / "Dog"
    otb.mkdir(parents=True)
    (tmp_path / "made" / "seq0").rename(otb / "img")
    (otb / "img" / "groundtruth.txt").rename(otb / "groundtruth_rect.txt")
    assert read(tmp_path / "set", "folders").tracks[0].boxes[0] == Box(39, 49, 36, 30)
    (otb / "groundtruth_rect.txt").rename(otb / "groundtruth.txt")  # as `eval folder` reads it, or LaSOT's
    assert read(tmp_path / "set", "folders").tracks[0].boxes[0] == Box(40, 50, 36, 30)
    (otb / "full_occlusion.txt").write_text("0,0,0")
    assert read(tmp_path / "set", "folders").tracks[0].boxes[0] == Box(39, 49, 36, 30)


def test_boxes_of_absent_targets_are_left_out(tmp_path: Path) -> None:
    """LaSOT's authors: in these frames a box is any."""
    make_sequences(tmp_path, count=1, frames=4)
    (tmp_path / "seq0" / "out_of_view.txt").write_text("0,1,0,0")
    (tmp_path / "seq0" / "absence.label").write_text("0\n0\n0\n1\n")
    assert len(read(tmp_path, "folders").tracks[0].boxes) == 2
    make_sequences(tmp_path / "more", count=1, frames=4)
    (tmp_path / "seq0" / "absence.label").write_text("0\n0\n1\n")
    (skip,) = read(tmp_path, "folders").skipped
    assert skip.reason == "unusable box file" and "3 labels for 4 frames" in skip.where


def make_video(path: Path) -> None:
    """Four frames."""
    rng = np.random.default_rng(0)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, SIZE)
    for _ in range(4):
        writer.write(draw([BOX], rng))
    writer.release()


def test_videos(tmp_path: Path) -> None:
    make_video(tmp_path / "dog.avi")
    row = ",".join(map(str, BOX))
    (tmp_path / "dog.txt").write_text("\n".join([row, "nan,nan,nan,nan", row, row, row]))
    with pytest.raises(DatasetError) as caught:
        read(tmp_path, "videos")
    assert "dog.txt: 5 rows, 4 frames: not one box per frame" in str(caught.value.hint)
    (tmp_path / "dog.txt").write_text("\n".join([row, "nan,nan,nan,nan", row, row]))
    (tmp_path / "dog.track2.txt").write_text("\n".join([row] * 3))
    footage = read(tmp_path, "videos")
    assert [(t.name, len(t.boxes)) for t in footage.tracks] == [("dog", 3)]
    (skip,) = footage.skipped
    where = f"{tmp_path / 'dog.track2.txt'}: 3 rows, 4 frames"
    assert (skip.where, skip.reason) == (where, "not one box per frame")
    assert len(read(tmp_path / "dog.avi", "videos").tracks) == 1


def test_further_targets_of_a_video_lie_beside_it(tmp_path: Path) -> None:
    """A frame on which one of them is to be seen is read once, with whoever is on it."""
    for name in ("dog", "dog.b", "cat"):
        make_video(tmp_path / f"{name}.avi")
        (tmp_path / f"{name}.txt").write_text("\n".join([",".join(map(str, BOX))] * 4))
    (tmp_path / "dog.track2.txt").write_text("nan\n10,20,30,40\nnan\n12,20,30,40")
    (tmp_path / "dog.track10.txt").write_text("nan\n" * 4)
    footage = read(tmp_path, "videos", exclude=["cat"])
    tracks = {t.name: t for t in footage.tracks}
    assert tracks.keys() == {"dog", "dog.b", "dog.track2"}
    assert tracks["dog.track2"].boxes == (Box(10, 20, 30, 40), Box(12, 20, 30, 40))
    assert tracks["dog.track2"].images == tracks["dog"].images[1::2]
    assert len(footage.size) == 8
    (skip,) = footage.skipped
    assert skip.where.endswith("dog.track10.txt")


@pytest.mark.parametrize(("form", "name"), [("folders", "seq0"), ("videos", "dog"), ("videos", "dog.avi")])
def test_sequences_can_be_held_back(tmp_path: Path, form: str, name: str) -> None:
    make_sequences(tmp_path, count=2, frames=2)
    for video in ("dog", "cat"):
        make_video(tmp_path / f"{video}.avi")
        (tmp_path / f"{video}.txt").write_text("\n".join([",".join(map(str, BOX))] * 4))
    all_of_them = {t.name for t in read(tmp_path, form).tracks}
    left = {t.name for t in read(tmp_path, form, exclude=[name]).tracks}
    assert all_of_them - left == {name.removesuffix(".avi")}
    with pytest.raises(DatasetError, match="exclude"):
        read(tmp_path, form, exclude=["*"])


def test_an_exclude_that_holds_nothing_back_is_named(tmp_path: Path) -> None:
    make_sequences(tmp_path, count=2, frames=2)
    (skip,) = read(tmp_path, "folders", exclude=["seq0", "sek1"]).skipped
    assert (skip.where, skip.reason) == (f"{tmp_path}: 'sek1'", "an exclude that matches no sequence")


def test_a_sequence_in_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_sequences(tmp_path, count=1, frames=2)
    monkeypatch.chdir(tmp_path / "seq0")
    assert len(read(Path(), "folders").tracks) == 1


def test_two_videos_with_one_file_of_boxes(tmp_path: Path) -> None:
    for suffix in ("avi", "mkv"):
        make_video(tmp_path / f"dog.{suffix}")
    (tmp_path / "dog.txt").write_text("\n".join([",".join(map(str, BOX))] * 4))
    footage = read(tmp_path, "videos")
    assert [len(t.images) for t in footage.tracks] == [4]
    assert [Path(s.where).name for s in footage.skipped] == ["dog.mkv"]


def test_lines_about_one_image_are_different_objects(tmp_path: Path) -> None:
    images(tmp_path)
    line = json.dumps({"file": "good.jpg", "boxes": [[*BOX, 0]]})
    (tmp_path / "a.jsonl").write_text(f"{line}\n{line}\n")
    tracks = read(tmp_path / "a.jsonl", "jsonl").tracks
    assert [(len(t.images), t.category) for t in tracks] == [(1, "0")] * 2


def test_an_image_of_too_many_pixels_is_skipped(tmp_path: Path) -> None:
    images(tmp_path)
    size = struct.pack(">II", 200_000, 200_000)
    (tmp_path / "huge.png").write_bytes(b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", size + b"\x08\x02\0\0\0"))
    lines = [json.dumps({"file": name, "boxes": [list(BOX)]}) for name in ("good.jpg", "huge.png")]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    (skip,) = read(tmp_path / "a.jsonl", "jsonl").skipped
    assert skip.reason == "unreadable image"


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_categories_are_read(tmp_path: Path) -> None:
    images(tmp_path / "a")
    line = {"file": "a/good.jpg", "boxes": [[*BOX, "dog"], [*BOX, None], [*BOX]]}
    (tmp_path / "a.jsonl").write_text(json.dumps(line))
    assert [t.category for t in read(tmp_path / "a.jsonl", "jsonl").tracks] == ["dog", "", ""]
    x, y, w, h = BOX
    whole = {
        "images": [{"id": 1, "file_name": "a/good.jpg"}],
        "annotations": [{"image_id": 1, "bbox": list(BOX), "category_id": 18}],
    }
    (tmp_path / "a.json").write_text(json.dumps(whole))
    assert [t.category for t in read(tmp_path / "a.json", "coco").tracks] == ["18"]
    corners = f"<xmin>{x}</xmin><ymin>{y}</ymin><xmax>{x + w}</xmax><ymax>{y + h}</ymax>"
    (tmp_path / "a" / "good.xml").write_text(
        f"<annotation><object><name>dog</name><bndbox>{corners}</bndbox></object></annotation>"
    )
    assert [t.category for t in read(tmp_path / "a", "voc").tracks] == ["dog"]
    (tmp_path / "a" / "good.txt").write_text("3 0.4 0.4 0.2 0.2")
    assert [t.category for t in read(tmp_path / "a", "yolo").tracks] == ["3"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x,y,w,h\n1,2,30,40\n", "dog.txt, line 1: not numbers: 'x,y,w,h': unusable box file"),
        ("1,2,30,40\n1,2,3\n", "dog.txt, line 2: 3 numbers where 1 or 4 are expected: unusable box file"),
        ("\n\n", "dog.txt, line 1: 0 numbers where 1 or 4 are expected: unusable box file"),
        ("nan,nan,nan,nan\nNaN\n0,0,0,0\n", "dog.txt: every box is empty or NaN"),
        ("nan\n1,2,30,40\n", "dog.txt: every box is empty or NaN"),  # the second frame is not taken
        (None, "dog.txt: No such file or directory: unusable box file"),
    ],
)
def test_box_files_of_videos_are_named(tmp_path: Path, text: str | None, says: str) -> None:
    make_video(tmp_path / "dog.avi")
    if text is not None:
        (tmp_path / "dog.txt").write_text(text)
    with pytest.raises(DatasetError, match=r"no usable image .* \(1 skipped\)") as caught:
        read(tmp_path, "videos", stride=4)
    assert str(caught.value.hint).endswith(says)


def test_all_that_is_not_there_is_named_at_once(tmp_path: Path) -> None:
    data = [DataConfig(str(tmp_path / name), "videos") for name in ("a", "a", "b")]
    (tmp_path / "b").mkdir()
    check_there(data[2:], "siamrpnpp-r18")  # a teacher that has a name is looked up later
    with pytest.raises(DatasetError) as caught:
        check_there(data, f"{tmp_path}/teacher")
    assert str(caught.value) == f"{tmp_path}/a, the teacher {tmp_path}/teacher do not exist"


@pytest.mark.parametrize("form", ["jsonl", "coco", "voc", "yolo", "folders", "videos"])
def test_wrong_places_are_named(tmp_path: Path, form: str) -> None:
    with pytest.raises(DatasetError, match="does not exist"):
        read(tmp_path / "nowhere", form)
    with pytest.raises(DatasetError) as caught:
        read(tmp_path, form)
    assert str(tmp_path) in str(caught.value)
    assert caught.value.hint
