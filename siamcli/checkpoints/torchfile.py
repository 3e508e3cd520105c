"""Reads files of torch.save without executing code in them."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
import torch
from torch import Tensor

from siamcli.errors import WeightsError

__all__ = ["load_state"]

# A training log inside the file may hold NumPy scalars: plain numbers, harmless to rebuild.  The
# second name is the one that NumPy 1 wrote.
_SCALAR = np.float64(0).__reduce__()[0]
_NUMBERS: list[Any] = [
    _SCALAR,
    (_SCALAR, "numpy.core.multiarray.scalar"),
    np.dtype,
    np.dtypes.Float64DType,
    np.dtypes.Float32DType,
    np.dtypes.Int64DType,
]


_NESTED = ("state_dict", "model_state_dict", "model", "net")
"""Where training programs put the state dict, one inside another."""


def load_state(path: Path) -> dict[str, Tensor]:
    """The state dict in a `.pth` file.

    A nested state dict is found; a prefix before every name, such as "module.", is removed.
    Raises WeightsError for a file that is damaged, holds no state dict, or holds anything but
    tensors and plain values: nothing in it is ever executed.
    """
    content = _load(path)
    for _ in _NESTED:
        if isinstance(content, Mapping):
            content = next(
                (content[key] for key in _NESTED if isinstance(content.get(key), Mapping)), content
            )
    if not isinstance(content, Mapping) or not content:
        raise WeightsError(f"{path}: holds no state dict", hint="a PySOT or mmtracking checkpoint is needed")
    if odd := [k for k, v in content.items() if not isinstance(k, str) or not isinstance(v, Tensor)]:
        raise WeightsError(
            f"{path}: its state dict holds more than tensors ({odd[0]!a:.60})",
            hint="a PySOT or mmtracking checkpoint is needed",
        )
    state: dict[str, Tensor] = dict(content)
    while len(first := {name.partition(".")[0] for name in state}) == 1 and first != {"backbone"}:
        shorter = {name.partition(".")[2]: tensor for name, tensor in state.items()}
        if "" in shorter:
            break
        state = shorter
    return state


def _load(path: Path) -> object:
    _check_archive(path)
    try:
        # as a file: of a path, torch would read .safetensors in another way
        with path.open("rb") as file, torch.serialization.safe_globals(_NUMBERS):
            content: object = torch.load(file, map_location="cpu", weights_only=True)
            return content
    except pickle.UnpicklingError as error:
        what = "it is damaged or holds more than tensors and plain values"
        if match := re.search(r"GLOBAL ([\w.]+)", str(error)):
            what = f"it holds {match[1]}: a whole pickled model, or other objects, would be run to be read"
        raise WeightsError(
            f"{path}: refused: {what}",
            hint="save its state dict, with the program that it is from: torch.save(model.state_dict(), ...)",
        ) from None
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror or error}", hint="check the path") from error
    except (
        ArithmeticError,
        AttributeError,
        EOFError,
        LookupError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        raise WeightsError(f"{path}: damaged or cut short", hint="fetch the file again") from error


def _check_archive(path: Path) -> None:
    """Raise WeightsError for a zip archive that torch.save did not write, before any of it is unpacked."""
    with path.open("rb") as file:
        if file.read(2) != b"PK":
            return
    try:
        entries = ZipFile(path).infolist()
    except (BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise WeightsError(f"{path}: damaged or cut short", hint="fetch the file again") from error
    names = [entry.filename for entry in entries]
    what = ""
    if any(name.endswith("/constants.pkl") for name in names):
        what = "a TorchScript program"
    elif not any(name.endswith("/data.pkl") for name in names):
        what = "NumPy arrays" if any(name.endswith(".npy") for name in names) else "a zip archive"
    elif sum(entry.file_size for entry in entries) > path.stat().st_size:
        what = "compressed inside, which no state dict is"
    if what:
        raise WeightsError(
            f"{path}: {what}", hint="a state dict is needed: torch.save(model.state_dict(), ...)"
        )
