"""Figures as files: the same content gives the same bytes.  Needs matplotlib, the extra `plots`."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from siamcli.atomic import atomic_file, make_folder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FIGURE_SUFFIXES", "save_figure"]

_NO_DATES = {".png": {"Software": None}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}

FIGURE_SUFFIXES = tuple(_NO_DATES)


def save_figure(figure: Figure, path: Path, *, overwrite: bool) -> None:
    """Write a figure as PNG, SVG or PDF, by the suffix of `path`; raises OutputError."""
    salt = {"svg.hashsalt": "siamtrack"}
    suffix = path.suffix.lower()
    make_folder(path.parent)
    with atomic_file(path, overwrite=overwrite) as part, import_module("matplotlib").rc_context(salt):
        figure.savefig(part, format=suffix[1:], dpi=150, metadata=_NO_DATES[suffix])
