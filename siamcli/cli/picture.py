"""The options of the picture in an annotated video, for every command that writes one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

import typer

from siamcli.drawing.colors import COLOR_NAMES, parse_color
from siamcli.drawing.kinds import EFFECTS
from siamcli.drawing.style import Effect, Shape, Style, WhenLost

__all__ = ["PictureOptions"]

_PANEL = "Picture"
_STYLE = Style()
_ALL = "  Without LABEL: all targets.  Repeatable."


@dataclass(frozen=True, slots=True)
class PictureOptions:
    """What the user wants done to the picture; the fields are the options."""

    blur: Annotated[
        list[str] | None,
        typer.Option(help=EFFECTS["blur"].help + _ALL, metavar="[LABEL]", rich_help_panel=_PANEL),
    ] = None
    pixelate: Annotated[
        list[str] | None,
        typer.Option(help=EFFECTS["pixelate"].help + _ALL, metavar="[LABEL]", rich_help_panel=_PANEL),
    ] = None
    fill: Annotated[
        list[str] | None,
        typer.Option(
            help=f"{EFFECTS['fill'].help}  {' '.join(COLOR_NAMES)} or #rrggbb.  Repeatable.",
            metavar="[LABEL=]COLOR",
            rich_help_panel=_PANEL,
        ),
    ] = None
    spotlight: Annotated[
        list[str] | None,
        typer.Option(help=EFFECTS["spotlight"].help + _ALL, metavar="[LABEL]", rich_help_panel=_PANEL),
    ] = None
    shape: Annotated[Shape, typer.Option(help="Shape of what these four cover.", rich_help_panel=_PANEL)] = (
        _STYLE.shape
    )
    grow: Annotated[
        str,
        typer.Option(help="How much wider and higher than the target that is.", rich_help_panel=_PANEL),
    ] = f"{_STYLE.grow:.0%}"
    when_lost: Annotated[
        WhenLost,
        typer.Option(
            help="While a hidden target is lost: cover where it may be, an area that grows; or show it.",
            rich_help_panel=_PANEL,
        ),
    ] = _STYLE.when_lost

    def style(self) -> Style:
        """The style; raises typer.BadParameter."""
        effects = [
            Effect(kind, target.strip())
            for kind, named in (
                ("blur", self.blur),
                ("pixelate", self.pixelate),
                ("spotlight", self.spotlight),
            )
            for target in named or []
        ]
        for text in self.fill or []:
            target, _, color = text.rpartition("=")
            try:
                effects.append(Effect("fill", target.strip(), parse_color(color)))
            except ValueError as error:
                raise typer.BadParameter(f"--fill: {error}") from None
        return Style(tuple(effects), self.shape, _share("--grow", self.grow), self.when_lost)


def _share(option: str, text: str) -> float:
    """A share from 0 on, written in percent; raises typer.BadParameter."""
    match = re.fullmatch(r"(\d{1,4}(?:\.\d*)?)\s*%", text.strip())
    if match is None:
        raise typer.BadParameter(f"{option} takes a percentage such as 20%, not {text!r}")
    return float(match[1]) / 100
