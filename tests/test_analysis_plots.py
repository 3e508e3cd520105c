"""`siamtrack plot`: figures of known trajectories."""

from __future__ import annotations

import sys
from dataclasses import replace
from fractions import Fraction

import clips
import numpy as np
import pytest

from siamcli.boxes import Box
from siamcli.formats.files import write_trajectory
from siamcli.frames import SourceInfo
from siamcli.trajectory import NO_BOX, TrackHeader, TrackPoint, Trajectory

RATE = Fraction(30000, 1001)


def trajectory(frames=12) -> Trajectory:
    """Two targets; the first is lost in frames 4 and 5, the second absent in frame 6."""
    points = []
    for i in range(frames):
        state = "lost" if i in (4, 5) else "tracked"
        points.append(TrackPoint(i, float(i / RATE), Box(20 + 3 * i, 20, 10, 10), 0.2 + i / 20, state))
        gone = i == 6
        box = NO_BOX if gone else Box(60, 30, 10, 10)
        points.append(TrackPoint(i, float(i / RATE), box, 0.5, "absent" if gone else "tracked", 2))
    header = TrackHeader(SourceInfo("clip", clips.SIZE, RATE, frames), "m", "", "1", labels=("ant", None))
    return Trajectory(header, tuple(points), complete=True)


def test_a_plot_shows_the_chosen_panels():
    figure = trajectory().plot()
    path, heat, _, speed, score = figure.axes  # the third says what the colours of the heat map are
    lines = {line.get_label(): line for line in speed.get_lines()}
    np.testing.assert_allclose(lines["ant"].get_ydata()[[0, 1, 7, 8]], 3 * float(RATE))
    assert np.isnan(lines["ant"].get_ydata()[4:6]).all()
    assert lines["target 2"].get_ydata()[0] == pytest.approx(0, abs=1e-9)
    scores = {line.get_label(): line.get_ydata() for line in score.get_lines()}
    assert scores["ant"][3] == pytest.approx(0.35) and np.isnan(scores["target 2"][6])
    ways = {line.get_label(): line for line in path.get_lines()}
    assert ways["ant"].get_xdata()[0] == pytest.approx(25)
    assert path.get_ylim() == (clips.SIZE[1], 0)  # downward, as in the picture
    (drawn,) = heat.get_images()
    assert float(drawn.get_array().sum()) == pytest.approx(21 / float(RATE), rel=0.15)
    assert len(trajectory().plot(["speed"]).axes) == 1
    with pytest.raises(ValueError, match="no panel 'sped'"):
        trajectory().plot(["sped"])


def test_pixels_that_are_not_square_are_drawn_as_they_are_shown():
    plain = trajectory()
    source = replace(plain.header.source, pixel_aspect=Fraction(4, 3))
    wide = replace(plain, header=replace(plain.header, source=source))
    path, heat, _, speed, _ = wide.plot().axes
    assert path.get_aspect() == heat.get_aspect() == 0.75  # height of a pixel by its width
    np.testing.assert_allclose(speed.get_lines()[1].get_ydata()[[0, 8]], 4 * float(RATE))


def test_plot_writes_every_kind_and_the_same_twice(siamtrack, tmp_path):
    clip = clips.constant(tmp_path / "clip.mp4", frames=12)
    write_trajectory(trajectory(), tmp_path / "a.tracked.json")
    done = siamtrack("plot", "a.tracked.json", clip, "-o", "b.svg", "-o", "b.pdf")
    assert (done.code, done.out) == (0, "b.svg\nb.pdf\n"), done.err
    assert b"ant" in (tmp_path / "b.svg").read_bytes() and (tmp_path / "b.pdf").read_bytes()[:4] == b"%PDF"
    before = [(tmp_path / name).read_bytes() for name in ("b.svg", "b.pdf")]
    assert siamtrack("plot", "a.tracked.json", clip, "-o", "b.svg", "-o", "b.pdf").code == 8
    assert siamtrack("plot", "a.tracked.json", clip, "-o", "b.svg", "-o", "b.pdf", "-y").code == 0
    assert before == [(tmp_path / name).read_bytes() for name in ("b.svg", "b.pdf")]
    assert siamtrack("plot", "a.tracked.json", "--panel", "score").out == "a.png\n"


def test_plot_refuses_wrong_options_and_writes_nothing(siamtrack, tmp_path, monkeypatch):
    write_trajectory(trajectory(), tmp_path / "a.json")
    other = clips.constant(tmp_path / "other.mp4", frames=12, size=(64, 48))
    files = sorted(tmp_path.iterdir())
    done = siamtrack("plot", "a.json", other)
    assert done.code == 3 and "64x48" in done.err
    assert siamtrack("plot", "a.json", "--panel", "sped").code == 2
    assert siamtrack("plot", "a.json", "-o", "a.gif").code == 8
    if "siamcli.analysis.plots" in sys.modules:
        monkeypatch.delattr("siamcli.analysis.plots")
        monkeypatch.delitem(sys.modules, "siamcli.analysis.plots")
    monkeypatch.setitem(sys.modules, "matplotlib.axes", None)
    done = siamtrack("plot", "a.json")
    assert done.code == 3 and "plots need matplotlib" in done.err and "'.[plots]'" in done.err
    assert sorted(tmp_path.iterdir()) == files
