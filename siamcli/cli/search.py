"""Options for the part of the frame in which targets are searched for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypedDict

import typer

from siamcli.errors import InputError
from siamcli.targets import Target, parse_region

__all__ = ["SearchOptions", "SearchPlace"]


class SearchPlace(TypedDict):
    """The fields of a Job that say where to search."""

    region: Target | None
    mask: str | None


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """Where targets are looked for; the fields are the options."""

    region: Annotated[
        str | None,
        typer.Option(
            help="Search only in this part of the frame, x,y,w,h in pixels or percent: the centre of every"
            " box lies in it.",
            show_default="the whole frame; for fix and review, as it was tracked before",
            rich_help_panel="Target",
        ),
    ] = None
    mask: Annotated[
        Path | None,
        typer.Option(
            help="Search only where this image, which has the size of the frame, is white.",
            rich_help_panel="Target",
        ),
    ] = None

    def given(self) -> SearchPlace:
        """The values of the options.  Raises typer.BadParameter if both are given, InputError for a wrong
        region or mask.
        """
        if self.region is not None and self.mask is not None:
            raise typer.BadParameter("give --region or --mask, not both")
        if self.mask is not None and not self.mask.is_file():
            what = "not a file" if self.mask.exists() else "no such file"
            raise InputError(f"{what}: {self.mask}", hint="--mask takes an image")
        if self.mask is not None:
            from siamcli.media.masks import read_mask

            read_mask(str(self.mask))
        region = None if self.region is None else parse_region(self.region)
        return {"region": region, "mask": None if self.mask is None else str(self.mask)}
