"""Chooses the device: the named one, or the best that is there."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from siamcli.counts import counted
from siamcli.engines.kinds import check_device
from siamcli.errors import DeviceError

__all__ = ["exact_convolutions", "resolve_device"]

_HINT = "choose --device cpu, or auto to take the best device that works"


def resolve_device(name: str) -> torch.device:
    """auto, cpu, cuda, cuda:N or mps -> the device.

    `auto` takes a CUDA device, then the CPU; what is named is never replaced by something else.
    Raises DeviceError.
    """
    check_device(name)
    if name == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    kind, _, number = name.partition(":")
    if kind == "cuda":
        return _cuda(name, int(number or 0))
    if kind == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("no Apple GPU (mps) that this PyTorch can use", hint=_HINT)
    return torch.device(kind)


def _cuda(name: str, index: int) -> torch.device:
    if torch.version.cuda is None and torch.version.hip is None:
        raise DeviceError(
            f"device {name!r}: this PyTorch was built for the CPU only",
            hint="pip uninstall torch, then pip install torch (on Linux that is a build with CUDA);"
            " or choose --device cpu",
        )
    if not torch.cuda.is_available():
        raise DeviceError(f"device {name!r}: no working CUDA GPU or driver", hint=_HINT)
    count = torch.cuda.device_count()
    if index >= count:
        raise DeviceError(
            f"no device {name!r}: {counted(count, 'device', 'are')} there, counted from cuda:0", hint=_HINT
        )
    return torch.device("cuda", index)


def exact_convolutions(device: torch.device) -> AbstractContextManager[object]:
    """Within it, float32 is float32: unless told otherwise, a CUDA GPU convolves in TF32, ten bits."""
    if device.type != "cuda":
        return nullcontext()
    return torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
