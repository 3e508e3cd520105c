"""The targets that a user names: boxes as text, in pixels or percent, with labels and times."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

from siamcli.boxes import Box, box_problem, clip_box, oddity
from siamcli.errors import InputError, why_unread
from siamcli.labels import known_targets
from siamcli.schema import decode
from siamcli.times import TimePoint, parse_span, parse_time

__all__ = [
    *("ABSENT", "AbsentTarget", "BoxFormat", "Target", "TargetMark", "check_label", "number_marks"),
    *("parse_absent", "parse_mark", "parse_region", "parse_target", "parse_timed_target", "read_lines"),
    *("one_line", "target_labels"),
]

BoxFormat = Literal["xywh", "xyxy", "cxcywh"]
ABSENT = "absent"  # stands in the place of a box
_ODD, _NUMBER = ("Cc", "Cs", "Zl", "Zp"), re.compile(r"([^\s,;%]+)(%?)")
_REFERENCE = re.compile(r"#(\d{1,9})")


@dataclass(frozen=True, slots=True)
class Target:
    """A box as the user wrote it; `box` gives its pixels once the frame size is known.

    `values` are its four numbers in the order of `format`; `percent` tells which of them are percentages.
    `at` is the time of its frame, None the first frame.  A box from `annotations` of a whole clip may lie
    outside the part that is tracked; `later` are the target's boxes after it.
    """

    text: str
    values: tuple[float, float, float, float]
    percent: tuple[bool, bool, bool, bool]
    format: BoxFormat
    label: str | None = None
    at: TimePoint | None = None
    annotations: bool = False
    later: tuple[Target, ...] = field(default=(), repr=False, compare=False)

    def box(self, size: tuple[int, int]) -> Box:
        """The box in pixels of a frame of `size` (width, height).

        >>> parse_target("ball=50%,50%,10%,20", "cxcywh").box((640, 480))
        Box(x=288.0, y=230.0, w=64.0, h=20.0)

        Raises InputError for a box that does not fit the frame.
        """
        box = self.box_in(size)
        if wrong := box_problem(box, size):
            raise InputError(
                f"box {self.text!r} {wrong}",
                hint=f"it was read as {self.format} from the top-left corner of the image; see --box-format",
            )
        return box

    @property
    def moments(self) -> tuple[TimePoint, ...]:
        """Its time, if it has one."""
        return () if self.at is None else (self.at,)

    def at_rate(self, rate: Fraction) -> Target:
        """The same with a frame in place of a timecode, at a constant frame rate.  Raises InputError."""
        return self if self.at is None else replace(self, at=self.at.at_rate(rate))

    def box_in(self, size: tuple[int, int]) -> Box:
        """The box in pixels of a frame of `size` (width, height), whether or not it fits."""
        sides = (size[0], size[1], size[0], size[1])
        a, b, c, d = (
            v * side / 100 if percent else v
            for v, percent, side in zip(self.values, self.percent, sides, strict=True)
        )
        if self.format == "xyxy":
            return Box(a, b, c - a, d - b)
        return Box.from_center(a, b, c, d) if self.format == "cxcywh" else Box(a, b, c, d)

    def oddity(self, size: tuple[int, int]) -> str | None:
        """What is unusual about the box in a frame of `size`, and what the user may have meant; None if
        nothing is.

        >>> parse_target("60,40,110,90").oddity((160, 120))
        'leaves the 160x120 frame; were these corners? --box-format xyxy'
        """
        box, corners = self.box_in(size), replace(self, format="xyxy").box_in(size)
        said = oddity(box, size)
        if said and box != corners and corners.valid and clip_box(corners, size) == corners:
            return f"{said}; were these corners? --box-format xyxy"
        return said


@dataclass(frozen=True, slots=True)
class AbsentTarget:
    """A target is not visible from `first` to `last`, both included.  Raises InputError if `last` is before
    `first`.
    """

    text: str
    first: TimePoint
    last: TimePoint
    label: str | None = None

    def __post_init__(self) -> None:
        if self.first.is_from(self.last) and not self.last.is_from(self.first):
            raise InputError(
                f"not a stretch of time: {self.text!r}", hint="write the earlier time first: 63f-80f"
            )

    @property
    def moments(self) -> tuple[TimePoint, ...]:
        """Its first time and its last."""
        return self.first, self.last

    def at_rate(self, rate: Fraction) -> AbsentTarget:
        """The same with frames in place of timecodes, at a constant frame rate.  Raises InputError."""
        return replace(self, first=self.first.at_rate(rate), last=self.last.at_rate(rate))


TargetMark = Target | AbsentTarget
"""What a user writes of a target."""


def number_marks(marks: Sequence[TargetMark], labels: Sequence[str | None] = ()) -> list[int]:
    """The target of every mark, from 1, after those that have `labels` already.

    The same label is the same target; `#2` is target 2; a box without a label is a target of its own.
    An absence without a label is of the only target.

    >>> number_marks([parse_target(text + "=1,2,3,4") for text in ("bug", "", "bug", "#2")])
    [1, 2, 1, 2]

    Raises InputError for a target that is not there, and for a label that several of those before have.
    """
    names = list(labels)
    numbers: dict[int, int] = {}
    for position, mark in sorted(enumerate(marks), key=lambda item: isinstance(item[1], AbsentTarget)):
        reference = _REFERENCE.fullmatch(mark.label or "")
        same = 0 if mark.label is None else names.count(mark.label)
        if reference and 1 <= int(reference[1]) <= len(names):
            numbers[position] = int(reference[1])
        elif same == 1:
            numbers[position] = names.index(mark.label) + 1
        elif isinstance(mark, Target) and not reference and not same:
            names.append(mark.label)
            numbers[position] = len(names)
        elif mark.label is None and len(names) == 1:
            numbers[position] = 1
        else:
            known = known_targets(names)
            which = "which target?" if same or not mark.label else f"no target {mark.label!r}"
            raise InputError(
                f"{mark.text!r}: {which}", hint=f"there are: {known}" if known else "give its box"
            )
    return [numbers[position] for position in range(len(marks))]


def target_labels(marks: Sequence[TargetMark]) -> tuple[str | None, ...]:
    """The labels of the targets in order, None where there is none.  Raises InputError as `number_marks`."""
    first: dict[int, str | None] = {}
    for number, mark in zip(number_marks(marks), marks, strict=True):
        first.setdefault(number, mark.label)
    return tuple(first[number] for number in sorted(first))


def parse_target(text: str, format: BoxFormat = "xywh") -> Target:
    """Read `[LABEL=]A,B,C,D`: four numbers separated by commas or spaces, also in percent or in brackets.

    >>> parse_target("player = 10, 20, 30, 40").label
    'player'

    Raises InputError.
    """
    label, _, numbers = text.rpartition("=")
    check_label(label)
    numbers = numbers.strip()
    if numbers[:1] + numbers[-1:] in ("[]", "()"):
        numbers = numbers[1:-1]
    found = _NUMBER.findall(numbers)
    try:
        values = tuple(float(number) for number, _ in found)
    except ValueError:
        values = ()
    if len(values) != 4 or not all(map(math.isfinite, values)):
        raise InputError(f"not a box: {text!r}", hint="write four numbers, for example 10,20,30,40")
    a, b, c, d = values
    pa, pb, pc, pd = (bool(mark) for _, mark in found)
    return Target(text.strip(), (a, b, c, d), (pa, pb, pc, pd), format, label.strip() or None)


def parse_region(text: str) -> Target:
    """Read `X,Y,W,H` in pixels or percent as a part of the frame.  Raises InputError."""
    try:
        region = parse_target(text)
    except InputError:
        region = None
    if region is None or region.label or region.values[2] <= 0 or region.values[3] <= 0:
        raise InputError(f"not a region: {text!r}", hint="write x,y,w,h, for example 25%,0,50%,100%")
    return region


def one_line(label: str) -> str:
    """The label with spaces for what not every format holds: control characters, halves, ends of lines."""
    return "".join(" " if unicodedata.category(c) in _ODD or c in "\ufffe\uffff" else c for c in label)


def check_label(label: str) -> None:
    """Raises InputError for a label that is not UTF-8, on a command line, or no line as `one_line` says."""
    try:
        label.encode()
    except UnicodeEncodeError:
        raise InputError(f"not a label: {label!r} is not UTF-8", hint="write it in UTF-8") from None
    if one_line(label.strip()) != label.strip():
        raise InputError(f"not a label: {label!r} has a control character", hint="write it in one line")


def parse_timed_target(text: str, format: BoxFormat = "xywh") -> Target:
    """Read `TIME=[LABEL=]A,B,C,D`, a box at a later time.  Raises InputError."""
    time, sign, box = text.partition("=")
    if not sign:
        raise InputError(f"not a timed box: {text!r}", hint="write TIME=x,y,w,h: 12.5=10,20,30,40")
    target = parse_target(box, format)
    return Target(text.strip(), target.values, target.percent, format, target.label, parse_time(time))


def parse_absent(text: str) -> AbsentTarget:
    """Read `[LABEL=]FIRST-LAST`, or `[LABEL=]TIME` for one frame.  Raises InputError.

    >>> str(parse_absent("bug=63f-80f").last)
    '80f'
    """
    label, _, span = text.rpartition("=")
    check_label(label)
    first, last = parse_span(span)
    return AbsentTarget(text.strip(), first, last, label.strip() or None)


def parse_mark(text: str, format: BoxFormat = "xywh") -> TargetMark:
    """Read a line of a box file: `[TIME=LABEL=]A,B,C,D`, `[LABEL=]A,B,C,D` or `FIRST-LAST=[LABEL=]absent`.

    Raises InputError.
    """
    before, _, box = text.rpartition("=")
    first, sign, label = before.partition("=")
    time = first.strip() if sign else ""
    if box.strip() == ABSENT:
        span, name = (time, label.strip()) if time else (label or first, "")
        return replace(parse_absent(f"{name}={span}" if name else span), text=text)
    try:
        parse_time(time)
    except InputError:
        return parse_target(text, format)
    return parse_timed_target(text, format)


def read_lines(path: Path) -> list[str]:
    """The lines of a box file, in UTF-8 or with a byte order mark.  Raises InputError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"cannot read the box file {path}: {why_unread(error)}", hint="one box per line: x,y,w,h"
        ) from None
    try:
        return decode(data).splitlines()
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(
            f"{path}, line {line}: neither UTF-8 nor UTF-16", hint="save the file as UTF-8"
        ) from None
