"""Cuts crops out of images to calibrate an int8 network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from siamcli.boxes import Box
from siamcli.frames import Image
from siamcli.model.spec import ModelSpec, TrackerParams
from siamcli.tracker.crop import context_side, crop

__all__ = ["COUNT", "calibration_crops"]

COUNT = 128  # pairs that an int8 network is calibrated on


def calibration_crops(
    images: Sequence[Image], spec: ModelSpec, params: TrackerParams, count: int = COUNT
) -> list[tuple[Image, Image]]:
    """`count` pairs of exemplar and search region, from places and sizes as targets have them.

    The images are used in turn; a pair is cut from one of them, the search region off centre.
    """
    rng = np.random.default_rng(0)
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
