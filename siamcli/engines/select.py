"""Which engine: what the user named, or the fastest that works here and keeps the precision."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from siamcli.engines.cpu import CpuEngine, has_bfloat16
from siamcli.engines.device import resolve_device
from siamcli.engines.eager import EagerEngine
from siamcli.errors import DeviceError
from siamcli.model.siamrpn import SiamRPN
from siamcli.model.spec import TrackerParams
from siamcli.tracker.engine import Engine

__all__ = ["DTYPES", "ENGINES", "make_engine"]

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
ENGINES = {"eager": ("cpu", "cuda", "mps"), "cpu": ("cpu",)}
"""Every engine and the kinds of device that it runs on."""


def make_engine(
    model: SiamRPN, params: TrackerParams, *, device: str = "auto", engine: str = "auto", dtype: str = "auto"
) -> Engine:
    """The engine that `engine`, `device` and `dtype` name, each of them perhaps "auto".

    What is named is never replaced by something else; `auto` never fails where the CPU works.
    Raises DeviceError.
    """
    _check("engine", engine, ENGINES)
    _check("dtype", dtype, DTYPES)
    place = resolve_device(device)
    if engine == "auto":
        engine = "cpu" if place.type == "cpu" else "eager"
    if place.type not in ENGINES[engine]:
        raise DeviceError(
            f"engine {engine!r} does not run on {place}", hint=f"it runs on {', '.join(ENGINES[engine])}"
        )
    return _build(model, params, engine, place, dtype)


def _build(model: SiamRPN, params: TrackerParams, engine: str, device: torch.device, dtype: str) -> Engine:
    if engine == "cpu":
        best = "bfloat16" if has_bfloat16() else "float32"
        return CpuEngine(model, params, DTYPES[best if dtype == "auto" else dtype])
    if dtype not in ("auto", "float32"):
        raise DeviceError(f"engine 'eager' has no {dtype}", hint="leave the precision to auto")
    return EagerEngine(model, params, device)


def _check(what: str, value: str, known: Mapping[str, object]) -> None:
    if value != "auto" and value not in known:
        raise DeviceError(f"unknown {what} {value!r}", hint=f"choose auto, {', '.join(known)}")
