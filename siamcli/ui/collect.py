"""Picks boxes for many clips, one after the other, and writes the manifest that a batch reads."""

from __future__ import annotations

import codecs
import csv
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from siamcli.atomic import as_output_error, make_folder
from siamcli.batch.clips import Clip
from siamcli.batch.manifest import COLUMNS, name_in_table, read_manifest
from siamcli.boxes import Box
from siamcli.errors import InputError, PickError
from siamcli.media.kinds import source_name
from siamcli.media.sources import open_source
from siamcli.sheets import csv_text
from siamcli.ui.pick import Picker

__all__ = ["clips_without_box", "pick_all"]

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PickResult:
    """The box that was picked in a clip, or why the clip could not be shown; neither where somebody else has
    picked in it meanwhile."""

    clip: Clip
    box: Box | None = None
    error: InputError | None = None


def clips_without_box(clips: Sequence[Clip], manifest: Path) -> list[Clip]:
    """The clips that have no row in `manifest` yet; a row that a crash cut short does not count."""
    if not manifest.exists():
        return list(clips)
    with as_output_error(manifest), manifest.open("rb+") as file:
        text = file.read()
        whole = text.rfind(b"\n") + 1
        names = text[:whole].partition(b"\n")[0].removeprefix(codecs.BOM_UTF8).strip()
        if whole and names != ",".join(COLUMNS).encode():
            raise InputError(
                f"{manifest}: its first line is not {','.join(COLUMNS)}, so that no row can be added",
                hint="name another manifest with -o",
            )
        if whole and _is_whole_row(text[whole:]):  # a hand that wrote it left out the end of the line
            file.write(b"\n")
        else:
            file.truncate(whole)
        if not whole:
            return list(clips)
    picked = {source_name(clip).key for clip in read_manifest(manifest, "xywh").clips}
    return [clip for clip in clips if source_name(clip.source).key not in picked]


def _is_whole_row(text: bytes) -> bool:
    """True where all cells are there, and the quotes of each end."""
    cells = next(csv.reader([text.decode(errors="replace")]), [])
    return len(cells) == len(COLUMNS) and text.count(b'"') % 2 == 0


def pick_all(clips: Sequence[Clip], manifest: Path, picker: Picker) -> Iterator[PickResult]:
    """Ask for a box in the first frame of every clip and add it to `manifest`, at once; yields each clip.
    One of which the manifest has a box by now is not asked for.

    Raises PickError when the user cancels; the boxes picked so far are kept.
    """
    make_folder(manifest.parent)
    for number, clip in enumerate(clips, start=1):
        if not clips_without_box([clip], manifest):
            yield PickResult(clip)
            continue
        try:
            name = name_in_table(clip.source, manifest.parent)
            with open_source(clip.source) as frames:
                first = next(iter(frames))
        except InputError as error:
            yield PickResult(clip, error=error)
            continue
        box = picker(first.image, f"siamtrack pick: {number} of {len(clips)}: {clip.source}")
        if box is None:
            raise PickError(
                f"stopped at {clip.source}",
                hint="run the same command again to continue; all boxes so far are kept",
            )
        if not clips_without_box([clip], manifest):  # two rows would be two targets
            _logger.warning("%s: %s has a box of it by now, which stays", clip.source, manifest)
            yield PickResult(clip)
            continue
        _append(manifest, name, box)
        yield PickResult(clip, box)


def _append(manifest: Path, name: str, box: Box) -> None:
    head = () if manifest.exists() and manifest.stat().st_size else (COLUMNS,)
    numbers = ",".join(f"{value:.1f}" for value in box)
    with as_output_error(manifest), manifest.open("ab") as file:
        file.write(csv_text([*head, (name, "", numbers, "")]).encode())
        file.flush()
        os.fsync(file.fileno())
