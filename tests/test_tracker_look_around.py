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
from siamcli.tracker.look_around import PATIENCE, tiles

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


def test_a_target_that_returns_far_away_is_found_by_looking_around():
    """Gone for seven frames, then 450 pixels away, outside the search region: found only by looking around.

    Its double, another target that stays in view, is not touched, and not mistaken for it.
    """
    tracker = load_tracker("fast", engine="eager")
    seen = [clips.faces((90, 90), (320, 290))] * 2
    gone, back = clips.faces((320, 290)), clips.faces((540, 90), (320, 290))
    boxes = [Box(66, 60, 48, 60), Box(296, 260, 48, 60)]

    def follow(tracker, states, *images):
        """The states after every image."""
        for image in images:
            states = tracker.step_all(states, [Frame(0, None, image)] * 2)
            assert states[1].status == "tracked" and iou(states[1].box, boxes[1]) > 0.6
            yield states

    start = tracker.start_all([Frame(0, None, seen[0])] * 2, boxes)
    waiting = list(follow(tracker, start, seen[1], *[gone] * PATIENCE))
    for look_around in (0, 4):
        params = replace(tracker.params, look_around=look_around)
        later = list(
            follow(replace(tracker, params=params), waiting[-1], *[gone] * (7 - PATIENCE), *[back] * 3)
        )
        statuses = [first.status for first, _ in waiting + later]
        assert statuses[:8] == ["tracked", *["lost"] * 7]
        target = later[-1][0]
        assert target.lost == (not look_around)
        assert (iou(target.box, Box(516, 60, 48, 60)) > 0.5) == bool(look_around)
