"""The targets that a user names: boxes as text, in pixels or percent, with labels and times."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from siamcli.boxes import Box, misfit
from siamcli.errors import InputError
from siamcli.times import TimePoint, parse_time

__all__ = ["BoxFormat", "Target", "check_label", "parse_target", "parse_timed_target", "read_targets"]

BoxFormat = Literal["xywh", "xyxy", "cxcywh"]
_NUMBER = re.compile(r"([^\s,;%]+)(%?)")


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
        sides = (size[0], size[1], size[0], size[1])
        a, b, c, d = (
            v * side / 100 if percent else v
            for v, percent, side in zip(self.values, self.percent, sides, strict=True)
        )
        if self.format == "xyxy":
            box = Box(a, b, c - a, d - b)
        elif self.format == "cxcywh":
            box = Box.from_center(a, b, c, d)
        else:
            box = Box(a, b, c, d)
        if wrong := misfit(box, size):
            raise InputError(
                f"box {self.text!r} {wrong}",
                hint=f"it was read as {self.format} from the top-left corner of the image; see --box-format",
            )
        return box


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


def read_targets(path: Path, format: BoxFormat = "xywh") -> list[Target]:
    """The boxes of a text file, one `[LABEL=]A,B,C,D` per line; `#` starts a comment.

    Raises InputError naming file and line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"cannot read the box file {path}: {error}", hint="one box per line: x,y,w,h"
        ) from None
    targets = []
    for number, line in enumerate(lines, start=1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        try:
            targets.append(parse_target(text, format))
        except InputError as error:
            raise InputError(f"{path}, line {number}: {error}", hint=error.hint) from None
    if not targets:
        raise InputError(f"no box in {path}", hint="one box per line: x,y,w,h")
    return targets
