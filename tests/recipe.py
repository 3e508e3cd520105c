"""Weights from names alone: the recipe behind the golden figures, so that no weights need storing."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

__all__ = ["GOLDEN_CONFIGS", "golden_keys", "recipe_state", "recipe_tensor"]

GOLDEN_CONFIGS = (
    "siamrpn_alex_dwxcorr",
    "siamrpn_mobilev2_l234_dwxcorr",
    "siamrpn_r50_l234_dwxcorr",
    "siamrpn_r50_l234_dwxcorr_lt",
    "siamrpn_r50_l234_dwxcorr_otb",
)


def golden_keys(config: str) -> dict[str, list[int]]:
    """What a real checkpoint of `config` holds, in the reference's naming: name -> shape."""
    every = json.loads(gzip.decompress((Path(__file__).parent / "golden" / "keys.json.gz").read_bytes()))
    keys: dict[str, list[int]] = every[config]
    return keys


def recipe_state(keys: Mapping[str, Sequence[int]]) -> dict[str, Tensor]:
    """A plausible state dict for `keys` (name -> shape); every tensor follows from its own name."""
    return {name: recipe_tensor(name, tuple(shape)) for name, shape in keys.items()}


@cache
def recipe_tensor(name: str, shape: tuple[int, ...]) -> Tensor:
    """The tensor of that name; made once, so never to be changed in place."""
    leaf = name.rpartition(".")[2]
    if leaf == "num_batches_tracked":
        return torch.zeros(shape, dtype=torch.int64)
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    if leaf in ("running_mean", "bias"):
        value = 0.1 * rng.normal(size=shape)
    elif leaf in ("running_var", "cls_weight", "loc_weight"):
        value = rng.uniform(0.5, 1.5, shape)
    elif len(shape) == 1:
        value = rng.uniform(0.5, 1.0, shape) * (0.3 if ".bn3." in name else 1.0)
    else:
        value = rng.normal(size=shape) * np.sqrt(2 / np.prod(shape[1:]))
        if shape[1] == 3:
            value = value / 64
        if name.endswith("head.3.weight"):
            value = value * (0.1 if ".cls." in name else 0.01)
    return torch.from_numpy(np.asarray(value, np.float32))
