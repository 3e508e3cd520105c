"""How the user points: with options, in a window or in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from siamcli.cli import console
from siamcli.targets import (
    BoxFormat,
    TargetMark,
    parse_absent,
    parse_target,
    parse_timed_target,
    read_targets,
)

if TYPE_CHECKING:
    from siamcli.ui.pick import Picker

__all__ = ["PickBrowser", "marks_of", "picker"]

PickBrowser = Annotated[
    bool,
    typer.Option(
        "--pick-browser",
        help="Draw the box on a web page: needs no display, works over SSH.",
        rich_help_panel="Target",
    ),
]


@contextmanager
def picker(title: str, *, browser: bool) -> Iterator[Picker]:
    """Gives what asks the user for boxes; opens when it is entered.

    Raises PickError without a display, unless it is for a `browser`, whose address people are told.
    """
    if not browser:
        from siamcli.ui.pick import window_picker

        with window_picker(title) as ask:
            yield ask
        return
    from siamcli.ui.browser import BrowserPicker

    with closing(BrowserPicker()) as page:
        console.ask(f"open in a browser: {page.address}")
        console.ask(f"from elsewhere, first: ssh -L {page.port}:127.0.0.1:{page.port} THIS_MACHINE")
        yield page


def marks_of(
    box: list[str] | None,
    box_at: list[str] | None,
    absent: list[str] | None,
    box_file: Path | None,
    box_format: BoxFormat,
) -> list[TargetMark]:
    """All that was said of targets, in the order --box, --box-file, --box-at, --absent."""
    targets: list[TargetMark] = [parse_target(text, box_format) for text in box or []]
    if box_file is not None:
        targets += read_targets(box_file, box_format)
    targets += [parse_timed_target(text, box_format) for text in box_at or []]
    return targets + [parse_absent(text) for text in absent or []]
