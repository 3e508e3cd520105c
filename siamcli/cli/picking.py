"""Chooses between a window and a browser for pointing at targets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from siamcli.cli import console

if TYPE_CHECKING:
    from siamcli.ui.pick import Picker

__all__ = ["PickBrowser", "announce", "picker"]

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

    Raises PickError without a display, unless it is for a `browser`, whose address is printed.
    """
    if not browser:
        from siamcli.ui.pick import window_picker

        with window_picker(title) as ask:
            yield ask
        return
    from siamcli.ui.browser import BrowserPicker

    with closing(BrowserPicker()) as page:
        announce(page.address, page.port)
        yield page


def announce(address: str, port: int) -> None:
    """Say where a page is to be opened."""
    console.prompt(f"open in a browser: {address}")
    if "//127.0.0.1:" in address:
        console.prompt(f"from elsewhere, first: ssh -L {port}:127.0.0.1:{port} THIS_MACHINE")
