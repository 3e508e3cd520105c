"""Labels stand beside their targets: they cover no box and no other label where there is room."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siamcli.boxes import Box, iou
from siamcli.drawing.draw import draw
from siamcli.drawing.labels import place_labels
from siamcli.drawing.painter import Painter
from siamcli.drawing.style import Effect, Style
from siamcli.frames import Frame
from siamcli.trajectory import TrackPoint

FRAME = (160, 120)
sides = st.floats(-50, 300)


def labels(boxes: list[Box], size: tuple[int, int] = (60, 18)) -> list[Box]:
    places = place_labels(boxes, [[size]] * len(boxes), 2, FRAME)
    return [Box(*place.corner, *size) for place in places if place is not None]


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


@given(
    st.lists(
        st.builds(Box, st.floats(0, 150), st.floats(0, 110), st.floats(1, 60), st.floats(1, 60)), max_size=8
    )
)
def test_labels_cover_no_other_target_and_no_label(boxes: list[Box]) -> None:
    """Eight targets anywhere: shorter labels, or none, where there is no room."""
    sizes = [[(60, 12), (30, 12), (14, 12)]] * len(boxes)
    places = place_labels(boxes, sizes, 2, FRAME)
    found = [None if p is None else Box(*p.corner, *sizes[0][p.choice]) for p in places]
    for number, label in enumerate(found):
        if label is not None:
            others = [*boxes[:number], *boxes[number + 1 :], *filter(None, found[:number])]
            assert not any(iou(label, other) for other in others)
            assert not iou(label, boxes[number]) or boxes[number].area >= 4 * label.area
            near = Box(label.x - 5, label.y - 2 * 12 - 5, label.w + 10, label.h + 4 * 12 + 10)
            assert iou(near, boxes[number])  # it stands where its target is


def test_a_target_alone_has_its_label() -> None:
    for box in (Box(70, 50, 9, 9), Box(0, 0, 20, 20), Box(100, 90, 60, 30), Box(1, 1, 158, 118)):
        assert place_labels([box], [[(60, 12)]], 2, FRAME) != [None]


def picture(style: Style, state: str = "tracked", labels: tuple[str, ...] = ("a",)) -> np.ndarray:
    """(h, w) true where something is drawn."""
    image = np.full((400, 640, 3), 128, np.uint8)
    point = TrackPoint(7, 0.28, Box(200, 100, 120, 80), 0.97, state)  # type: ignore[arg-type]
    return (draw(image, [point], labels, style) != image).any(-1)


def test_marks() -> None:
    """What is drawn at a corner, at the middle of a side and in the centre of the box."""
    seen = {
        mark: [
            bool(picture(Style(mark=mark, labels=(), frame_number=False))[y - 2 : y + 3, x - 2 : x + 3].any())  # type: ignore[arg-type]
            for x, y in ((200, 100), (260, 180), (260, 140))
        ]
        for mark in ("box", "corners", "ellipse", "dot", "none")
    }
    assert seen == {
        "box": [True, True, False],
        "corners": [True, False, False],
        "ellipse": [False, True, False],
        "dot": [False, False, True],
        "none": [False, False, False],
    }


def test_labels_line_color_and_number() -> None:
    wide = [picture(Style(labels=parts))[:97].any(0).sum() for parts in (("name",), ("name", "score"), ())]  # type: ignore[arg-type]
    assert 0 == wide[2] < wide[0] < wide[1]
    lines = [picture(Style(line=width))[140, :260].sum() for width in (1, 3, 9)]
    assert lines[0] < lines[1] < lines[2]
    assert picture(Style())[-5:, :5].all() and not picture(Style(frame_number=False))[-5:].any()
    image = np.full((400, 640, 3), 128, np.uint8)
    point = TrackPoint(7, 0.28, Box(200, 100, 120, 80), 0.97, "tracked")
    drawn = draw(image, [point], ("a",), Style(colors=(("a", (1, 2, 3)),)))
    assert (drawn[140, 200] == (1, 2, 3)).all()
    assert not picture(Style((Effect("fill"),))).any()  # no marks where a target is hidden


@pytest.mark.parametrize(
    ("room", "shown"), [(92, "other cup 0.62"), (64, "other cup"), (50, "other..."), (20, "ot"), (9, None)]
)
def test_a_name_without_room_is_cut_with_dots(monkeypatch, room: int, shown: str | None) -> None:
    """Only a strip at the right is free: as wide as the second box, whose name is looked at."""
    written: list[str] = []
    monkeypatch.setattr("siamcli.drawing.draw.write_text", lambda image, text, *more: written.append(text))
    boxes = (Box(0, 0, 512 - room, 288), Box(512 - room, 130, room, 9))
    points = [TrackPoint(0, None, box, 0.62, "tracked", target) for target, box in enumerate(boxes, 1)]
    draw(np.zeros((288, 512, 3), np.uint8), points, ("ball", "other cup"), Style(frame_number=False))
    assert written[1:] == ([shown] if shown else [])


def test_a_trail_shows_the_last_seconds_and_no_loss() -> None:
    painter = Painter(Style(mark="none", trail=0.4), ("a",))
    image = np.full((400, 640, 3), 128, np.uint8)
    for index in range(30):
        state = "lost" if index in (24, 25) else "tracked"
        point = TrackPoint(index, index / 25, Box(100 + 10 * index, 100, 20, 20), 0.9, state)
        drawn = painter.paint(Frame(index, index / 25, image), [point])
    row = (drawn != image).any(-1)[110]
    assert not row[:295].any() and row[325:335].all() and row[385:395].all()
    assert not row[345:355].any()


def test_a_target_has_its_number_before_others_begin():
    image, points = (
        np.full((180, 320, 3), 120, np.uint8),
        [
            TrackPoint(0, 0.0, Box(50, 50, 60, 60), 0.9, "tracked", 1),
            TrackPoint(0, 0.0, Box(200, 90, 40, 40), 0.9, "tracked", 2),
        ],
    )
    alone, both = draw(image, points[:1], (None, None)), draw(image, points, (None, None))
    np.testing.assert_array_equal(alone[:120, :160], both[:120, :160])
    assert (draw(image, points[:1], (None,))[:120, :160] != both[:120, :160]).any()  # the only one has none


@pytest.mark.parametrize(
    ("label", "room", "shown"),
    [
        *(("bug", room, shown) for room, shown in ((120, "#12 bug 0.62"), (62, "#12 bug"), (36, "#12"))),
        *(("player 12", room, shown) for room, shown in ((120, "player 12 0.62"), (50, "#12"))),
        *(("striker 2", room, shown) for room, shown in ((50, "strik..."), (20, "st"))),
    ],
)
def test_targets_are_told_apart(monkeypatch, label: str, room: int, shown: str) -> None:
    """Those with one label as in tables and messages; a number is not cut, as `#1` is another target.

    Of names that begin alike no beginning is shown.
    """
    written: list[str] = []
    monkeypatch.setattr("siamcli.drawing.draw.write_text", lambda image, text, *more: written.append(text))
    boxes = (Box(0, 0, 512 - room, 288), Box(512 - room, 130, room, 9))
    points = [
        TrackPoint(0, None, box, 0.62, "tracked", target) for target, box in zip((1, 12), boxes, strict=True)
    ]
    labels = ("bug" if label == "bug" else "player 1", *[None] * 10, label)
    draw(np.zeros((288, 512, 3), np.uint8), points, labels, Style(frame_number=False))
    assert written[1] == shown
