"""All folders below one, as training data are laid out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["folders_below"]


def folders_below(
    folder: Path, above: frozenset[Path] = frozenset()
) -> Iterator[tuple[Path, frozenset[str]]]:
    """The folder and all below it, through symbolic links too but into no circle, with the names of their
    files; one that may not be read has none."""
    here = folder.resolve()
    if here in above:
        return
    _, inner, files = next(os.walk(folder), ("", [], []))
    yield folder, frozenset(files)
    for name in inner:
        yield from folders_below(folder / name, above | {here})
