"""Data sets of many clips, read by the programs that they are for where these are installed."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import clips
import cv2
import numpy as np
import pytest

from siamcli.boxes import Box
from siamcli.formats.datasets import make_clips
from siamcli.formats.files import write_trajectory
from siamcli.frames import SourceInfo
from siamcli.trajectory import TrackHeader, TrackPoint, Trajectory

RATE = Fraction(30000, 1001)
LABELS = {"a": ("bug", "leaf"), "b": ("bug",), "c": ("stone 🪨",)}


def trajectory(name: str, frames: int = 10) -> Trajectory:
    """Boxes that move to the right, lost in frame 4."""
    labels = LABELS[name]
    points = tuple(
        TrackPoint(
            i, float(i / RATE), Box(10 + i, 8 * t, 20, 12), 0.9, "lost" if i == 4 and t == 1 else "tracked", t
        )
        for i in range(frames)
        for t in range(1, len(labels) + 1)
    )
    return Trajectory(
        TrackHeader(SourceInfo(name, clips.SIZE, RATE, frames), "m", "", "1", labels=labels), points, True
    )


@pytest.fixture
def tracked(tmp_path):
    """Three clips and their trajectories."""
    (tmp_path / "clips").mkdir()
    for name in LABELS:
        clips.constant(tmp_path / "clips" / f"{name}.mp4", frames=10)
        write_trajectory(trajectory(name), tmp_path / f"{name}.tracked.json")
    return [tmp_path / f"{name}.tracked.json" for name in LABELS]


def test_clips_are_split_as_wholes():
    named = [(name, trajectory(name)) for name in LABELS]
    made = make_clips(named, every=3, held_back=0.2, drop_lost=True)
    assert sorted(clip.part for clip in made) == ["train", "train", "val"]
    assert made == make_clips(named, every=3, held_back=0.2, drop_lost=True)
    assert made[1].frames == (0, 3, 7)  # frame 4 has no box: it is no background
    assert {clip.part for clip in make_clips(named, every=1, held_back=0, drop_lost=False)} == {"train"}
    twins = make_clips([("a", trajectory("a"))] * 2, every=1, held_back=0.5, drop_lost=False)
    assert [clip.name for clip in twins] == ["a", "a_2"]


def test_crops_of_labels_that_are_one_name_of_a_file_are_all_kept(siamtrack, tracked, tmp_path):
    one = trajectory("a")
    write_trajectory(replace(one, header=replace(one.header, labels=("a/b", "a b"))), tmp_path / "d.json")
    done = siamtrack("convert", "d.json", "--to", "coco", "-o", "set/", "--video", "clips/a.mp4",
                     "--images", "every:5", "--crops")  # fmt: skip
    assert done.code == 0, done.err
    crops = sorted(path.name for path in (tmp_path / "set/crops/a_b").iterdir())
    assert crops == ["d_1_000000.jpg", "d_1_000005.jpg", "d_2_000000.jpg", "d_2_000005.jpg"]


def test_coco(siamtrack, tracked, tmp_path):
    command = ("convert", *tracked, "--to", "coco", "-o", "set/", "--video", "clips")
    done = siamtrack(*command, "--images", "every:3", "--crops", "--drop-lost")
    assert (done.code, done.out) == (0, "set\n"), done.err
    boxes = names = 0
    for part in ("train", "val"):
        document = json.loads((tmp_path / f"set/annotations/instances_{part}.json").read_text())
        assert [one["name"] for one in document["categories"]] == ["bug", "leaf", "stone 🪨"]
        images = {image["id"]: image for image in document["images"]}
        for image in images.values():
            picture = cv2.imread(str(tmp_path / "set/images" / part / image["file_name"]))
            assert clips.number(picture) == image["frame_id"]  # it is the frame that it says
            names += 1
        for one in document["annotations"]:
            assert one["bbox"][0] == 10 + images[one["image_id"]]["frame_id"]
            boxes += 1
    assert (names, boxes) == (4 + 3 + 3, 8 + 3 + 3)
    crops = sorted(path.parent.name for path in (tmp_path / "set/crops").rglob("*.jpg"))
    assert crops == [*["bug"] * 7, *["leaf"] * 4, *["stone__"] * 3]
    assert cv2.imread(str(tmp_path / "set/crops/leaf/a_000003.jpg")).shape == (12, 20, 3)
    assert siamtrack(*command).code == 8
    done = siamtrack(*command, "-y")
    assert done.code == 0 and "no pictures" in done.err and not (tmp_path / "set/images").exists()


def test_yolo(siamtrack, tracked, tmp_path):
    done = siamtrack(
        "convert",
        *tracked,
        "--to",
        "yolo",
        "-o",
        "set",
        "--video",
        "clips",
        "--images",
        "every:5",
        "--val",
        "0%",
    )
    assert done.code == 0, done.err
    text = (tmp_path / "set/data.yaml").read_text(encoding="utf-8")
    assert text.startswith("path: .\ntrain: images/train\nval: images/train\nnames:\n")
    assert text.endswith('  0: "bug"\n  1: "leaf"\n  2: "stone 🪨"\n')
    pictures = {path.stem for path in (tmp_path / "set/images").rglob("*.jpg")}
    labels = {path.stem for path in (tmp_path / "set/labels").rglob("*.txt")}
    assert pictures == labels and len(pictures) == 6
    row = (tmp_path / "set/labels/train/c_000005.txt").read_text().split()
    np.testing.assert_allclose([float(v) for v in row], [2, 25 / 96, 14 / 64, 20 / 96, 12 / 64], atol=1e-5)


def test_convert_refuses_wrong_data_sets_and_writes_nothing(siamtrack, tracked, tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set/mine.txt").write_text("precious")
    before = sorted(tmp_path.rglob("*"))
    for words, code, message in (
        (("--to", "cvat", "-o", "x/"), 2, "go with --to coco or yolo"),
        (("--to", "coco"), 8, "a data set is a folder"),
        (("--to", "coco", "-o", "all.json"), 8, "a data set is a folder"),
        (("--to", "coco", "-o", "set/", "-y"), 8, "name a new folder"),
        (("--to", "coco", "-o", "x/", "--images", "5"), 2, "--images takes every:N"),
        (("--to", "coco", "-o", "x/", "--images", "every:1", "--video", "."), 3, "its video is not there"),
        (("--to", "yolo", "-o", "x/", "--images", "every:1", "--video", "clips/a.mp4"), 0, ""),
    ):
        done = siamtrack("convert", *tracked, *words)
        assert done.code == code and message in done.err.replace("\n", " "), (words, done.err)
        if code:
            assert sorted(tmp_path.rglob("*")) == before
    other = clips.constant(tmp_path / "other.mp4", frames=10, size=(64, 48))
    done = siamtrack("convert", *tracked, "--to", "yolo", "-o", "y/", "--images", "every:1", "--video", other)
    assert done.code == 3 and "64x48" in done.err and not (tmp_path / "y").exists()


@pytest.mark.parametrize("place", ["images", "images/train"])
def test_a_data_set_does_not_replace_what_was_tracked(siamtrack, tmp_path, place):
    (tmp_path / "set" / place).parent.mkdir(parents=True)
    footage = clips.folder(tmp_path / "set" / place, frames=10)
    one, source = trajectory("b"), SourceInfo(footage.name, clips.SIZE)
    write_trajectory(replace(one, header=replace(one.header, source=source)), tmp_path / "one.json")
    (tmp_path / "file").touch()
    before = sorted(tmp_path.rglob("*"))
    for output, message in (("set/", "set holds what was tracked"), ("file", "file is a file")):
        done = siamtrack("convert", "one.json", "--to", "yolo", "--crops", "--video", footage.parent,
                         "-o", output, "-y")  # fmt: skip
        assert done.code == 8 and message in done.err.replace("\n", " "), done.err
        assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("video", ["up", "up/frames", "renamed", "up/frames/*.png"])
def test_the_folder_of_images_that_was_tracked_is_its_video(siamtrack, tmp_path, video):
    for folder in ("up/frames", "renamed"):
        (tmp_path / folder).parent.mkdir(exist_ok=True)
        clips.folder(tmp_path / folder, frames=10)
    names = tuple(f"f{number}.png" for number in range(1, 11))
    one, source = trajectory("b"), SourceInfo("frames", clips.SIZE, None, 10, files=names)
    write_trajectory(replace(one, header=replace(one.header, source=source)), tmp_path / "frames.json")
    write_trajectory(one, tmp_path / "frames.csv")
    done = siamtrack("convert", "frames.json", "--to", "yolo", "-o", "set/", "--images", "every:5",
                     "--video", video)  # fmt: skip
    assert done.code == 0, done.err
    assert len(list((tmp_path / "set/images/train").iterdir())) == 2
    done = siamtrack("convert", "frames.csv", "--to", "coco", "-o", "a.json", "--video", video)
    assert done.code == 0, done.err  # the size is that of the images
    assert json.loads((tmp_path / "a.json").read_text())["images"][0]["width"] == clips.SIZE[0]
    other = clips.folder(tmp_path / "other", frames=9)
    done = siamtrack("convert", "frames.json", "--crops", "-o", "cut/", "--video", other)
    assert done.code == 3 and "frame 9 of other is no image, but f10.png" in done.err, done.err


def test_a_picture_among_videos_is_not_what_was_tracked(siamtrack, tmp_path):
    write_trajectory(trajectory("b"), tmp_path / "gone.json")
    videos = tmp_path / "videos"
    videos.mkdir()
    clips.constant(videos / "a.mp4", frames=2)
    clips.folder(tmp_path / "one", frames=1)
    (tmp_path / "one/f1.png").rename(videos / "thumb.png")
    done = siamtrack("convert", "gone.json", "--to", "yolo", "-o", "set/", "--images", "every:5",
                     "--video", videos)  # fmt: skip
    assert done.code == 3 and "b: its video is not there" in done.err, done.err


@pytest.mark.parametrize("place", ["images/train/IMG_000123.jpg", "labels/train/a_000123.txt", "notes.txt"])
def test_a_data_set_replaces_only_files_that_were_written_for_one(siamtrack, tracked, tmp_path, place):
    command = ("convert", *tracked, "--to", "yolo", "-o", "set/", "--video", "clips", "--images")
    assert siamtrack(*command, "every:2").code == 0
    (tmp_path / "set/labels/train.cache").touch()  # of Ultralytics
    (tmp_path / "set/images/.DS_Store").touch()  # of macOS
    assert siamtrack(*command, "every:3", "-y").code == 0
    there = {str(path.relative_to(tmp_path / "set")) for path in (tmp_path / "set").rglob("*.*")}
    assert "images/train/a_000003.jpg" in there and "images/train/a_000002.jpg" not in there
    assert {"siamtrack.files", *(tmp_path / "set/siamtrack.files").read_text().split()} == there
    (tmp_path / "set" / place).write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    done = siamtrack(*command, "every:3", "-y")
    assert done.code == 8 and f"not of this data set: {place}" in done.err.replace("\n", " "), done.err
    assert sorted(tmp_path.rglob("*")) == before and (tmp_path / "set" / place).read_text() == "mine"


@pytest.fixture(params=["coco", "yolo"])
def whole(request, siamtrack, tracked, tmp_path):
    """A data set of every frame: 28 pictures with 37 boxes."""
    command = ("convert", *tracked, "--to", request.param, "-o", "set/", "--video", "clips")
    assert siamtrack(*command, "--images", "every:1", "--drop-lost").code == 0
    return request.param, tmp_path / "set"


def test_pycocotools(whole):
    coco = pytest.importorskip("pycocotools.coco")
    kind, folder = whole
    if kind == "coco":
        sets = [coco.COCO(str(file)) for file in (folder / "annotations").iterdir()]
        assert sum(len(one.imgs) for one in sets) == 28 and sum(len(one.anns) for one in sets) == 37


def test_supervision(whole):
    read = pytest.importorskip("supervision").DetectionDataset
    kind, folder = whole
    sets = [
        read.from_coco(str(images), str(folder / f"annotations/instances_{images.name}.json"))
        if kind == "coco"
        else read.from_yolo(str(images), str(folder / "labels" / images.name), str(folder / "data.yaml"))
        for images in (folder / "images").iterdir()
    ]
    assert sum(map(len, sets)) == 28
    assert sum(len(found) for one in sets for _, _, found in one) == 37


def test_datumaro(whole):
    datumaro = pytest.importorskip("datumaro")
    kind, folder = whole
    read = datumaro.Dataset.import_from(str(folder), "coco_instances" if kind == "coco" else kind)
    assert len(read) == 28 and sum(len(item.annotations) for item in read) == 37
