"""A memory of how a target looks now, for the class kernels alone.

The class kernels may age with the looks of the target.  The box kernels must not: they hold where the
given box ends.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from siamcli.model.siamrpn import Template

__all__ = ["Memory", "is_due"]

EVERY = 5  # frames between two looks
SURE = 0.98  # the score above which a box is remembered
RATE = 0.5  # of the newest look in the running mean


class Memory(NamedTuple):
    """The first exemplar, and the running mean of later class kernels (empty before the first of them)."""

    first: Template
    later: tuple[Tensor, ...] = ()

    def with_look(self, now: Template) -> Memory:
        """The memory with what the target looks like now."""
        if not self.later:
            return Memory(self.first, now.cls)
        mean = (m * (1 - RATE) + n * RATE for m, n in zip(self.later, now.cls, strict=True))
        return Memory(self.first, tuple(mean))

    def template(self, share: float) -> Template:
        """What to search with: the first exemplar, its class kernels mixed with `share` of the later ones."""
        mixed = (f * (1 - share) + n * share for f, n in zip(self.first.cls, self.later, strict=True))
        return Template(tuple(mixed), self.first.loc)


def is_due(age: int, raw_score: float) -> bool:
    """Whether a target of so many frames is to be looked at, being surely found."""
    return age % EVERY == 0 and raw_score > SURE
