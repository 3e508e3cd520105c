"""Options for a crop that follows a target."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated

import typer

from siamcli.errors import InputError
from siamcli.labels import find_targets, known_targets
from siamcli.times import parse_seconds

if TYPE_CHECKING:
    from siamcli.analysis.framing import Crop

__all__ = ["CropOptions"]

_PANEL = "Crop"
_STEADY = 0.2  # seconds: enough to calm the tremor of boxes
_ZOOMS = (1, 16)


@dataclass(frozen=True, slots=True)
class CropOptions:
    """The crop that the user wants; the fields are the options."""

    crop: Annotated[
        str | None,
        typer.Option(
            help="Show only a window that follows this target.  LABEL may be left out if there is only one"
            " target.",
            metavar="[LABEL]",
            rich_help_panel=_PANEL,
        ),
    ] = None
    aspect: Annotated[
        str | None,
        typer.Option(
            help="Aspect ratio of the window, for example 9:16 or 1:1.",
            show_default="the video's",
            rich_help_panel=_PANEL,
        ),
    ] = None
    smooth: Annotated[
        str | None,
        typer.Option(
            help="Smooth the movement of the window over this many seconds.",
            show_default="1s",
            rich_help_panel=_PANEL,
        ),
    ] = None
    zoom: Annotated[
        str,
        typer.Option(
            help="Enlarge the picture, for example 2x; auto adapts the window to the target's size, and"
            " enlarges nothing.",
            rich_help_panel=_PANEL,
        ),
    ] = "1x"
    stabilize: Annotated[
        bool,
        typer.Option(
            "--stabilize",
            help=f"Keep the target in one place of the picture; the same as --smooth {_STEADY:g}s.",
            rich_help_panel=_PANEL,
        ),
    ] = False

    def wanted(self, labels: Sequence[str | None]) -> Crop | None:
        """The crop, None for the whole frame.  Raises typer.BadParameter, or InputError for an unknown
        target.
        """
        from siamcli.analysis.framing import Crop

        zoom, aspect = _zoom(self.zoom), None if self.aspect is None else _aspect(self.aspect)
        if self.smooth is not None and self.stabilize:
            raise typer.BadParameter("give --smooth or --stabilize, not both")
        smooth = _STEADY if self.stabilize else parse_seconds(self.smooth or "1s")
        if self.crop is None:
            if self.aspect or self.smooth or self.stabilize or zoom != 1:
                raise typer.BadParameter("--aspect, --smooth, --zoom and --stabilize go with --crop")
            return None
        targets = find_targets(self.crop.strip(), labels)
        if len(targets) > 1:
            raise InputError("--crop: which target?", hint=f"there are: {known_targets(labels)}")
        return Crop(targets[0], aspect, smooth, zoom)


def _aspect(text: str) -> Fraction:
    """Read `9:16`; raises typer.BadParameter."""
    match = re.fullmatch(r"(\d{1,5}(?:\.\d{1,4})?)\s*[:/]\s*(\d{1,5}(?:\.\d{1,4})?)", text.strip())
    if match is None or not float(match[1]) * float(match[2]):
        raise typer.BadParameter(f"--aspect takes width and height such as 9:16, not {text!r}")
    return Fraction(match[1]) / Fraction(match[2])


def _zoom(text: str) -> float | None:
    """Read `2x`, or `auto`, which is None; raises typer.BadParameter."""
    if text.strip().lower() == "auto":
        return None
    match = re.fullmatch(r"(\d{1,2}(?:\.\d{1,4})?)x?", text.strip().lower())
    if match is None or not _ZOOMS[0] <= float(match[1]) <= _ZOOMS[1]:
        raise typer.BadParameter(f"--zoom takes auto, or a factor from 1x to {_ZOOMS[1]}x, not {text!r}")
    return float(match[1])
