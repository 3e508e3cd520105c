"""Reads the first box of every target from box files, of siamtrack and of other programs."""

from __future__ import annotations

import logging
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import get_args

from siamcli.boxes import Box
from siamcli.errors import InputError, why_wrong
from siamcli.formats.kinds import FORMATS, start_formats
from siamcli.formats.names import label_of
from siamcli.targets import BoxFormat, Target, TargetMark, parse_mark, parse_target, read_lines
from siamcli.times import TimePoint

__all__ = ["first_box", "number_format", "read_starts", "start_target"]

_logger = logging.getLogger(__name__)
_BETWEEN = re.compile(r"[,;\s]+")  # numbers of a line
_TIME = re.compile(r"\d+f|\d+(?::\d+)+(?:[.;]\d+)?")  # which no label is likely to be
_COMMENT = re.compile(r"#(?!\d+\s*=)")  # and not the number of a target
_JSON_OR_XML = re.compile(r"\s*([{<]|\[\s*([\[{]|$))")
_MASK = re.compile(r"m(\d+,){4,}\d+$")
_SLACK = 2  # frames; what containers announce is an estimate


def number_format(name: str) -> BoxFormat:
    """The format of four numbers that `name` is; the default for a format of whole files."""
    return next((known for known in get_args(BoxFormat) if known == name), "xywh")


def read_starts(
    path: Path, name: str, frames: Callable[[], int | None] | None = None
) -> Sequence[TargetMark]:
    """The targets of a box file, each at its first box.

    `name` is a BoxFormat, for lines as `parse_mark` reads them, or a format that has `starts`.
    Ground truth, a line for each of the source's `frames` or with NaN where nothing is to be seen, is one
    target.
    Raises InputError that names the file.
    """
    lines = read_lines(path)
    if name not in start_formats():
        truth = _boxes_of_truth(lines, number_format(name), frames)
        if not truth:
            return _own_marks(path, lines, number_format(name))
        said = "%s has a line for every frame: one target, whose first box is %s in frame %d"
        _logger.warning(said, path, truth[0].text, truth[0].at and truth[0].at.frame)
        return [first_box(truth)]
    try:
        targets: list[Target] = FORMATS[name].load().starts(path, "\n".join(lines))
    except (ArithmeticError, KeyError, IndexError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} is not a {name} file: {why_wrong(error)}", hint="see --box-format"
        ) from None
    if not targets:
        raise InputError(f"no box in {path}", hint=f"it was read as {name}; see --box-format")
    return _with_own_labels(targets)


def _own_marks(path: Path, lines: Sequence[str], format: BoxFormat) -> list[TargetMark]:
    """A target or an absence of every line; `#` starts a comment.  Raises InputError naming file and line."""
    foreign = f"a file of another program needs --box-format {', '.join(start_formats())}"
    if _JSON_OR_XML.match("\n".join(lines)):  # whose lines may be long, and say nothing
        raise InputError(f"{path} is no list of boxes x,y,w,h", hint=foreign)
    marks: list[TargetMark] = []
    for number, line in enumerate(lines, start=1):
        text = _COMMENT.split(line)[0].strip()
        if not text:
            continue
        if _MASK.match(text):
            raise InputError(
                f"{path}, line {number}: a VOT mask, which is not read", hint="write a box: x,y,w,h"
            )
        try:
            mark = parse_mark(text, format)
        except InputError as error:
            raise InputError(f"{path}, line {number}: {error}", hint=f"{error.hint}; {foreign}") from None
        marks.append(mark)
        if isinstance(mark, Target) and mark.at is None and _TIME.fullmatch(mark.label or ""):
            _logger.warning(
                "%s, line %d: %s is taken for a label; for a time, write %s==x,y,w,h",
                *(path, number, mark.label, mark.label),
            )
    if not marks:
        raise InputError(f"no box in {path}", hint="one box per line: x,y,w,h")
    return marks


def _with_own_labels(targets: Sequence[Target]) -> list[Target]:
    """`targets`, numbered where several have one label: these would be one target.  A `#` that would make
    the label mean another target by its number is left out.

    >>> def labels(*names):
    ...     targets = [start_target(Box(1, 2, 3, 4), 0, name) for name in names]
    ...     return [target.label for target in _with_own_labels(targets)]
    >>> labels("ball", "ball"), labels("ball", "ball", "ball 1"), labels("dog", "#1", "#10", "target 4")
    (['ball 1', 'ball 2'], ['ball 1 1', 'ball 2', 'ball 1'], ['dog', '1', '10', None])
    """
    labels = [
        re.sub(r"^#(?=\d+$)", "", label_of(target.label or "", number) or "")
        for number, target in enumerate(targets, start=1)
    ]
    count = Counter(labels)
    taken = {label for label in labels if count[label] == 1}
    own: list[Target] = []
    for number, (target, label) in enumerate(zip(targets, labels, strict=True), start=1):
        name = label
        while label and count[label] > 1 and (name == label or name in taken):
            name = f"{name} {number}"
        taken.add(name)
        own.append(replace(target, label=name or None))
    return own


def _boxes_of_truth(
    lines: Sequence[str], format: BoxFormat, frames: Callable[[], int | None] | None
) -> list[Target]:
    """The target at every line that has a box, where lines are frames; else nothing."""
    texts = [",".join(_BETWEEN.split(line.strip())) for line in lines if line.strip()]
    rows = [_plain_numbers(text) for text in texts]
    if len(rows) < 2 or any(len(row) != 4 for row in rows):
        return []
    if all(map(math.isfinite, chain(*rows))):
        count = None if frames is None else frames()
        if count is None or abs(count - len(rows)) > min(_SLACK, len(rows) // 10):
            return []
    whole = [index for index, row in enumerate(rows) if all(map(math.isfinite, row))]
    boxes = [
        replace(parse_target(texts[index], format), at=TimePoint(frame=index), annotations=True)
        for index in whole
    ]
    return [target for target in boxes if target.box_in((1, 1)).valid]


def _plain_numbers(text: str) -> tuple[float, ...]:
    """The numbers of a line that holds nothing else."""
    try:
        return tuple(float(word) for word in _BETWEEN.split(text))
    except ValueError:
        return ()


def start_target(box: Box, frame: int, label: str = "", size: tuple[float, float] | None = None) -> Target:
    """A target of another program's file, in pixels of a frame of `size`, where the file says the size.

    In a frame of another size it is the same part of it.  Raises ValueError for what is no box.
    """
    if not box.valid or frame < 0:
        raise ValueError(f"{tuple(box)} in frame {frame} is not a box")
    text = ",".join(f"{value:g}" for value in box)
    if size is not None and not all(side > 0 and math.isfinite(side) for side in size):
        raise ValueError(f"{size} is not a size")
    x, y, w, h = box if size is None else (100 * v / size[i % 2] for i, v in enumerate(box))
    percent = (size is not None,) * 4
    return Target(
        text,
        (x, y, w, h),
        (*percent[:2], *percent[2:]),
        "xywh",
        label_of(label),
        TimePoint(frame=frame),
        annotations=True,
    )


def first_box(boxes: Sequence[Target]) -> Target:
    """The target of annotations at the first of its boxes, which are in the order of their frames."""
    return replace(boxes[0], later=tuple(boxes[1:]))
