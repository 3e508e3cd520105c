"""Where targets begin, from box files: siamtrack's own and those of other programs."""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import get_args

from siamcli.boxes import Box
from siamcli.errors import InputError
from siamcli.formats.kinds import FORMATS, start_formats
from siamcli.targets import BoxFormat, Target, read_lines, read_targets
from siamcli.times import TimePoint

__all__ = ["number_format", "read_starts", "start_target"]


def number_format(name: str) -> BoxFormat:
    """The format of four numbers that `name` is; the default for a format of whole files."""
    return next((known for known in get_args(BoxFormat) if known == name), "xywh")


def read_starts(path: Path, name: str, frames: Callable[[], int | None] | None = None) -> list[Target]:
    """The targets of a box file, each at its first box.

    `name` is a BoxFormat, for lines of siamtrack's own (see `read_targets`, also for `frames`), or a format
    that has `starts`.  Raises InputError that names the file.
    """
    if name not in start_formats():
        return read_targets(path, number_format(name), frames)
    kind = FORMATS[name]
    module = import_module(f"siamcli.formats.{kind.module or kind.name}")
    text = "\n".join(read_lines(path))
    try:
        targets: list[Target] = module.starts(path, text)
    except (ArithmeticError, KeyError, IndexError, TypeError, ValueError) as error:
        what = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise InputError(f"{path} is no {name} file: {what}", hint="see --box-format") from None
    if not targets:
        raise InputError(f"no box in {path}", hint=f"it was read as {name}; see --box-format")
    return targets


def start_target(box: Box, frame: int, label: str = "", size: tuple[float, float] | None = None) -> Target:
    """A target of another program's file, in pixels of a frame of `size`, where the file says the size.

    In a frame of another size it is the same part of it.  Raises ValueError for what is no box.
    """
    if not box.valid or frame < 0:
        raise ValueError(f"{tuple(box)} in frame {frame} is no box")
    name = " ".join("".join(c if c.isprintable() else " " for c in label).split())
    text = ",".join(f"{value:g}" for value in box)
    if size is not None and not all(side > 0 and math.isfinite(side) for side in size):
        raise ValueError(f"{size} is no size")
    x, y, w, h = box if size is None else (100 * v / size[i % 2] for i, v in enumerate(box))
    percent = (size is not None,) * 4
    return Target(
        text, (x, y, w, h), (*percent[:2], *percent[2:]), "xywh", name or None, TimePoint(frame=frame)
    )
