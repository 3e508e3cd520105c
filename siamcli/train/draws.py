"""Where everything random in a batch comes from."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

__all__ = ["Draws"]


class Draws:
    """Random tensors on `device`, drawn on the CPU: a seed gives the same batches on every device.

    A crop takes few numbers (its place, scale, colours) and an anchor two; only noise takes one per
    value of a crop, about a millisecond each, and few crops get any.  Drawing moves the state on.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self.device = device
        self._random = Generator().manual_seed(seed)

    def get_state(self) -> Tensor:
        """What `set_state` takes to go on from here, on any device."""
        return self._random.get_state()

    def set_state(self, state: Tensor) -> None:
        """Go on from where `get_state` was asked."""
        self._random.set_state(state)

    def uniform(self, *shape: int) -> Tensor:
        """From [0, 1), float32."""
        return torch.rand(shape, generator=self._random).to(self.device)

    def around(self, half: float, *shape: int) -> Tensor:
        """From [-half, half), float32."""
        return (self.uniform(*shape) * 2 - 1) * half

    def normal(self, *shape: int) -> Tensor:
        """Mean 0 and variance 1, float32."""
        return torch.randn(shape, generator=self._random).to(self.device)

    def integer(self, low: int, high: int) -> int:
        """From low to high - 1."""
        return int(torch.randint(low, high, (), generator=self._random))

    def rows(self, n: int, chance: float) -> Tensor:
        """Those of n rows that a chance picks, ascending: (M,) int64"""
        # counted before it is moved, so that nobody has to wait for a GPU to say how many
        return (torch.rand(n, generator=self._random) < chance).nonzero()[:, 0].to(self.device)

    def order(self, n: int) -> Tensor:
        """The numbers below n, shuffled: (n,) int64"""
        return torch.randperm(n, generator=self._random).to(self.device)
