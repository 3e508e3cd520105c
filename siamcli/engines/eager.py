"""Plain PyTorch in float32: the reference that every other engine is tested against."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from siamcli.engines.device import exact_convolutions
from siamcli.frames import Image
from siamcli.model.siamrpn import SiamRPN, Template, stack_templates
from siamcli.tracker.engine import Candidate, Ranking
from siamcli.tracker.locate import locate, search_grid

__all__ = ["EagerEngine", "make", "split_templates"]


def make(model: SiamRPN, device: torch.device, precision: str, cache: Path) -> EagerEngine:
    """See EngineKind."""
    return EagerEngine(model, device)


class EagerEngine:
    """Runs anywhere that PyTorch runs."""

    kind, precision = "eager", "float32"

    def __init__(self, model: SiamRPN, device: torch.device) -> None:
        self._model = model.eval().to(device)
        self.device = device
        self.spec = model.spec

    def _upload(self, crops: Image) -> Tensor:
        return torch.from_numpy(crops).to(self.device).permute(0, 3, 1, 2).float()

    def _batches(self, targets: int) -> Iterator[slice]:
        """All targets at once on a GPU, one at a time on a CPU.

        The CPU's kernels may add in another order for another batch size, so that a target's numbers
        would depend on how many others there are; and batches gain little there.
        """
        size = 1 if self.device.type == "cpu" else targets
        return (slice(start, start + size) for start in range(0, targets, size))

    @torch.inference_mode()
    def embed(self, exemplars: Image) -> list[Template]:
        templates: list[Template] = []
        with exact_convolutions(self.device):
            for some in self._batches(len(exemplars)):
                templates += split_templates(self._model.embed(self._upload(exemplars[some])))
        return templates

    @torch.inference_mode()
    def locate(
        self, templates: Sequence[Template], searches: Image, sizes: NDArray[np.float32], ranking: Ranking
    ) -> list[Candidate]:
        grid = search_grid(self.spec, searches.shape[1], self.device)
        candidates: list[Candidate] = []
        for some in self._batches(len(templates)):
            with exact_convolutions(self.device):
                maps = self._model(stack_templates(templates[some]), self._upload(searches[some]))
            size = torch.from_numpy(sizes[some]).to(self.device)
            best = locate(maps, grid, size, ranking)
            candidates += [Candidate(*row) for row in best.tolist()]
        return candidates


def split_templates(template: Template) -> list[Template]:
    """One template of N exemplars -> N templates of one."""
    return [
        Template(tuple(k[i : i + 1] for k in template.cls), tuple(k[i : i + 1] for k in template.loc))
        for i in range(len(template.cls[0]))
    ]
