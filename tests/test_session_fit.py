"""Which trajectory belongs to which source: real clips, tracked by nobody."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from fractions import Fraction

import clips
import cv2
import pytest

from siamcli.boxes import Box
from siamcli.errors import InputError
from siamcli.frames import SourceInfo
from siamcli.media.sources import open_source
from siamcli.session.fit import MisfitError, frames_with_points
from siamcli.session.reading import Reading
from siamcli.session.render import draw_video
from siamcli.times import TimePoint
from siamcli.trajectory import TrackHeader, TrackPoint, Trajectory


def tracked(source, **cut):
    """The trajectory that a run of `source` would write, its boxes made up."""
    fps = cut.get("fps")
    with open_source(str(source), **cut) as frames:
        points = tuple(TrackPoint(f.index, f.time, Box(f.index, 5, 20, 20), 0.9, "tracked") for f in frames)
        info = frames.info  # once all are read
    assert fps is None or info.fps == fps
    return Trajectory(TrackHeader(info, "m", "", "1"), points, complete=True, frames=len(points))


def pairs(source, trajectory, **how):
    """Index of every frame -> left edges of its boxes."""
    with open_source(str(source), fps=how.pop("fps", None)) as frames:
        found = frames_with_points(frames, trajectory, **how)
        return {frame.index: [point.box.x for point in points] for frame, points in found}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Clips of one size: two of a length, one longer, one slower, variable, turned, damaged, images."""
    root = tmp_path_factory.mktemp("fit")
    slow = clips.constant(root / "slow.mp4")
    clips.ffmpeg("-itsscale", "1.25", "-i", str(slow), "-c", "copy", str(root / "slower.mp4"))
    found = {
        "clip": clips.constant(root / "clip.mp4"),
        "copy": clips.constant(root / "copy.mkv"),
        "longer": clips.constant(root / "longer.mp4", frames=60),
        "slower": root / "slower.mp4",
        "variable": clips.variable(root / "variable.mp4"),
        "portrait": clips.portrait(root / "portrait.mp4"),
        "larger": clips.constant(root / "larger.mp4", size=(128, 96)),
        "raw": clips.constant(root / "raw.h264"),
        "images": clips.folder(root / "images"),
    }
    return {**found, "cut": clips.damaged(found["clip"], keep=0.7)}


@pytest.mark.parametrize("kind", ["clip", "longer", "variable", "portrait", "raw", "images"])
def test_a_source_fits_what_was_tracked_in_it(made, kind):
    trajectory = tracked(made[kind])
    assert pairs(made[kind], trajectory) == {p.index: [p.box.x] for p in trajectory.points}


def test_a_stretch_every_nth_frame_and_a_prefix_fit(made):
    cut = {"start": TimePoint(frame=4), "end": TimePoint(seconds=0.7), "stride": 3}
    for kind in ("clip", "variable"):
        trajectory = tracked(made[kind], **cut)
        shown = {index: boxes for index, boxes in pairs(made[kind], trajectory).items() if boxes}
        assert shown == {p.index: [p.box.x] for p in trajectory.points} and min(shown) == 4
    whole = tracked(made["clip"])
    prefix = Trajectory(whole.header, whole.points[:7], complete=False)
    assert sum(map(bool, pairs(made["clip"], prefix).values())) == 7
    table = Trajectory(TrackHeader(SourceInfo("clip"), "", "", ""), whole.points, complete=True)  # .csv
    assert all(pairs(made["clip"], table).values())


def test_another_container_with_the_same_frames_fits(made):
    assert all(pairs(made["copy"], tracked(made["clip"])).values())


@pytest.mark.parametrize(
    ("source", "other", "says"),
    [
        ("larger", "clip", "the frames of larger are 128x96, but 96x64 in the trajectory"),
        ("portrait", "clip", "the frames of portrait are 64x96, but 96x64 in the trajectory"),
        ("longer", "clip", "longer has 60 frames, but the tracked video has 30"),
        ("clip", "longer", "clip has 30 frames, but the tracked video has 60"),
        ("slower", "clip", r"frame 3 of slower is at 0\.125 s, but at 0\.100 s in the trajectory"),
        ("images", "clip", "images has 12 frames, but the tracked video has 30"),
    ],
)
def test_what_does_not_fit_is_refused(made, source, other, says):
    trajectory = tracked(made[other])
    with pytest.raises(MisfitError, match=says) as refused:
        pairs(made[source], trajectory)
    assert refused.value.exit_code == 3 and refused.value.hint == "name the video that was tracked"
    with open_source(str(made[source])) as frames:
        count = sum(1 for _ in frames)
    shown = pairs(made[source], trajectory, anyway=True)
    assert len(shown) == count and shown[5] == [5]


def test_the_drawn_video_is_not_the_one_that_was_tracked(made, tmp_path):
    """It has the same frames, and boxes in them that a tracker follows."""
    trajectory = tracked(made["clip"])
    table = replace(trajectory, header=replace(trajectory.header, source=SourceInfo("clip.tracked")))
    for name in ("clip.tracked", "clip.fixed"):
        drawn = shutil.copy(made["clip"], tmp_path / f"{name}.mp4")
        with pytest.raises(MisfitError, match=f"{re.escape(name)} is what was drawn, clip what"):
            pairs(drawn, trajectory)
        assert len(pairs(drawn, trajectory, anyway=True)) == len(pairs(drawn, tracked(drawn)))
    with pytest.raises(MisfitError, match=r"clip\.tracked is called like a video that was drawn"):
        pairs(tmp_path / "clip.tracked.mp4", table)
    assert pairs(made["clip"], table)


