"""The phases of a run: learn features from a teacher or grow from a tracker, then learn to track."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import nn

from siamcli.model.siamrpn import SiamRPN
from siamcli.train.config import TrainConfig
from siamcli.train.distill import Distiller, distill_crops
from siamcli.train.draws import RandomSource
from siamcli.train.imitate import Imitator
from siamcli.train.losses import TrackerLoss
from siamcli.train.pairs import draw_pairs
from siamcli.train.sampler import PairSampler
from siamcli.train.schedule import PhaseConfig
from siamcli.train.store import TrainingImages

__all__ = ["DistillPhase", "GrowPhase", "Phase", "TrackPhase"]


class Phase(Protocol):
    """What the loop needs to know: a module that turns a batch into losses, and where batches come from."""

    @property
    def name(self) -> str: ...
    @property
    def settings(self) -> PhaseConfig: ...
    @property
    def module(self) -> nn.Module: ...
    @property
    def backbone(self) -> nn.Module | None: ...
    def batch(self, step: int, n: int, draws: RandomSource) -> tuple[object, ...]:
        """Arguments for `module`; n is this process's part of the batch."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class DistillPhase:
    """Random crops from everywhere; the student imitates the teacher's features."""

    config: TrainConfig
    footage: TrainingImages
    module: Distiller
    name: str = "distill"
    backbone: None = None

    @property
    def settings(self) -> PhaseConfig:
        return self.config.distill.phase

    def batch(self, step: int, n: int, draws: RandomSource) -> tuple[object, ...]:
        sizes = self.config.distill.sizes
        size = sizes[draws.integer(0, len(sizes))]
        forced = self.module.same_layers and step < self.config.distill.forced * self.settings.steps
        return distill_crops(self.footage, n, size, self.config.pairs.color, draws), forced


@dataclass(frozen=True, slots=True, eq=False)
class GrowPhase:
    """Random crops from everywhere; stage 1 of the grown network imitates the source's."""

    config: TrainConfig
    footage: TrainingImages
    module: Imitator
    name: str = "grow"
    backbone: None = None

    @property
    def settings(self) -> PhaseConfig:
        return self.config.grow.phase

    def batch(self, step: int, n: int, draws: RandomSource) -> tuple[object, ...]:
        sizes = self.config.grow.sizes
        size = sizes[draws.integer(0, len(sizes))]
        near = step < self.config.grow.near * self.settings.steps
        return distill_crops(self.footage, n, size, self.config.pairs.color, draws), near


@dataclass(frozen=True, slots=True, eq=False)
class TrackPhase:
    """Pairs of exemplar and search region; the network learns to find the one in the other."""

    config: TrainConfig
    footage: TrainingImages
    sampler: PairSampler
    module: TrackerLoss
    name: str = "track"

    @property
    def settings(self) -> PhaseConfig:
        return self.config.track

    @property
    def model(self) -> SiamRPN:
        return self.module.model

    @property
    def backbone(self) -> nn.Module:
        return self.model.backbone

    def batch(self, step: int, n: int, draws: RandomSource) -> tuple[object, ...]:
        pairs = draw_pairs(self.footage, self.sampler, self.model.spec, self.config.pairs, n, draws)
        return pairs, draws
