"""What a native weights file says about itself, checked and not trusted; readable without torch."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from safetensors import SafetensorError, safe_open

from siamcli.errors import WeightsError
from siamcli.model.spec import ModelSpec, TrackerParams

__all__ = ["FORMAT", "KEY", "Header", "Precision", "checked", "damaged", "read_header", "sha256_of"]

Precision = Literal["float32", "float16", "int8"]

KEY = "siamtrack"
FORMAT = 2
HINT = "damaged, or written by another version of siamtrack"
_IMPLIED_BY_1: dict[str, dict[str, object]] = {
    "spec": {"correlation": "depthwise"},
    "params": {"scales": [], "scale_penalty": 1.0},
}
"""What a file of format 1 means without saying it: there was nothing else."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says about itself.

    `provenance` holds how the weights came to be, as plain values; `data_sha256` is the hash of
    the bytes after the header, so that a damaged file shows.
    """

    format: int
    precision: Precision
    name: str
    version: str
    license: str
    spec: ModelSpec
    params: TrackerParams
    provenance: dict[str, Any]
    data_sha256: str


def read_header(path: Path) -> Header:
    """What the file says about itself, without its weights.  Raises WeightsError."""
    try:
        with safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get(KEY)
    except (SafetensorError, OSError) as error:
        raise damaged(path, error) from error
    if text is None:
        raise WeightsError(
            f"{path}: not a siamtrack weights file", hint="its header has no 'siamtrack' entry"
        )
    try:
        plain = json.loads(text)
    except ValueError as error:
        raise damaged(path, error) from error
    if not isinstance(plain, dict) or plain.get("format") not in (1, FORMAT):
        raise WeightsError(
            f"{path}: not written in format {FORMAT} or 1", hint="a newer siamtrack may be able to read it"
        )
    implied = _IMPLIED_BY_1 if plain["format"] == 1 else {"spec": {}, "params": {}}
    plain["spec"] = _from_plain(ModelSpec, plain.get("spec"), f"{path}: spec", implied["spec"])
    plain["params"] = _from_plain(TrackerParams, plain.get("params"), f"{path}: params", implied["params"])
    return _from_plain(Header, plain, f"{path}: header", {})


def sha256_of(path: Path) -> str:
    """The file's SHA-256 in hex.  Raises WeightsError."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror}", hint="may you read it?") from error
    return digest.hexdigest()


def damaged(path: Path, error: object) -> WeightsError:
    """What to raise about a file that is not whole."""
    return WeightsError(f"{path}: damaged or cut short ({error})", hint="fetch or import the file again")


def _from_plain(kind: type[T], plain: object, where: str, implied: Mapping[str, object]) -> T:
    """The `kind` whose `asdict` is `plain`, or the rest of it beside what is `implied`.

    Raises WeightsError for any field that is unknown, missing, of another type or out of range.
    """
    if not isinstance(plain, Mapping):
        raise WeightsError(f"{where} is not a table", hint=HINT)
    plain = {**implied, **plain}
    names = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    wrong = [f"unknown {n!r}" for n in sorted(set(plain) - names)]
    wrong += [f"missing {n!r}" for n in sorted(names - set(plain))]
    if wrong:
        raise WeightsError(f"{where}: {', '.join(wrong)}", hint=HINT)
    values = checked(kind, plain, where)
    try:
        return kind(**values)
    except ValueError as error:
        raise WeightsError(f"{where}: {error}", hint=HINT) from None


def checked(kind: type[Any], plain: Mapping[str, Any], where: str, hint: str = HINT) -> dict[str, Any]:
    """`plain` with JSON's lists turned into tuples; WeightsError for an unknown field or a value that does
    not fit its own."""
    hints = get_type_hints(kind)
    for name in plain:
        if name not in hints:
            raise WeightsError(f"{where}: unknown parameter {name}; known: {', '.join(hints)}", hint=hint)
    values = {name: _freeze(value) for name, value in plain.items()}
    for name, value in values.items():
        if not _fits(value, hints[name]):
            raise WeightsError(f"{where}: {name} cannot be {value!r}", hint=hint)
    return values


def _freeze(value: object) -> object:
    return tuple(_freeze(v) for v in value) if isinstance(value, list | tuple) else value


def _fits(value: object, hint: type) -> bool:
    """Whether `value` is what the annotation `hint` says; every float is finite."""
    kind, args = get_origin(hint), get_args(hint)
    if kind is Literal:
        return value in args
    if kind in (Union, UnionType):
        return any(_fits(value, arg) for arg in args)
    if kind is tuple:
        if not isinstance(value, tuple):
            return False
        wanted = [args[0]] * len(value) if args[-1] is Ellipsis else list(args)
        return len(wanted) == len(value) and all(map(_fits, value, wanted))
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind or hint)
