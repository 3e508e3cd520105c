"""Which engine: what the user named, or the fastest that works here and keeps the precision."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import torch

from siamcli.engines.cpu import CpuEngine, has_bfloat16
from siamcli.engines.cuda import CudaEngine, best_dtype
from siamcli.engines.device import resolve_device
from siamcli.engines.eager import EagerEngine
from siamcli.engines.kinds import ENGINES, check_name
from siamcli.engines.openvino import OpenVinoEngine
from siamcli.engines.precision import fails
from siamcli.errors import DeviceError
from siamcli.model.siamrpn import SiamRPN
from siamcli.tracker.engine import Engine, Ranking

__all__ = ["DTYPES", "make_engine"]

_LOG = logging.getLogger(__name__)

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

_PRECISIONS = {
    "eager": ("float32",),
    "cpu": ("float32", "bfloat16"),
    "openvino": ("float32", "bfloat16"),
    "openvino-int8": (),
    "cuda": ("float32", "bfloat16", "float16"),
}


def make_engine(
    model: SiamRPN,
    *,
    device: str = "auto",
    engine: str = "auto",
    dtype: str = "auto",
    cache: Path,
) -> Engine:
    """The engine that `engine`, `device` and `dtype` name, each of them perhaps "auto".

    What is named is never replaced by something else.  What is not named is the fastest that works
    and whose precision was not found wanting; "auto" never fails where the CPU works, and what does not
    is logged with the reason.  `cache` is the folder for what need not be made twice.  Raises DeviceError.
    """
    check_name("engine", engine, ENGINES)
    check_name("dtype", dtype, DTYPES)
    if engine == "auto" and dtype == "auto":
        return _fastest(model, device, cache)
    if device == "auto" and engine not in ("auto", "eager"):
        device = ENGINES[engine][0]
    place = resolve_device(device)
    if engine == "auto":
        engine = place.type if place.type in ENGINES else "eager"
    if place.type not in ENGINES[engine]:
        raise DeviceError(
            f"engine {engine!r} does not run on {place}", hint=f"it runs on {', '.join(ENGINES[engine])}"
        )
    return _build(model, engine, place, dtype, cache)


_FASTEST_FIRST = {
    "cuda": (("cuda", "auto"), ("cuda", "float32"), ("eager", "auto")),
    "mps": (("eager", "auto"),),
    "cpu": (("cpu", "auto"), ("cpu", "float32"), ("eager", "auto")),
}


def _fastest(model: SiamRPN, device: str, cache: Path) -> Engine:
    place = resolve_device(device)
    if device == "auto" and place.type == "cpu" and torch.backends.mps.is_available():
        _LOG.info("the CPU, though an Apple GPU is here: --device mps takes it")
    reasons = []
    for engine, dtype in _FASTEST_FIRST[place.type]:
        try:
            built = _build(model, engine, place, dtype, cache)
            _try(built, place)
        except (DeviceError, RuntimeError) as error:  # CUDA's own errors are RuntimeErrors
            reasons.append(str(error))
            _LOG.warning("engine %s (%s, %s) does not work: %s", engine, place, dtype, error)
            continue
        if not fails(model.spec.name, built.name.replace(f"{place}, ", "")):
            return built
    if device == "auto" and place.type != "cpu":
        return _fastest(model, "cpu", cache)
    raise DeviceError(f"{place} does not work: {reasons[-1]}", hint="choose --device cpu, or auto")


def _try(engine: Engine, place: torch.device) -> None:
    """One step for nothing: a driver may fail only when it is asked to compute."""
    if place.type != "cpu":
        small, large = (
            np.zeros((1, side, side, 3), np.uint8)
            for side in (engine.spec.exemplar_size, engine.spec.search_size)
        )
        engine.locate(engine.embed(small), large, np.ones((1, 2), np.float32), Ranking(0.0, 0.0))


def _build(model: SiamRPN, engine: str, device: torch.device, dtype: str, cache: Path) -> Engine:
    if dtype != "auto" and dtype not in _PRECISIONS[engine]:
        known = ", ".join(["auto", *_PRECISIONS[engine]])
        raise DeviceError(f"engine {engine!r} has no {dtype}", hint=f"choose {known}")
    if engine == "cpu":
        best = torch.bfloat16 if has_bfloat16() else torch.float32
        return CpuEngine(model, DTYPES.get(dtype, best))
    if engine == "cuda":
        return CudaEngine(model, device, best_dtype(device) if dtype == "auto" else DTYPES[dtype])
    if engine in ("openvino", "openvino-int8"):
        return OpenVinoEngine(model, "int8" if engine == "openvino-int8" else dtype, cache)
    return EagerEngine(model, device)
