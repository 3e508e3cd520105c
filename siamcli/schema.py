"""Converts JSON and TOML to dataclasses and back; names all wrong keys in one error."""

from __future__ import annotations

import json
import math
import operator
import re
import sys
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from functools import cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

if sys.version_info >= (3, 11):
    from tomllib import TOMLDecodeError, loads
else:
    from tomli import TOMLDecodeError, loads

from siamcli.errors import why_unread

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError
    from pydantic_core import ErrorDetails

__all__ = [
    *("Count", "FileBelow", "FileName", "Line", "Natural", "NotNegative", "Number", "Positive", "Range"),
    *("LARGEST", "Rule", "Share"),
    *(
        "check_ranges",
        "decode",
        "from_json",
        "from_plain",
        "from_record",
        "from_toml",
        "load_json",
        "load_toml",
        "to_toml",
    ),
]

T = TypeVar("T")
LARGEST = 2**31 - 1
SHOWN, MOST = 60, 20
"""Characters of a value and wrong keys that a message shows."""
_ABSURD = "nested too deep, or a number of too many digits"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a value must be beside its type, in words and as a test; stands in the annotation."""

    words: str
    fits: Callable[[Any], bool]
    null: Any = None
    """What JSON's null stands for."""

    def __get_pydantic_core_schema__(self, source: object, handler: Any) -> Any:  # noqa: ANN401 - pydantic's
        from pydantic_core import core_schema

        checked = core_schema.no_info_after_validator_function(self._check, handler(source))
        if self.null is None:
            return checked
        return core_schema.no_info_before_validator_function(lambda v: self.null if v is None else v, checked)

    def _check(self, value: T) -> T:
        if not self.fits(value):
            raise ValueError(f"must be {self.words}, not {_short(value)}")
        return value


def Range(low: float, high: float = math.inf, open: Literal["", "low", "high", "both"] = "") -> Rule:
    """From `low` to `high`; the ends belong to it unless it is `open` there.  Finite in any case."""
    above, least = (operator.gt, "above") if open in ("low", "both") else (operator.ge, "at least")
    below, most = (operator.lt, "below") if open in ("high", "both") else (operator.le, "at most")
    words = f"{least} {low:.10g}"
    words = f"finite and {words}" if math.isinf(high) else f"{words} and {most} {high:.10g}"
    return Rule(words, lambda v: above(v, low) and below(v, high) and -math.inf < v < math.inf)


def _is_plain_name(text: str) -> bool:
    return text.isprintable() and bool(re.fullmatch(r"[^/\\ .]([^/\\]{0,198}[^/\\ .])?", text))


def can_be_named(text: str) -> bool:
    """False for what no file can be called; names that are not UTF-8 are kept in low half characters."""
    return not any(c == "\0" or "\ud800" <= c <= "\udc7f" or "\udd00" <= c <= "\udfff" for c in text)


def _leads_below(value: str) -> bool:
    """Whether the name of a file stays below its folder: what is written is named after it."""
    path = PurePosixPath(value)
    return bool(path.name) and not path.is_absolute() and ".." not in path.parts and "\0" not in value


Share = Annotated[float, Range(0, 1)]
Positive = Annotated[float, Range(0, open="low")]
NotNegative = Annotated[float, Range(0)]
Count = Annotated[int, Range(1, LARGEST)]
Natural = Annotated[int, Range(0, LARGEST)]
FileName = Annotated[str, Rule("a plain name", _is_plain_name)]
FileBelow = Annotated[str, Rule("the name of a file in a folder", _leads_below)]
Line = Annotated[str, Rule("one line of text", str.isprintable)]
Number = Annotated[float, Rule("finite", lambda v: not math.isinf(v), null=math.nan)]
"""JSON has no NaN: null stands for it."""


def check_ranges(record: Any) -> None:  # noqa: ANN401 - any dataclass
    """Raise ValueError that names every field of a dataclass that breaks the rule of its annotation.

    A rule within an annotation (of a tuple's items, beside None) holds for every value there.

    >>> check_ranges(dataclass(type("Job", (), {"__annotations__": {"warmup": Share}}))(2.0))
    Traceback (most recent call last):
    ValueError: warmup must be at least 0 and at most 1, not 2.0
    """
    wrong = [
        f"{name} must be {rule.words}, not {_short(value)}"
        for name, rule in _rules(cast("Hashable", type(record)))
        for value in _values(getattr(record, name))
        if not rule.fits(value)
    ]
    if wrong:
        raise ValueError("; ".join(wrong))


@cache
def _rules(kind: Any) -> tuple[tuple[str, Rule], ...]:  # noqa: ANN401 - any dataclass
    hints = get_type_hints(kind, include_extras=True)
    return tuple((name, rule) for name, hint in hints.items() for rule in _rules_within(hint))


def _rules_within(hint: object) -> Iterator[Rule]:
    if get_origin(hint) is Annotated:
        yield from (extra for extra in get_args(hint)[1:] if isinstance(extra, Rule))
    for inner in get_args(hint):
        yield from _rules_within(inner)


def _values(value: object) -> Iterator[object]:
    if isinstance(value, tuple):
        for item in value:
            yield from _values(item)
    elif value is not None:
        yield value


