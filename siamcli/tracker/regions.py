"""Exemplars and search regions: how they are cut, and what the engine answers for many of them at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import NamedTuple, TypeVar

import numpy as np

from siamcli.cores import usable_cores
from siamcli.frames import Frame, Image
from siamcli.model.siamrpn import Template
from siamcli.model.spec import ModelSpec, TrackerParams
from siamcli.tracker.area import SearchArea
from siamcli.tracker.crop import Color, context_side, crop
from siamcli.tracker.engine import Candidate, Engine, Ranking

__all__ = ["Region", "cut", "exemplar", "in_threads", "locate_in", "ranking_of"]

BLACK: Color = (0, 0, 0)
WHITE_FROM = 127  # of values from 0 to 255, where a crop of an area mixes its pixels
MANY = 8  # targets: fewer are cut sooner than threads are woken
T = TypeVar("T")
R = TypeVar("R")


class Region(NamedTuple):
    """A search region that supposes the target to be `factor` times as large as `size`.

    pixels (S, S, 3) uint8; `scale` is their number per image pixel; `center` and `size` in image pixels.
    """

    pixels: Image
    scale: float
    factor: float
    center: tuple[float, float]
    size: tuple[float, float]


def cut(
    spec: ModelSpec,
    params: TrackerParams,
    frame: Frame,
    fill: Color,
    center: tuple[float, float],
    size: tuple[float, float],
    *,
    pixels: int | None = None,
    factor: float = 1.0,
    area: SearchArea | None = None,
) -> Region:
    """The region of (pixels, pixels), None for the spec's, around `center` for a target of `size`.

    What lies outside `area` looks like what lies outside the frame.
    """
    pixels = pixels or spec.search_size
    side = context_side(size, params.context) * factor
    image_side = round(side * (pixels / spec.exemplar_size))
    region = crop(frame.image, center, image_side, pixels, fill, spec.crop)
    if area is not None:
        shown = crop(area.picture, center, image_side, pixels, BLACK, spec.crop) > WHITE_FROM
        region = np.where(shown, region, np.asarray(fill).astype(np.uint8))
    return Region(region, spec.exemplar_size / side, factor, center, size)


def exemplar(
    spec: ModelSpec,
    params: TrackerParams,
    frame: Frame,
    fill: Color,
    center: tuple[float, float],
    size: tuple[float, float],
) -> Image:
    """The crop that a template is made of, (127, 127, 3) uint8: a target of `size` and its context."""
    return cut(spec, params, frame, fill, center, size, pixels=spec.exemplar_size).pixels


def in_threads(work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """The results in order, from several threads where items are many: OpenCV cuts outside the interpreter's
    lock, and on a GPU the crops of 64 targets take a third of the time that the network does not."""
    if len(items) < MANY:
        return [work(item) for item in items]
    return list(_threads().map(work, items))


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(usable_cores(), thread_name_prefix="crops")


def locate_in(
    engine: Engine, params: TrackerParams, templates: Sequence[Template], regions: Sequence[Region]
) -> list[Candidate]:
    """The winner in each region, in one batch; all regions are equally large."""
    sizes = [[side * region.scale * region.factor for side in region.size] for region in regions]
    pixels = np.stack([region.pixels for region in regions])
    ranking = ranking_of(engine.spec, params, pixels.shape[1])
    return engine.locate(templates, pixels, np.asarray(sizes, np.float32), ranking)


def ranking_of(spec: ModelSpec, params: TrackerParams, search_size: int) -> Ranking:
    """How boxes are ranked in a region of `search_size` pixels.

    A region larger than the spec's is that of a lost target: it gets almost no window.
    """
    lost = search_size != spec.search_size
    return Ranking(params.penalty_k, params.lost_window_influence if lost else params.window_influence)
