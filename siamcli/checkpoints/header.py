"""Plain JSON values to frozen dataclasses, strictly: what a header says is checked, not trusted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from siamcli.errors import WeightsError

__all__ = ["checked", "from_plain"]

T = TypeVar("T")

HINT = "damaged, or written by another version of siamtrack"


def from_plain(kind: type[T], plain: object, where: str) -> T:
    """The `kind` whose `asdict` is `plain`.

    Raises WeightsError for any field that is unknown, missing or of another type.
    """
    if not isinstance(plain, Mapping):
        raise WeightsError(f"{where} is not a table", hint=HINT)
    names = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    wrong = [f"unknown {n!r}" for n in sorted(set(plain) - names)]
    wrong += [f"missing {n!r}" for n in sorted(names - set(plain))]
    if wrong:
        raise WeightsError(f"{where}: {', '.join(wrong)}", hint=HINT)
    return kind(**checked(kind, plain, where))


def checked(kind: type[Any], plain: Mapping[str, Any], where: str) -> dict[str, Any]:
    """`plain` with JSON's lists turned into tuples; WeightsError where a value does not fit the field."""
    hints = get_type_hints(kind)
    values = {name: _freeze(value) for name, value in plain.items()}
    for name, value in values.items():
        if name not in hints or not _fits(value, hints[name]):
            raise WeightsError(f"{where}: {name} cannot be {value!r}", hint=HINT)
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
