"""Chooses the engine: the named one, or the fastest that works here and keeps the precision."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from siamcli.engines.cpu import has_bfloat16
from siamcli.engines.device import resolve_device
from siamcli.engines.kinds import ENGINES, PRECISIONS, check_name
from siamcli.engines.precision import keeps_precision
from siamcli.errors import DeviceError
from siamcli.model.siamrpn import SiamRPN
from siamcli.tracker.engine import Engine, Ranking

__all__ = ["make_engine"]

_LOG = logging.getLogger(__name__)


def make_engine(
    model: SiamRPN,
    *,
    weights: str = "",
    device: str = "auto",
    engine: str = "auto",
    precision: str = "auto",
    cache: Path,
) -> Engine:
    """The engine that `engine`, `device` and `precision` name, each of them perhaps "auto".

    What is named is never replaced by something else.  What is not named is the fastest that works
    and whose precision was not found wanting with these `weights` (name and version); OpenVINO is taken
    where it is installed and its precision was measured and found good.  "auto" never fails
    where the CPU works, and what does not is logged with the reason.  `cache` is the folder for what need
    not be made twice.  Raises DeviceError.
    """
    check_name("engine", engine, ENGINES)
    check_name("precision", precision, PRECISIONS)
    if engine == "auto" and precision == "auto":
        return _fastest(model, weights, device, cache)
    if device == "auto" and engine not in ("auto", "eager"):
        device = ENGINES[engine].devices[0]
    target = resolve_device(device)
    if engine == "auto":
        engine = target.type if target.type in ENGINES else "eager"
    devices = ENGINES[engine].devices
    if target.type not in devices:
        raise DeviceError(
            f"engine {engine!r} does not run on {target}", hint=f"it runs on {', '.join(devices)}"
        )
    return _build(model, engine, target, precision, cache)


PREFERENCE = {
    "cuda": (("cuda", "auto"), ("cuda", "float32"), ("eager", "auto")),
    "mps": (("eager", "auto"),),
    "cpu": (("cpu", "auto"), ("cpu", "float32"), ("eager", "auto")),
}
"""Kind of device -> engines and precisions, the fastest first."""


def _candidates(device: str, weights: str) -> Iterator[tuple[str, str]]:
    """The engines to try on a kind of device: OpenVINO comes first where it is known to be as good."""
    installed = device == "cpu" and find_spec("openvino") is not None
    if installed and has_bfloat16() and keeps_precision(weights, "openvino", "bfloat16"):
        yield "openvino", "bfloat16"
    yield from PREFERENCE[device]


def _fastest(model: SiamRPN, weights: str, device: str, cache: Path) -> Engine:
    target = resolve_device(device)
    if device == "auto" and target.type == "cpu" and torch.backends.mps.is_available():
        _LOG.info("the CPU, though an Apple GPU is here: --device mps takes it")
    reasons = []
    for engine, precision in _candidates(target.type, weights):
        try:
            built = _build(model, engine, target, precision, cache)
            _smoke_test(built)
        except (DeviceError, RuntimeError) as error:  # CUDA's own errors are RuntimeErrors
            reasons.append(str(error))
            _LOG.warning("engine %s (%s, %s) does not work: %s", engine, target, precision, error)
            continue
        if keeps_precision(weights, built.kind, built.precision) is not False:
            return built
    if device == "auto" and target.type != "cpu":
        return _fastest(model, weights, "cpu", cache)
    raise DeviceError(f"{target} does not work: {reasons[-1]}", hint="choose --device cpu, or auto")


def _smoke_test(engine: Engine) -> None:
    """Runs one step elsewhere than on the CPU: some drivers fail only when they are asked to compute."""
    if engine.device.type != "cpu":
        small, large = (
            np.zeros((1, side, side, 3), np.uint8)
            for side in (engine.spec.exemplar_size, engine.spec.search_size)
        )
        engine.locate(engine.embed(small), large, np.ones((1, 2), np.float32), Ranking(0.0, 0.0))


def _build(model: SiamRPN, engine: str, device: torch.device, precision: str, cache: Path) -> Engine:
    kind = ENGINES[engine]
    if precision not in ("auto", *kind.precisions):
        choices = ", ".join(["auto", *kind.precisions])
        raise DeviceError(f"engine {engine!r} has no {precision}", hint=f"choose {choices}")
    if precision == "auto" and len(kind.precisions) == 1:
        (precision,) = kind.precisions
    built: Engine = import_module(f"siamcli.engines.{kind.module}").make(model, device, precision, cache)
    return built
