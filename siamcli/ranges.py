"""What a number may be, said where the field is declared, and checked when the record is made."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints

__all__ = ["Count", "NotNegative", "Positive", "Range", "Share", "check_ranges"]


@dataclass(frozen=True, slots=True)
class Range:
    """From `low` to `high`; the ends belong to it unless it is `open` there ("low", "high" or "both")."""

    low: float
    high: float = math.inf
    open: str = ""

    def __contains__(self, value: float) -> bool:
        """Whether the number is finite and inside."""
        above = self.low < value if self.open in ("low", "both") else self.low <= value
        below = value < self.high if self.open in ("high", "both") else value <= self.high
        return above and below and math.isfinite(value)

    def __str__(self) -> str:
        low = f"{'above' if self.open in ('low', 'both') else 'at least'} {self.low:g}"
        high = f"{'below' if self.open in ('high', 'both') else 'at most'} {self.high:g}"
        return f"finite and {low}" if math.isinf(self.high) else f"{low} and {high}"


Share = Annotated[float, Range(0, 1)]
Positive = Annotated[float, Range(0, open="low")]
NotNegative = Annotated[float, Range(0)]
Count = Annotated[int, Range(1)]


def check_ranges(record: Any) -> None:  # noqa: ANN401 - any dataclass
    """Raise ValueError that names the first field of a dataclass outside the `Range` of its annotation.

    A range within an annotation (of a tuple's items, beside None) holds for every number there.

    >>> check_ranges(dataclass(type("Job", (), {"__annotations__": {"warmup": Share}}))(2.0))
    Traceback (most recent call last):
    ValueError: warmup must be at least 0 and at most 1, not 2.0
    """
    for name, hint in get_type_hints(type(record), include_extras=True).items():
        value = getattr(record, name)
        for allowed in _ranges(hint):
            for number in value if isinstance(value, tuple) else () if value is None else (value,):
                if number not in allowed:
                    raise ValueError(f"{name} must be {allowed}, not {number!r}")


def _ranges(hint: object) -> Iterator[Range]:
    if get_origin(hint) is Annotated:
        yield from (extra for extra in get_args(hint)[1:] if isinstance(extra, Range))
    for inner in get_args(hint):
        yield from _ranges(inner)
