"""The targets that a user names: boxes as text, in pixels or percent, with labels and times."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from siamcli.boxes import Box, misfit
from siamcli.errors import InputError
from siamcli.schema import decode
from siamcli.times import TimePoint, parse_time

__all__ = [
    *("BoxFormat", "Target", "check_label", "parse_target", "parse_timed_target"),
    *("read_lines", "read_targets"),
]

_logger = logging.getLogger(__name__)

BoxFormat = Literal["xywh", "xyxy", "cxcywh"]
_NUMBER = re.compile(r"([^\s,;%]+)(%?)")
_MASK = re.compile(r"m(\d+,){4,}\d+$")
_SLACK = 2  # frames; what containers announce is an estimate


@dataclass(frozen=True, slots=True)
class Target:
    """A box as the user wrote it: resolved once the frame's size is known."""

    text: str
    values: tuple[float, float, float, float]
    percent: tuple[bool, bool, bool, bool]
    format: BoxFormat
    label: str | None = None
    at: TimePoint | None = None

    def box(self, size: tuple[int, int]) -> Box:
        """The box in pixels of a frame of `size` (width, height).

        >>> parse_target("ball=50%,50%,10%,20", "cxcywh").box((640, 480))
        Box(x=288.0, y=230.0, w=64.0, h=20.0)

        Raises InputError for a box that does not fit the frame.
        """
        box = self.box_in(size)
        if wrong := misfit(box, size):
            raise InputError(
                f"box {self.text!r} {wrong}",
                hint=f"it was read as {self.format} from the top-left corner of the image; see --box-format",
            )
        return box

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


def parse_target(text: str, format: BoxFormat = "xywh") -> Target:
    """Read `[LABEL=]A,B,C,D`; numbers may be separated by commas or spaces and end in %.

    Brackets around all four, as Python and JSON write them, are left out.

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
        raise InputError(f"not a box: {text!r}", hint="write four numbers, for example --box 10,20,30,40")
    a, b, c, d = values
    pa, pb, pc, pd = (bool(mark) for _, mark in found)
    return Target(text.strip(), (a, b, c, d), (pa, pb, pc, pd), format, label.strip() or None)


def check_label(label: str) -> None:
    """Raises InputError for a label that is no text: bytes that are not UTF-8, on a command line.

    JSON, video and file names could not hold it.
    """
    try:
        label.encode()
    except UnicodeEncodeError:
        raise InputError(f"not a label: {label!r} is not UTF-8", hint="write it in UTF-8") from None


def parse_timed_target(text: str, format: BoxFormat = "xywh") -> Target:
    """Read `TIME=[LABEL=]A,B,C,D`: a target that is pointed at later.  Raises InputError."""
    time, sign, box = text.partition("=")
    if not sign:
        raise InputError(
            f"not a timed box: {text!r}", hint="write TIME=x,y,w,h, for example 12.5=10,20,30,40"
        )
    target = parse_target(box, format)
    return Target(text.strip(), target.values, target.percent, format, target.label, parse_time(time))


def read_targets(
    path: Path, format: BoxFormat = "xywh", frames: Callable[[], int | None] | None = None
) -> list[Target]:
    """The boxes of a text file, one `[LABEL=]A,B,C,D` per line; `#` starts a comment.

    Ground truth, a line for each of the source's `frames` or with NaN where nothing is to be seen, is one
    target, which begins with the first box.  Raises InputError naming file and line.
    """
    lines = read_lines(path)
    if first := _first_of_truth(lines, format, frames):
        _logger.warning(
            "%s has a line for every frame: the target begins in frame %d, %s", path, first[0], first[1].text
        )
        return [replace(first[1], at=TimePoint(frame=first[0]))]
    targets = []
    for number, line in enumerate(lines, start=1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        if _MASK.match(text):
            raise InputError(
                f"{path}, line {number}: a VOT mask, which is not read", hint="write a box: x,y,w,h"
            )
        try:
            targets.append(parse_target(text, format))
        except InputError as error:
            raise InputError(f"{path}, line {number}: {error}", hint=error.hint) from None
    if not targets:
        raise InputError(f"no box in {path}", hint="one box per line: x,y,w,h")
    return targets


def read_lines(path: Path) -> list[str]:
    """The lines of a box file, in UTF-8 or with a byte order mark.  Raises InputError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"cannot read the box file {path}: {error}", hint="one box per line: x,y,w,h"
        ) from None
    try:
        return decode(data).splitlines()
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(
            f"{path}, line {line}: neither UTF-8 nor UTF-16", hint="save the file as UTF-8"
        ) from None


def _first_of_truth(
    lines: Sequence[str], format: BoxFormat, frames: Callable[[], int | None] | None
) -> tuple[int, Target] | None:
    """Frame and box of the first line that has one, where lines are frames; else None."""
    texts = [line.strip() for line in lines if line.strip()]
    rows = [_plain_numbers(text) for text in texts]
    if len(rows) < 2 or any(len(row) != 4 for row in rows):
        return None
    if all(map(math.isfinite, sum(rows, ()))):
        count = None if frames is None else frames()
        if count is None or abs(count - len(rows)) > min(_SLACK, len(rows) // 10):
            return None
    for index, (row, text) in enumerate(zip(rows, texts, strict=True)):
        if all(map(math.isfinite, row)):
            target = parse_target(text, format)
            if target.box_in((1, 1)).valid:
                return index, target
    return None


def _plain_numbers(text: str) -> tuple[float, ...]:
    """The numbers of a line that holds nothing else."""
    try:
        return tuple(float(word) for word in re.split(r"[,;\s]+", text))
    except ValueError:
        return ()
