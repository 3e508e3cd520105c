"""PyTorch on the CPU, as fast as it goes: folded, channels_last, bfloat16 where the CPU has it, packed."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from torch import Tensor, nn

from siamcli.cores import usable_cores
from siamcli.engines.eager import EagerEngine
from siamcli.engines.fold import convert_parts, fold
from siamcli.engines.pack import input_shapes, pack
from siamcli.frames import Image
from siamcli.model.siamrpn import SiamRPN
from siamcli.tracker.engine import Engine

__all__ = ["CpuEngine", "has_bfloat16", "limit_threads", "make", "reserve_core_for_encoder"]


def make(model: SiamRPN, device: torch.device, precision: str, cache: Path) -> CpuEngine:
    """See EngineKind; bfloat16 where the CPU has it."""
    if precision == "auto":
        precision = "bfloat16" if has_bfloat16() else "float32"
    return CpuEngine(model, precision)


class CpuEngine(EagerEngine):
    """float32 or bfloat16; the last layer of the heads and everything after it stay float32."""

    kind = "cpu"

    def __init__(self, model: SiamRPN, precision: str) -> None:
        dtype: torch.dtype = getattr(torch, precision)
        limit_threads()
        try:
            net = _prepared(fold(model), dtype, packed=True)
        except (RuntimeError, AttributeError):  # a PyTorch without oneDNN, or with other operators
            net = _prepared(fold(model), dtype, packed=False)
        super().__init__(net, torch.device("cpu"))
        self._dtype = dtype
        self.precision = precision

    def _upload(self, crops: Image) -> Tensor:
        # NHWC in memory is what PyTorch calls channels_last: the conversion keeps it so.
        return torch.from_numpy(crops).permute(0, 3, 1, 2).to(self._dtype)


@torch.inference_mode()
def _prepared(net: SiamRPN, dtype: torch.dtype, *, packed: bool) -> SiamRPN:
    """`net` (folded) in `dtype` and channels_last; changes its argument."""
    shapes = input_shapes(net) if packed else {}

    def ready(part: nn.Module) -> nn.Module:
        part.to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return pack(part, shapes) if packed else part

    convert_parts(net, ready)
    side = net.spec.exemplar_size
    net.embed(torch.zeros(1, 3, side, side, dtype=dtype).contiguous(memory_format=torch.channels_last))
    return net


def has_bfloat16() -> bool:
    """True where the CPU multiplies bfloat16 natively (AVX512-BF16 or AMX)."""
    native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return native and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]


def limit_threads() -> None:
    """Keep PyTorch from starting more threads than this process may use at once.

    PyTorch counts the machine's cores; a container is often allowed fewer of them.
    """
    _use(usable_cores())


def reserve_core_for_encoder(engine: Engine) -> None:
    """Leave a core to the encoder that works beside the network.

    A small network gains less from the last core than both lose by sharing it; a ResNet-50 gains more.
    """
    if engine.device.type == "cpu" and engine.spec.backbone != "resnet50":
        _use(max(1, usable_cores() - 1))


def _use(threads: int) -> None:
    """At most so many, unless the user has said how many."""
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(min(torch.get_num_threads(), threads))
