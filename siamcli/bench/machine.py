"""Describes the machine on which a measurement was made."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import torch

from siamcli.cores import usable_cores
from siamcli.version import __version__

__all__ = ["Machine", "describe_machine", "matrix_rate"]


@dataclass(frozen=True, slots=True)
class Machine:
    """`load` is the load average when the measurement began: with 1 and more, others were at work too."""

    date: str
    cpu: str
    cores: int
    threads: int
    instructions: tuple[str, ...]
    load: float
    gpu: str | None
    system: str
    versions: dict[str, str]


def describe_machine(device: torch.device) -> Machine:
    """This machine, now."""
    versions = {"siamtrack": __version__, "torch": str(torch.__version__)}
    return Machine(
        date=datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        cpu=_cpu_name(),
        cores=usable_cores(),
        threads=torch.get_num_threads(),
        instructions=_instructions(),
        load=round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else 0.0,
        gpu=torch.cuda.get_device_name(device) if device.type == "cuda" else None,
        system=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        versions=versions,
    )


def matrix_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Measured GFLOP/s of large matrix products: what the hardware gives at best."""
    side = 8192 if device.type == "cuda" else 1536
    # of random numbers: a GPU multiplies equal ones faster, as they take less power
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    seconds = []
    for _ in range(8):
        started_at = time.perf_counter()
        a @ b
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - started_at)
    return 2 * side**3 / min(seconds) / 1e9


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _instructions() -> tuple[str, ...]:
    supported = {
        "AVX2": torch.cpu._is_avx2_supported(),
        "AVX-512": torch.cpu._is_avx512_supported(),
        "VNNI": torch.cpu._is_vnni_supported(),
        "AVX512-BF16": torch.cpu._is_avx512_bf16_supported(),
        "AMX": torch.cpu._is_amx_tile_supported(),
    }
    return tuple(name for name, is_supported in supported.items() if is_supported)
