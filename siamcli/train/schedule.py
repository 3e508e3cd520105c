"""Learning rate and trained layers over a phase."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import nn

from siamcli.schema import Count, NotNegative, Positive, Range, Share, check_ranges

__all__ = ["PhaseConfig", "backbone_trains", "make_optimizer", "rate_at"]


@dataclass(frozen=True, slots=True)
class PhaseConfig:
    """One phase of training: by default the paper's (section 4.1).

    The rate warms up over `warmup` of the steps, stays for `hold` of them, then decays to `final`
    times itself, along a logarithmic line or a cosine.  The backbone rests for the first `frozen` of
    the steps and then learns at `backbone_rate` times the rate; with `fixed_norm` its batch
    statistics stay as they were (right for features that are already trained).  The parts of it named
    in `resting` never learn: the first layers see edges and colours whatever the task, and cost most.
    The weights that are written are an average over the steps, of which the share `average` stays at
    each; 0 gives the last step's.
    """

    steps: Annotated[int, Range(0)] = 100_000
    batch: Count = 128
    optimizer: Literal["sgd", "adamw"] = "sgd"
    rate: Annotated[float, Range(0, 1e6, "low")] = 0.005
    final: Share = 0.1
    decay: Literal["log", "cosine"] = "log"
    warmup: Share = 0.05
    hold: Share = 0.0
    momentum: Share = 0.9
    weight_decay: NotNegative = 1e-4
    clip: Positive = 10.0
    frozen: Share = 0.5
    backbone_rate: NotNegative = 0.1
    fixed_norm: bool = True
    resting: tuple[str, ...] = ()
    average: Annotated[float, Range(0, 1, "high")] = 0.0

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.decay == "log" and not self.final:
            raise ValueError('final is 0, to which no logarithmic line leads: set decay = "cosine"')


def rate_at(step: int, config: PhaseConfig) -> float:
    """Learning rate of a 0-based step.

    >>> paper = PhaseConfig(steps=100, warmup=0.0)
    >>> rate_at(0, paper), round(rate_at(50, paper), 6), round(rate_at(100, paper), 6)
    (0.005, 0.001581, 0.0005)
    """
    share = step / config.steps
    if share < config.warmup:
        return config.rate * min(1.0, max(0.2, (step + 1) / (config.warmup * config.steps)))
    start = config.warmup + config.hold
    t = min(max((share - start) / max(1 - start, 1e-9), 0.0), 1.0)
    if config.decay == "log":
        return config.rate * math.pow(config.final, t)
    return config.rate * (config.final + (1 - config.final) * (1 + math.cos(math.pi * t)) / 2)


def backbone_trains(step: int, config: PhaseConfig) -> bool:
    """Whether the backbone learns at a 0-based step."""
    return step >= config.frozen * config.steps


def make_optimizer(
    module: nn.Module, backbone: nn.Module | None, config: PhaseConfig
) -> torch.optim.Optimizer:
    """Two groups: everything but the backbone, and the backbone at its own rate."""
    inside = {id(p) for p in backbone.parameters()} if backbone is not None else set()
    parameters = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if id(p) not in inside], "scale": 1.0},
        {"params": [p for p in parameters if id(p) in inside], "scale": config.backbone_rate},
    ]
    groups = [g for g in groups if g["params"]]
    if config.optimizer == "sgd":
        return torch.optim.SGD(
            groups, lr=config.rate, momentum=config.momentum, weight_decay=config.weight_decay
        )
    return torch.optim.AdamW(groups, lr=config.rate, weight_decay=config.weight_decay)
