"""Looking for a lost target in the rest of the frame: tile by tile, nearest first.

The search at the last place goes on meanwhile, as low scores there are often right.  A place elsewhere is
believed only if the first exemplar and what is remembered of the target both find it there again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from siamcli.boxes import Box
from siamcli.frames import Frame
from siamcli.model.siamrpn import Template
from siamcli.model.spec import TrackerParams
from siamcli.tracker.area import SearchArea
from siamcli.tracker.crop import Color, context_side
from siamcli.tracker.engine import Candidate, Engine
from siamcli.tracker.regions import Region, cut, locate_in

__all__ = ["PATIENCE", "Found", "Missing", "look_around", "tiles"]

PATIENCE = 5  # frames: what is merely hidden comes back where it was
OVERLAP = 0.3  # of neighbouring tiles
LIKELY = 0.4  # of the logit that is usual for the target: away from the middle of a tile it has less
CLEAR = 0.85  # of that logit, in the middle of a region of its own: a double of the target has less


@dataclass(frozen=True, slots=True)
class Missing:
    """A target to look for: where and how large it was last seen, and how many frames it has been lost for.

    `templates`: the first exemplar, then the one searched with if that differs; `usual`: the logit that is
    usual for it; `others`: the boxes of targets in the same frame that are not lost, which it is not
    mistaken for; `area`: where to look, None for the whole frame.
    """

    templates: tuple[Template, ...]
    fill: Color
    center: tuple[float, float]
    size: tuple[float, float]
    usual: float
    missed: int
    others: tuple[Box, ...]
    area: SearchArea | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Where a missing target is: `center` and `size` in image pixels, and the weakest answer there."""

    center: tuple[float, float]
    size: tuple[float, float]
    candidate: Candidate


def look_around(
    engine: Engine, params: TrackerParams, missing: Sequence[Missing], frames: Sequence[Frame]
) -> list[Found | None]:
    """For N targets, the i-th missing in `frames[i]`: what is in the next `params.look_around` tiles.

    One batch of tiles; then one of a region around the best place of each target, if there is any.
    """
    likely = _likely(engine, params, missing, frames)
    found: list[Found | None] = [None] * len(missing)
    if not likely:
        return found
    pairs = [(template, region) for i, region in likely.items() for template in missing[i].templates]
    answers = iter(locate_in(engine, params, *zip(*pairs, strict=True)))
    for i, region in likely.items():
        by_each = [next(answers) for _ in missing[i].templates]
        weakest = min(by_each, key=lambda candidate: candidate.logit)
        center = _center(by_each[0], region)
        if weakest.logit > CLEAR * missing[i].usual and not _is_excluded(center, missing[i]):
            found[i] = Found(center, _size(by_each[0], region), weakest)
    return found


def _likely(
    engine: Engine, params: TrackerParams, missing: Sequence[Missing], frames: Sequence[Frame]
) -> dict[int, Region]:
    """Per target that may be in one of its next tiles: a region around the best place there."""
    spec, count = engine.spec, params.look_around
    regions: list[Region] = []
    for target, frame in zip(missing, frames, strict=True):
        height, width = frame.image.shape[:2]
        side = context_side(target.size, params.context) * spec.search_size / spec.exemplar_size
        bounds = target.area.bounds if target.area else Box(0, 0, width, height)
        places = [
            place
            for place in tiles(bounds, target.center, side)
            if target.area is None or target.area.meets(Box.from_center(*place, side, side))
        ]
        begin = (target.missed - PATIENCE - 1) * count
        for i in range(begin, begin + count):
            place = places[i % len(places)]
            regions.append(cut(spec, params, frame, target.fill, place, target.size, area=target.area))
    templates = [target.templates[-1] for target in missing for _ in range(count)]
    answers = list(zip(locate_in(engine, params, templates, regions), regions, strict=True))
    likely: dict[int, Region] = {}
    for i, target in enumerate(missing):
        free = [
            (candidate, region)
            for candidate, region in answers[i * count : (i + 1) * count]
            if candidate.logit > LIKELY * target.usual
            and not _is_excluded(_center(candidate, region), target)
        ]
        if free:
            best = max(free, key=lambda answer: answer[0].logit)
            center, size = _center(*best), _size(*best)
            likely[i] = cut(spec, params, frames[i], target.fill, center, size, area=target.area)
    return likely


def _is_excluded(center: tuple[float, float], target: Missing) -> bool:
    """True where another target is, and outside the area."""
    if target.area is not None and not target.area.holds(center):
        return True
    x, y = center
    return any(box.x < x < box.x + box.w and box.y < y < box.y + box.h for box in target.others)


def _center(candidate: Candidate, region: Region) -> tuple[float, float]:
    x, y = region.center
    return x + candidate.cx / region.scale, y + candidate.cy / region.scale


def _size(candidate: Candidate, region: Region) -> tuple[float, float]:
    return candidate.w / region.scale, candidate.h / region.scale


def tiles(bounds: Box, center: tuple[float, float], side: float) -> list[tuple[float, float]]:
    """Centres of squares of `side` that cover `bounds`, nearest to `center` first.

    >>> tiles(Box(0, 0, 100, 40), (90, 20), 80)
    [(75.0, 20.0), (25.0, 20.0)]
    """
    left, top, *lengths = bounds
    columns, rows = (int(length / (side * (1 - OVERLAP))) + 1 for length in lengths)
    places = [
        (left + (x + 0.5) * bounds.w / columns, top + (y + 0.5) * bounds.h / rows)
        for x in range(columns)
        for y in range(rows)
    ]
    return sorted(places, key=lambda place: (place[0] - center[0]) ** 2 + (place[1] - center[1]) ** 2)
