"""Checks a state dict against a model: no key missing, none left over, every shape right."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache

import torch
from torch import Tensor

from siamcli.errors import WeightsError
from siamcli.model.siamrpn import SiamRPN
from siamcli.model.spec import SPECS, ModelSpec

__all__ = ["BATCH_COUNTER", "expected_shapes", "fit_state_dict"]

BATCH_COUNTER = "num_batches_tracked"
"""BatchNorm's count of training steps: it changes no output, and old files do not have it."""


def expected_shapes(spec: ModelSpec, where: str) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every tensor in the state dict of SiamRPN(spec).

    Raises WeightsError, about `where` it came from, when `spec` describes no network.
    """
    try:
        shapes, side = _shapes_and_side(spec)
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise WeightsError(
            f"{where}: its architecture {spec.name!r} makes no network ({error})",
            hint="damaged, or written by another version of siamtrack",
        ) from error
    if side != spec.score_size():
        raise WeightsError(
            f"{where}: its architecture {spec.name!r} says a score map of side {spec.score_size()}, "
            f"and makes one of {side}",
            hint="search_size, exemplar_size, stride and base_size must fit the backbone",
        )
    return shapes


_NO_SIDES = {"name", "levels", "channels", "weighted", "anchors", "crop", "width"}


@lru_cache(maxsize=8)
def _shapes_and_side(spec: ModelSpec) -> tuple[dict[str, tuple[int, ...]], int]:
    """The shapes, and the side of the score map that the network really makes."""
    with torch.device("meta"):
        model = SiamRPN(spec)
        side = spec.score_size() if _has_known_sides(spec) else _score_side(model)
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}, side


def _has_known_sides(spec: ModelSpec) -> bool:
    """Whether its maps have the sides of an architecture that is known."""
    return bool(spec.levels and spec.anchors) and any(
        _what_sides_depend_on(spec) == _what_sides_depend_on(other)
        for other in SPECS.values()
        if set(spec.levels) <= set(other.levels)
    )


def _what_sides_depend_on(spec: ModelSpec) -> dict[str, object]:
    """Everything but what changes no side of a map, such as channels and anchors."""
    return {name: value for name, value in asdict(spec).items() if name not in _NO_SIDES}


def _score_side(model: SiamRPN) -> int:
    """The side of the score map that the network makes.

    It takes no numbers, but two seconds: on the device "meta" PyTorch imports its compiler for it.
    """
    exemplar, search = (torch.empty(1, 3, s, s) for s in (model.spec.exemplar_size, model.spec.search_size))
    return int(model(model.embed(exemplar), search)[0].shape[-1])


def fit_state_dict(
    tensors: Mapping[str, Tensor], spec: ModelSpec, where: str, rename: Callable[[str], str] = str
) -> dict[str, Tensor]:
    """The state dict of SiamRPN(spec), float32, out of `tensors`.

    `rename` turns a name of the state dict into the one that `tensors` use.  Raises WeightsError
    that names what is missing, left over, of a wrong shape or not finite.
    """
    shapes = expected_shapes(spec, where)
    names = {name: rename(name) for name in shapes}
    required = {names[name]: shape for name, shape in shapes.items()}
    missing = [n for n in required if n not in tensors and not n.endswith(BATCH_COUNTER)]
    leftover = [n for n in tensors if n not in required]
    present = {n: shape for n, shape in required.items() if n in tensors}
    misshapen = {n for n, shape in present.items() if tuple(tensors[n].shape) != shape}
    checked = [n for n in present if n not in misshapen and not n.endswith(BATCH_COUNTER)]
    problems = [
        _count(missing, "missing"),
        _count(leftover, "left over"),
        _count(
            [f"{n} {tuple(tensors[n].shape)} instead of {present[n]}" for n in present if n in misshapen],
            "of another shape",
        ),
        _count([f"{n} {_odd(tensors[n])}" for n in checked if _odd(tensors[n])], "that hold no real numbers"),
        _count([n for n in checked if not _odd(tensors[n]) and not _finite(tensors[n])], "not finite"),
    ]
    if any(problems):
        raise WeightsError(
            f"{where} does not fit {spec.name}: {'; '.join(p for p in problems if p)}",
            hint="it belongs to another architecture, or it is damaged",
        )
    return {
        name: torch.zeros((), dtype=torch.int64)
        if name.endswith(BATCH_COUNTER)
        else tensors[names[name]].float()
        for name in shapes
    }


def _finite(tensor: Tensor) -> bool:
    """No NaN, no infinity; in one pass, which isfinite() is not."""
    return all(bool(v.isfinite()) for v in tensor.aminmax())


def _odd(tensor: Tensor) -> str:
    """What kind of tensor it is that can be no weight, or nothing."""
    if tensor.layout != torch.strided or tensor.is_meta:
        return "is sparse, or only a shape"
    return "" if tensor.is_floating_point() else f"is {tensor.dtype}"


def _count(names: Sequence[str], what: str) -> str:
    """How many, and the first few by name; nothing for none."""
    if not names:
        return ""
    shown = ", ".join(name if name.isprintable() else ascii(name) for name in names[:5]) + (
        ", ..." if len(names) > 5 else ""
    )
    return f"{len(names)} {what} ({shown})"
