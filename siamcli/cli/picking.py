"""Asks for targets in a window, or on a web page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from siamcli.cli import console

if TYPE_CHECKING:
    from siamcli.frames import Frame, SourceInfo
    from siamcli.session.job import Job
    from siamcli.targets import TargetMark

__all__ = ["PickBrowser", "announce", "ask_in_window", "ask_on_page"]

PickBrowser = Annotated[
    bool,
    typer.Option(
        "--pick-browser",
        help="Draw boxes on a web page, in any frame and for several targets; needs no display and works"
        " over SSH.",
        rich_help_panel="Target",
    ),
]


def ask_in_window(job: Job, first: Frame, info: SourceInfo) -> Sequence[TargetMark]:
    """The box that the user draws in the first frame; none if cancelled.  Raises PickError."""
    from siamcli.targets import parse_target
    from siamcli.ui.pick import window_picker

    title = f"siamtrack: {info.name}"
    job.style.check(job.labels)
    with window_picker(title) as ask:
        box = ask(first.image, title)
    return [] if box is None else [parse_target(",".join(map(str, box)))]


def ask_on_page(job: Job, first: Frame, info: SourceInfo) -> Sequence[TargetMark]:
    """The targets that the user picks on a web page, whose address is printed; none if cancelled."""
    from siamcli.ui.review.asking import ask_for_targets

    return ask_for_targets(job, first, info, announce)


def announce(address: str, port: int) -> None:
    """Print where to open a page."""
    console.prompt(f"open in a browser: {address}")
    if "//127.0.0.1:" in address:
        console.prompt(f"on another machine, first type: ssh -L {port}:127.0.0.1:{port} THIS_MACHINE")
