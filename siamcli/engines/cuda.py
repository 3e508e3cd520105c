"""CUDA: half precision, static buffers, and the whole of `locate` as one captured graph.

Measured on no GPU yet: the CPU runs the same code without the capture, in the contract suite.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from siamcli.engines.eager import split_templates
from siamcli.engines.fold import convert_parts, fold
from siamcli.errors import DeviceError
from siamcli.frames import Image
from siamcli.model.siamrpn import SiamRPN, Template
from siamcli.model.spec import TrackerParams
from siamcli.tracker.engine import Candidate
from siamcli.tracker.locate import SearchGrid, locate, search_grid

__all__ = ["CudaEngine", "best_dtype"]

LARGEST = 64  # targets in one graph; more are taken in turns


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """One `locate` with everything it touches at fixed addresses, as a captured graph needs.

    host_*: pinned; the rest on the device.  `graph` is None where there is nothing to capture with.
    """

    host_search: Tensor  # (N, S, S, 3) uint8
    host_sizes: Tensor  # (N, 2) float32
    host_found: Tensor  # (N, 7) float32, a Candidate per row
    search: Tensor
    sizes: Tensor
    kernels: Template
    grid: SearchGrid
    graph: torch.cuda.CUDAGraph | None


class CudaEngine:
    """bfloat16, float16 or float32 (with TF32); the heads' last layer and the decoding stay float32.

    A graph is captured when a batch size (rounded up to a power of two) or region size is first met.
    """

    def __init__(
        self, model: SiamRPN, params: TrackerParams, device: torch.device, dtype: torch.dtype
    ) -> None:
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True  # shapes never change within a graph
        self.device, self._dtype = device, dtype
        self._net = _converted(fold(model), device, dtype)
        self._steps: dict[tuple[int, int], _Step] = {}
        self._pool = torch.cuda.graph_pool_handle() if device.type == "cuda" else None
        self.name = f"cuda ({device}, {str(dtype).removeprefix('torch.')})"
        self.spec = model.spec
        self.params = params

    @torch.inference_mode()
    def embed(self, exemplars: Image) -> list[Template]:
        try:
            with self._current():
                crops = torch.from_numpy(exemplars).to(self.device).permute(0, 3, 1, 2).to(self._dtype)
                return split_templates(self._net.embed(crops))
        except torch.cuda.OutOfMemoryError as error:
            raise self._out_of_memory(len(exemplars)) from error

    @torch.inference_mode()
    def locate(
        self, templates: Sequence[Template], searches: Image, sizes: NDArray[np.float32]
    ) -> list[Candidate]:
        found: list[Candidate] = []
        for start in range(0, len(templates), LARGEST):
            some = slice(start, start + LARGEST)
            try:
                with self._current():
                    found += self._locate(templates[some], searches[some], sizes[some])
            except torch.cuda.OutOfMemoryError as error:
                raise self._out_of_memory(len(templates)) from error
        return found

    def _locate(
        self, templates: Sequence[Template], searches: Image, sizes: NDArray[np.float32]
    ) -> list[Candidate]:
        n, side = searches.shape[:2]
        step = self._step(1 << (n - 1).bit_length(), side, templates[0])
        step.host_search[:n] = torch.from_numpy(searches)
        step.host_sizes[:n] = torch.from_numpy(sizes)
        slots = [kernel[i : i + 1] for i in range(n) for kernel in step.kernels.cls + step.kernels.loc]
        torch._foreach_copy_(slots, [kernel for t in templates for kernel in t.cls + t.loc])
        if step.graph is None:
            self._run(step)
        else:
            step.graph.replay()
            torch.cuda.current_stream(self.device).synchronize()
        return [Candidate(*row) for row in step.host_found[:n].tolist()]

    def _run(self, step: _Step) -> None:
        """Upload, network, decoding, arg-max, download: what a graph captures."""
        step.search.copy_(step.host_search, non_blocking=True)
        step.sizes.copy_(step.host_sizes, non_blocking=True)
        maps = self._net(step.kernels, step.search.permute(0, 3, 1, 2).to(self._dtype))
        found = locate(maps, step.grid, step.sizes, self.params.penalty_k)
        step.host_found.copy_(found, non_blocking=True)

    def _step(self, n: int, side: int, like: Template) -> _Step:
        if (n, side) not in self._steps:
            self._steps[n, side] = self._captured(self._buffers(n, side, like))
        return self._steps[n, side]

    def _buffers(self, n: int, side: int, like: Template) -> _Step:
        pinned = self.device.type == "cuda"

        def kernels(levels: Sequence[Tensor]) -> tuple[Tensor, ...]:
            return tuple(k.new_zeros(n, *k.shape[1:]) for k in levels)

        return _Step(
            host_search=torch.zeros(n, side, side, 3, dtype=torch.uint8, pin_memory=pinned),
            host_sizes=torch.ones(n, 2, pin_memory=pinned),
            host_found=torch.zeros(n, len(Candidate._fields), pin_memory=pinned),
            search=torch.zeros(n, side, side, 3, dtype=torch.uint8, device=self.device),
            sizes=torch.ones(n, 2, device=self.device),
            kernels=Template(kernels(like.cls), kernels(like.loc)),
            grid=search_grid(self.spec, self.params, side, self.device),
            graph=torch.cuda.CUDAGraph() if pinned else None,
        )

    def _captured(self, step: _Step) -> _Step:
        if step.graph is None:
            return step
        stream = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(stream):  # algorithms are chosen before the capture, not in it
            for _ in range(3):
                self._run(step)
        torch.cuda.current_stream(self.device).wait_stream(stream)
        with torch.cuda.graph(step.graph, pool=self._pool):
            self._run(step)
        return step

    def _current(self) -> AbstractContextManager[object]:
        """Graphs and streams belong to the current device: make it ours."""
        return torch.cuda.device(self.device) if self.device.type == "cuda" else nullcontext()

    def _out_of_memory(self, targets: int) -> DeviceError:
        return DeviceError(
            f"{self.device} has not enough memory for {targets} target(s) at once",
            hint="follow fewer targets at a time, free the GPU, or choose --device cpu",
        )


def _converted(net: SiamRPN, device: torch.device, dtype: torch.dtype) -> SiamRPN:
    """A folded `net` on the device, channels_last, in `dtype`."""

    def convert(part: nn.Module) -> nn.Module:
        return part.to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    try:
        net = net.to(device)
    except torch.cuda.OutOfMemoryError as error:
        raise DeviceError(
            f"{device} has not enough memory for the network", hint="free the GPU, or choose --device cpu"
        ) from error
    convert_parts(net, convert)
    return net


def best_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the GPU has it; float16 only on request, as its range is small."""
    major, _ = torch.cuda.get_device_capability(device)
    return torch.bfloat16 if major >= 8 else torch.float32
