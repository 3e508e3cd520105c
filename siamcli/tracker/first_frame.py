"""The bias of the network's answer in the first frame, and its correction.

A box is a convention: a face may end at the chin or hold the hair.  The network answers with what such
objects usually are.  In the first frame the truth is known, so its answer there shows its bias for this
target.  Only reported boxes are corrected: with a corrected search state single sequences lose much.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from siamcli.boxes import Box
from siamcli.frames import Frame
from siamcli.model.siamrpn import Template
from siamcli.model.spec import TrackerParams
from siamcli.tracker.crop import Color, context_side
from siamcli.tracker.engine import Candidate, Engine
from siamcli.tracker.regions import Region, cut, locate_in

__all__ = ["NO_BIAS", "Bias", "first_frame_biases", "without_bias"]

LOOKS = ((0, 0, 1.0), (-20, -14, 0.87), (22, 12, 1.15), (16, -24, 1.0), (-12, 20, 1.0))
"""Shift of the search region in its pixels, and its scale: with one region alone, one cell would decide."""

LEAST_LOOKS = 3  # that must find the target
LEAST_SCORE = 0.5
STEADY = 0.1  # biases well below this are left alone
LIMIT = 0.7


class Bias(NamedTuple):
    """How the network's box differs from the given one: offsets in sizes, log ratios of sizes."""

    x: float = 0.0
    y: float = 0.0
    w: float = 0.0
    h: float = 0.0

    def times(self, share: float) -> Bias:
        """A share (0 to 1) of it."""
        return Bias(*(share * value for value in self))


NO_BIAS = Bias()


def first_frame_biases(
    engine: Engine,
    params: TrackerParams,
    frames: Sequence[Frame],
    boxes: Sequence[Box],
    templates: Sequence[Template],
    fills: Sequence[Color],
) -> list[Bias]:
    """The bias of N targets, the i-th given as `boxes[i]` in `frames[i]`; no bias where it is not found.

    One batch of `len(LOOKS)` search regions per target.
    """
    regions = []
    for frame, box, fill in zip(frames, boxes, fills, strict=True):
        (cx, cy), side = box.center, context_side((box.w, box.h), params.context)
        unit = side / engine.spec.exemplar_size  # image pixels per region pixel
        for dx, dy, scale in LOOKS:
            center, size = (cx + dx * unit, cy + dy * unit), (box.w * scale, box.h * scale)
            # cut for a target of another size, searched with the true one
            regions.append(cut(engine.spec, params, frame, fill, center, size)._replace(size=(box.w, box.h)))
    candidates = locate_in(engine, params, [template for template in templates for _ in LOOKS], regions)
    answers = list(zip(candidates, regions, strict=True))
    count = len(LOOKS)
    return [_bias(answers[i * count : (i + 1) * count], box) for i, box in enumerate(boxes)]


def _bias(answers: Sequence[tuple[Candidate, Region]], box: Box) -> Bias:
    """Mean difference of the answers from `box`, less where it is small or the answers disagree."""
    rows = []
    for best, region in answers:
        (cx, cy), (true_x, true_y) = region.center, box.center
        x = (cx + best.cx / region.scale - true_x) / box.w
        y = (cy + best.cy / region.scale - true_y) / box.h
        if best.score > LEAST_SCORE and max(abs(x), abs(y)) < 0.5:
            w, h = best.w / region.scale, best.h / region.scale
            rows.append((x, y, math.log(w / box.w), math.log(h / box.h)))
    if len(rows) < LEAST_LOOKS:
        return NO_BIAS
    mean, error = np.mean(rows, axis=0), np.std(rows, axis=0, ddof=1) / math.sqrt(len(rows))
    steadiness = mean**2 / (mean**2 + error**2 + STEADY**2)
    return Bias(*(mean * steadiness).clip(-LIMIT, LIMIT).tolist())


def without_bias(box: Box, bias: Bias) -> Box:
    """`box` with the bias taken back.

    >>> without_bias(Box(0, 0, 10, 10), Bias(x=0.5))
    Box(x=-5.0, y=0.0, w=10.0, h=10.0)
    """
    (cx, cy), w, h = box.center, box.w * math.exp(-bias.w), box.h * math.exp(-bias.h)
    return Box.from_center(cx - bias.x * w, cy - bias.y * h, w, h)
