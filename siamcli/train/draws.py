"""The source of everything random in a batch."""

from __future__ import annotations

import math
from functools import cached_property

import torch
from torch import Generator, Tensor

__all__ = ["RandomSource"]

_NORMAL = 2**22
"""Numbers for noise: as many as twenty search regions have, and more than the largest crop has."""


class RandomSource:
    """Random tensors on `device`, drawn on the CPU: a seed gives the same batches on every device.

    A crop takes few numbers (its place, scale, colours) and an anchor two.  Drawing moves the state on.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self.device = device
        self._seed = seed
        self._random = Generator().manual_seed(seed)

    def get_state(self) -> Tensor:
        """What `set_state` takes to go on from here, on any device."""
        return self._random.get_state()

    def set_state(self, state: Tensor) -> None:
        """Go on from where `get_state` was asked."""
        self._random.set_state(state)

    def uniform(self, *shape: int) -> Tensor:
        """From [0, 1), float32."""
        return self._moved(torch.rand(shape, generator=self._random))

    def symmetric(self, half: float, *shape: int) -> Tensor:
        """From [-half, half), float32."""
        return (self.uniform(*shape) * 2 - 1) * half

    def noise(self, n: int, *shape: int) -> Tensor:
        """Mean 0 and variance 1: (n, *shape) float32, each of the n a random stretch of the same numbers.

        So many would take longer to draw and to upload than all the rest of a batch.
        """
        length = math.prod(shape)
        first = torch.randint(0, _NORMAL - length + 1, (n,), generator=self._random).tolist()
        return torch.stack([self._normal[i : i + length] for i in first]).view(n, *shape)

    @cached_property
    def _normal(self) -> Tensor:
        return self._moved(torch.randn(_NORMAL, generator=Generator().manual_seed(self._seed)))

    def integer(self, low: int, high: int) -> int:
        """From low to high - 1."""
        return int(torch.randint(low, high, (), generator=self._random))

    def choose_rows(self, n: int, chance: float) -> Tensor:
        """Those of n rows that a chance picks, ascending: (M,) int64"""
        # counted before it is moved, so that nothing waits for a GPU to count them
        return self._moved((torch.rand(n, generator=self._random) < chance).nonzero()[:, 0])

    def permutation(self, n: int) -> Tensor:
        """The numbers below n, shuffled: (n,) int64"""
        return self._moved(torch.randperm(n, generator=self._random))

    def _moved(self, drawn: Tensor) -> Tensor:
        """On the device; from pinned memory, as else every upload waits for all that was queued before it."""
        if self.device.type == "cuda":
            drawn = drawn.pin_memory()
        return drawn.to(self.device, non_blocking=True)
