"""Search regions of many targets are those that each target alone would get, in order."""

from __future__ import annotations

from functools import partial

import numpy as np

from siamcli.frames import Frame
from siamcli.model.spec import SPECS, default_params
from siamcli.tracker.regions import MANY, cut, in_threads


def test_many_regions_are_those_of_each_alone() -> None:
    spec = SPECS["siamrpnpp-r18"]
    rng = np.random.default_rng(0)
    frame = Frame(0, None, rng.integers(0, 256, (240, 320, 3), np.uint8))
    places = [((x, y), (30.0 + x / 10, 40.0)) for x in (0.0, 80.0, 160.0, 310.0) for y in (5.0, 120.0, 239.0)]
    one = partial(cut, spec, default_params(spec), frame, (10.0, 20.0, 30.0))
    assert len(places) > MANY
    many = in_threads(lambda place: one(*place), places)
    assert [region.center for region in many] == [center for center, _ in places]
    for region, place in zip(many, places, strict=True):
        alone = one(*place)
        assert region.scale == alone.scale
        assert np.array_equal(region.pixels, alone.pixels)
