"""Which parameters to try: the three that PySOT's users search."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, fields

__all__ = ["SearchSpace", "grid_points", "random_points"]

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """Lowest and highest value of each searched tracker parameter."""

    penalty_k: Range = (0.0, 0.3)
    window_influence: Range = (0.1, 0.6)
    lr: Range = (0.2, 0.6)

    def ranges(self) -> dict[str, Range]:
        """The ranges by parameter name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def random_points(space: SearchSpace, count: int, seed: int) -> Iterator[dict[str, float]]:
    """`count` points drawn evenly from the space; the same for the same seed.

    >>> list(random_points(SearchSpace(), 1, 0)) == list(random_points(SearchSpace(), 2, 0))[:1]
    True
    """
    source = random.Random(seed)
    for _ in range(count):
        yield {name: round(source.uniform(*bounds), 4) for name, bounds in space.ranges().items()}


def grid_points(space: SearchSpace, steps: int) -> Iterator[dict[str, float]]:
    """All combinations of `steps` even values per parameter, ends included.

    >>> [p["lr"] for p in grid_points(SearchSpace(penalty_k=(0, 0), window_influence=(0, 0)), 2)][:2]
    [0.2, 0.6]
    """
    axes = [
        [round(low + (high - low) * i / max(steps - 1, 1), 4) for i in range(steps)]
        for low, high in space.ranges().values()
    ]
    for values in itertools.product(*axes):
        yield dict(zip(space.ranges(), values, strict=True))
