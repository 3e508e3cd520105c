"""The tracker: functions of immutable values.

    state = tracker.start(frame, box)
    state = tracker.step(state, frame)

A state can be kept, compared, branched or thrown away; one tracker serves any number of
targets and videos at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from siamcli.boxes import Box, misfit
from siamcli.errors import InputError
from siamcli.frames import Frame, Image
from siamcli.model.siamrpn import Template
from siamcli.model.spec import TrackerParams
from siamcli.tracker.crop import Color, context_side, crop
from siamcli.tracker.engine import Candidate, Engine
from siamcli.trajectory import TrackState

__all__ = ["Region", "Tracker", "TrackerState"]


@dataclass(frozen=True, slots=True)
class TrackerState:
    """All that a tracker knows of one target.  `center` and `size` in image pixels, `fill` BGR."""

    template: Template = field(repr=False, compare=False)
    fill: Color
    center: tuple[float, float]
    size: tuple[float, float]
    score: float
    status: TrackState

    @property
    def box(self) -> Box:
        """Where the target is believed to be."""
        return Box.from_center(*self.center, *self.size)

    @property
    def lost(self) -> bool:
        """True while the target is not believed to be in view."""
        return self.status == "lost"


class Region(NamedTuple):
    """A search region that supposes the target to be `factor` times as large as before.

    pixels (S, S, 3) uint8; `scale` is their number per image pixel.
    """

    pixels: Image
    scale: float
    factor: float


@dataclass(frozen=True, slots=True)
class Tracker:
    """An engine, and nothing that a call changes."""

    engine: Engine

    def start(self, frame: Frame, box: Box) -> TrackerState:
        """Learn one target from the frame in which it was pointed at."""
        return self.start_all([frame], [box])[0]

    def step(self, state: TrackerState, frame: Frame) -> TrackerState:
        """Find the target of `state` in `frame`."""
        return self.step_all([state], [frame])[0]

    def start_all(self, frames: Sequence[Frame], boxes: Sequence[Box]) -> list[TrackerState]:
        """Learn N targets, the i-th from `boxes[i]` in `frames[i]`, in one batch.

        Raises InputError for a box that does not fit its frame.
        """
        spec, params = self.engine.spec, self.engine.params
        fills, exemplars = [], []
        for frame, box in zip(frames, boxes, strict=True):
            _check(box, frame)
            blue, green, red = frame.image.mean(axis=(0, 1)).tolist()
            fills.append((blue, green, red))
            side = round(context_side((box.w, box.h), params.context))
            exemplars.append(crop(frame.image, box.center, side, spec.exemplar_size, fills[-1], spec.crop))
        templates = self.engine.embed(np.stack(exemplars))
        return [
            TrackerState(template, fill, box.center, (box.w, box.h), 1.0, "init")
            for template, fill, box in zip(templates, fills, boxes, strict=True)
        ]

    def step_all(self, states: Sequence[TrackerState], frames: Sequence[Frame]) -> list[TrackerState]:
        """Find N targets, the i-th in `frames[i]`: one batch per size of search region."""
        after: dict[int, TrackerState] = {}
        sizes = [self._search_size(state) for state in states]
        for search_size in sorted(set(sizes)):
            members = [i for i, size in enumerate(sizes) if size == search_size]
            regions = {i: self.regions(states[i], frames[i], search_size) for i in members}
            tried = [(states[i], region) for i in members for region in regions[i]]
            found = self.engine.locate(
                [state.template for state, _ in tried],
                np.stack([region.pixels for _, region in tried]),
                np.asarray(
                    [[side * r.scale * r.factor for side in state.size] for state, r in tried], np.float32
                ),
            )
            candidates = iter(found)
            for i in members:
                answers = [(next(candidates), region) for region in regions[i]]
                best, region = max(answers, key=self._evidence)
                after[i] = self._update(states[i], frames[i], best, region.scale)
        return [after[i] for i in range(len(states))]

    def _search_size(self, state: TrackerState) -> int:
        lost_size = self.engine.params.lost_search_size
        return lost_size if state.lost and lost_size is not None else self.engine.spec.search_size

    def regions(self, state: TrackerState, frame: Frame, search_size: int) -> list[Region]:
        """The search regions of `search_size` pixels around the last position: one per scale to try."""
        spec, params = self.engine.spec, self.engine.params
        regions = []
        for factor in (1.0, *params.scales):
            side = context_side(state.size, params.context) * factor
            image_side = round(side * (search_size / spec.exemplar_size))
            pixels = crop(frame.image, state.center, image_side, search_size, state.fill, spec.crop)
            regions.append(Region(pixels, spec.exemplar_size / side, factor))
        return regions

    def _evidence(self, answer: tuple[Candidate, Region]) -> float:
        """How much speaks for the scale of a region: the raw similarity where there is much of it, as in
        SiamFC, yet never negative, so that the penalty always lowers it.

        It ends at 16, where a score can come no nearer to 1: then the size stays as it is.
        """
        candidate, region = answer
        evidence = -math.log1p(-min(candidate.score, 1 - 1e-7))
        return evidence if region.factor == 1 else evidence * self.engine.params.scale_penalty

    def _update(self, state: TrackerState, frame: Frame, best: Candidate, scale: float) -> TrackerState:
        params = self.engine.params
        status = _status(state, best.score, params)
        if params.lost_search_size is not None and best.score < params.lost_below:
            return replace(state, score=best.score, status=status)
        (cx, cy), (w, h) = state.center, state.size
        height, width = frame.image.shape[:2]
        lr = best.penalty * best.score * params.lr
        return replace(
            state,
            center=(_clip(cx + best.cx / scale, 0, width), _clip(cy + best.cy / scale, 0, height)),
            size=(
                _clip(w * (1 - lr) + best.w / scale * lr, params.min_size, width),
                _clip(h * (1 - lr) + best.h / scale * lr, params.min_size, height),
            ),
            score=best.score,
            status=status,
        )


def _status(state: TrackerState, score: float, params: TrackerParams) -> TrackState:
    """Hysteresis: lost below one threshold, found again only above another."""
    if state.lost:
        return "found" if score > params.found_above else "lost"
    return "lost" if score < params.lost_below else "tracked"


def _check(box: Box, frame: Frame) -> None:
    height, width = frame.image.shape[:2]
    if wrong := misfit(box, (width, height)):
        raise InputError(
            f"box {tuple(box)} {wrong}",
            hint="x,y is the top-left corner in pixels, counted from the top-left of the image",
        )


def _clip(value: float, low: float, high: float) -> float:
    return max(low, min(value, high))
