"""Places labels beside their boxes, over no other box and no other label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from siamcli.boxes import Box

__all__ = ["place_labels"]


def place_labels(
    boxes: Sequence[Box], sizes: Sequence[tuple[int, int]], gap: int, frame: tuple[int, int]
) -> list[tuple[int, int]]:
    """The upper left corner of a label of each of `sizes` (width, height), for the box at its position.

    Above the box, below it, beside it, or next to another label, whichever covers the least of boxes and
    labels before it, and inside the box where nothing else is left.  All in pixels of a `frame` (width,
    height).

    >>> place_labels([Box(50, 40, 40, 20), Box(50, 0, 40, 12)], [(60, 10), (60, 10)], 2, (160, 120))
    [(48, 28), (48, 14)]
    """
    placed: list[Box] = []
    for box, size in zip(boxes, sizes, strict=True):
        candidates = [_inside(corner, size, frame) for corner in _corners(box, size, gap, placed)]
        taken = [*boxes, *placed, *placed]  # a name under another is worse than a name over a box
        placed.append(
            min(candidates, key=lambda candidate: sum(_common(candidate, other) for other in taken))
        )
    return [(round(label.x), round(label.y)) for label in placed]


def _corners(
    box: Box, size: tuple[int, int], gap: int, placed: Sequence[Box]
) -> Iterator[tuple[float, float]]:
    """The places in order of preference."""
    w, h = size
    left, right, top, bottom = box.x - gap, box.x + box.w + gap, box.y - gap, box.y + box.h + gap
    yield from ((left, top - h), (left, bottom), (right, top), (left - w, top))
    for label in placed:
        yield from ((left, label.y - h), (left, label.y + label.h))
    yield box.x + gap, box.y + gap


def _inside(corner: tuple[float, float], size: tuple[int, int], frame: tuple[int, int]) -> Box:
    """A label as it is drawn: moved into the frame."""
    (x, y), (w, h), (width, height) = corner, size, frame
    return Box(min(max(x, 0), max(width - w, 0)), min(max(y, 0), max(height - h, 0)), w, h)


def _common(a: Box, b: Box) -> float:
    """The area that two boxes share."""
    w = min(a.x + a.w, b.x + b.w) - max(a.x, b.x)
    h = min(a.y + a.h, b.y + b.h) - max(a.y, b.y)
    return max(w, 0) * max(h, 0)
