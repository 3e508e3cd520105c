"""Files that torch.save wrote, read without running what they contain."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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


def load_state(path: Path) -> dict[str, Tensor]:
    """The state dict in a `.pth` file.

    A state dict nested under "state_dict" is found, a "module." before every name removed.
    Raises WeightsError for a file that is damaged, holds no state dict, or holds anything but
    tensors and plain values: nothing in it is ever executed.
    """
    content = _load(path)
    if isinstance(content, Mapping) and "state_dict" in content:
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not content:
        raise WeightsError(f"{path}: holds no state dict", hint="a PySOT or mmtracking checkpoint is needed")
    if not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in content.items()):
        raise WeightsError(
            f"{path}: its state dict holds more than tensors",
            hint="a PySOT or mmtracking checkpoint is needed",
        )
    state: dict[str, Tensor] = dict(content)
    if all(name.startswith("module.") for name in state):
        state = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    return state


def _load(path: Path) -> object:
    try:
        with torch.serialization.safe_globals(_NUMBERS):
            content: object = torch.load(path, map_location="cpu", weights_only=True)
            return content
    except pickle.UnpicklingError as error:
        reason = str(error).partition("\n")[0]
        raise WeightsError(
            f"{path}: refused, because it is damaged or holds more than tensors and plain values",
            hint=f"never load it elsewhere unless you trust its author; torch says: {reason}",
        ) from error
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
        reason = str(error).partition("\n")[0]
        raise WeightsError(f"{path}: damaged or cut short ({reason})", hint="fetch the file again") from error
