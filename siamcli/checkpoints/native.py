"""Reads and writes siamtrack's weights format: one safetensors file that describes itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from siamcli.atomic import atomic_file
from siamcli.checkpoints.header import FORMAT, KEY, Header, Precision, damaged, read_header
from siamcli.checkpoints.state_dict import BATCH_COUNTER, fit_state_dict
from siamcli.errors import WeightsError
from siamcli.model.spec import ModelSpec, TrackerParams

__all__ = ["Checkpoint", "read_native", "write_native"]

SCALE = "::scale"


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """Weights with everything needed to use them, whichever file they came from.

    `weights` is the state dict of SiamRPN(spec), float32.  `sha256` is that of the file it was
    read from, empty if there was none.
    """

    spec: ModelSpec
    params: TrackerParams
    weights: Mapping[str, Tensor]
    name: str
    version: str = ""
    license: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    sha256: str = ""


def read_native(path: Path) -> Checkpoint:
    """The checkpoint that `write_native` wrote; memory-mapped.

    Raises WeightsError naming the file when it is corrupt, truncated or does not fit its spec.
    """
    header = read_header(path)
    try:
        with safe_open(path, framework="pt") as file:
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError, RuntimeError) as error:
        raise damaged(path, error) from error
    weights = fit_state_dict(_restored(stored, path), header.spec, str(path))
    file_sha256, data_sha256 = _hashes(path)
    if data_sha256 != header.data_sha256:
        raise damaged(path, "its data do not have the hash in its header")
    return Checkpoint(
        spec=header.spec,
        params=header.params,
        weights=weights,
        name=header.name,
        version=header.version,
        license=header.license,
        provenance=header.provenance,
        sha256=file_sha256,
    )


def write_native(checkpoint: Checkpoint, path: Path, precision: Precision = "float32") -> None:
    """Write one self-describing safetensors file; the same checkpoint gives the same bytes.

    "float16" and "int8" store the convolutions so (int8 with one symmetric scale per output
    channel); biases and BatchNorm, small and delicate, stay float32.
    Raises WeightsError when the weights do not fit the spec, OutputError when they cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    for name, tensor in fit_state_dict(
        checkpoint.weights, checkpoint.spec, f"checkpoint {checkpoint.name!r}"
    ).items():
        if not name.endswith(BATCH_COUNTER):
            tensors |= _stored(name, tensor.detach().cpu().contiguous(), precision)
    try:
        header = Header(
            format=FORMAT,
            precision=precision,
            name=checkpoint.name,
            version=checkpoint.version,
            license=checkpoint.license,
            spec=checkpoint.spec,
            params=checkpoint.params,
            provenance=dict(checkpoint.provenance),
            data_sha256=hashlib.sha256(_data(save(tensors))).hexdigest(),
        )
    except ValueError as error:
        raise WeightsError(f"cannot write {path}: {error}") from None
    # One metadata entry: the order of several is not fixed, and neither would the bytes be.
    data = save(tensors, {KEY: json.dumps(asdict(header), sort_keys=True)})
    with atomic_file(path, overwrite=True) as part:
        part.write_bytes(data)


def _hashes(path: Path) -> tuple[str, str]:
    """SHA-256 of the whole file, and of the data after its header."""
    of_file, of_data = hashlib.sha256(), hashlib.sha256()
    with path.open("rb") as file:
        length = file.read(8)
        header = file.read(int.from_bytes(length, "little"))
        of_file.update(length + header)
        while block := file.read(1 << 20):
            of_file.update(block)
            of_data.update(block)
    return of_file.hexdigest(), of_data.hexdigest()


def _data(file: bytes) -> memoryview:
    """The bytes after a safetensors header, which starts with its own length."""
    return memoryview(file)[8 + int.from_bytes(file[:8], "little") :]


def _stored(name: str, weight: Tensor, precision: Precision) -> dict[str, Tensor]:
    """One weight as it lies in the file."""
    if weight.dim() < 2 or precision == "float32":
        return {name: weight}
    if precision == "float16":
        half = weight.half()
        if not half.isfinite().all():
            raise WeightsError(f"{name} does not fit float16", hint="write it as float32 or int8")
        return {name: half}
    largest = weight.abs().amax(dim=tuple(range(1, weight.dim())), keepdim=True)
    scale = torch.where(largest > 0, largest / 127, 1.0)
    return {name: (weight / scale).round().to(torch.int8), name + SCALE: scale}


def _restored(stored: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """The inverse of `_stored` over a whole file."""
    weights = dict(stored)
    for name, tensor in stored.items():
        if tensor.dtype == torch.int8:
            scale = weights.pop(name + SCALE, None)
            if scale is None or scale.shape != (tensor.shape[0], *[1] * (tensor.dim() - 1)):
                raise WeightsError(f"{path}: {name} has no scale", hint="fetch or import the file again")
            weights[name] = tensor.float() * scale
        elif tensor.dtype not in (torch.float32, torch.float16):
            raise WeightsError(
                f"{path}: {name} is stored as {tensor.dtype}", hint="not a format of siamtrack"
            )
    return weights
