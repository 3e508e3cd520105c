"""Follow-crop: the window stays in the frame, is smooth without delay, and enlarges what was asked for."""

from __future__ import annotations

import re
import subprocess
from fractions import Fraction

import clips
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siamcli.analysis.framing import Crop, follow_target
from siamcli.boxes import Box
from siamcli.drawing.view import cut, points_in
from siamcli.errors import InputError
from siamcli.formats.files import write_trajectory
from siamcli.frames import SourceInfo
from siamcli.media.ffmpeg import ffmpeg_exe
from siamcli.trajectory import TrackHeader, TrackPoint, Trajectory

SIZE = (640, 360)


def path(boxes, states=None, size=SIZE, fps=Fraction(25), step=1) -> Trajectory:
    states = states or ["tracked"] * len(boxes)
    points = tuple(
        TrackPoint(step * i, float(step * i / fps), box, 0.9, state)
        for i, (box, state) in enumerate(zip(boxes, states, strict=True))
    )
    return Trajectory(TrackHeader(SourceInfo("clip", size, fps), "m", "", "1", labels=("bug",)), points, True)


def moving(count=50, speed=4.0, side=40.0):
    return [Box(100 + speed * i, 150, side, side) for i in range(count)]


numbers = st.floats(-900, 900)
boxes = st.builds(Box, numbers, numbers, st.floats(1, 900), st.floats(1, 900))


@given(
    st.lists(st.tuples(boxes, st.sampled_from(["tracked", "lost"])), min_size=1, max_size=9),
    st.sampled_from([None, 1.0, 2.0, 3.3]),
    st.sampled_from([None, Fraction(9, 16), Fraction(1), Fraction(3)]),
    st.floats(0, 3),
    st.sampled_from([(640, 360), (361, 641), (97, 65)]),
)
def test_windows_stay_in_the_frame_and_keep_their_shape(rows, zoom, aspect, smooth, size):
    trajectory = path([row[0] for row in rows], ["init", *[row[1] for row in rows[1:]]], size)
    framing = follow_target(trajectory, Crop(1, aspect, smooth, zoom), size)
    width, height = framing.size
    assert width % 2 == height % 2 == 0 and width <= size[0] and height <= size[1]
    for index in range(-1, len(rows) + 2):
        x, y, w, h = framing.window(index)
        assert x >= -1e-6 and y >= -1e-6 and x + w <= size[0] + 1e-6 and y + h <= size[1] + 1e-6
        assert zoom is not None or w >= width - 1e-6  # auto enlarges nothing
        assert zoom is None or w == pytest.approx(width / zoom)
        assert w / h == pytest.approx(width / height, rel=0.2 if zoom is None else 1e-6)


def test_the_window_follows_without_delay():
    framing = follow_target(path(moving()), Crop(1, Fraction(9, 16), 1.0), SIZE)
    assert framing.size == (202, 360)
    for index in (5, 20, 30):
        assert framing.window(index).center[0] == pytest.approx(120 + 4 * index)
    assert framing.window(0).x == pytest.approx(120 - 101)  # the ends are not drawn inward


def test_the_window_is_smooth_and_the_target_stays_in_it():
    rng = np.random.default_rng(0)
    trembling = [Box(300 + x, 150, 40, 40) for x in rng.normal(0, 3, 60)]
    framing = follow_target(path(trembling), Crop(1, Fraction(1), 1.0), SIZE)
    steps = np.diff([framing.window(i).x for i in range(60)])
    assert np.abs(steps).max() < 2 < np.abs(np.diff([box.x for box in trembling])).max()
    jumping = [*[Box(100, 150, 40, 40)] * 30, *[Box(500, 150, 40, 40)] * 30]
    framing = follow_target(path(jumping), Crop(1, Fraction(9, 16), 2.0), SIZE)
    for i, box in enumerate(jumping):
        window = framing.window(i)
        assert window.x <= box.center[0] <= window.x + window.w


def test_across_a_loss_and_between_points_it_goes_on():
    there = [*moving(20), *[Box(0, 0, 9, 9)] * 10, *[Box(100 + 4 * i, 150, 40, 40) for i in range(30, 50)]]
    states = [*["tracked"] * 20, *["lost"] * 10, *["tracked"] * 20]
    framing = follow_target(path(there, states, step=3), Crop(1, Fraction(1), 0.5), SIZE)
    for index in (30, 73, 74, 75):
        assert framing.window(index).center[0] == pytest.approx(max(180, 120 + 4 * index / 3), abs=0.1)


