"""siamtrack help: shows the help of a command."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from siamcli.cli.usage import WrongUsage

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
    shown: Any = root.command  # a group has commands
    words = command or []
    for place, word in enumerate(words):
        if not hasattr(shown, "commands"):
            hint = " ".join(["siamtrack help", *words[:place]])
            raise WrongUsage(f"no help on {word!r}: {shown.name} has no commands", hint)
        if (shown := shown.commands.get(word)) is None:
            break  # the root says so
    root.command.main([*words, "--help"], prog_name=root.info_name, standalone_mode=False)
