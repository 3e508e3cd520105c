"""The Engine protocol: runs the network on batches of crops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from siamcli.frames import Image
from siamcli.model.siamrpn import Template
from siamcli.model.spec import ModelSpec

__all__ = ["Candidate", "Engine", "Ranking"]


class Candidate(NamedTuple):
    """The winning anchor, in search-region pixels relative to the region's centre.

    `logit` is the difference of the class outputs, target less background: a score near 1 hardly
    changes any more where the logit still does.
    """

    cx: float
    cy: float
    w: float
    h: float
    score: float
    penalty: float
    logit: float


class Ranking(NamedTuple):
    """What counts beside the score of a box: see `penalty_k` and `window_influence` of TrackerParams."""

    penalty_k: float
    window_influence: float


class Engine(Protocol):
    """Crops in, templates out; templates and crops in, candidates out.  Always in batches."""

    @property
    def kind(self) -> str:
        """What it is built on: eager, cpu, openvino, cuda."""

    @property
    def precision(self) -> str:
        """In which the network computes: float32, bfloat16, float16, int8."""

    @property
    def device(self) -> torch.device:
        """Where the network runs, and what makes boxes of its score maps."""

    @property
    def spec(self) -> ModelSpec: ...

    def embed(self, exemplars: Image) -> list[Template]:
        """(N, 127, 127, 3) uint8 -> N templates, each valid for any number of frames"""

    def locate(
        self, templates: Sequence[Template], searches: Image, sizes: NDArray[np.float32], ranking: Ranking
    ) -> list[Candidate]:
        """N templates, (N, S, S, 3) uint8, (N, 2) target sizes in search-region pixels -> N candidates

        S is `spec.search_size`, or larger for targets that are lost.
        """