def from_json(kind: type[T], text: str | bytes) -> T:
    """The `kind` that a JSON object describes; fields that have a default may be missing.

    Raises ValueError, one line that names every key that is unknown, missing, or of a wrong value.
    """
    return _validated(kind, lambda adapter: adapter.validate_json(text, strict=True, extra="forbid"))


def from_plain(kind: type[T], table: Mapping[str, Any]) -> T:
    """The `kind` that plain values describe.  Raises ValueError as `from_json` does."""
    try:
        text = json.dumps(table)
    except TypeError:
        raise ValueError("a date or a time stands where none belongs") from None
    except (ValueError, RecursionError):
        raise ValueError(_ABSURD) from None
    return from_json(kind, text)


def from_toml(kind: type[T], text: str | bytes) -> T:
    """The `kind` that a TOML document describes.  Raises ValueError as `from_json` does."""
    return from_plain(kind, load_toml(text))


def from_record(kind: type[T], record: Mapping[str, Any]) -> T:
    """The `kind` in a record of a table: text stands for numbers too, unknown names are passed over.

    Raises ValueError as `from_json` does.
    """
    return _validated(kind, lambda adapter: adapter.validate_python(record, extra="ignore"))


def load_json(text: str | bytes) -> Any:  # noqa: ANN401 - whatever JSON holds
    """JSON of any program as plain values.  Raises ValueError, also for absurd depth and numbers."""
    try:
        return json.loads(text)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"not JSON: {why_unread(error) if text.strip() else 'it is empty'}") from None
    except (ValueError, RecursionError):
        raise ValueError(_ABSURD) from None


def load_toml(data: str | bytes) -> dict[str, Any]:
    """A TOML document as plain values.  Raises ValueError."""
    try:
        table: dict[str, Any] = loads(data if isinstance(data, str) else decode(data))
    except (TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"not TOML: {why_unread(error)}") from None
    except (ValueError, RecursionError):
        raise ValueError(_ABSURD) from None
    return table


def decode(data: bytes) -> str:
    """Text in UTF-8, or in another UTF with its byte order mark.  Raises UnicodeDecodeError."""
    return data.decode(json.detect_encoding(data)).removeprefix("\ufeff")


def to_toml(record: Any) -> str:  # noqa: ANN401 - any dataclass
    """A dataclass as TOML that `from_toml` reads back; what is None is left out.

    >>> print(to_toml(dataclass(type("Job", (), {"__annotations__": {"share": float}}))(0.5)), end="")
    share = 0.5
    """
    from tomli_w import dumps

    return dumps(asdict(record, dict_factory=lambda items: {k: v for k, v in items if v is not None}))


def _validated(kind: type[T], validate: Callable[[TypeAdapter[T]], T]) -> T:
    from pydantic import ValidationError

    try:
        return validate(_adapter(cast("Hashable", kind)))
    except ValidationError as error:
        raise ValueError(_in_words(kind, error)) from None


@cache
def _adapter(kind: Hashable) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(cast("type[Any]", kind))


_WANTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "float_parsing": "a number",
    "int_parsing": "a whole number",
    "finite_number": "a whole number",
    "bool_type": "true or false",
    "dict_type": "a table",
    "dataclass_type": "a table",
    "tuple_type": "a list",
    "too_long": "a shorter list",
}


def _in_words(kind: type[Any], error: ValidationError) -> str:
    problems = [_problem(kind, entry) for entry in error.errors(include_url=False)]
    more = [f"and {len(problems) - MOST} more"] if len(problems) > MOST else []
    return "; ".join([*problems[:MOST], *more])


def _problem(kind: type[Any], entry: ErrorDetails) -> str:
    """One error of pydantic, in the words of `Rule`."""
    what, key, value = entry["type"], _key(entry["loc"]), entry["input"]
    if what == "json_invalid":
        return f"not JSON: {entry['ctx']['error']}"
    if what == "missing":
        return f"{key} is missing"
    if what == "unexpected_keyword_argument":
        return f"unknown key {key} (known: {', '.join(_known(kind, entry['loc'][:-1]))})"
    if what == "value_error":  # a rule of the value, or a sentence about a whole table
        colon = ":" if key and isinstance(value, Mapping) else ""
        return f"{key}{colon} {entry['ctx']['error']}".strip()
    wanted = _WANTED.get(what) or entry["msg"].removeprefix("Input should be ")
    return f"{key} must be {wanted}, not {_short(value)}".strip()


def _key(place: tuple[int | str, ...]) -> str:
    """`track.steps`, `data[1].path`; what could be no name of a field is quoted."""
    key = ""
    for part in place:
        if isinstance(part, int):
            key += f"[{part}]"
        else:
            name = part if part.isidentifier() and len(part) < SHOWN else _short(part)
            key = f"{key}.{name}" if key else name
    return key


def _known(kind: Any, place: tuple[int | str, ...]) -> list[str]:  # noqa: ANN401 - any annotation
    """The names of the fields at a place inside of `kind`."""
    for part in place:
        if isinstance(part, str) and is_dataclass(kind):
            kind = get_type_hints(kind)[part]
        while not is_dataclass(kind) and get_args(kind):
            kind = get_args(kind)[0]
    return [field.name for field in fields(kind)]


def _short(value: object) -> str:
    try:
        text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    except ValueError:
        text = "a number of very many digits"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
