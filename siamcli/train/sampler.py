"""Draws the moments of objects that make a pair, by the share of their data set."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch
from torch import Tensor

from siamcli.errors import DatasetError
from siamcli.train.draws import RandomSource
from siamcli.train.store import TrainingImages

__all__ = ["PairSampler"]


class PairSampler:
    """The footage's tracks as flat tensors on its device.

    shares (S,): the weights of the S sources in the draw; loose (S,): whether their boxes are.
    A position is one box of one track: `images`, `boxes` (x, y, w, h), `tracks` and `exact` (1 unless it
    is loose) hold its image, box and track.  Raises DatasetError for shares that draw nothing.
    """

    def __init__(self, footage: TrainingImages, shares: Sequence[float], loose: Sequence[bool] = ()) -> None:
        device = footage.pixels.device
        tracks = sorted(footage.tracks, key=lambda t: t.source)
        count = torch.tensor([sum(t.source == s for t in tracks) for s in range(len(shares))])
        share = (torch.tensor(shares, dtype=torch.float64) * (count > 0)).cumsum(0)
        if min(shares) < 0 or not share[-1] > 0:
            raise DatasetError(
                "no data set with usable images has a share above 0", hint="correct `share` in the config"
            )
        self.share = (share / share[-1]).float().to(device)
        self.count = count.to(device)
        self.first = (count.cumsum(0) - count).to(device)
        length = torch.tensor([len(t.images) for t in tracks])
        self.length = length.to(device)
        self.begin = (length.cumsum(0) - length).to(device)
        self.images = torch.tensor([i for t in tracks for i in t.images]).to(device)
        self.boxes = torch.tensor([b for t in tracks for b in t.boxes], dtype=torch.float32).to(device)
        self.tracks = torch.tensor([n for n, t in enumerate(tracks) for _ in t.images]).to(device)
        inexact = [s < len(loose) and loose[s] for s in range(len(shares))]
        self.exact = torch.tensor([0.0 if inexact[t.source] else 1.0 for t in tracks for _ in t.images]).to(
            device
        )
        kinds = [t.category for t in tracks for _ in t.images]
        self._category = _Groups([kind or n for n, kind in enumerate(kinds)], device)
        self._image = _Groups([(i, t.category) for t in tracks for i in t.images], device)

    def draw(self, n: int, reach: int, draws: RandomSource, tries: int = 1) -> tuple[Tensor, Tensor]:
        """Two moments of objects, up to `reach` stored frames apart -> positions (tries * n,), (tries * n,).

        Numbers i, n + i, 2n + i ... come from the same source.
        """
        u = draws.uniform(4, tries * n)
        source = torch.searchsorted(self.share, u[0, :n], right=True).repeat(tries)
        track = self.first[source] + (u[1] * self.count[source]).long()
        length = self.length[track]
        a = (u[2] * length).long()
        low = (a - reach).clamp(min=0)
        b = low + (u[3] * ((a + reach + 1).minimum(length) - low)).long()
        return self.begin[track] + a, self.begin[track] + b

    def alike(self, positions: Tensor, draws: RandomSource) -> Tensor:
        """Of each position another one of the same category; itself where there is none or it is unknown."""
        return self._category.another(positions, draws)

    def beside(self, positions: Tensor, draws: RandomSource) -> Tensor:
        """Of each position another object of the same image and category; itself where there is none."""
        return self._image.another(positions, draws)


class _Groups:
    """Positions that share a key."""

    def __init__(self, keys: Sequence[Hashable], device: torch.device) -> None:
        number: dict[Hashable, int] = {}
        group = torch.tensor([number.setdefault(key, len(number)) for key in keys])
        order = group.argsort(stable=True)
        size = group.bincount()
        first = (size.cumsum(0) - size)[group]
        rank = torch.empty_like(group)
        rank[order] = torch.arange(len(group))
        self.order, self.first = order.to(device), first.to(device)
        self.rank, self.size = (rank - first).to(device), size[group].to(device)

    def another(self, positions: Tensor, draws: RandomSource) -> Tensor:
        """Uniformly drawn from the others of the group; the position itself where it is alone."""
        size = self.size[positions]
        away = 1 + (draws.uniform(len(positions)) * (size - 1)).long()
        return self.order[self.first[positions] + (self.rank[positions] + away) % size]
