"""Labels stand beside their targets: they cover no box and no other label where there is room."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siamcli.boxes import Box, iou
from siamcli.drawing.draw import draw
from siamcli.drawing.labels import place_labels
from siamcli.trajectory import TrackPoint

FRAME = (160, 120)
sides = st.floats(-50, 300)


def labels(boxes: list[Box], size: tuple[int, int] = (60, 18)) -> list[Box]:
    places = place_labels(boxes, [size] * len(boxes), 2, FRAME)
    return [Box(x, y, *size) for x, y in places]


@pytest.mark.parametrize(
    "boxes",
    [
        [Box(40, 20, 60, 30), Box(40, 54, 60, 42)],  # one above the other
        [Box(40, 40, 30, 30), Box(44, 42, 30, 30), Box(48, 44, 30, 30)],  # one corner
        [Box(50, 0, 40, 12)],  # at the upper edge
        [Box(150, 100, 9, 19)],
        [Box(70, 60, 8, 8), Box(80, 60, 8, 8), Box(70, 70, 8, 8)],
    ],
)
def test_nothing_is_covered_where_there_is_room(boxes: list[Box]) -> None:
    found = labels(boxes)
    for number, label in enumerate(found):
        assert not any(iou(label, box) for box in boxes)
        assert not any(iou(label, other) for other in found[:number])


def test_a_target_that_fills_the_picture_has_its_label_inside() -> None:
    assert labels([Box(1, 1, 158, 118)]) in ([Box(x, y, 60, 18)] for x in range(4) for y in range(4))


@given(
    st.lists(st.builds(Box, sides, sides, sides, sides), max_size=6), st.integers(1, 200), st.integers(1, 150)
)
def test_labels_stay_in_the_picture(boxes: list[Box], w: int, h: int) -> None:
    for label in labels(boxes, (w, h)):
        assert label.x >= 0 and label.y >= 0
        assert label.x + w <= max(FRAME[0], w) and label.y + h <= max(FRAME[1], h)


def test_a_small_target_is_not_covered_and_a_long_name_is_cut() -> None:
    image = np.full((120, 160, 3), 128, np.uint8)
    point = TrackPoint(0, None, Box(70, 60, 8, 8), 0.97, "tracked")
    changed = (draw(image, [point], ("a long name for a small target",)) != image).any(-1)
    assert not changed[63:66, 73:76].any()
    assert not changed[62:66, 100:].any() and changed[:60].any(0).sum() <= 88


@pytest.mark.parametrize(("state", "longer"), [("found", True), ("init", True), ("tracked", False)])
def test_the_state_is_said_when_it_is_news(state: str, longer: bool) -> None:
    image = np.full((400, 640, 3), 128, np.uint8)

    def width(state: str) -> int:
        point = TrackPoint(0, None, Box(100, 200, 60, 60), 0.97, state)  # type: ignore[arg-type]
        return int((draw(image, [point], ("a",)) != image)[:190].any((0, 2)).sum())

    assert (width(state) > width("tracked")) == longer
