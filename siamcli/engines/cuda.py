"""CUDA: half precision, static buffers, and the whole of `locate` as one captured graph.

The CPU runs the same code without the capture, in the contract suite; tests/test_gpu.py runs it on a GPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from siamcli.counts import counted
from siamcli.engines.eager import split_templates
from siamcli.engines.fold import convert_parts, fold
from siamcli.engines.fuse import fuse
from siamcli.errors import DeviceError
from siamcli.frames import Image
from siamcli.model.siamrpn import SiamRPN, Template
from siamcli.tracker.engine import Candidate, Ranking
from siamcli.tracker.locate import SearchGrid, locate, search_grid

__all__ = ["CudaEngine", "make"]

MAX_BATCH = 64  # targets in one graph; more are taken in turns


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """One `locate` with everything it touches at fixed addresses, as a captured graph needs.

    host_*: pinned; the rest on the device.  `slots` are the places of the N templates in `kernels`, and
    `held` what is in them.  `graph` is None where there is nothing to capture with.
    """

    host_search: Tensor  # (N, S, S, 3) uint8
    host_sizes: Tensor  # (N, 2) float32
    host_found: Tensor  # (N, 7) float32, a Candidate per row
    search: Tensor
    sizes: Tensor
    kernels: Template
    slots: list[Template]
    held: list[Template | None]
    grid: SearchGrid
    ranking: Ranking
    graph: torch.cuda.CUDAGraph | None


def make(model: SiamRPN, device: torch.device, precision: str, cache: Path) -> CudaEngine:
    """See EngineKind; bfloat16 where the GPU has it, float16 only on request, as its range is small."""
    if precision == "auto":
        major, _ = torch.cuda.get_device_capability(device)
        precision = "bfloat16" if major >= 8 else "float32"
    return CudaEngine(model, device, precision)


class CudaEngine:
    """bfloat16, float16 or float32 (with TF32); the heads' last layer and the decoding stay float32.

    A graph is captured when a batch size (see `_padded`), region size or ranking is first met.
    """

    kind = "cuda"

    def __init__(self, model: SiamRPN, device: torch.device, precision: str) -> None:
        self.device, self.precision = device, precision
        self._dtype: torch.dtype = getattr(torch, precision)
        self._net = _converted(fold(model), device, self._dtype)
        self._steps: dict[tuple[int, int, Ranking], _Step] = {}
        # What all graphs share: memory is reused only within a pool, and there only within a stream.
        self._pool = torch.cuda.graph_pool_handle() if device.type == "cuda" else None
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
        self.spec = model.spec

    @torch.inference_mode()
    def embed(self, exemplars: Image) -> list[Template]:
        try:
            with self._current(), _cudnn():
                crops = torch.from_numpy(exemplars).to(self.device).permute(0, 3, 1, 2).to(self._dtype)
                template = self._net.embed(crops)
                # laid out as in the slots that they are copied to: so all copies are one launch
                flat = Template(*(tuple(kernel.contiguous() for kernel in levels) for levels in template))
                return split_templates(flat)
        except torch.cuda.OutOfMemoryError as error:
            raise self._out_of_memory(len(exemplars)) from error

    @torch.inference_mode()
    def locate(
        self, templates: Sequence[Template], searches: Image, sizes: NDArray[np.float32], ranking: Ranking
    ) -> list[Candidate]:
        candidates: list[Candidate] = []
        for start in range(0, len(templates), MAX_BATCH):
            some = slice(start, start + MAX_BATCH)
            try:
                with self._current():
                    candidates += self._locate(templates[some], searches[some], sizes[some], ranking)
            except RuntimeError as error:
                if not _for_lack_of_memory(error):
                    raise
                raise self._out_of_memory(len(templates)) from error
        return candidates

    def _locate(
        self, templates: Sequence[Template], searches: Image, sizes: NDArray[np.float32], ranking: Ranking
    ) -> list[Candidate]:
        n, side = searches.shape[:2]
        step = self._step(_padded(n), side, ranking, templates[0])
        step.host_search[:n] = torch.from_numpy(searches)
        step.host_sizes[:n] = torch.from_numpy(sizes)
        moved = [(i, template) for i, template in enumerate(templates) if template is not step.held[i]]
        if moved:
            slots = [kernel for i, _ in moved for levels in step.slots[i] for kernel in levels]
            torch._foreach_copy_(slots, [kernel for _, t in moved for levels in t for kernel in levels])
            for i, template in moved:
                step.held[i] = template
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
        candidates = locate(maps, step.grid, step.sizes, step.ranking)
        step.host_found.copy_(candidates, non_blocking=True)

    def _step(self, n: int, side: int, ranking: Ranking, like: Template) -> _Step:
        key = n, side, ranking
        if key not in self._steps:
            self._steps[key] = self._captured(self._buffers(*key, like))
        return self._steps[key]

    def _buffers(self, n: int, side: int, ranking: Ranking, like: Template) -> _Step:
        pinned = self.device.type == "cuda"

        def kernels(levels: Sequence[Tensor]) -> tuple[Tensor, ...]:
            return tuple(k.new_zeros(n, *k.shape[1:]) for k in levels)

        buffers = Template(kernels(like.cls), kernels(like.loc))
        return _Step(
            host_search=torch.zeros(n, side, side, 3, dtype=torch.uint8, pin_memory=pinned),
            host_sizes=torch.ones(n, 2, pin_memory=pinned),
            host_found=torch.zeros(n, len(Candidate._fields), pin_memory=pinned),
            search=torch.zeros(n, side, side, 3, dtype=torch.uint8, device=self.device),
            sizes=torch.ones(n, 2, device=self.device),
            kernels=buffers,
            slots=split_templates(buffers),
            held=[None] * n,
            grid=search_grid(self.spec, side, self.device),
            ranking=ranking,
            graph=torch.cuda.CUDAGraph() if pinned else None,
        )

    def _captured(self, step: _Step) -> _Step:
        stream = self._stream
        if step.graph is None or stream is None:
            return step
        stream.wait_stream(torch.cuda.current_stream(self.device))
        with _cudnn():
            with torch.cuda.stream(stream):  # what is chosen or allocated at first use is not captured
                for _ in range(3):
                    self._run(step)
            # On our own stream: PyTorch's belongs to the device that captured first in the process.
            with torch.cuda.graph(step.graph, pool=self._pool, stream=stream):
                self._run(step)
        torch.cuda.current_stream(self.device).wait_stream(stream)
        return step

    def _current(self) -> AbstractContextManager[object]:
        """Graphs and streams belong to the current device: make it ours."""
        return torch.cuda.device(self.device) if self.device.type == "cuda" else nullcontext()

    def _out_of_memory(self, targets: int) -> DeviceError:
        return DeviceError(
            f"{self.device} has not enough memory for {counted(targets, 'target')} at once",
            hint="follow fewer targets at a time, free the GPU, or choose --device cpu",
        )


def _padded(n: int) -> int:
    """For how many targets a graph is captured that serves n: few sizes, little computed and discarded.

    >>> [_padded(n) for n in (1, 3, 9, 17, 33, 64)]
    [1, 4, 16, 24, 40, 64]
    """
    return 1 << (n - 1).bit_length() if n <= 16 else -(-n // 8) * 8


def _cudnn() -> AbstractContextManager[object]:
    """How cuDNN convolves for this engine; other engines of the process keep their own way.

    To try its algorithms for every size costs time and gained nothing (BENCHMARKS.md, "GPU").
    """
    return torch.backends.cudnn.flags(enabled=True, benchmark=False, allow_tf32=True)


def _for_lack_of_memory(error: BaseException | None) -> bool:
    """Also where ending the capture, which memory ran out in, raised an error of its own."""
    while error is not None and not isinstance(error, torch.cuda.OutOfMemoryError):
        error = error.__context__
    return error is not None


class _ConvRelu(nn.Module):
    """A convolution, then perhaps an addition, then ReLU: one kernel of cuDNN's instead of up to four.

    (N, C_in, H, W) -> (N, C_out, H', W'); `other` is what is added.  Where cuDNN has no such kernel it is
    computed step by step, from then on for every shape.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self._conv = conv
        self._in_one = True

    def forward(self, x: Tensor, other: Tensor | None = None) -> Tensor:
        conv = self._conv
        assert not isinstance(conv.padding, str)
        shape = conv.stride, conv.padding, conv.dilation, conv.groups
        if self._in_one:
            try:
                if other is None:
                    return torch.cudnn_convolution_relu(x, conv.weight, conv.bias, *shape)
                return torch.cudnn_convolution_add_relu(x, conv.weight, other, 1.0, conv.bias, *shape)
            except torch.cuda.OutOfMemoryError:
                raise
            except RuntimeError:  # before any capture: the steps that come before one have this shape too
                self._in_one = False
        out: Tensor = conv(x)
        return (out if other is None else out + other).relu_()


