"""Which engine: what the user named, or the fastest that works here and keeps the precision."""

from __future__ import annotations

from typing import Literal

from siamcli.engines.device import resolve_device
from siamcli.engines.eager import EagerEngine
from siamcli.errors import DeviceError
from siamcli.model.siamrpn import SiamRPN
from siamcli.model.spec import TrackerParams
from siamcli.tracker.engine import Engine

__all__ = ["DTYPES", "ENGINES", "DType", "make_engine"]

DType = Literal["auto", "float32", "bfloat16", "float16", "int8"]
DTYPES = ("auto", "float32", "bfloat16", "float16", "int8")
ENGINES = ("auto", "eager")


def make_engine(
    model: SiamRPN, params: TrackerParams, *, device: str = "auto", engine: str = "auto", dtype: str = "auto"
) -> Engine:
    """The engine that `engine`, `device` and `dtype` name.

    What is named is never replaced by something else; `auto` never fails where the CPU works.
    Raises DeviceError.
    """
    _check("engine", engine, ENGINES)
    _check("dtype", dtype, DTYPES)
    return EagerEngine(model, params, resolve_device(device))


def _check(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise DeviceError(f"unknown {what} {value!r}", hint=f"choose {', '.join(known)}")
