"""The clips of a review: one, or all of a batch, the worst first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock

from siamcli.batch.fix import batch_entries, replace_outputs, trajectory_file
from siamcli.batch.status import Entry
from siamcli.errors import InputError
from siamcli.formats.files import read_trajectory
from siamcli.media.kinds import source_name
from siamcli.session.reading import Reading
from siamcli.session.render import write_again
from siamcli.trajectory import Trajectory
from siamcli.ui.review.doubt import Summary, summarize
from siamcli.ui.review.editing import ClipFiles, Editing
from siamcli.ui.review.frames import FrameStore

__all__ = ["Clip", "Library", "batch_clips", "one_clip"]

OPEN_VIDEOS = 3  # each has a decoder and its pictures

Opening = Callable[[str], Reading]
"""Says how a source is read."""


@dataclass(slots=True)
class Clip:
    """A clip by the name that people see; `error` says why it cannot be shown."""

    name: str
    files: ClipFiles | None
    summary: Summary = field(default_factory=lambda: Summary(0, 0.0, None, None))
    error: str | None = None


def one_clip(video: str, trajectory: Path, fixes: Path | None, opening: Opening) -> Clip:
    """A video and its trajectory, which is saved in place.  Raises InputError for one that cannot be read."""
    reading = opening(video)
    table = fixes or trajectory.with_suffix(".fixes.csv")

    def write(new: Trajectory, also: Mapping[Path, str]) -> Iterator[int]:
        return write_again(reading, new, [str(trajectory)], overwrite=True, also=also)

    summary = summarize(read_trajectory(trajectory))
    return Clip(source_name(video).stem, ClipFiles(reading, trajectory, table, write), summary)


def batch_clips(folder: Path, fixes: Path | None, opening: Opening) -> Iterator[tuple[int, int, Clip]]:
    """The clips of the batch in `folder` as they are read, with their number of how many.

    Raises InputError when there is no batch.
    """
    entries = batch_entries(folder)
    table = fixes or folder / "fixes.csv"
    for number, entry in enumerate(entries.values(), start=1):
        yield number, len(entries), _batch_clip(folder, entry, table, opening)


def _batch_clip(folder: Path, entry: Entry, fixes: Path, opening: Opening) -> Clip:
    name = source_name(entry.clip)
    clip = Clip(name.path.name if name.is_path else entry.clip, None)
    if entry.state != "done":
        clip.error = entry.error or "it is not tracked to its end"
        return clip
    try:
        file = trajectory_file(folder, entry)
        clip.summary = summarize(read_trajectory(file))
    except InputError as error:
        clip.error = str(error)
    else:
        reading = opening(source_name(entry.id).within(folder).text)
        clip.files = ClipFiles(reading, file, fixes, partial(replace_outputs, folder, entry.id, reading))
    return clip


class Library:
    """All clips of a review by their number, those that failed last; opens what is looked at.

    It may be asked by several threads.
    """

    def __init__(self, clips: Sequence[Clip]) -> None:
        self.clips = sorted(clips, key=lambda clip: (clip.files is None, *clip.summary.order, clip.name))
        self._editing: dict[int, Editing] = {}
        self._stores: OrderedDict[int, FrameStore] = OrderedDict()
        self._lock = Lock()

    def frames(self, number: int) -> FrameStore:
        """The frames of a clip.  Raises InputError."""
        with self._lock:
            if number not in self._stores:
                files = self._files(number)
                trajectory = read_trajectory(files.trajectory)
                self._stores[number] = FrameStore(files.reading.of(trajectory))
            self._stores.move_to_end(number)
            while len(self._stores) > OPEN_VIDEOS:
                self._stores.popitem(last=False)[1].close()
            return self._stores[number]

    def editing(self, number: int) -> Editing:
        """The state of a clip, read when it is first asked for.  Raises InputError."""
        info = self.frames(number).info
        with self._lock:
            if number not in self._editing:
                self._editing[number] = Editing(self._files(number), info)
            return self._editing[number]

    def _files(self, number: int) -> ClipFiles:
        if not 0 <= number < len(self.clips):
            raise InputError(f"no clip {number}")
        clip = self.clips[number]
        if clip.files is None:
            raise InputError(f"{clip.name}: {clip.error}")
        return clip.files

    def opened(self) -> list[Editing]:
        """The state of every clip that was looked at."""
        with self._lock:
            return list(self._editing.values())

    def close(self) -> None:
        """Let go of all videos."""
        with self._lock:
            for store in self._stores.values():
                store.close()
            self._stores.clear()
