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

import numpy as np

from siamcli.boxes import Box, box_problem
from siamcli.errors import InputError
from siamcli.frames import Frame
from siamcli.model.siamrpn import Template
from siamcli.model.spec import TrackerParams
from siamcli.tracker.area import SearchArea
from siamcli.tracker.crop import Color
from siamcli.tracker.engine import Candidate, Engine
from siamcli.tracker.first_frame import NO_BIAS, Bias, first_frame_biases, without_bias
from siamcli.tracker.look_around import PATIENCE, Missing, look_around
from siamcli.tracker.lost import LEAST_USUAL, overlap_of, status_after, usual_after
from siamcli.tracker.memory import Memory, is_due
from siamcli.tracker.place import Place, moved
from siamcli.tracker.regions import Region, cut, exemplar, in_threads, locate_in
from siamcli.trajectory import TrackState

__all__ = ["Tracker", "TrackerState"]

SURE = 0.9  # of the usual logit: with less, the box may have shrunk to what an obstacle leaves to see


@dataclass(frozen=True, slots=True)
class TrackerState:
    """All that a tracker knows of one target.  `center` and `size` in image pixels, `fill` BGR.

    `template` is what is searched with; `center` and `size` are where from.  `score` is the overlap to
    expect of the box, as far as the weights say what that is, `raw_score` the network's own.
    `usual` is the logit that is usual for this target, `age` counts frames since the start.  `seen` is the
    last sure place and size (see SURE), `missed` the number of frames since a loss.  `area` is where the
    target is looked for, None for the whole frame.
    """

    template: Template = field(repr=False, compare=False)
    memory: Memory = field(repr=False, compare=False)
    fill: Color
    center: tuple[float, float]
    size: tuple[float, float]
    seen: Place
    bias: Bias = NO_BIAS
    score: float = 1.0
    raw_score: float = 1.0
    status: TrackState = "init"
    usual: float = 0.0
    age: int = 0
    missed: int = 0
    area: SearchArea | None = field(default=None, compare=False)

    @property
    def box(self) -> Box:
        """Where the target is believed to be, the first frame's bias taken back."""
        box = Box.from_center(*self.center, *self.size)
        return box if self.status == "init" else without_bias(box, self.bias)

    @property
    def lost(self) -> bool:
        """True while the target is not believed to be in view."""
        return self.status in ("lost", "absent")

    @property
    def strays(self) -> bool:
        """True where it has left its area: in its place, or in the box that is believed."""
        if self.area is None:
            return False
        return not self.area.holds(self.center) or not (self.lost or self.area.holds(self.box.center))