def test_a_way_out_is_named_where_a_table_may_be_of_a_video_called_like_a_drawn_one(made, tmp_path):
    source = shutil.copy(made["clip"], tmp_path / "clip.fixed.mp4")
    for name in ("clip", "clip.fixed"):
        table = replace(tracked(source), header=TrackHeader(SourceInfo(name), "", "", ""))
        with pytest.raises(MisfitError) as refused:
            pairs(source, table)
        assert "if it was clip.fixed, rename it, or give the .json" in str(refused.value.hint)
    renamed = shutil.copy(source, tmp_path / "other.mp4")
    assert all(pairs(renamed, table).values()) and all(pairs(source, tracked(source)).values())


def test_a_table_that_goes_on_is_refused_at_the_end(made):
    header = TrackHeader(SourceInfo("clip"), "", "", "")
    longer = Trajectory(header, tracked(made["longer"]).points, complete=True)
    with pytest.raises(MisfitError, match="continues to frame 59, but clip ends with frame 29"):
        pairs(made["clip"], longer)


def test_a_source_that_announces_no_number_is_refused_at_the_end(made, tmp_path):
    """Its frames are counted: nothing is left under the video's name, and `--anyway` draws all."""
    trajectory, target = tracked(made["clip"]), tmp_path / "a.mp4"
    longer = str(clips.constant(tmp_path / "longer.h264", frames=33))
    reading = Reading(longer, fps=Fraction(30000, 1001))
    with pytest.raises(MisfitError, match="longer has 33 frames, but the tracked video has 30"):
        list(draw_video(reading, trajectory, target, overwrite=False))
    assert [path.name for path in tmp_path.iterdir()] == ["longer.h264"]
    assert list(draw_video(reading, trajectory, target, overwrite=False, anyway=True))[-1] == 33
    assert len(pairs(made["raw"], trajectory, fps=reading.fps)) == 30


def test_a_joined_recording_is_more_than_its_first_part(made, tmp_path):
    """It announces the length of its first part alone."""
    part = clips.constant(tmp_path / "part.mpg", "-c:v", "mpeg2video")
    joined = tmp_path / "joined.mpg"
    joined.write_bytes(part.read_bytes() * 2)
    with pytest.raises(MisfitError, match="joined has 60 frames, but the tracked video has 30"):
        pairs(joined, tracked(part))
    trajectory = tracked(joined)
    assert trajectory.header.source.count == 60 and trajectory.header.source.announced in range(25, 33)
    assert len(pairs(joined, trajectory)) == 60
    stretch = tracked(joined, end=TimePoint(frame=7))
    assert sum(map(bool, pairs(joined, stretch).values())) == 7


def test_images_are_compared_by_name_and_number(made, tmp_path):
    folder = clips.folder(tmp_path / "images")
    trajectory = tracked(folder)
    stretch = tracked(folder, end=TimePoint(frame=4))
    cv2.imwrite(str(folder / "f13.png"), clips.image(12))
    for longer in (trajectory, stretch):  # another folder, whose images are named alike
        with pytest.raises(MisfitError, match="images has 13 images, 12 when it was tracked"):
            pairs(folder, longer)
    assert len(pairs(folder, trajectory, anyway=True)) == 13
    (folder / "f3.png").unlink()
    with pytest.raises(MisfitError, match=r"frame 2 of images is f4\.png, but f3\.png in the trajectory"):
        pairs(folder, trajectory)


def test_a_damaged_source_fits_as_far_as_it_decodes(made):
    with open_source(str(made["cut"])) as frames, pytest.raises(InputError, match="damaged") as damaged:
        list(frames_with_points(frames, tracked(made["clip"])))
    assert not isinstance(damaged.value, MisfitError)


def test_images_are_drawn_at_the_rate_under_which_they_were_tracked(made, tmp_path):
    trajectory = tracked(made["images"], fps=Fraction(8))
    assert (
        list(draw_video(Reading(str(made["images"])), trajectory, tmp_path / "a.mp4", overwrite=False))[-1]
        == 12
    )
    drawn = cv2.VideoCapture(str(tmp_path / "a.mp4"))
    assert drawn.get(cv2.CAP_PROP_FPS) == 8 and drawn.get(cv2.CAP_PROP_FRAME_COUNT) == 12


def test_raw_streams_are_drawn_at_a_rate(made, tmp_path):
    trajectory = tracked(made["raw"], fps=Fraction(50))
    target = tmp_path / "a.mp4"
    with pytest.raises(MisfitError, match="frame 2 of raw"):
        list(draw_video(Reading(str(made["raw"])), trajectory, target, overwrite=False))
    assert not target.exists()
    assert list(draw_video(Reading(str(made["raw"]), fps=Fraction(50)), trajectory, target, overwrite=False))
    assert cv2.VideoCapture(str(target)).get(cv2.CAP_PROP_FPS) == 50
