"""`siamtrack measure`: positions, speeds and times that are known beforehand."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siamcli.analysis.motion import measure_motion
from siamcli.analysis.plane import flat_plane, seen_plane
from siamcli.analysis.report import measure
from siamcli.analysis.smooth import local_lines
from siamcli.analysis.zones import parse_zone
from siamcli.boxes import Box
from siamcli.formats.files import write_trajectory
from siamcli.frames import SourceInfo
from siamcli.trajectory import NO_BOX, TrackHeader, TrackPoint, Trajectory

SIZE = (640, 480)
PIXELS = flat_plane(1, "px", SIZE, "top-left")


def path(centers, states=None, fps=25, labels=("ant",)) -> Trajectory:
    header = TrackHeader(SourceInfo("clip", SIZE, Fraction(fps)), "m", "", "1", labels=labels)
    states = states or ["tracked"] * len(centers)
    points = tuple(
        TrackPoint(i, i / fps, NO_BOX if state == "absent" else Box.from_center(x, y, 20, 20), 0.9, state)
        for i, ((x, y), state) in enumerate(zip(centers, states, strict=True))
    )
    return Trajectory(header, points, complete=True)


def line(count=50, step=(4.0, 0.0), start=(100.0, 200.0)):
    return [(start[0] + i * step[0], start[1] + i * step[1]) for i in range(count)]


@pytest.mark.parametrize("window", [0, 0.2, 1])
def test_a_straight_path_is_measured_exactly(window):
    motion = measure_motion(path(line(step=(3, 4))), 1, flat_plane(2, "mm", SIZE, "top-left"), window)
    np.testing.assert_allclose(motion.speed, 5 * 25 / 2)
    np.testing.assert_allclose(motion.raw_speed[1:], 5 * 25 / 2)
    np.testing.assert_allclose(motion.heading, np.degrees(np.arctan2(4, 3)))
    np.testing.assert_allclose(motion.distance[-1], 49 * 5 / 2)
    np.testing.assert_allclose(motion.smooth, motion.raw)


@given(
    st.lists(
        st.tuples(st.floats(0.01, 2), st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)), min_size=2, max_size=25
    ),
    st.floats(0, 3),
)
def test_smoothing_has_no_delay(rows, window):
    """Backwards in time it gives the same path with the opposite speed."""
    times = np.cumsum([row[0] for row in rows])
    values = np.array([row[1:] for row in rows])
    smooth, slope = local_lines(times, values, window)
    back, back_slope = local_lines(-times[::-1], values[::-1], window)
    np.testing.assert_allclose(back[::-1], smooth, atol=1e-6)
    np.testing.assert_allclose(-back_slope[::-1], slope, atol=1e-3)


def test_smoothing_removes_the_tremor_of_boxes():
    rng = np.random.default_rng(0)
    still = path([(300 + x, 200 + y) for x, y in rng.normal(0, 0.5, (100, 2))])
    motion = measure_motion(still, 1, PIXELS, 0.5)
    assert np.median(motion.speed) < 0.3 * np.nanmedian(motion.raw_speed)
    assert motion.at_rest.mean() > 0.5
    assert measure_motion(path(line()), 1, PIXELS, 0.5).at_rest.sum() == 0


@pytest.mark.parametrize("between", ["lost", "absent", None])
def test_nothing_is_measured_across_a_loss(between):
    """The target jumps by 300 pixels while it is out of sight."""
    centers = [*line(20), *[(0.0, 0.0)] * 5, *line(20, start=(480, 200), step=(-4, 0))]
    states = [*["tracked"] * 20, *[between or "tracked"] * 5, "found", *["tracked"] * 19]
    trajectory = path(centers, states)
    if between is None:
        kept = tuple(point for point in trajectory.points if not 20 <= point.index < 25)
        trajectory = Trajectory(trajectory.header, kept, complete=True)
    motion = measure_motion(trajectory, 1, PIXELS, 0.5)
    located = motion.located
    np.testing.assert_allclose(motion.speed[located], 100)
    assert motion.distance[located][-1] == pytest.approx(2 * 19 * 4)
    assert np.isnan(motion.raw_speed[np.searchsorted(motion.frames, 25)])
    assert motion.lasts[located].sum() == pytest.approx(40 / 25)
    assert np.isnan(motion.speed[~located]).all() and np.isnan(motion.raw[~located]).all()


def test_a_stride_with_frames_of_given_boxes_between_has_no_gap():
    """--stride 7, and boxes in the frames 10, 20 and 25; where two frames of a stride are missing is one."""
    whole = path(line(50))
    for frames, located in (([0, 7, 10, 14, 20, 21, 25, 28], 32), ([0, 7, 14, 35, 42, 49], 42)):
        points = tuple(point for point in whole.points if point.index in frames)
        motion = measure_motion(replace(whole, points=points), 1, PIXELS, 0)
        assert np.isnan(motion.raw_speed).sum() == 1 + (35 in frames)
        assert motion.lasts.sum() * 25 == pytest.approx(located)


def test_the_origin_sets_the_axes():
    corner = np.array([[0.0, 480.0], [320, 240]])
    np.testing.assert_allclose(flat_plane(2, "mm", SIZE, "bottom-left")(corner), [[0, 0], [160, 120]])
    np.testing.assert_allclose(flat_plane(2, "mm", SIZE, "center")(corner), [[-160, -120], [0, 0]])
    np.testing.assert_allclose(flat_plane(2, "mm", SIZE, "top-left")(corner), [[0, 240], [160, 120]])


def test_pixels_that_are_not_square_are_measured_as_they_are_shown(siamtrack, tmp_path):
    """3 pixels to the right of 4/3 the width and 3 down: 5 as they are shown, at 36.9 degrees."""
    whole = path(line(step=(3, 3)))
    source = replace(whole.header.source, pixel_aspect=Fraction(4, 3))
    write_trajectory(replace(whole, header=replace(whole.header, source=source)), tmp_path / "a.json")
    done = siamtrack("measure", "a.json", "--origin", "center", "--scale", "2px/mm", "-o", "m.json", "-q")
    assert done.code == 0, done.err
    document = json.loads((tmp_path / "m.json").read_text())
    first, second = document["points"][:2]
    assert (first["x_raw"], first["y_raw"]) == pytest.approx(((100 - 320) * 4 / 3 / 2, (240 - 200) / 2))
    assert second["speed_raw"] == pytest.approx(5 / 2 * 25)
    assert second["heading"] == pytest.approx(-36.870, abs=0.001)
    side = 20 * (4 / 3) ** 0.5 / 2
    assert document["summary"][0]["rest_below"] == pytest.approx(0.2 * side, abs=0.001)


def test_a_plane_that_is_seen_at_an_angle():
    """Points of a table, seen through a known projection, come back."""
    projection = np.array([[2.0, 0.3, 100], [0.1, 1.5, 80], [0.0004, 0.0007, 1]])

    def seen(points):
        mapped = np.column_stack([points, np.ones(len(points))]) @ projection.T
        return mapped[:, :2] / mapped[:, 2:]

    corners = seen([[0, 0], [200, 0], [200, 100], [0, 100]])
    text = ",".join(f"{v:.9f}" for v in corners.ravel()) + "=200x100mm"
    points = np.array([[10.0, 20], [150, 70], [-20, 130]])
    np.testing.assert_allclose(seen_plane(text, "top-left")(seen(points)), points, atol=1e-5)
    np.testing.assert_allclose(
        seen_plane(text, "bottom-left")(seen(points)), points * [1, -1] + [0, 100], atol=1e-5
    )
    huge = "9" * 400  # a float calls it infinite
    flat = ("0,0,9,0,9,9,0,9=0x5m", f"0,0,9,0,9,9,0,9={huge}x5m")
    for wrong in ("1,2,3,4=1x1m", "0,0,0,9,9,9,9,0=200x100mm", *flat, "a"):
        with pytest.raises(ValueError, match="not a plane"):
            seen_plane(wrong, "top-left")


GROUND = "300,200,340,200,640,480,0,480=1x4m"  # a road that narrows towards a horizon at y = 181


def test_a_length_on_a_plane_is_that_of_its_pixels():
    plane = seen_plane(GROUND, "top-left")
    for x, y in ((320.0, 230.0), (100, 400), (600, 460)):
        corners = plane(np.array([[x, y], [x + 0.1, y], [x, y + 0.1]]))
        area = abs(np.linalg.det(corners[1:] - corners[0])) * 100
        assert plane.lengths(np.array([[x, y]])) == pytest.approx(area**0.5, rel=0.01)
    assert flat_plane(2, "mm", SIZE, "center").lengths(np.zeros((1, 2))) == pytest.approx(0.5)


def test_nothing_lies_beyond_the_horizon_of_a_plane(siamtrack, tmp_path):
    """The sums of a homography give such points a place, too: mirrored, on the near side."""
    plane = seen_plane(GROUND, "top-left")
    points = plane(np.array([[320.0, 300], [320, 190], [320, 170], [0, 0]]))
    assert np.isfinite(points).all(axis=1).tolist() == [True, True, False, False]
    flying = path(line(10, start=(300, 120), step=(0, 20)))
    write_trajectory(flying, tmp_path / "a.json")
    done = siamtrack("measure", "a.json", "--plane", GROUND)
    assert done.code == 3, done.err
    assert "lies beyond the horizon of --plane in 4 frames, frame 0 first" in done.err.replace("\n", " ")


def test_zones_count_seconds_and_visits():
    box, triangle = parse_zone("nest=10%,10%,100,50%", SIZE), parse_zone("t=0,0,100,0,0,100", SIZE)
    points = np.array([[64.0, 48.0], [163, 287], [165, 100], [20, 20], [90, 90], [np.nan, np.nan]])
    assert box.holds(points).tolist() == [True, True, False, False, True, False]
    assert triangle.holds(points).tolist() == [False, False, False, True, False, False]
    for wrong in ("1,2,3,4", "a=1,2", "a=1,2,3,x,5,6", "a=1,2,0,4"):
        with pytest.raises(ValueError, match="zone"):
            parse_zone(wrong, SIZE)


def test_targets_with_one_label_and_absences_have_a_row_and_a_column():
    one = path(line(10), [*["tracked"] * 5, *["absent"] * 5], labels=("ant", "bee", "ant"))
    points = [replace(p, target=target, state="lost") for p in one.points for target in (2, 3)]
    measured = measure(replace(one, points=(*one.points, *points)), PIXELS)
    head, *rows = measured.table()
    assert head[:5] == ["target", "located s", "lost s", "absent s", "at_rest s"]
    assert [row[:4] for row in rows] == [
        ["#1 ant", "0.20", "0.00", "0.20"],
        ["bee", "0.00", "0.40", "0.00"],
        ["#3 ant", "0.00", "0.40", "0.00"],
    ]
    assert [motion.label for motion in measured.motions] == ["ant", "bee", "ant"]


def test_seconds_of_what_is_always_lost_and_of_a_single_frame():
    (all_lost,) = measure(path(line(50), ["lost"] * 50), PIXELS).summary()
    assert (all_lost["located"], all_lost["lost"]) == (0, 2)
    slow = path(line(20), [*["tracked"] * 15, *["lost"] * 5])  # from the loss on a frame a second
    times = [0.04 * min(p.index, 15) + max(0, p.index - 15) for p in slow.points]
    points = tuple(replace(p, time=time) for p, time in zip(slow.points, times, strict=True))
    (slower,) = measure(replace(slow, points=points), PIXELS).summary()
    assert (slower["located"], slower["lost"]) == (0.6, 4.04)
    kept = tuple(p for p in slow.points if p.index <= 15)  # as fast in a frame, and in the last ones slower
    times = [0.04 * p.index if p.index < 8 else 0.28 + 0.4 * (p.index - 7) for p in kept]
    points = tuple(replace(p, time=time, state="tracked") for p, time in zip(kept, times, strict=True))
    (paused,) = measure(replace(slow, points=points), PIXELS, window=0).summary()
    assert paused["speed_mean"] < 2 * paused["distance"] / paused["located"]
    zone = parse_zone("all=0,0,640,480", SIZE)
    (single,) = measure(path(line(1)), PIXELS, zones=[zone]).summary()
    same = measure(path(line(50)), PIXELS, zones=[replace(zone, name="lost")]).table()  # as a sum is called
    assert [cell for name, cell in zip(*same, strict=True) if name == "lost s"] == ["0.00", "2.00"]
    assert (single["located"], single["lost"], single["zones"]["all"]["seconds"]) == (0.04, 0, 0.04)


def test_measure_writes_units_times_and_visits(siamtrack, tmp_path):
    there_and_back = [*line(25), *line(25, start=(196, 200), step=(-4, 0))]
    states = [*["tracked"] * 20, *["lost"] * 2, *["tracked"] * 28]
    write_trajectory(path(there_and_back, states), tmp_path / "a.json")
    command = (
        "measure",
        "a.json",
        "--scale",
        "4px/mm",
        "--origin",
        "bottom-left",
        "--zone",
        "east=180,0,99,480",
    )
    done = siamtrack(*command, "-o", "m.csv", "-o", "m.json")
    assert done.code == 0, done.err
    with (tmp_path / "m.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 50
    first, lost = rows[0], rows[20]
    assert (first["time_s"], first["x_raw_mm"], first["y_raw_mm"]) == ("0.0", "25.0", "70.0")
    assert float(first["speed_mm_per_s"]) == pytest.approx(25) and first["heading_deg"] == "0.0"
    assert lost["state"] == "lost" and lost["x_mm"] == lost["speed_mm_per_s"] == lost["zone"] == ""
    assert rows[24]["zone"] == "east" and rows[0]["zone"] == ""
    document = json.loads((tmp_path / "m.json").read_text())
    assert document["units"]["speed"] == "mm/s" and document["smoothing"]["window"] == 0.5
    (summary,) = document["summary"]
    assert (summary["located"], summary["lost"]) == (1.92, 0.08)
    assert summary["zones"]["east"]["visits"] == 1
    assert summary["zones"]["east"]["seconds"] == pytest.approx(8 / 25, abs=0.09)
    assert "ant" in done.out and "distance mm" in done.out
    assert siamtrack(*command, "-o", "m.csv").code == 8
    done = siamtrack("measure", "a.json", "--json")
    assert json.loads(done.out)["units"]["speed_mean"] == "px/s"


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--scale", "3mm"), 2, "not a scale: '3mm'"),
        (("--scale", "0px/mm"), 2, "not a scale"),
        (("--scale", f"{'9' * 400}px/mm"), 2, "not a scale"),
        (("--plane", "1,2"), 2, "not a plane"),
        (("--scale", "1px/mm", "--plane", "1"), 2, "--scale or --plane"),
        (("--zone", "nest"), 2, "not a zone"),
        (("--zone", "a=0,0,5,5", "--zone", "a=9,9,5,5"), 2, "give every --zone a name of its own"),
        (("--smooth", "3f"), 3, "not a length of time"),
        (("--rest", "5mm/s"), 2, "--rest takes a speed in px/s"),
        (("--rest", "9" * 400), 2, "--rest takes a speed in px/s"),
        (("-o", "m.txt"), 8, "unknown format"),
        (("-o", "{target}.csv"), 8, "{target}.csv: this command writes all targets into one file"),
        (("-o", "a.json", "-y"), 8, "a.json is read in this run"),
    ],
)
def test_measure_refuses_wrong_options_and_writes_nothing(siamtrack, tmp_path, options, code, message):
    write_trajectory(path(line(3)), tmp_path / "a.json")
    done = siamtrack("measure", "a.json", *options)
    assert done.code == code and message in done.err.replace("\n", " "), done.err
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]


def test_csv_does_not_say_how_large_the_frames_are(siamtrack, tmp_path):
    write_trajectory(path(line(3)), tmp_path / "a.csv")
    for options in (("--zone", "a=10%,10%,50%,50%"), ("--origin", "center")):
        done = siamtrack("measure", "a.csv", *options)
        assert done.code == 3 and "does not say how large its frames are" in done.err, done.err
    assert siamtrack("measure", "a.csv", "--zone", "a=0,0,99,99").code == 0


def test_images_need_a_rate(siamtrack, tmp_path):
    header = TrackHeader(SourceInfo("images", SIZE), "m", "", "1")
    points = tuple(TrackPoint(i, None, Box(10 * i, 0, 9, 9), 0.9, "tracked") for i in range(4))
    write_trajectory(Trajectory(header, points, complete=True), tmp_path / "a.json")
    done = siamtrack("measure", "a.json")
    assert done.code == 3 and "has no times" in done.err and "--fps 25" in done.err
    done = siamtrack("measure", "a.json", "--fps", "10", "--json")
    assert json.loads(done.out)["targets"][0]["speed_mean"] == 100


def test_slow_motion_counts_at_the_rate_at_which_it_was_recorded(siamtrack, tmp_path):
    """The file plays at 25 frames a second; --fps was ignored there."""
    write_trajectory(path(line(50)), tmp_path / "a.json")
    slow, real = (
        json.loads(siamtrack("measure", "a.json", *options, "--smooth", "0", "--json").out)["targets"][0]
        for options in ((), ("--fps", "250"))
    )
    assert real["speed_mean"] == pytest.approx(10 * slow["speed_mean"])
    assert real["located"] == pytest.approx(slow["located"] / 10)
