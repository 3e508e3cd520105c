"""Corrects clips of a batch: replaces their outputs and updates the status file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from siamcli.batch.manifest import Manifest
from siamcli.batch.settings import StyleWatch, style_key
from siamcli.batch.status import WHOLE, Entry, StatusFile, latest_entries, now, read_status
from siamcli.errors import InputError, SiamtrackError
from siamcli.formats.files import read_trajectory
from siamcli.formats.kinds import read_suffixes
from siamcli.media.kinds import source_name
from siamcli.media.suffixes import is_video
from siamcli.session.fix import correct, finish
from siamcli.session.reading import Reading
from siamcli.session.render import check_videos, write_again
from siamcli.trajectory import Trajectory, shared_boxes

if TYPE_CHECKING:
    from siamcli.load import LoadedTracker

__all__ = ["batch_entries", "fix_batch", "has_videos", "outputs_of", "replace_outputs", "trajectory_file"]


def batch_entries(folder: Path) -> dict[str, Entry]:
    """The latest entry of every clip of the batch in `folder`, by id.  Raises InputError."""
    return latest_entries(read_status(_status_path(folder)))


def _status_path(folder: Path) -> Path:
    path = folder / WHOLE
    if not path.is_file():
        raise InputError(f"no batch in {folder}", hint="siamtrack batch writes batch.jsonl into its folder")
    return path


def has_videos(folder: Path) -> bool:
    """True if the batch in `folder` wrote a video of any clip.  Raises InputError."""
    return any(is_video(output) for entry in batch_entries(folder).values() for output in entry.outputs)


def trajectory_file(folder: Path, entry: Entry) -> Path:
    """The output of a clip that can be read again.  Raises InputError."""
    paths = outputs_of(folder, entry)
    for suffix in read_suffixes():
        for path in paths:
            if path.suffix == suffix:
                return path
    raise InputError(f"no trajectory of {entry.clip} in {folder}", hint=f"one of {' '.join(read_suffixes())}")


def outputs_of(folder: Path, entry: Entry) -> list[Path]:
    """The files of a clip that are there."""
    return [path for output in entry.outputs if (path := folder / output).exists()]


def fix_batch(
    folder: Path,
    manifest: Manifest,
    load: Callable[[Trajectory], LoadedTracker],
    reading: Callable[[str], Reading] = Reading,
    *,
    new_targets: bool = False,
) -> Iterator[tuple[str, SiamtrackError | None]]:
    """Correct every clip of the manifest in the outputs of the batch in `folder`; yields each clip with
    what was wrong, None when its outputs are replaced.

    `load` gives the tracker for a trajectory, `reading` says how a clip is read, `new_targets` is that of
    `correct`.
    Raises InputError when there is no batch, OutputError when another one is writing.
    """
    styles = StyleWatch()
    with StatusFile(_status_path(folder)) as status:
        for clip in manifest.clips:
            try:
                entry = status.entries.get(source_name(clip).relative_to(folder))
                if entry is None or entry.state != "done":
                    raise InputError(
                        f"{clip} is not tracked in {folder}", hint="track it with siamtrack batch first"
                    )
                wrong = read_trajectory(trajectory_file(folder, entry))
                reading(clip).style.check(wrong.header.labels)
                check_videos(reading(clip), wrong, [str(path) for path in outputs_of(folder, entry)])
                marks = manifest.of(clip)
                work = correct(wrong, marks, reading(clip), partial(load, wrong), new_targets=new_targets)
                right = finish(work)
                for _ in _replace(status, entry, reading(clip), right, styles):
                    pass
            except SiamtrackError as error:
                yield clip, error
            else:
                yield clip, None


def replace_outputs(
    folder: Path, clip: str, reading: Reading, trajectory: Trajectory, also: Mapping[Path, str]
) -> Iterator[int]:
    """Write all outputs of the clip with that id again, and the texts `also`, as `write_again` does.

    Raises OutputError, also when a batch is writing, and InputError.
    """
    with StatusFile(_status_path(folder)) as status:
        yield from _replace(status, status.entries[clip], reading, trajectory, StyleWatch(), also)


def _replace(
    status: StatusFile,
    entry: Entry,
    reading: Reading,
    trajectory: Trajectory,
    styles: StyleWatch,
    also: Mapping[Path, str] | None = None,
) -> Iterator[int]:
    paths = [str(path) for path in outputs_of(status.path.parent, entry)]
    style = style_key(reading.style, reading.audio)
    styles.redraws(entry.clip, paths, entry.style, style)
    yield from write_again(reading, trajectory, paths, overwrite=True, also=also)
    lost = sum(point.state == "lost" for point in trajectory.points)
    same_box, targets = shared_boxes(trajectory.points).frames, len(trajectory.header.labels)
    found = replace(entry, lost=lost, targets=targets, same_box=same_box)
    status.add(replace(found, at=now(), style=style, corrected=True))
