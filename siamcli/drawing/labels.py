"""Places the labels of targets beside their boxes, so that they cover no other box or label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from siamcli.boxes import Box, shared_area

__all__ = ["Place", "place_labels"]

_ROOM = 4  # labels that a box must be able to hold before one is put into it


class Place(NamedTuple):
    """The upper left corner of a label, and which of its sizes it has."""

    corner: tuple[int, int]
    choice: int = 0


def place_labels(
    boxes: Sequence[Box], sizes: Sequence[Sequence[tuple[int, int]]], gap: int, frame: tuple[int, int]
) -> list[Place | None]:
    """Where the labels of boxes stand; each may have one of several `sizes` (width, height), the best first.

    Above the box, below it, beside it, or next to another label, where it covers no box and no label before
    it; inside its own box where that is large; a smaller size where there is no room for a larger one.
    None where it would cover a target or a label all the same.  All in pixels of a `frame` (width, height).

    >>> place_labels([Box(50, 40, 40, 20), Box(50, 0, 40, 12)], [[(60, 10)], [(60, 10)]], 2, (160, 120))
    [Place(corner=(48, 28), choice=0), Place(corner=(48, 14), choice=0)]
    """
    placed: list[Box] = []
    places: list[Place | None] = []
    for number, (box, choices) in enumerate(zip(boxes, sizes, strict=True)):
        others = [*boxes[:number], *boxes[number + 1 :], *placed]
        place = None
        for choice, size in enumerate(choices):
            candidates = [_inside(corner, size, frame) for corner in _around(box, size, gap, placed)]
            free = [c for c in candidates if not any(shared_area(c, other) for other in (box, *others))]
            if not free and box.area >= _ROOM * size[0] * size[1]:
                free = [
                    c
                    for c in (_inside(corner, size, frame) for corner in _within(box, size, gap))
                    if not any(shared_area(c, other) for other in others)
                ]
            if free:
                place = Place((round(free[0].x), round(free[0].y)), choice)
                placed.append(Box(*place.corner, *size))
                break
        places.append(place)
    return places


def _around(
    box: Box, size: tuple[int, int], gap: int, placed: Sequence[Box]
) -> Iterator[tuple[float, float]]:
    """The places outside the box in order of preference."""
    w, h = size
    left, right, top, bottom = box.x - gap, box.x + box.w + gap, box.y - gap, box.y + box.h + gap
    yield from ((left, top - h), (right - w, top - h), (left, bottom), (right - w, bottom))
    yield from ((right, top), (left - w, top), (right, bottom - h), (left - w, bottom - h))
    for label in placed:
        for y in (label.y - h, label.y + label.h):
            if top - 2 * h <= y <= bottom + h:  # a label that is farther away belongs to no box
                yield left, y


def _within(box: Box, size: tuple[int, int], gap: int) -> Iterator[tuple[float, float]]:
    """The corners of the box."""
    w, h = size
    left, right, top, bottom = box.x + gap, box.x + box.w - gap, box.y + gap, box.y + box.h - gap
    yield from ((left, top), (left, bottom - h), (right - w, top), (right - w, bottom - h))


def _inside(corner: tuple[float, float], size: tuple[int, int], frame: tuple[int, int]) -> Box:
    """A label as it is drawn: moved into the frame, at whole pixels."""
    (x, y), (w, h), (width, height) = corner, size, frame
    return Box(round(min(max(x, 0), max(width - w, 0))), round(min(max(y, 0), max(height - h, 0))), w, h)
