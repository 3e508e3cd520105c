"""Converts a state dict of another program into a checkpoint, with the catalog's settings for such files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from torch import Tensor

from siamcli.checkpoints.catalog import Entry, catalog
from siamcli.checkpoints.header import sha256_of
from siamcli.checkpoints.native import Checkpoint
from siamcli.checkpoints.state_dict import expected_shapes, fit_state_dict
from siamcli.errors import WeightsError
from siamcli.model.spec import SPECS, ModelSpec

__all__ = ["Rename", "convert"]

Rename = Callable[[str, ModelSpec], str]
"""Our name of a tensor -> the family's."""


def convert(
    state: Mapping[str, Tensor],
    path: Path,
    family: Literal["pysot", "mmtracking"],
    rename: Rename,
    model: str | None,
) -> Checkpoint:
    """The checkpoint in a state dict that was read from `path`.

    The architecture follows from names and shapes unless `model` names one; the tracker's settings
    are those that the catalog has for the file's name, else for the architecture.
    Raises WeightsError naming what is missing, left over or of a wrong shape.
    """
    entries = [entry for entry in catalog() if entry.family == family]
    models = tuple(dict.fromkeys(entry.model for entry in entries))
    if model is not None and model not in models:
        raise WeightsError(f"no {family} architecture {model!r}", hint=f"known: {', '.join(models)}")
    spec = _guess_spec(state, models, rename, str(path)) if model is None else SPECS[model]
    entry = _guess_entry([entry for entry in entries if entry.model == spec.name], path.stem)
    sha256 = sha256_of(path)
    is_listed = path.stem in (entry.name, Path(entry.file).stem)
    return Checkpoint(
        spec=spec,
        params=entry.params,
        weights=fit_state_dict(state, spec, str(path), lambda name: rename(name, spec)),
        name=entry.name if is_listed else path.stem,
        license=entry.license if is_listed else "unknown",
        provenance={"family": family, "file": path.name, "sha256": sha256},
        sha256=sha256,
    )


def _guess_spec(
    state: Mapping[str, Tensor], models: tuple[str, ...], rename: Rename, where: str
) -> ModelSpec:
    """The architecture that fits best: all of it, if the file is whole."""
    shapes = {(name, tuple(tensor.shape)) for name, tensor in state.items()}

    def misfit(spec: ModelSpec) -> int:
        return len(
            shapes ^ {(rename(name, spec), shape) for name, shape in expected_shapes(spec, where).items()}
        )

    return min((SPECS[model] for model in models), key=misfit)


def _guess_entry(entries: list[Entry], stem: str) -> Entry:
    """The entry of that very file, else of its benchmark, else the first of the architecture."""
    for entry in entries:
        if stem in (entry.name, Path(entry.file).stem):
            return entry
    for entry in entries:
        if entry.name.partition("_")[2] in stem:
            return entry
    return entries[0]