@dataclass(frozen=True, slots=True)
class Tracker:
    """An engine, the parameters to track with, and nothing that a call changes."""

    engine: Engine
    params: TrackerParams

    def start(self, frame: Frame, box: Box, area: SearchArea | None = None) -> TrackerState:
        """Learn one target from the frame in which it was pointed at, to look for it in an `area` alone."""
        return self.start_all([frame], [box], [area])[0]

    def step(self, state: TrackerState, frame: Frame) -> TrackerState:
        """Find the target of `state` in `frame`."""
        return self.step_all([state], [frame])[0]

    def hide(self, state: TrackerState) -> TrackerState:
        """The state after a frame in which a human says that the target is not there.

        It stays where it was last seen; from the next step on it is also looked for elsewhere.
        """
        usual = state.usual or LEAST_USUAL
        missed = max(state.missed, PATIENCE) + 1
        return replace(state, status="absent", score=0.0, raw_score=0.0, usual=usual, missed=missed)

    def start_all(
        self, frames: Sequence[Frame], boxes: Sequence[Box], areas: Sequence[SearchArea | None] = ()
    ) -> list[TrackerState]:
        """Learn N targets, the i-th from `boxes[i]` in `frames[i]`, in one batch; `areas` are where they are
        looked for, if that is not the whole frame.

        Raises InputError for a box that does not fit its frame, or lies outside its area.
        """
        fills: list[Color] = []
        areas = areas or [None] * len(boxes)
        for frame, box, area in zip(frames, boxes, areas, strict=True):
            _check(box, frame, area)
            blue, green, red = frame.image.mean(axis=(0, 1)).tolist()
            fills.append((blue, green, red))
        exemplars = [
            exemplar(self.engine.spec, self.params, frame, fill, box.center, (box.w, box.h))
            for frame, fill, box in zip(frames, fills, boxes, strict=True)
        ]
        templates = self.engine.embed(np.stack(exemplars))
        biases = [NO_BIAS] * len(boxes)
        if share := self.params.first_frame_bias:
            biases = first_frame_biases(self.engine, self.params, frames, boxes, templates, fills)
            biases = [bias.times(share) for bias in biases]
        states = []
        for template, fill, box, bias, area in zip(templates, fills, boxes, biases, areas, strict=True):
            place = box.center, (box.w, box.h)
            memory = Memory(template)
            states.append(TrackerState(template, memory, fill, *place, seen=place, bias=bias, area=area))
        return states

    def step_all(self, states: Sequence[TrackerState], frames: Sequence[Frame]) -> list[TrackerState]:
        """Find N targets, the i-th in `frames[i]`: one batch per size of search region.

        Where a target would leave its area, that alone is looked at again.
        """
        states = [
            state if state.area is None else replace(state, center=state.area.nearest(state.center))
            for state in states
        ]
        after = self._found(states, frames, range(len(states)))
        strayed = [i for i, state in after.items() if state.strays]
        for i, state in self._found(states, frames, strayed, hide=True).items():
            after[i] = self._missed(states[i]) if state.strays else state
        in_order = [after[i] for i in range(len(states))]
        return self._remember(self._look_around(in_order, frames), frames)

    def _found(
        self,
        states: Sequence[TrackerState],
        frames: Sequence[Frame],
        chosen: Sequence[int],
        *,
        hide: bool = False,
    ) -> dict[int, TrackerState]:
        """The `chosen` ones of the states after their frames, by position; `hide` what no area holds."""
        after: dict[int, TrackerState] = {}
        sizes = {i: self._search_size(states[i]) for i in chosen}
        for search_size in sorted(set(sizes.values())):
            members = [i for i, size in sizes.items() if size == search_size]
            places = [(states[i], frames[i], search_size, hide) for i in members]
            cuts = in_threads(lambda place: self.regions(*place), places)
            regions = dict(zip(members, cuts, strict=True))
            tried = [(states[i], region) for i in members for region in regions[i]]
            templates = [state.template for state, _ in tried]
            found = locate_in(self.engine, self.params, templates, [region for _, region in tried])
            candidates = iter(found)
            for i in members:
                answers = [(next(candidates), region) for region in regions[i]]
                best, region = max(answers, key=self._scale_score)
                after[i] = self._update(states[i], frames[i], best, region.scale)
        return after

    def _missed(self, state: TrackerState) -> TrackerState:
        """The state after a frame in which nothing in its area is like the target."""
        state = replace(state, status="lost", score=0.0, raw_score=0.0, usual=state.usual or LEAST_USUAL)
        return replace(state, age=state.age + 1, missed=state.missed + 1)

    def _search_size(self, state: TrackerState) -> int:
        lost_size = self.params.lost_search_size
        return lost_size if state.lost and lost_size is not None else self.engine.spec.search_size

    def regions(
        self, state: TrackerState, frame: Frame, search_size: int, hide: bool = False
    ) -> list[Region]:
        """The search regions of `search_size` pixels around the last position: one per scale to try.

        `hide` what lies outside the state's area.
        """
        spec, params = self.engine.spec, self.params
        place = state.fill, state.center, state.size
        area = state.area if hide else None
        return [
            cut(spec, params, frame, *place, pixels=search_size, factor=factor, area=area)
            for factor in (1.0, *params.scales)
        ]

    def _scale_score(self, answer: tuple[Candidate, Region]) -> float:
        """The score of the scale of a region: the raw similarity where there is much of it, as in SiamFC,
        yet never negative, so that the penalty always lowers it.

        It ends at 16, where a score can come no nearer to 1: then the size stays as it is.
        """
        candidate, region = answer
        score = -math.log1p(-min(candidate.score, 1 - 1e-7))
        return score if region.factor == 1 else score * self.params.scale_penalty

    def _update(self, state: TrackerState, frame: Frame, best: Candidate, scale: float) -> TrackerState:
        params = self.params
        score = overlap_of(best, params)
        usual = usual_after(None, best.logit, params) if state.status == "init" else state.usual
        status = status_after(state.status, best, usual, params)
        if status != "lost":
            usual = usual_after(usual, best.logit, params)
        center, size, seen = state.center, state.size, state.seen
        if params.lost_search_size is not None and score < params.lost_below:
            pass  # hopeless: nothing moves
        elif best.score < params.hold_below:
            size = seen[1]
        else:
            center, size = moved((center, size), frame, best, scale, params)
            if status != "lost" and best.logit >= SURE * usual:
                seen = center, size
        return replace(  # all at once: with many targets, every change of a state counts
            state,
            center=center,
            size=size,
            seen=seen,
            score=score,
            raw_score=best.score,
            status=status,
            usual=usual,
            age=state.age + 1,
            missed=state.missed + 1 if status == "lost" else 0,
        )

    def _look_around(self, states: list[TrackerState], frames: Sequence[Frame]) -> list[TrackerState]:
        """The states, those of lost targets after a look at the next tiles of their frames."""
        lost = [i for i, state in enumerate(states) if state.missed > PATIENCE]
        if not (lost and self.params.look_around):
            return states
        missing = []
        for i in lost:
            state = states[i]
            others = [
                s.box for s, frame in zip(states, frames, strict=True) if frame is frames[i] and not s.lost
            ]
            first = state.memory.first
            templates = (first,) if state.template is first else (first, state.template)
            place, known = state.seen, (state.usual, state.missed)
            missing.append(Missing(templates, state.fill, *place, *known, tuple(others), state.area))
        after = list(states)
        answers = look_around(self.engine, self.params, missing, [frames[i] for i in lost])
        for i, found in zip(lost, answers, strict=True):
            if found is not None:
                best, score = found.candidate, overlap_of(found.candidate, self.params)
                state = replace(states[i], center=found.center, size=found.size, status="found", missed=0)
                if not state.strays:
                    after[i] = replace(state, score=score, raw_score=best.score)
        return after

    def _remember(self, states: list[TrackerState], frames: Sequence[Frame]) -> list[TrackerState]:
        """The states, those with a new look at their target: one batch of exemplars."""
        share = self.params.class_memory
        due = [
            i
            for i, state in enumerate(states)
            if share and not state.lost and is_due(state.age, state.raw_score)
        ]
        if not due:
            return states
        exemplars = [
            exemplar(
                self.engine.spec, self.params, frames[i], states[i].fill, states[i].center, states[i].size
            )
            for i in due
        ]
        after = list(states)
        for i, now in zip(due, self.engine.embed(np.stack(exemplars)), strict=True):
            memory = states[i].memory.with_look(now)
            after[i] = replace(states[i], memory=memory, template=memory.template(share))
        return after


def _check(box: Box, frame: Frame, area: SearchArea | None) -> None:
    if area is not None:
        area.check(box)
    height, width = frame.image.shape[:2]
    if wrong := box_problem(box, (width, height)):
        raise InputError(
            f"box {tuple(box)} {wrong}",
            hint="x,y is the top-left corner in pixels, counted from the top-left of the image",
        )
