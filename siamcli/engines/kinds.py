"""What --engine and --device can name: known without torch."""

from __future__ import annotations

import re
from collections.abc import Iterable

from siamcli.errors import DeviceError

__all__ = ["ENGINES", "check_device", "check_name"]

ENGINES = {
    "eager": ("cpu", "cuda", "mps"),
    "cpu": ("cpu",),
    "openvino": ("cpu",),
    "openvino-int8": ("cpu",),
    "cuda": ("cuda",),
}
"""Every engine and the kinds of device that it runs on."""


def check_name(what: str, value: str, known: Iterable[str]) -> None:
    """Raises DeviceError unless the `value` of an option is auto or one that is known."""
    if value != "auto" and value not in known:
        raise DeviceError(f"unknown {what} {value!r}", hint=f"choose auto, {', '.join(known)}")


def check_device(name: str) -> None:
    """Raises DeviceError for what names no device; whether it is there is another question."""
    if not re.fullmatch(r"auto|cpu|mps|cuda(:[0-9]+)?", name):
        raise DeviceError(f"unknown device {name!r}", hint="choose auto, cpu, cuda, cuda:N or mps")
