"""TOML: the standard library's reader, and the writer that it lacks."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

if sys.version_info >= (3, 11):
    from tomllib import TOMLDecodeError, loads
else:
    from tomli import TOMLDecodeError, loads

__all__ = ["TOMLDecodeError", "dumps", "loads"]


def dumps(table: Mapping[str, Any]) -> str:
    """Plain values, tuples of them, tables and tuples of tables as TOML; what is None is left out.

    >>> print(dumps({"rate": 0.5, "name": None, "sizes": (1, 2), "data": ({"path": "a"},)}), end="")
    rate = 0.5
    sizes = [1, 2]
    <BLANKLINE>
    [[data]]
    path = "a"
    """
    return "\n".join(_lines(table, "")).strip() + "\n"


def _lines(table: Mapping[str, Any], prefix: str) -> Iterator[str]:
    nested: list[tuple[str, Any]] = []
    for key, value in table.items():
        if isinstance(value, Mapping) or (
            isinstance(value, tuple) and value and isinstance(value[0], Mapping)
        ):
            nested.append((key, value))
        elif value is not None:
            yield f"{key} = {_literal(value)}"
    for key, value in nested:
        name = f"{prefix}{key}"
        for entry in (value,) if isinstance(value, Mapping) else value:
            yield f"\n[{name}]" if isinstance(value, Mapping) else f"\n[[{name}]]"
            yield from _lines(entry, f"{name}.")


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_literal, value)) + "]"
    return repr(value)
