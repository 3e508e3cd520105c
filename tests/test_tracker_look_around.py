"""A lost target is looked for tile by tile, and believed only where it is as sure as it usually was."""

from __future__ import annotations

from dataclasses import replace

import clips
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siamcli.boxes import Box, iou
from siamcli.frames import Frame
from siamcli.load import load_tracker
from siamcli.tracker.look_around import tiles

sides = st.integers(20, 2000)


@settings(deadline=None)  # a busy machine is no failure
@given(
    st.tuples(sides, sides), st.tuples(st.floats(0, 1), st.floats(0, 1)), st.floats(30, 900), st.floats(0, 1)
)
def test_tiles_cover_the_frame_nearest_first(frame, share, side, along):
    center = (share[0] * frame[0], share[1] * frame[1])
    places = tiles(Box(0, 0, *frame), center, side)
    distances = [np.hypot(x - center[0], y - center[1]) for x, y in places]
    assert distances == pytest.approx(sorted(distances))
    x, y = along * frame[0], (1 - along) * frame[1]
    assert any(max(abs(a - x), abs(b - y)) <= side / 2 for a, b in places)


@pytest.mark.parametrize("look_around", [0, 4])
def test_a_target_that_returns_far_away_is_found_by_looking_around(look_around):
    """Gone for seven frames, then 450 pixels away, outside the search region: found only by looking around.

    Its double, another target that stays in view, is not touched, and not mistaken for it.
    """
    tracker = load_tracker("fast", engine="eager")
    tracker = replace(tracker, params=replace(tracker.params, look_around=look_around))
    clip = (
        [clips.faces((90, 90), (320, 290))] * 2
        + [clips.faces((320, 290))] * 7
        + [clips.faces((540, 90), (320, 290))] * 3
    )
    boxes = [Box(66, 60, 48, 60), Box(296, 260, 48, 60)]
    states = tracker.start_all([Frame(0, None, clip[0])] * 2, boxes)
    seen = []
    for i, image in enumerate(clip[1:], 1):
        states = tracker.step_all(states, [Frame(i, None, image)] * 2)
        seen.append((states[0].status, states[1].status))
    assert [first for first, _ in seen[:8]] == ["tracked", *["lost"] * 7]
    assert {second for _, second in seen} == {"tracked"}
    assert iou(states[1].box, boxes[1]) > 0.6
    assert states[0].lost == (not look_around)
    assert (iou(states[0].box, Box(516, 60, 48, 60)) > 0.5) == bool(look_around)
