"""Weights of STVIR's PySOT: a plain state dict in the reference's naming."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from siamcli.checkpoints.catalog import Entry, catalog, entry_named
from siamcli.checkpoints.native import Checkpoint, sha256_of
from siamcli.checkpoints.strict import expected_shapes, match
from siamcli.checkpoints.torchfile import load_state
from siamcli.errors import WeightsError
from siamcli.model.spec import SPECS, ModelSpec

__all__ = ["from_pysot", "pysot_name", "read_pysot"]


def read_pysot(path: Path, model: str | None = None) -> Checkpoint:
    """The checkpoint in a PySOT `.pth`; see `from_pysot`.  Raises WeightsError."""
    state, _ = load_state(path)
    return from_pysot(state, path, model)


def from_pysot(state: Mapping[str, Tensor], path: Path, model: str | None = None) -> Checkpoint:
    """The checkpoint in a state dict that was read from `path`.

    The architecture follows from names and shapes unless `model` names one; the tracker's settings
    are those that the catalog has for the file's name, else for the architecture.
    Raises WeightsError naming what is missing, left over or of a wrong shape.
    """
    spec = _recognise(state) if model is None else _named(model)
    entry = _entry(path, spec)
    weights = match(state, spec, str(path), lambda name: pysot_name(name, spec))
    return Checkpoint(
        spec=spec,
        params=entry.params,
        weights=weights,
        name=entry.name,
        license=entry.license,
        provenance={"family": "pysot", "file": path.name},
        sha256=sha256_of(path),
    )


def pysot_name(name: str, spec: ModelSpec) -> str:
    """What PySOT calls a tensor of our state dict.

    >>> pysot_name("cls.branches.1.kernel.0.weight", SPECS["siamrpn_r50_l234_dwxcorr"])
    'rpn_head.rpn3.cls.conv_kernel.0.weight'
    >>> pysot_name("cls.branches.0.kernel.0.weight", SPECS["siamrpn_alex_dwxcorr"])
    'rpn_head.cls.conv_kernel.0.weight'
    """
    parts = name.split(".")
    match parts:
        case ["neck", "levels", level, *rest]:
            return ".".join(["neck", f"downsample{int(level) + 2}", "downsample", *rest])
        case ["cls" | "loc" as branch, "weight"]:
            return f"rpn_head.{branch}_weight"
        case ["cls" | "loc" as branch, "branches", level, part, *rest]:
            several = [f"rpn{int(level) + 2}"] if len(spec.levels) > 1 else []
            part = part if part == "head" else f"conv_{part}"
            return ".".join(["rpn_head", *several, branch, part, *rest])
    return name


def _named(model: str) -> ModelSpec:
    if model not in SPECS:
        raise WeightsError(f"no architecture {model!r}", hint=f"known: {', '.join(SPECS)}")
    return SPECS[model]


def _recognise(state: Mapping[str, Tensor]) -> ModelSpec:
    """The architecture that fits best: all of it, if the file is whole."""
    found = {(name, tuple(tensor.shape)) for name, tensor in state.items()}

    def misfit(spec: ModelSpec) -> int:
        wanted = {(pysot_name(name, spec), shape) for name, shape in expected_shapes(spec).items()}
        return len(found ^ wanted)

    models = dict.fromkeys(entry.model for entry in catalog() if entry.family == "pysot")
    return min((SPECS[model] for model in models), key=misfit)


def _entry(path: Path, spec: ModelSpec) -> Entry:
    for entry in catalog():
        if entry.family == "pysot" and entry.model == spec.name and entry.name == path.stem:
            return entry
    return entry_named(spec.name)