class _Pointwise(nn.Module):
    """A 1x1 convolution as a product of matrices: cuBLAS adds the bias in the same kernel, cuDNN in another.

    (N, C_in, H, W) -> (N, C_out, H, W), channels_last.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self._weight = conv.weight.flatten(1).t()
        self._bias = conv.bias

    def forward(self, x: Tensor) -> Tensor:
        assert self._bias is not None
        n, _, height, width = x.shape
        rows = x.permute(0, 2, 3, 1).flatten(0, 2)
        return torch.addmm(self._bias, rows, self._weight).view(n, height, width, -1).permute(0, 3, 1, 2)


def _in_one(conv: nn.Conv2d, activation: nn.Module | None, added: bool) -> nn.Module | None:
    if type(activation) is nn.ReLU:
        # Of three channels, as in the first layer, cuDNN's fused kernels are far slower (pytorch#68506).
        return _ConvRelu(conv) if conv.in_channels % 8 == 0 else None
    alone = activation is None and not added and conv.bias is not None
    # TF32 is allowed for convolutions alone, so that float32 stays one
    return _Pointwise(conv) if alone and _is_pointwise(conv) and conv.weight.dtype != torch.float32 else None


def _is_pointwise(conv: nn.Conv2d) -> bool:
    shape = conv.kernel_size, conv.stride, conv.padding, conv.groups
    return shape == ((1, 1), (1, 1), (0, 0), 1)


def _converted(net: SiamRPN, device: torch.device, dtype: torch.dtype) -> SiamRPN:
    """A folded `net` on the device, channels_last, in `dtype`."""

    def convert(part: nn.Module) -> nn.Module:
        part.to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return fuse(part, _in_one)

    try:
        net = net.to(device)
    except torch.cuda.OutOfMemoryError as error:
        raise DeviceError(
            f"{device} has not enough memory for the network", hint="free the GPU, or choose --device cpu"
        ) from error
    convert_parts(net, convert)
    return net
