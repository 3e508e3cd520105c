"""Corrections of the clips of a batch: their outputs are replaced, the status file says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from siamcli.batch.manifest import Manifest
from siamcli.batch.status import Entry, StatusFile
from siamcli.errors import InputError, SiamtrackError
from siamcli.formats.files import read_trajectory
from siamcli.formats.kinds import read_suffixes
from siamcli.media.kinds import source_name
from siamcli.session.fix import correct
from siamcli.session.render import write_again

if TYPE_CHECKING:
    from siamcli.drawing.style import Style
    from siamcli.tracker.tracker import Tracker

__all__ = ["fix_batch"]


def fix_batch(
    folder: Path, manifest: Manifest, load: Callable[[], Tracker], style: Style | None = None
) -> Iterator[tuple[str, SiamtrackError | None]]:
    """Correct every clip of the manifest in the outputs of the batch in `folder`; yields each clip with
    what was wrong, None when its outputs are replaced.

    Raises InputError when there is no batch, OutputError when another one is writing.
    """
    path = folder / "batch.jsonl"
    if not path.is_file():
        raise InputError(f"no batch in {folder}", hint="siamtrack batch writes batch.jsonl into its folder")
    with StatusFile(path) as status:
        entries = {source_name(entry.id).within(folder).key: entry for entry in status.entries.values()}
        for clip in manifest.clips:
            try:
                key = source_name(clip).key
                status.add(_fix_clip(folder, clip, manifest, entries.get(key), load, style))
            except SiamtrackError as error:
                yield clip, error
            else:
                yield clip, None


def _fix_clip(
    folder: Path,
    clip: str,
    manifest: Manifest,
    entry: Entry | None,
    load: Callable[[], Tracker],
    style: Style | None,
) -> Entry:
    """The line of a clip whose outputs are corrected."""
    if entry is None or entry.state != "done":
        raise InputError(f"{clip} is not tracked in {folder}", hint="track it with siamtrack batch first")
    paths = [str(folder / output) for output in entry.outputs if (folder / output).exists()]
    read = next((path for suffix in read_suffixes() for path in paths if path.endswith(suffix)), None)
    if read is None:
        raise InputError(f"no trajectory of {clip} in {folder}", hint=f"one of {' '.join(read_suffixes())}")
    wrong = read_trajectory(read)
    if style is not None:
        style.check(wrong.header.labels)
    work = correct(wrong, manifest.of(clip), clip, load)
    while True:
        try:
            next(work)
        except StopIteration as finished:
            right = finished.value
            break
    for _ in write_again(clip, right, paths, overwrite=True, style=style):
        pass
    lost = sum(point.state == "lost" for point in right.points)
    return replace(entry, at=datetime.now(timezone.utc).isoformat(timespec="milliseconds"), lost=lost)
