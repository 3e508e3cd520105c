"""OpenVINO on the CPU: float32, bfloat16, or int8 calibrated on real crops.  An optional extra."""

from __future__ import annotations

import hashlib
import importlib
import logging
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from siamcli.atomic import atomic_folder
from siamcli.engines.cpu import limit_threads
from siamcli.engines.eager import split_templates
from siamcli.engines.fold import fold
from siamcli.engines.graphs import SearchGraph, TemplateGraph, as_template, kernel_names
from siamcli.errors import DeviceError
from siamcli.extras import install_extra
from siamcli.frames import Image
from siamcli.model.siamrpn import SiamRPN, Template
from siamcli.tracker.engine import Candidate, Ranking
from siamcli.tracker.locate import locate, search_grid

if TYPE_CHECKING:
    import openvino

__all__ = ["OpenVinoEngine", "make", "quantize"]


def make(model: SiamRPN, device: torch.device, precision: str, cache: Path) -> OpenVinoEngine:
    """See EngineKind; bfloat16 where the CPU has it."""
    return OpenVinoEngine(model, precision, cache)


class OpenVinoEngine:
    """Templates in float32, search regions in the precision asked for.

    The converted network lies in `cache`, one per weights; it is compiled for a size of region when
    that is first met, and kept.
    """

    kind = "openvino"

    def __init__(self, model: SiamRPN, precision: str, cache: Path) -> None:
        limit_threads()
        folded = fold(model)
        self._embed = TemplateGraph(folded)
        self._core = _import("openvino").Core()
        native = "BF16" in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if precision == "auto":
            precision = "bfloat16" if native else "float32"
        self._path = _int8_file(folded, cache) if precision == "int8" else _converted(folded, cache)
        self._hint = "bf16" if precision == "bfloat16" or (precision == "int8" and native) else "f32"
        self._compiled: dict[int, openvino.CompiledModel] = {}
        self.precision = precision
        self.spec = model.spec
        self.device = torch.device("cpu")

    @torch.inference_mode()
    def embed(self, exemplars: Image) -> list[Template]:
        return [template for exemplar in exemplars for template in self._embed_one(exemplar)]

    def _embed_one(self, exemplar: Image) -> list[Template]:
        kernels = self._embed(torch.from_numpy(exemplar[None]).permute(0, 3, 1, 2).float())
        return split_templates(as_template(self._embed.model, kernels))

    @torch.inference_mode()
    def locate(
        self, templates: Sequence[Template], searches: Image, sizes: NDArray[np.float32], ranking: Ranking
    ) -> list[Candidate]:
        side = searches.shape[1]
        network, grid = self._network(side), search_grid(self.spec, side, self.device)
        regions = np.ascontiguousarray(searches.transpose(0, 3, 1, 2), dtype=np.float32)
        candidates: list[Candidate] = []
        for i, template in enumerate(templates):  # as in the other engines of the CPU: one at a time
            kernels = [kernel.numpy() for kernel in template.cls + template.loc]
            answer = network([regions[i : i + 1], *kernels])
            maps = [torch.from_numpy(answer[output]) for output in network.outputs]
            best = locate(maps, grid, torch.from_numpy(sizes[i : i + 1]), ranking)
            candidates.append(Candidate(*best[0].tolist()))
        return candidates

    def _network(self, side: int) -> openvino.CompiledModel:
        """The network for regions of `side` pixels."""
        if side not in self._compiled:
            network = self._core.read_model(self._path)
            network.reshape({0: [1, 3, side, side]})
            options = {
                "INFERENCE_PRECISION_HINT": self._hint,
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            }
            self._compiled[side] = self._core.compile_model(network, "CPU", options)
        return self._compiled[side]


def quantize(model: SiamRPN, crops: Sequence[tuple[Image, Image]], cache: Path) -> Path:
    """The int8 network of these weights, calibrated on pairs of exemplar and search region.

    crops: (127, 127, 3) and (S, S, 3) uint8 each.  Returns the file in `cache` that the engine looks
    for.  Raises DeviceError where OpenVINO or NNCF is missing.
    """
    nncf, ov = _import("nncf"), _import("openvino")
    logging.getLogger("nncf").setLevel(logging.WARNING)  # every layer is news to it
    folded = fold(model)
    embed = TemplateGraph(folded)

    @torch.inference_mode()
    def inputs(pair: tuple[Image, Image]) -> list[NDArray[np.float32]]:
        exemplar, search = (torch.from_numpy(crop.transpose(2, 0, 1)[None].copy()).float() for crop in pair)
        return [search.numpy(), *[kernel.numpy() for kernel in embed(exemplar)]]

    network = ov.Core().read_model(_converted(folded, cache))
    # as in the other engines the last layer of the heads stays exact: it is small, and moves the box
    convolutions = [name for name, part in folded.named_modules() if isinstance(part, nn.Conv2d)]
    last = {name.rpartition(".head.")[0]: name for name in convolutions if ".head." in name}
    exact = nncf.IgnoredScope(patterns=[rf".*\.{re.escape(name)}/.*/Convolution" for name in last.values()])
    quantized = nncf.quantize(
        network, nncf.Dataset(crops, inputs), subset_size=len(crops), ignored_scope=exact
    )
    target = cache / f"{_fingerprint(folded)}-int8"
    return _save(quantized, target)


def _int8_file(folded: SiamRPN, cache: Path) -> Path:
    path = cache / f"{_fingerprint(folded)}-int8" / "model.xml"
    if not path.is_file():
        raise DeviceError(
            "no int8 network of these weights has been made on this computer",
            hint="make it once from any of your videos: siamtrack export --to int8 --calibrate VIDEO",
        )
    return path


def _converted(folded: SiamRPN, cache: Path) -> Path:
    """The search graph in OpenVINO's format, converted once per weights."""
    target = cache / _fingerprint(folded)
    if not (target / "model.xml").is_file():
        spec, graph = folded.spec, SearchGraph(folded)
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # OpenVINO traces in a way that PyTorch is phasing out
            kernels = TemplateGraph(folded)(torch.zeros(1, 3, spec.exemplar_size, spec.exemplar_size))
            example = (torch.zeros(1, 3, spec.search_size, spec.search_size), *kernels)
            network = _import("openvino").convert_model(graph, example_input=example)
        network.reshape({index: list(tensor.shape) for index, tensor in enumerate(example)})
        for tensor, name in zip(network.inputs, ["search", *kernel_names(folded)], strict=True):
            tensor.get_tensor().set_names({name})
        _save(network, target)
    return target / "model.xml"


def _save(network: Any, target: Path) -> Path:  # noqa: ANN401 - an OpenVINO model
    """Both files of a network in the folder `target`, or nothing."""
    with atomic_folder(target, overwrite=True) as part:
        _import("openvino").save_model(network, part / "model.xml", compress_to_fp16=False)
    return target / "model.xml"


def _fingerprint(model: SiamRPN) -> str:
    """A name for these weights and the OpenVINO that reads them."""
    digest = hashlib.sha256(repr((model.spec, _import("openvino").__version__)).encode())
    for tensor in model.state_dict().values():
        digest.update(tensor.contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def _import(name: str) -> Any:  # noqa: ANN401 - a module that may be absent
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise DeviceError(
            f"engine 'openvino' needs {name}, which is not installed",
            hint=f"{install_extra('openvino')}, or choose --engine cpu",
        ) from error
