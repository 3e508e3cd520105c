"""Overlap and centre error of predictions and truth, frame by frame, for boxes and polygons.

Boxes are (N, 4) float arrays x, y, w, h.  NaN in the truth means that the target is absent; the result is
then NaN too, and every metric says how it counts such frames.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Array",
    "Mask",
    "axis_aligned_boxes",
    "box_corners",
    "box_overlap",
    "center_error",
    "present",
    "region_overlap",
]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
_BATCH = 256  # polygons rasterised at once: bounds the memory on sequences of any length


def present(truth: Array) -> Mask:
    """Frames with a usable annotation: finite, with positive sides, (N, 4) -> (N,)."""
    return np.asarray(np.isfinite(truth).all(axis=1) & (truth[:, 2:] > 0).all(axis=1))


def box_overlap(predicted: Array, truth: Array) -> Array:
    """Intersection over union: (N, 4), (N, 4) -> (N,); NaN where the truth is absent, 0 for a broken box.

    Never more than 1, which rounding gives else: a success rate would count a perfect box at threshold 1.

    >>> box_overlap(np.array([[0, 0, 10, 10.0]]), np.array([[5, 0, 10, 10.0]])).round(3)
    array([0.333])
    """
    lower = np.maximum(predicted[:, :2], truth[:, :2])
    upper = np.minimum(predicted[:, :2] + predicted[:, 2:], truth[:, :2] + truth[:, 2:])
    sides = np.maximum(upper - lower, 0)
    inter = sides[:, 0] * sides[:, 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        union = predicted[:, 2] * predicted[:, 3] + truth[:, 2] * truth[:, 3] - inter
        overlap = np.where(np.isfinite(inter) & (union > 0), np.minimum(inter / union, 1), 0.0)
    return np.where(present(truth), overlap, np.nan)


def center_error(predicted: Array, truth: Array, *, normalised: bool = False) -> Array:
    """Distance of the centres in pixels: (N, 4), (N, 4) -> (N,); NaN where absent, inf for a broken box.

    With `normalised` each axis is divided by the side of the truth first (TrackingNet, LaSOT).

    >>> center_error(np.array([[3, 4, 10, 10.0]]), np.array([[0, 0, 10, 10.0]]))
    array([5.])
    """
    offset = (predicted[:, :2] + predicted[:, 2:] / 2) - (truth[:, :2] + truth[:, 2:] / 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        if normalised:
            offset = offset / truth[:, 2:]
        distance = np.hypot(offset[:, 0], offset[:, 1])
    distance = np.where(np.isfinite(distance), distance, np.inf)
    return np.where(present(truth), distance, np.nan)


def box_corners(boxes: Array) -> Array:
    """Boxes as polygons of pixel centres, (N, 4) -> (N, 8): right and bottom are x + w - 1, y + h - 1.

    Source: region.c of the VOT toolkit, which rasterises rectangles as these polygons.
    """
    x, y, w, h = np.asarray(boxes, np.float32).T
    one = np.float32(1)
    right, bottom = x + w - one, y + h - one
    return np.stack([x, y, right, y, right, bottom, x, bottom], axis=1).astype(np.float64)


def axis_aligned_boxes(polygons: Array) -> Array:
    """The axis-aligned box of equal area around each polygon's centre, (N, 8) -> (N, 4).

    VOT starts trackers that give boxes from it.  Source: PySOT, which adds 1 to the sides.
    """
    xs, ys = polygons[:, 0::2], polygons[:, 1::2]
    low = np.stack([xs.min(axis=1), ys.min(axis=1)], axis=1)
    high = np.stack([xs.max(axis=1), ys.max(axis=1)], axis=1)
    first = np.linalg.norm(polygons[:, 0:2] - polygons[:, 2:4], axis=1)
    second = np.linalg.norm(polygons[:, 2:4] - polygons[:, 4:6], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = np.sqrt(first * second / (high - low).prod(axis=1))
    sides = scale[:, None] * (high - low) + 1
    center = np.stack([xs.mean(axis=1), ys.mean(axis=1)], axis=1)
    return np.concatenate([center - sides / 2, sides], axis=1)


def region_overlap(first: Array, second: Array, bound: tuple[int, int]) -> Array:
    """Overlap of polygons counted in pixels, as the VOT toolkit's region.c does: (N, 8), (N, 8) -> (N,)

    Vertices are rounded to pixels, rows are filled between the edges with both ends included, and only
    pixels 0 .. `bound` (x, y; inclusive) count.  NaN rows stay NaN.

    >>> square = box_corners(np.array([[0, 0, 10, 10.0]]))
    >>> region_overlap(square, box_corners(np.array([[5, 0, 10, 10.0]])), (99, 99)).round(3)
    array([0.333])
    """
    overlap = np.full(len(first), np.nan)
    valid = np.flatnonzero(np.isfinite(first).all(axis=1) & np.isfinite(second).all(axis=1))
    for i in range(0, len(valid), _BATCH):
        rows = valid[i : i + _BATCH]
        overlap[rows] = _count_pixels(np.float32(first[rows]), np.float32(second[rows]), bound)
    return overlap


def _count_pixels(a: NDArray[np.float32], b: NDArray[np.float32], bound: tuple[int, int]) -> Array:
    rows = _row_range(a, b, bound)
    spans_a, spans_b = (_row_spans(np.float64(p), rows, bound[0]) for p in (a, b))
    inter = np.zeros(len(a))
    for low_a, high_a in spans_a:
        for low_b, high_b in spans_b:
            inter += np.maximum(np.minimum(high_a, high_b) - np.maximum(low_a, low_b) + 1, 0).sum(axis=1)
    union = _filled(spans_a) + _filled(spans_b) - inter
    counted = _outer_boxes_meet(a, b, bound) & (union > 0)
    return np.where(counted, inter / np.maximum(union, 1), 0.0)


def _filled(spans: list[tuple[Array, Array]]) -> Array:
    """Pixels in all spans of each polygon, (N,)."""
    low, high = np.array([low for low, _ in spans]), np.array([high for _, high in spans])
    return np.asarray(np.maximum(high - low + 1, 0).sum(axis=(0, 2)))


def _outer_boxes_meet(a: NDArray[np.float32], b: NDArray[np.float32], bound: tuple[int, int]) -> Mask:
    """False where region.c answers 0 without looking: outer boxes that touch, miss, or have no area."""
    meet = np.ones(len(a), bool)
    for axis in (0, 1):
        ends = [
            (np.maximum(np.floor(p[:, axis::2].min(axis=1)), 0),
             np.minimum(np.ceil(p[:, axis::2].max(axis=1)), bound[axis]))
            for p in (a, b)
        ]  # fmt: skip
        meet &= np.minimum(ends[0][1], ends[1][1]) > np.maximum(ends[0][0], ends[1][0])
    return meet


def _row_range(a: NDArray[np.float32], b: NDArray[np.float32], bound: tuple[int, int]) -> Array:
    """The pixel rows that any of the polygons can touch inside the image."""
    ys = np.concatenate([a[:, 1::2], b[:, 1::2]])
    low, high = max(0, int(np.floor(ys.min()))), min(bound[1], int(np.ceil(ys.max())))
    return np.arange(low, max(low, high) + 1, dtype=np.float64)


def _row_spans(polygons: Array, rows: Array, right: int) -> list[tuple[Array, Array]]:
    """The filled pixels of every row as at most V - 1 spans [low, high], each (N, R); low > high is empty."""
    # C's round goes half away from zero, NumPy's half to even
    vertices = np.copysign(np.floor(np.abs(polygons) + 0.5), polygons)
    x, y = vertices[:, 0::2, None], vertices[:, 1::2, None]
    x_next, y_next = np.roll(x, 1, axis=1), np.roll(y, 1, axis=1)
    crossed = (np.minimum(y, y_next) <= rows) & (rows <= np.maximum(y, y_next)) & (y != y_next)
    with np.errstate(invalid="ignore", divide="ignore"):
        nodes = np.trunc(x + (rows - y) / (y_next - y) * (x_next - x))
    nodes = np.sort(np.where(crossed, nodes, np.inf), axis=1)  # (N, V, R)
    spans: list[tuple[Array, Array]] = []
    filled = np.zeros(nodes[:, 0].shape, bool)
    end = np.full(nodes[:, 0].shape, -np.inf)
    for k in range(nodes.shape[1] - 1):
        low, high = nodes[:, k], nodes[:, k + 1]
        # a vertex gives the same node twice: equal nodes fill nothing; a filled pair uses up both nodes
        filled = ~filled & (low != high) & np.isfinite(high)
        start = np.maximum(np.maximum(low, 0), end + 1)
        spans.append((np.where(filled, start, 1.0), np.where(filled, np.minimum(high, right), 0.0)))
        end = np.where(filled, np.minimum(high, right), end)
    return spans
