"""Real crops to calibrate an int8 network on, out of any videos."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from siamcli.boxes import Box
from siamcli.errors import InputError
from siamcli.frames import Image
from siamcli.media.sources import open_source
from siamcli.model.spec import ModelSpec, TrackerParams
from siamcli.tracker.crop import context_side, crop

__all__ = ["calibration_crops"]


def calibration_crops(
    sources: Iterable[str], spec: ModelSpec, params: TrackerParams, count: int = 128, seed: int = 0
) -> list[tuple[Image, Image]]:
    """`count` pairs of exemplar and search region, from places and sizes as targets have them.

    Frames are taken evenly from all sources; a pair is cut from one frame, the search region off centre.
    Raises InputError.
    """
    images = _some_frames(sources, count)
    rng = np.random.default_rng(seed)
    pairs = []
    for n in range(count):
        image = images[n % len(images)]
        height, width = image.shape[:2]
        w, h = (min(height, width) * rng.uniform(0.08, 0.5) * np.exp(rng.normal(0, 0.3)) for _ in range(2))
        box = Box.from_center(rng.uniform(0.2, 0.8) * width, rng.uniform(0.2, 0.8) * height, w, h)
        blue, green, red = image.mean(axis=(0, 1)).tolist()
        side = context_side((box.w, box.h), params.context)
        cx, cy = box.center
        away = (cx + rng.uniform(-0.4, 0.4) * side, cy + rng.uniform(-0.4, 0.4) * side)
        cuts = (
            ((cx, cy), 1.0, spec.exemplar_size),
            (away, spec.search_size / spec.exemplar_size, spec.search_size),
        )
        exemplar, search = (
            crop(image, center, round(side * scale), size, (blue, green, red), spec.crop)
            for center, scale, size in cuts
        )
        pairs.append((exemplar, search))
    return pairs


def _some_frames(sources: Iterable[str], count: int) -> list[Image]:
    """Up to `count` images; from a long source every so-manieth."""
    images: list[Image] = []
    for name in sources:
        with open_source(name) as source:
            stride = max(1, (source.info.count or 0) // count)
            images += [frame.image for frame in source if frame.index % stride == 0]
    if not images:
        raise InputError("nothing to calibrate on", hint="give videos or folders of images")
    step = max(1, len(images) // count)
    return images[::step]
