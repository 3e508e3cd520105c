"""Targets from the options of `run`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import typer

from siamcli.cli.options import check_box_format
from siamcli.cli.usage import WrongUsage
from siamcli.targets import TargetMark, parse_absent, parse_target, parse_timed_target

__all__ = ["given_targets", "require_one_way"]


def require_one_way(ways: list[bool]) -> None:
    """Raises typer.BadParameter unless targets are given in one way: boxes, a window or a web page."""
    if sum(ways) > 1:
        raise typer.BadParameter("give a box, --pick or --pick-browser, not both")
    if not any(ways):
        raise WrongUsage(
            "where is the target?", hint="give --box x,y,w,h, or draw it with --pick or --pick-browser"
        )


def given_targets(
    source: str,
    box: list[str] | None,
    box_at: list[str] | None,
    absent: list[str] | None,
    box_file: Path | None,
    box_format: str,
) -> list[TargetMark]:
    """The targets of all options, in the order --box, --box-file, --box-at, --absent."""
    from siamcli.formats.starts import number_format, read_starts

    check_box_format(box_format, files_only=not (box or box_at))
    numbers = number_format(box_format)
    targets: list[TargetMark] = [parse_target(text, numbers) for text in box or []]
    if box_file is not None:
        targets += read_starts(box_file, box_format, partial(_announced_count, source))
    targets += [parse_timed_target(text, numbers) for text in box_at or []]
    return targets + [parse_absent(text) for text in absent or []]


def _announced_count(source: str) -> int | None:
    from siamcli.media.sources import announced_count  # it takes longer to load than wrong usage to be said

    return announced_count(source)
