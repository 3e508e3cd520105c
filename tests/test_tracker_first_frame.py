"""The first frame's bias is measured once, and taken back from what is reported, not from the search."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siamcli.boxes import Box
from siamcli.frames import Frame
from siamcli.load import load_tracker
from siamcli.media.sources import open_source
from siamcli.tracker.engine import Candidate
from siamcli.tracker.first_frame import LOOKS, NO_BIAS, Bias, first_frame_biases, without_bias

DEMO = Path(__file__).parent / "data" / "demo.mp4"
START = Box(43, 150, 73, 79)


class SureEngine:
    """An engine whose network always finds a target `bias` away from the true one, in its own pixels."""

    def __init__(self, engine, bias, spread):
        self.bias, self.spread = bias, spread  # of the width: one look says more, the next less
        self.spec = engine.spec

    def locate(self, templates, searches, sizes, ranking):
        rows = []
        for i, (w, h) in enumerate(sizes):
            dx, dy, scale = LOOKS[i % len(LOOKS)]
            x, y, log_w, log_h = self.bias
            wide = w * math.exp(log_w + self.spread * (1, -1, 1, -1, 0)[i % len(LOOKS)])
            high = h * math.exp(log_h)
            # the region is `scale` times as large and shifted by (dx, dy) pixels of an unscaled one
            rows.append(Candidate(x * w - dx / scale, y * h - dy / scale, wide, high, 0.99, 1.0, 4.6))
        return rows


@pytest.fixture(scope="module")
def tracker():
    return load_tracker("light", engine="eager")


@given(st.tuples(*[st.floats(-0.4, 0.4)] * 4))
def test_taking_back_undoes_the_change(values):
    bias, box = Bias(*values), Box(10, 20, 30, 40)
    (cx, cy), w, h = box.center, box.w * math.exp(bias.w), box.h * math.exp(bias.h)
    changed = Box.from_center(cx + bias.x * box.w, cy + bias.y * box.h, w, h)
    assert without_bias(changed, bias) == pytest.approx(box, abs=1e-9)


def test_a_steady_bias_is_measured_and_a_shaky_one_is_not(tracker):
    frame, true = Frame(0, None, np.zeros((300, 400, 3), np.uint8)), Bias(0.2, -0.1, 0.4, -0.3)
    box, other = Box(100, 80, 60, 40), Box(30, 30, 80, 90)

    def measured(spread):
        sure = SureEngine(tracker.engine, true, spread)
        given = [frame] * 2, [box, other], [None] * 2, [(0, 0, 0)] * 2
        return first_frame_biases(sure, tracker.params, *given)

    steady, shaky = measured(0.0), measured(0.6)
    for bias in steady:  # m^3 / (m^2 + 0.1^2)
        assert bias == pytest.approx([m**3 / (m**2 + 0.01) for m in true], abs=1e-3)
    for bias, other_bias in zip(shaky, steady, strict=True):
        assert 0 < bias.w < 0.8 * other_bias.w
        assert (bias.x, bias.y, bias.h) == pytest.approx((other_bias.x, other_bias.y, other_bias.h))


def test_only_reported_boxes_are_corrected(tracker):
    """The state that is searched from stays as it is, frame by frame; the given box is never moved."""
    with open_source(str(DEMO)) as frames:
        first, *rest = (frame for frame, _ in zip(frames, range(4), strict=False))
    without = replace(tracker.params, first_frame_bias=0.0, class_memory=0.0)
    plain = replace(tracker, params=without)
    corrected = replace(tracker, params=replace(without, first_frame_bias=0.8))
    a, b = plain.start(first, START), corrected.start(first, START)
    assert a.bias == NO_BIAS != b.bias
    assert a.box == pytest.approx(START) and b.box == pytest.approx(START)
    for frame in rest:
        a, b = plain.step(a, frame), corrected.step(b, frame)
        assert (a.center, a.size) == (b.center, b.size)
        assert b.box == without_bias(a.box, b.bias) != a.box
