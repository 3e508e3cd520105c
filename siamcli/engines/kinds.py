"""The table of engines: the names of --engine and --device, without torch."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from siamcli.errors import DeviceError

if TYPE_CHECKING:
    from siamcli.tracker.engine import Engine

__all__ = [
    "ENGINES",
    "PRECISIONS",
    "EngineKind",
    "check_device",
    "check_name",
    "default_model",
    "engine_name",
]


@dataclass(frozen=True, slots=True)
class EngineKind:
    """An engine: the kinds of device that it runs on, its precisions, and the module that creates it.

    `make(model, device, precision, cache)` of that module returns the Engine; the precision may be "auto".
    """

    devices: tuple[str, ...]
    precisions: tuple[str, ...]
    module: str


ENGINES = {
    "eager": EngineKind(("cpu", "cuda", "mps"), ("float32",), "eager"),
    "cpu": EngineKind(("cpu",), ("float32", "bfloat16"), "cpu"),
    "openvino": EngineKind(("cpu",), ("float32", "bfloat16"), "openvino"),
    "openvino-int8": EngineKind(("cpu",), ("int8",), "openvino"),
    "cuda": EngineKind(("cuda",), ("float32", "bfloat16", "float16"), "cuda"),
}
"""What `--engine` takes."""

PRECISIONS = tuple(dict.fromkeys(precision for kind in ENGINES.values() for precision in kind.precisions))


def engine_name(engine: Engine) -> str:
    """The display name: eager (cpu, float32), cpu (bfloat16).  The device is told where there is a choice."""
    kind = ENGINES.get(engine.kind)
    device = "" if kind is not None and kind.devices == ("cpu",) else f"{engine.device}, "
    return f"{engine.kind} ({device}{engine.precision})"


def check_name(what: str, value: str, names: Iterable[str]) -> None:
    """Raises DeviceError unless the `value` of an option is auto or one that is known."""
    if value != "auto" and value not in names:
        raise DeviceError(f"unknown {what} {value!r}", hint=f"choose auto, {', '.join(names)}")


def default_model(device: str) -> str:
    """The default model of a device: "accurate" on a CUDA GPU, else "fast".

    Raises DeviceError for an unknown device, and for a GPU that does not exist.
    """
    from importlib.metadata import version  # noqa: PLC0415 - every command would wait for it

    check_device(device)
    if device in ("cpu", "mps") or version("torch").endswith("+cpu"):  # known without loading torch
        return "fast"
    from siamcli.engines.device import resolve_device  # noqa: PLC0415 - loads torch

    return "accurate" if resolve_device(device).type == "cuda" else "fast"


def check_device(name: str) -> None:
    """Raises DeviceError for an unknown device name; it does not check that the device exists."""
    if not re.fullmatch(r"auto|cpu|mps|cuda(:[0-9]+)?", name):
        raise DeviceError(f"unknown device {name!r}", hint="choose auto, cpu, cuda, cuda:N or mps")
