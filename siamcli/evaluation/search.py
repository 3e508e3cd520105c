"""Points in the space of the three tracker parameters that are tuned for SiamRPN++ (PySOT)."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, fields

__all__ = ["SearchSpace", "grid_points", "random_points"]

Bounds = tuple[float, float]


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """Lowest and highest value of each tracker parameter that is searched."""

    penalty_k: Bounds = (0.0, 0.3)
    window_influence: Bounds = (0.1, 0.6)
    lr: Bounds = (0.2, 0.6)

    def ranges(self) -> dict[str, Bounds]:
        """The bounds by parameter name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def random_points(space: SearchSpace, count: int, seed: int) -> Iterator[dict[str, float]]:
    """`count` points drawn uniformly from the space; the same for the same seed.

    >>> list(random_points(SearchSpace(), 1, 0)) == list(random_points(SearchSpace(), 2, 0))[:1]
    True
    """
    source = random.Random(seed)
    for _ in range(count):
        yield {name: round(source.uniform(*bounds), 4) for name, bounds in space.ranges().items()}


def grid_points(space: SearchSpace, steps: int) -> Iterator[dict[str, float]]:
    """All combinations of `steps` evenly spaced values per parameter, both bounds included.

    >>> [p["lr"] for p in grid_points(SearchSpace(penalty_k=(0, 0), window_influence=(0, 0)), 2)][:2]
    [0.2, 0.6]
    """
    axes = [
        [round(low + (high - low) * i / max(steps - 1, 1), 4) for i in range(steps)]
        for low, high in space.ranges().values()
    ]
    for values in itertools.product(*axes):
        yield dict(zip(space.ranges(), values, strict=True))
