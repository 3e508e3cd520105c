"""A running average of the weights over the steps (Polyak and Juditsky, 1992)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

__all__ = ["Average"]


class Average:
    """The state of a module (its parameters and batch statistics), averaged over the steps taken.

    decay in [0, 1): what stays of the average at each step.  At first less of it stays, so that the
    start is soon forgotten: step t keeps at most t / (t + 9).  0 gives the module's state itself.
    """

    def __init__(self, module: nn.Module, decay: float, before: Mapping[str, Tensor] | None = None) -> None:
        self.module = module
        self.decay = decay
        start = self._floats() if decay else {}
        # what comes out of a checkpoint lies on the CPU
        self._mean = {n: (before or {}).get(n, v).to(v.device, copy=True) for n, v in start.items()}

    def _floats(self) -> dict[str, Tensor]:
        return {n: v.detach() for n, v in self.module.state_dict().items() if v.is_floating_point()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the module's state after the 1-based `step`."""
        if self.decay:
            keep = min(self.decay, step / (step + 9))
            now = self._floats()
            torch._foreach_lerp_([self._mean[name] for name in now], list(now.values()), 1 - keep)

    def mean(self) -> dict[str, Tensor]:
        """The averaged tensors; none without a decay."""
        return dict(self._mean)

    def state(self) -> dict[str, Tensor]:
        """The module's state dict, averaged."""
        return {**self.module.state_dict(), **self.mean()}
