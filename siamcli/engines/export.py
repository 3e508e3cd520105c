"""Exports the network as two graphs, checked against the reference before they are kept."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from siamcli.atomic import atomic_folder
from siamcli.engines.fold import fold
from siamcli.engines.graphs import SearchGraph, TemplateGraph, kernel_names
from siamcli.errors import DeviceError, OutputError
from siamcli.extras import install_extra
from siamcli.model.siamrpn import SiamRPN
from siamcli.model.spec import TrackerParams

__all__ = ["GraphFormat", "write_graphs"]

GraphFormat = Literal["onnx", "torch"]
Array = NDArray[np.float32]
Run = Callable[[Sequence[Array]], list[Array]]

TOLERANCE = 1e-3
"""Largest difference from the reference, relative to the largest value of an output."""


def write_graphs(model: SiamRPN, params: TrackerParams, target: Path, form: GraphFormat) -> dict[str, float]:
    """Write template and search graph with model.json, which says how to use them, into the folder `target`.

    Returns the largest difference from the reference per graph, relative to the largest output.  Raises
    OutputError when the folder exists, cannot be written, or a graph computes something else;
    DeviceError when what writes ONNX is not installed.
    """
    with atomic_folder(target, overwrite=False) as part:
        return _write(model, params, part, form)


def _write(model: SiamRPN, params: TrackerParams, folder: Path, form: GraphFormat) -> dict[str, float]:
    folded = fold(model)
    spec, names = model.spec, kernel_names(model)
    generator = torch.Generator().manual_seed(0)
    exemplar, search = (
        255 * torch.rand(1, 3, side, side, generator=generator)
        for side in (spec.exemplar_size, spec.search_size)
    )
    with torch.inference_mode():
        kernels = TemplateGraph(model)(exemplar)
    graphs = {
        "template": (TemplateGraph(folded), TemplateGraph(model), (exemplar,), ["exemplar"], names),
        "search": (
            SearchGraph(folded),
            SearchGraph(model),
            (search, *kernels),
            ["search", *names],
            list(model.heads),
        ),
    }
    differences = {}
    for name, (graph, reference, inputs, given, returned) in graphs.items():
        run = (_to_onnx if form == "onnx" else _to_torch)(graph, inputs, given, returned, folder / name)
        differences[name] = _difference(reference, run, inputs)
        if not differences[name] < TOLERANCE:
            raise OutputError(
                f"the exported {name} graph differs from the reference by {differences[name]:.2g}",
                hint="nothing was kept; another version of the exporter may do better",
            )
    about = {"spec": asdict(spec), "params": asdict(params), "kernels": names, "differences": differences}
    (folder / "model.json").write_text(json.dumps(about, indent=2) + "\n")
    return differences


def _to_onnx(
    graph: nn.Module, inputs: tuple[Tensor, ...], given: list[str], returned: list[str], stem: Path
) -> Run:
    try:
        import onnxruntime  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise DeviceError("ONNX Runtime is not installed", hint=install_extra("onnx")) from error
    path = stem.with_suffix(".onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about how PyTorch exports, not about this graph
        torch.onnx.export(
            graph, inputs, path, input_names=given, output_names=returned, opset_version=17, dynamo=False
        )
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(values: Sequence[Array]) -> list[Array]:
        outputs: list[Array] = session.run(None, dict(zip(given, values, strict=True)))
        return outputs

    return run


def _to_torch(
    graph: nn.Module, inputs: tuple[Tensor, ...], given: list[str], returned: list[str], stem: Path
) -> Run:
    path = stem.with_suffix(".pt2")
    torch.export.save(torch.export.export(graph, inputs), path)
    loaded = torch.export.load(path).module()

    def run(values: Sequence[Array]) -> list[Array]:
        return [tensor.numpy() for tensor in loaded(*(torch.from_numpy(value) for value in values))]

    return run


@torch.inference_mode()
def _difference(reference: nn.Module, run: Run, inputs: Sequence[Tensor]) -> float:
    expected = [tensor.numpy() for tensor in reference(*inputs)]
    outputs = run([tensor.numpy() for tensor in inputs])
    return max(float(np.abs(a - b).max() / np.abs(a).max()) for a, b in zip(expected, outputs, strict=True))