def test_auto_keeps_the_size_of_the_target():
    growing = [Box(300 - i / 2, 150 - i / 2, 30 + i, 30 + i) for i in range(60)]
    framing = follow_target(path(growing), Crop(1, Fraction(1), 0.4, None), SIZE)
    shares = [growing[i].w / framing.window(i).w for i in (10, 30, 50)]
    assert np.ptp(shares) < 0.01 and framing.size[0] < 120


def test_pixels_that_are_not_square_count():
    framing = follow_target(path(moving()), Crop(1, Fraction(1)), SIZE, Fraction(2))
    assert framing.size == (180, 360)


def test_a_crop_that_is_too_thin_or_has_no_path_is_refused():
    with pytest.raises(InputError, match="--aspect leaves 640x6"):
        follow_target(path(moving()), Crop(1, Fraction(100)), SIZE)
    with pytest.raises(InputError, match="is never seen"):
        follow_target(path(moving(3), ["lost"] * 3), Crop(), SIZE)


def test_what_is_cut_out():
    image = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    np.testing.assert_array_equal(cut(image, Box(9.7, 5.2, 20, 10), (20, 10)), image[5:15, 10:30])
    almost = Box(9.7, 5.2, np.nextafter(20, 0), 10)  # the sides of windows are computed
    np.testing.assert_array_equal(cut(image, almost, (20, 10)), image[5:15, 10:30])
    smooth = cv2.GaussianBlur(np.tile(np.arange(0, 240, 3, np.uint8)[None, :, None], (60, 1, 3)), (0, 0), 2)
    twice = cut(smooth, Box(10.25, 20, 30, 20), (60, 40))
    np.testing.assert_allclose(twice[20, :, 0], (10.25 + (np.arange(60) + 0.5) / 2 - 0.5) * 3, atol=1)
    half = cut(smooth, Box(10, 20, 40, 20), (20, 10))
    np.testing.assert_allclose(half[5, :, 0], (10 + np.arange(20) * 2 + 0.5) * 3, atol=1)
    (point,) = points_in(Box(10, 20, 40, 20), (20, 10), path([Box(20, 30, 8, 4)]).points)
    assert point.box == Box(5, 5, 4, 2)


def test_render_crops_with_sound_and_times(siamtrack, tmp_path):
    clip = clips.constant(tmp_path / "clip.mp4", frames=30, sound=True)
    box = [Box(20 + i, 20, 20, 20) for i in range(30)]
    write_trajectory(path(box, size=clips.SIZE, fps=Fraction(30000, 1001)), tmp_path / "a.json")
    done = siamtrack("render", clip, "a.json", "--crop", "bug", "--aspect", "9:16", "-o", "b.mp4")
    assert done.code == 0, done.err
    said = subprocess.run([ffmpeg_exe(), "-i", "b.mp4"], capture_output=True, text=True, check=False).stderr
    assert (
        re.search(r"36x64\b", said) and "29.97 fps" in said and "Audio: aac" in said and "00:00:01.0" in said
    )
    video = cv2.VideoCapture("b.mp4")
    assert sum(iter(lambda: video.read()[0], False)) == 30
    done = siamtrack("render", clip, "a.json", "--crop", "--zoom", "2x", "-o", "c.mp4", "--pixelate")
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--crop", "house"), 3, "no target 'house'"),
        (("--crop", "--aspect", "9x16"), 2, "--aspect takes width and height"),
        (("--crop", "--aspect", "0:16"), 2, "--aspect takes width and height"),
        (("--crop", "--aspect", "99:1"), 3, "--aspect leaves 96x0 of 96x64 pixels"),
        (("--crop", "--zoom", "0.5x"), 2, "--zoom takes auto"),
        (("--crop", "--smooth", "1s", "--stabilize"), 2, "--smooth or --stabilize"),
        (("--aspect", "9:16"), 2, "go with --crop"),
    ],
)
def test_render_refuses_wrong_crops_and_writes_nothing(siamtrack, tmp_path, options, code, message):
    clip = clips.constant(tmp_path / "clip.mp4", frames=2)
    write_trajectory(path(moving(2), size=clips.SIZE, fps=Fraction(30000, 1001)), tmp_path / "a.json")
    done = siamtrack("render", clip, "a.json", *options, "-o", "b.mp4")
    assert done.code == code and message in done.err.replace("\n", " "), done.err
    assert not list(tmp_path.glob("b*"))
