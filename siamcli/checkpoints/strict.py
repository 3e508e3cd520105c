"""The strict meeting of weights and architecture: nothing missing, nothing left over, every shape right."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from siamcli.errors import WeightsError
from siamcli.model.siamrpn import SiamRPN
from siamcli.model.spec import ModelSpec

__all__ = ["COUNTER", "expected_shapes", "match"]

COUNTER = "num_batches_tracked"
"""BatchNorm's count of training steps: it changes no output, and old files do not have it."""


def expected_shapes(spec: ModelSpec, where: str) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every tensor in the state dict of SiamRPN(spec).

    Raises WeightsError, about `where` it came from, when `spec` describes no network.
    """
    try:
        with torch.device("meta"):
            state = SiamRPN(spec).state_dict()
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise WeightsError(
            f"{where}: its architecture {spec.name!r} makes no network ({error})",
            hint="damaged, or written by another version of siamtrack",
        ) from error
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def match(
    found: Mapping[str, Tensor], spec: ModelSpec, where: str, rename: Callable[[str], str] = str
) -> dict[str, Tensor]:
    """The state dict of SiamRPN(spec), float32, out of `found`.

    `rename` turns a name of the state dict into the one that `found` uses.  Raises WeightsError
    that names what is missing, left over, of a wrong shape or not finite.
    """
    shapes = expected_shapes(spec, where)
    names = {name: rename(name) for name in shapes}
    wanted = {names[name]: shape for name, shape in shapes.items()}
    missing = [n for n in wanted if n not in found and not n.endswith(COUNTER)]
    leftover = [n for n in found if n not in wanted]
    present = {n: shape for n, shape in wanted.items() if n in found}
    misshapen = {n for n, shape in present.items() if tuple(found[n].shape) != shape}
    problems = [
        _count(missing, "missing"),
        _count(leftover, "left over"),
        _count(
            [f"{n} {tuple(found[n].shape)} instead of {present[n]}" for n in present if n in misshapen],
            "of another shape",
        ),
        _count([n for n in present if n not in misshapen and not _finite(found[n])], "not finite"),
    ]
    if any(problems):
        raise WeightsError(
            f"{where} does not fit {spec.name}: {'; '.join(p for p in problems if p)}",
            hint="it belongs to another architecture, or it is damaged",
        )
    return {
        name: torch.zeros((), dtype=torch.int64) if name.endswith(COUNTER) else found[names[name]].float()
        for name in shapes
    }


def _finite(tensor: Tensor) -> bool:
    """No NaN, no infinity; in one pass, which isfinite() is not."""
    return not tensor.is_floating_point() or all(bool(v.isfinite()) for v in tensor.aminmax())


def _count(names: Sequence[str], what: str) -> str:
    """How many, and the first few by name; nothing for none."""
    if not names:
        return ""
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return f"{len(names)} {what} ({shown})"
