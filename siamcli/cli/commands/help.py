"""siamtrack help: shows the help of a command."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["help_"]


def help_(
    context: typer.Context,
    command: Annotated[
        list[str] | None, typer.Argument(help="A command, for example run, or weights list.")
    ] = None,
) -> None:
    """Show the help of a command, or of siamtrack.

    Examples:
        siamtrack help run
        siamtrack help weights list
    """
    root = context.find_root()
    root.command.main([*(command or []), "--help"], prog_name=root.info_name, standalone_mode=False)
