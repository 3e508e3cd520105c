"""A baseline that works as PySOT does, in siamtrack's own code: float32, one target at a time.

What an engine saves is what this does not: the template's convolutions run again on every frame, both
maps come back whole, and everything after the network is NumPy on the host.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from siamcli.engines.eager import split_templates
from siamcli.errors import DeviceError
from siamcli.frames import Image
from siamcli.model.anchors import anchor_grid, cosine_window
from siamcli.model.neck import center_crop
from siamcli.model.siamrpn import SiamRPN, Template
from siamcli.tracker.engine import Candidate, Ranking

__all__ = ["PysotBaseline", "best_candidate"]

Array = NDArray[np.float32]


class PysotBaseline:
    """Its templates hold features of the exemplar, not finished kernels.

    Raises DeviceError for a plain correlation, which PySOT does not have.
    """

    kind = "PySOT's way"

    def __init__(self, model: SiamRPN, device: torch.device) -> None:
        if model.loc is None:
            raise DeviceError(
                "PySOT has no plain correlation", hint="the first of the other engines is the baseline"
            )
        self._model = model.eval().to(device)
        self.device = device
        # as PySOT under today's PyTorch, which rounds to TF32 on a GPU
        self.precision = "TF32" if device.type == "cuda" else "float32"
        self.spec = model.spec
        self._anchors: Array = anchor_grid(model.spec).numpy()
        self._window: Array = cosine_window(model.spec).numpy()

    @torch.inference_mode()
    def embed(self, exemplars: Image) -> list[Template]:
        features = self._model.features(self._upload(exemplars))
        cells = tuple(center_crop(f, self.spec.template_cells) for f in features)
        return split_templates(Template(cells))

    @torch.inference_mode()
    def locate(
        self, templates: Sequence[Template], searches: Image, sizes: NDArray[np.float32], ranking: Ranking
    ) -> list[Candidate]:
        return [
            self._one(template, search, size, ranking)
            for template, search, size in zip(templates, searches, sizes, strict=True)
        ]

    def _one(self, template: Template, search: Image, size: Array, ranking: Ranking) -> Candidate:
        model = self._model
        kernels = Template(**{name: h.kernels(template.cls) for name, h in model.heads.items()})
        cls, loc = model(kernels, self._upload(search[None]))
        maps = cls.cpu().numpy().reshape(2, -1), loc.cpu().numpy().reshape(4, -1)
        with np.errstate(all="ignore"):  # random weights overflow
            return best_candidate(*maps, self._anchors, self._window, size, ranking)

    def _upload(self, crops: Image) -> Tensor:
        planes = np.ascontiguousarray(crops.transpose(0, 3, 1, 2), dtype=np.float32)
        return torch.from_numpy(planes).to(self.device)


def best_candidate(
    cls: Array, loc: Array, anchors: Array, window: Array, size: Array, ranking: Ranking
) -> Candidate:
    """The best anchor in NumPy: cls (2, M), loc (4, M), anchors (4, M), window (M,), size (2,)"""
    odds = np.exp(cls - cls.max(axis=0))
    score = odds[1] / odds.sum(axis=0)
    center = loc[:2] * anchors[2:] + anchors[:2]
    w, h = np.exp(loc[2:]) * anchors[2:]
    width, height = size

    def larger(ratio: Array) -> Array:
        return np.asarray(np.maximum(ratio, 1 / ratio))

    def padded(w: Array, h: Array) -> Array:
        pad = (w + h) * 0.5
        return np.asarray(np.sqrt((w + pad) * (h + pad)))

    change = larger(padded(w, h) / padded(width, height)) * larger((width / height) / (w / h))
    penalty = np.exp(-(change - 1) * ranking.penalty_k)
    influence = ranking.window_influence
    best = int((penalty * score * (1 - influence) + window * influence).argmax())
    logit = cls[1][best] - cls[0][best]
    values = center[0][best], center[1][best], w[best], h[best], score[best], penalty[best], logit
    return Candidate(*(float(value) for value in values))
