"""Options for the picture of an annotated video."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, get_args

import typer

from siamcli.cli.usage import read_share
from siamcli.drawing.colors import COLOR_NAMES, parse_color
from siamcli.drawing.kinds import EFFECTS
from siamcli.drawing.style import Color, Effect, LabelPart, Mark, Shape, Style, WhenLost
from siamcli.times import parse_seconds

__all__ = ["PictureOptions"]

_PANEL = "Picture"
_STYLE = Style()
_PARTS: tuple[LabelPart, ...] = get_args(LabelPart)
_ALL = "  Without LABEL: all targets.  Repeatable."


@dataclass(frozen=True, slots=True)
class PictureOptions:
    """What is drawn into or hidden in the picture; the fields are the options."""

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
            help=f"{EFFECTS['fill'].help} {' '.join(COLOR_NAMES)} or #rrggbb.  Without LABEL: all targets."
            "  Repeatable.",
            metavar="[LABEL=]COLOR",
            rich_help_panel=_PANEL,
        ),
    ] = None
    spotlight: Annotated[
        list[str] | None,
        typer.Option(help=EFFECTS["spotlight"].help + _ALL, metavar="[LABEL]", rich_help_panel=_PANEL),
    ] = None
    shape: Annotated[
        Shape, typer.Option(help="Shape of the area that these four effects cover.", rich_help_panel=_PANEL)
    ] = _STYLE.shape
    grow: Annotated[
        str,
        typer.Option(help="How much wider and higher than the target that area is.", rich_help_panel=_PANEL),
    ] = f"{_STYLE.grow:.0%}"
    when_lost: Annotated[
        WhenLost,
        typer.Option(
            help="While a hidden target is lost, cover the growing area in which it may be, or show the"
            " picture.",
            rich_help_panel=_PANEL,
        ),
    ] = _STYLE.when_lost

    draw: Annotated[
        Mark | None,
        typer.Option(
            help="Mark drawn on each target.", show_default="box; none with an effect", rich_help_panel=_PANEL
        ),
    ] = None
    labels: Annotated[
        str | None,
        typer.Option(
            help=f"What is written beside a mark: some of {','.join(_PARTS)}, or none.  The state is written"
            " only while the target is not tracked.",
            show_default=",".join(_PARTS),
            rich_help_panel=_PANEL,
        ),
    ] = None
    trail: Annotated[
        str | None,
        typer.Option(help="Draw the path of the last seconds, for example 1s.", rich_help_panel=_PANEL),
    ] = None
    line: Annotated[
        float | None,
        typer.Option(
            help="Line width in pixels.",
            min=1,
            max=100,
            show_default="by the size of the frame",
            rich_help_panel=_PANEL,
        ),
    ] = None
    color: Annotated[
        list[str] | None,
        typer.Option(
            help="Colour of a target's marks.  Without LABEL: of all targets.  Repeatable.",
            metavar="[LABEL=]COLOR",
            rich_help_panel=_PANEL,
        ),
    ] = None
    frame_number: Annotated[
        bool | None,
        typer.Option(
            "--frame-number/--no-frame-number",
            help="Write the frame number into the picture.",
            show_default="with marks",
            rich_help_panel=_PANEL,
        ),
    ] = None

    def style(self, *, drawn: bool = True) -> Style:
        """The style.  Raises typer.BadParameter, also for an effect if no picture is `drawn`."""
        named = [name for name in EFFECTS if getattr(self, name)]
        if named and not drawn:
            raise typer.BadParameter(f"--{named[0]} needs a video among the outputs")
        grow, default = read_share("--grow", self.grow), PictureOptions()
        idle = [
            name for name in ("shape", "grow", "when_lost") if getattr(self, name) != getattr(default, name)
        ]
        if idle and not named:
            what = ", ".join(f"--{name}" for name in EFFECTS)
            raise typer.BadParameter(f"--{idle[0].replace('_', '-')} belongs to one of {what}")
        effects = [
            Effect(kind, target.strip())
            for kind, named in (
                ("blur", self.blur),
                ("pixelate", self.pixelate),
                ("spotlight", self.spotlight),
            )
            for target in named or []
        ]
        effects += [Effect("fill", target, color) for target, color in _colors("--fill", self.fill)]
        return Style(
            effects=tuple(effects),
            shape=self.shape,
            grow=grow,
            when_lost=self.when_lost,
            mark=self.draw,
            labels=None if self.labels is None else _parts(self.labels),
            trail=0.0 if self.trail is None else parse_seconds(self.trail),
            line=self.line,
            colors=tuple(_colors("--color", self.color)),
            frame_number=self.frame_number,
        )


def _colors(option: str, texts: list[str] | None) -> list[tuple[str, Color]]:
    """Target and colour of each `[LABEL=]COLOR`; raises typer.BadParameter."""
    found = []
    for text in texts or []:
        target, _, color = text.rpartition("=")
        try:
            found.append((target.strip(), parse_color(color)))
        except ValueError as error:
            raise typer.BadParameter(f"{option}: {error}") from None
    return found


def _parts(text: str) -> tuple[LabelPart, ...]:
    """Read `name,score`, or `none`; raises typer.BadParameter."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    if words == ["none"]:
        return ()
    parts = tuple(part for part in _PARTS if part in words)
    if not words or len(parts) < len(set(words)):
        raise typer.BadParameter(f"--labels takes some of {','.join(_PARTS)}, or none, not {text!r}")
    return parts
