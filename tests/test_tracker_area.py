"""A target that is looked for in a part of the frame alone: no box is believed elsewhere."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import clips
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from siamcli import (
    Box,
    Job,
    Session,
    Start,
    TimePoint,
    fix,
    follow,
    load_tracker,
    parse_target,
    read_trajectory,
)
from siamcli.batch.settings import Settings, clip_key
from siamcli.boxes import iou
from siamcli.errors import InputError
from siamcli.formats.files import write_trajectory
from siamcli.frames import Frame, SourceInfo
from siamcli.media.masks import read_mask
from siamcli.session.area import search_area, with_area
from siamcli.session.reading import Reading
from siamcli.targets import parse_region
from siamcli.tracker.area import SearchArea
from siamcli.tracker.look_around import tiles
from siamcli.trajectory import TrackHeader

SIZE = (24, 16)
masks = arrays(np.bool_, (SIZE[1], SIZE[0])).filter(np.any)
points = st.tuples(st.floats(-5, 30), st.floats(-5, 30))


@given(masks, points)
def test_the_nearest_point_is_within_and_none_is_nearer(mask, point) -> None:
    area = SearchArea.of_mask(mask)
    x, y = area.nearest(point)
    assert area.holds((x, y))
    if area.holds(point):
        assert (x, y) == point
    else:
        distances = [np.hypot(i + 0.5 - point[0], j + 0.5 - point[1]) for j, i in np.argwhere(mask)]
        assert np.hypot(x - point[0], y - point[1]) == pytest.approx(min(distances))


@given(masks)
def test_the_bounds_hold_every_pixel_and_touch_the_outer_ones(mask) -> None:
    x, y, w, h = map(int, SearchArea.of_mask(mask).bounds)
    part = mask[y : y + h, x : x + w]
    assert part.sum() == mask.sum()
    assert all(side.any() for side in (part[0], part[-1], part[:, 0], part[:, -1]))


@given(masks, st.floats(2, 30), points)
def test_tiles_that_meet_an_area_cover_it(mask, side, center) -> None:
    area = SearchArea.of_mask(mask)
    squares = [Box.from_center(*place, side, side) for place in tiles(area.bounds, center, side)]
    kept = [square for square in squares if area.meets(square)]
    y, x = np.argwhere(mask).T + 0.5
    within = [(b.x <= x) & (x <= b.x + b.w) & (b.y <= y) & (y <= b.y + b.h) for b in kept]
    assert np.any(within, axis=0).all()


boxes = st.builds(Box, st.integers(0, 20), st.integers(0, 12), st.integers(1, 9), st.integers(1, 9))


@given(boxes, boxes)
def test_a_region_is_a_mask_with_one_rectangle(region, box) -> None:
    mask = np.zeros((SIZE[1], SIZE[0]), np.bool_)
    mask[region.y : region.y + region.h, region.x : region.x + region.w] = True
    of_box, of_mask = SearchArea.of_box(region, SIZE), SearchArea.of_mask(mask)
    np.testing.assert_array_equal(of_box.picture, of_mask.picture)
    seen = Box(box.x, box.y, min(box.w, SIZE[0] - box.x), min(box.h, SIZE[1] - box.y))
    assert of_box.meets(box) == (iou(region, seen) > 0)


@cache
def eager(model):
    return load_tracker(model, engine="eager")


def states(area, *clip, model="fast"):
    """The state after every frame."""
    tracker = eager(model)
    frames = [Frame(i, i / 25, image) for i, image in enumerate(clip)]
    return [state for _, (state,) in follow(tracker, frames, [Box(66, 60, 48, 60)], area)]


def test_an_area_of_the_whole_frame_changes_no_digit() -> None:
    clip = [clips.faces((90 + 4 * i, 90)) for i in range(3)] + [clips.faces()] * 8
    whole = SearchArea.of_box(Box(0, 0, 640, 360), (640, 360))
    for plain, within in zip(*(states(area, *clip, model="light") for area in (None, whole)), strict=True):
        assert plain == within
        assert plain.box == within.box


def test_a_double_outside_the_area_is_not_taken_for_the_target() -> None:
    """The target goes, a double stands beside its place: without an area that is tracked."""
    clip = [
        *[clips.faces((90, 90), (165, 90))] * 3,
        *[clips.faces((165, 90))] * 6,
        *[clips.faces((98, 120), (165, 90))] * 3,
    ]
    double, back = Box(141, 60, 48, 60), Box(74, 90, 48, 60)
    assert iou(states(None, *clip[:6])[5].box, double) > 0.5
    area = SearchArea.of_box(Box(20, 20, 115, 300), (640, 360))
    within = states(area, *clip)
    assert [state.lost for state in within[:9]] == [*[False] * 3, *[True] * 6]
    assert not within[-1].lost
    assert iou(within[-1].box, back) > 0.5
    assert all(area.holds(state.center) for state in within)


def test_a_target_that_begins_at_the_edge_is_searched_within() -> None:
    clip = [clips.faces((90, 90)), clips.faces((98, 90)), clips.faces((106, 90))]
    area = SearchArea.of_box(Box(97, 0, 543, 360), (640, 360))
    first, *later = states(area, *clip)
    assert first.box == Box(66, 60, 48, 60)  # as it was given
    assert all(area.holds(state.box.center) for state in later if not state.lost)
    assert iou(later[-1].box, Box(82, 60, 48, 60)) > 0.6
    with pytest.raises(InputError, match="box 66,60,48,60 lies outside the region"):
        states(SearchArea.of_box(Box(400, 0, 240, 360), (640, 360)), *clip)


@pytest.fixture
def clip(tmp_path: Path) -> str:
    """A clip of 96x64."""
    return str(clips.constant(tmp_path / "a.mp4", frames=10))


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    """White where the right three quarters of that clip are."""
    image = np.zeros((64, 96), np.uint8)
    image[:, 24:] = 255
    cv2.imwrite(str(tmp_path / "mask.png"), image)
    return tmp_path / "mask.png"


def test_masks_of_any_depth_and_colour(tmp_path: Path) -> None:
    expected = np.zeros((6, 8), np.bool_)
    expected[2:4, 1:5] = True
    for name, white in (("a.png", np.uint8(255)), ("b.png", np.uint16(65535)), ("c.tif", np.float32(1))):
        cv2.imwrite(str(tmp_path / name), np.where(expected, white, type(white)(0)))
        np.testing.assert_array_equal(read_mask(str(tmp_path / name)), expected)


def test_a_job_has_a_region_in_percent_or_a_mask(mask: Path) -> None:
    job = Job("a.mp4", (parse_target("1,2,3,4"),), ())
    assert search_area(job, (96, 64)) is None
    region = search_area(replace(job, region=parse_region("25%,0,75%,100%")), (96, 64))
    from_mask = search_area(replace(job, mask=str(mask)), (96, 64))
    assert region and from_mask
    np.testing.assert_array_equal(region.picture, from_mask.picture)
    with pytest.raises(InputError, match=r"mask .*mask\.png is 96x64, the frames of a\.mp4 are 80x60"):
        search_area(replace(job, mask=str(mask)), (80, 60))


@pytest.mark.parametrize("direction", ["forward", "backward", "both"])
def test_every_direction_keeps_to_the_region(siamtrack, weights, clip, tmp_path: Path, direction) -> None:
    way = {"forward": (), "backward": ("--backward",), "both": ("--both-ways",)}[direction]
    box = ("--box-at", "5f=40,20,20,20", "--region", "30,10,40,40")
    done = siamtrack("run", clip, *box, *way, "-o", "a.json", "--weights", weights)
    assert done.code == 0, done.err
    believed = [point.box.center for point in read_trajectory(tmp_path / "a.json").points if point.is_located]
    assert believed
    assert all(30 <= x <= 70 and 10 <= y <= 50 for x, y in believed)


def test_run_and_batch_take_both_options(siamtrack, weights, clip, mask: Path, tmp_path: Path) -> None:
    target = ("--box", "40,20,20,20", "--weights", weights, "-y")
    for place in (("--region", "25%,0,75%,100%"), ("--mask", mask)):
        done = siamtrack("run", clip, *place, "-o", "a.json", *target)
        assert done.code == 0, done.err
        a = read_trajectory(tmp_path / "a.json").points
        done = siamtrack("batch", clip, *place, "-f", "json", *target)
        assert done.code == 0, done.err
        assert read_trajectory(tmp_path / "tracked" / "a.tracked.json").points == a
        assert all(point.box.center[0] >= 24 for point in a if point.is_located)


def test_a_correction_is_tracked_in_the_region_too(
    siamtrack, weights, clip, mask: Path, tmp_path: Path
) -> None:
    done = siamtrack("run", clip, "--box", "40,20,20,20", "-o", "a.json", "--weights", weights)
    assert done.code == 0, done.err
    for place in (("--region", "30,10,40,40"), ("--mask", mask)):
        fixing = ("--box-at", "4f=40,20,20,20", *place, "-o", "b.json", "-y", "--weights", weights)
        done = siamtrack("fix", clip, "a.json", *fixing)
        assert done.code == 0, done.err
        later = [p for p in read_trajectory(tmp_path / "b.json").points if p.index > 4 and p.is_located]
        assert all(p.box.center[0] >= 24 for p in later)
    done = siamtrack("fix", clip, "a.json", "--box-at", "4f=40,20,20,20", "--region", "80,50,9,9")
    assert done.code == 3 and "lies outside the region 80,50,9,9" in done.err


def test_another_region_or_mask_makes_a_finished_clip_outdated(mask: Path) -> None:
    def key(**place) -> str:
        return clip_key("clip", (), Settings((".json",), "", {}, **place))

    keys = [key(), key(region=parse_region("0,0,9,9")), key(region=parse_region("0,0,9,8"))]
    keys.append(key(mask=str(mask)))
    mask.write_bytes(mask.read_bytes() + b" ")
    assert len({*keys, key(mask=str(mask))}) == 5


def test_what_is_no_place_to_search(siamtrack, weights, clip, mask: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "black.png"), np.zeros((64, 96), np.uint8))
    cv2.imwrite(str(tmp_path / "small.png"), np.full((60, 80), 255, np.uint8))
    (tmp_path / "text.png").write_text("no image")
    wrong = {
        ("--region", "1,2,3"): (3, "not a region: '1,2,3'"),
        ("--region", "a=1,2,3,4"): (3, "not a region: 'a=1,2,3,4'"),
        ("--region", "1,2,0,4"): (3, "not a region: '1,2,0,4'"),
        ("--region", "96,0,40,40"): (3, "the region 96,0,40,40 lies outside the 96x64 frame"),
        ("--region", "70,40,20,20"): (3, "box 40,20,20,20 lies outside the region 70,40,20,20"),
        ("--mask", "none.png"): (3, "no such file: none.png"),
        ("--mask", "text.png"): (3, "cannot read the mask text.png"),
        ("--mask", "black.png"): (3, "the mask black.png has no white pixel"),
        ("--mask", "small.png"): (3, "the mask small.png is 80x60, the frames of"),
        ("--mask", mask, "--region", "1,2,3,4"): (2, "give --region or --mask, not both"),
    }
    for options, (code, message) in wrong.items():
        done = siamtrack("run", clip, "--box", "40,20,20,20", *options, "--weights", weights, "-o", "a.json")
        assert (done.code, done.err.count("error:")) == (code, 1), done.err
        assert message in done.err
        assert not (tmp_path / "a.json").exists()


@pytest.mark.parametrize(("name", "white"), [("a.png", np.uint8(255)), ("b.png", np.uint16(65535))])
def test_what_is_transparent_in_a_mask_is_not_searched(tmp_path: Path, name: str, white) -> None:
    expected = np.zeros((6, 8), np.bool_)
    expected[2:4, 1:5] = True
    image = np.full((6, 8, 4), white)
    image[0] = 0  # black and transparent
    image[5, :, :3], image[5, :, 3] = 0, white  # black
    image[1:5, :, 3] = np.where(expected[1:5], white, white // 3)
    cv2.imwrite(str(tmp_path / name), image)
    np.testing.assert_array_equal(read_mask(str(tmp_path / name)), expected)


def test_a_mask_is_kept_as_seen_from_the_video(mask: Path, tmp_path: Path, monkeypatch) -> None:
    header = TrackHeader(SourceInfo("a.mp4"), "m", "", "1")
    clip = str(tmp_path / "clips" / "a.mp4")
    monkeypatch.chdir(tmp_path)
    for said, source, kept in (
        ("mask.png", "clips/a.mp4", "../mask.png"),
        ("mask.png", "clips/frames/*.png", "../../mask.png"),
        ("mask.png", "-", "mask.png"),
        (str(mask), "clips/a.mp4", str(mask)),
    ):
        assert with_area(header, Reading(source, mask=said), (96, 64)).mask == kept
    tracked = with_area(header, Reading("clips/a.mp4", mask="mask.png"), (96, 64))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "mask.png").write_bytes(b"of another one")
    for source in (clip, "../clips/a.mp4"):
        assert search_area(Reading(source), (96, 64), tracked)
    (tmp_path / "elsewhere" / "linked").symlink_to(tmp_path / "clips")
    linked = with_area(header, Reading("linked/a.mp4", mask="../mask.png"), (96, 64))
    for one in (tracked, linked):
        for source in (clip, "linked/a.mp4"):
            assert search_area(Reading(source), (96, 64), one)
    monkeypatch.chdir(tmp_path)
    assert search_area(Reading("a.mp4"), (96, 64), replace(tracked, mask="mask.png"))  # the clip was moved


@pytest.mark.parametrize("place", ["region", "mask"])
def test_a_trajectory_says_where_it_was_searched_and_fix_searches_there(
    clip, mask: Path, tmp_path: Path, place: str
) -> None:
    where = {"region": {"region": parse_region("25%,0,75%,100%")}, "mask": {"mask": str(mask)}}[place]
    tracker = eager("light")
    with Session(
        Job(clip, (parse_target("40,20,20,20"),), (f"{tmp_path}/a.json",), **where), lambda: tracker
    ) as s:
        list(s)
    tracked = read_trajectory(tmp_path / "a.json")
    header = json.loads((tmp_path / "a.json").read_text())
    if place == "region":
        assert header["region"] == [24, 0, 72, 64] and "mask" not in header
    else:
        assert header["mask"] == str(mask) and "region" not in header
        assert header["mask_sha256"] == hashlib.sha256(mask.read_bytes()).hexdigest()
    for suffix in (".json", ".jsonl"):
        write_trajectory(tracked, tmp_path / f"b{suffix}")
        assert read_trajectory(tmp_path / f"b{suffix}").header == tracked.header
    correction = [Start(Box(40, 20, 20, 20), TimePoint(frame=4), 1)]
    again = fix(tracked, correction, clip, tracker)
    assert again.header == tracked.header
    explicit = fix(
        replace(tracked, header=replace(tracked.header, region=None, mask=None)),
        correction,
        Reading(clip, **where),
        tracker,
    )
    assert again.points == explicit.points
    whole = fix(tracked, correction, Reading(clip, region=parse_region("0,0,100%,100%")), tracker)
    assert (whole.header.region, whole.header.mask) == (Box(0, 0, 96, 64), None)
    if place == "mask":
        moved = replace(tracked.header, mask="mask.png")  # as seen from the clip, not from here
        assert fix(replace(tracked, header=moved), correction, clip, tracker).points == explicit.points
        mask.write_bytes(mask.read_bytes() + b" ")
        with pytest.raises(InputError, match=r"mask\.png has changed since"):
            fix(tracked, correction, clip, tracker)
        mask.unlink()
        with pytest.raises(InputError, match=r"mask\.png, with which it was tracked, is not there") as caught:
            fix(tracked, correction, clip, tracker)
        assert "--mask" in str(caught.value.hint)
