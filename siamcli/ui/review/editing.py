"""The state of a clip that is being corrected: given boxes, points tracked again, and saved files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from siamcli.atomic import write_text
from siamcli.errors import InputError, OutputError
from siamcli.formats.files import read_trajectory
from siamcli.frames import SourceInfo
from siamcli.labels import shown_name
from siamcli.media.kinds import source_name
from siamcli.session.fit import check_source
from siamcli.session.fix import Moments, fix_in_steps
from siamcli.session.reading import Reading
from siamcli.times import TimePoint
from siamcli.tracker.follow import Absence, Mark, Start
from siamcli.trajectory import TrackPoint, Trajectory
from siamcli.ui.review.changes import Changes, Said, box_in, frame_in, label_in, target_in
from siamcli.ui.review.documents import mark_rows, point_rows
from siamcli.ui.review.doubt import DOUBTED_BELOW, doubts
from siamcli.ui.review.fixes import FIXES, check_rows, corrections_in, fixes_table, rows_of

if TYPE_CHECKING:
    from siamcli.load import LoadedTracker

__all__ = ["ClipFiles", "Editing", "Edits"]

Replace = Callable[[Trajectory, Mapping[Path, str]], Iterator[int]]
"""Writes a trajectory to all outputs of a clip, and texts to their files: all or none of them."""


@dataclass(frozen=True, slots=True)
class ClipFiles:
    """A clip: how it is read, its trajectory and outputs, its table of corrections, and what writes these."""

    reading: Reading
    trajectory: Path
    outputs: Sequence[Path]
    fixes: Path
    replace: Replace


@dataclass(frozen=True, slots=True)
class Edits:
    """A trajectory, the corrections that it does not contain yet, and all that the table has to say."""

    trajectory: Trajectory
    pending: Said = field(default_factory=dict)
    corrections: Said = field(default_factory=dict)

    def marks(self) -> list[Mark]:
        """What is pending, as `fix_in_steps` takes it."""
        return [
            Absence(target, TimePoint(frame=frame), TimePoint(frame=frame))
            if box is None
            else Start(box, TimePoint(frame=frame), target)
            for (target, frame), box in self.pending.items()
        ]


class Editing(Changes[Edits]):
    """The state of one clip.  Every change has the `version` that it was made to, and makes the next.

    `size` is (width, height) of the frames of the video that `info` describes.  Raises InputError for files
    that cannot be read, and for a video that was not tracked.
    """

    def __init__(self, files: ClipFiles, info: SourceInfo) -> None:
        self.files = files
        if info.size is None:
            raise InputError(f"{info.name} does not say how large its frames are")
        self.size = size = info.size
        trajectory = read_trajectory(files.trajectory)
        Moments(trajectory)  # refuses one without a point
        indices = sorted({point.index for point in trajectory.points})
        check_source(info, trajectory.header.source, indices, files.reading.source)
        corrections = corrections_in(files.fixes, files.reading, trajectory, size)
        super().__init__(Edits(trajectory, {}, corrections))
        self._note_files()

    def document(self, *, points: bool = True) -> dict[str, Any]:
        """What the page is told: targets, what is pending, the files, and with `points` what was tracked."""
        edits = self.edits
        header = edits.trajectory.header
        known = {
            "mode": "review",
            "version": self.version,
            "fps": header.source.fps and float(header.source.fps),
            "frames": edits.trajectory.points[-1].index + 1,  # behind it a correction is refused
            "labels": header.labels,
            "pending": mark_rows(edits.pending),
            "doubted": DOUBTED_BELOW,
            "unsaved": self.unsaved,
            "undo": bool(self._before),
            "saves": [str(path) for path in (*self.files.outputs, self.files.fixes)],
        }
        if points:
            known["points"] = point_rows(edits.trajectory)
            known["times"] = Moments(edits.trajectory).rows()
            known["doubts"] = [asdict(doubt) for doubt in doubts(edits.trajectory.points)]
        return known

    def _changed(self, change: Mapping[str, Any]) -> Edits:
        what = str(change.get("do"))
        if what not in _CHANGES:
            raise InputError(f"no such change: {what}")
        return _CHANGES[what](self, change)

    def track(self, version: int, load: Callable[[], LoadedTracker]) -> Iterator[tuple[int, int, TrackPoint]]:
        """Track the gaps that pending corrections touch again, up to the end or until `stopped` is True.

        Yields how many points of how many are tracked, and the last one.  Raises StaleError, InputError.
        """
        self._check(version)
        before = self.edits
        steps = fix_in_steps(before.trajectory, before.marks(), self.files.reading, load)
        while not self.stopped:
            try:
                yield next(steps)
            except StopIteration as finished:
                with self._lock:
                    self._check(version)
                    self._put(Edits(finished.value, {}, {**before.corrections, **before.pending}))
                    self.version += 1
                return
        steps.close()

    def save(self, version: int) -> Iterator[int]:
        """Write all outputs and the table, or none where `stopped` becomes True; yields the frames of videos.

        Raises StaleError, InputError, and OutputError, also when the trajectory on the disk is another one,
        or what the table says of the clip.
        """
        self._check(version)
        saved = self.edits
        if saved.pending:
            raise InputError("some corrections are not tracked yet", hint="track again first (T)")
        if self._fingerprint() != self._on_disk:
            raise OutputError(
                f"{self.files.trajectory} was changed by another program since it was opened",
                hint="start siamtrack review again",
            )
        source, labels = self.files.reading.source, saved.trajectory.header.labels
        check_rows(self.files.fixes, source, FIXES, self._rows)
        table = fixes_table(self.files.fixes, source, saved.corrections, labels)
        writing = self.files.replace(saved.trajectory, {self.files.fixes: table})
        for done in writing:
            yield done
            if self.stopped:
                raise InputError("stopped: nothing was saved")
        with self._lock:
            self._saved = saved
            self._note_files()
            self.version += 1

    def keep(self) -> Iterator[str]:
        """Write all corrections that are not saved into a table of their own, NAME.unsaved.csv, to those of
        an earlier time, or into NAME.unsaved-2.csv where those do not fit.  The table names targets as the
        file of the trajectory does; yields where it is, and what it has no place for.  Raises OutputError,
        InputError."""
        edits, on_disk = self.edits, self._saved.trajectory.header.labels
        if not self.unsaved:
            return
        labels = edits.trajectory.header.labels
        for target, (old, new) in enumerate(zip(on_disk, labels, strict=False), start=1):
            if old != new:
                name, path = shown_name(on_disk, target), self.files.trajectory
                yield f"{name} was called {new}: {path} has the old name"
        if (said := {**edits.corrections, **edits.pending}) != self._saved.corrections:
            known = _with_labels(edits.trajectory, [*on_disk, *labels[len(on_disk) :]])
            path, earlier = self._kept(known)
            table = fixes_table(path, self.files.reading.source, {**earlier, **said}, known.header.labels)
            write_text(path, table)
            yield f"these corrections are in {path}"

    def _kept(self, known: Trajectory) -> tuple[Path, Said]:
        """The first table for what is not saved that fits the trajectory, and what it says already."""
        for number in count(1):
            path = self.files.fixes.with_suffix(f".unsaved{f'-{number}' if number > 1 else ''}.csv")
            with suppress(InputError):
                return path, corrections_in(path, self.files.reading, known, self.size)
        raise AssertionError

    def _note_files(self) -> None:
        """Note how the files are that are written here alone."""
        self._on_disk = self._fingerprint()
        self._rows = rows_of(self.files.fixes, self.files.reading.source, FIXES)

    def _fingerprint(self) -> object:
        with suppress(OSError):
            return source_name(str(self.files.trajectory)).fingerprint()
        return None

    def _corrected(self, said: Said) -> Edits:
        return replace(self.edits, pending={**self.edits.pending, **said})

    def _box(self, change: Mapping[str, Any]) -> Edits:
        place = self._target(change), self._frame(change, "frame")
        return self._corrected({place: box_in(change, self.size)})

    def _absent(self, change: Mapping[str, Any]) -> Edits:
        first, last = self._frame(change, "first"), self._frame(change, "last")
        frames = Moments(self.edits.trajectory).between(min(first, last), max(first, last))
        return self._corrected({(self._target(change), frame): None for frame in frames})

    def _name(self, change: Mapping[str, Any]) -> Edits:
        labels = list(self.edits.trajectory.header.labels)
        labels[self._target(change) - 1] = self._label(change)
        return replace(self.edits, trajectory=_with_labels(self.edits.trajectory, labels))

    def _add(self, change: Mapping[str, Any]) -> Edits:
        labels = [*self.edits.trajectory.header.labels, self._label(change)]
        wider = replace(self.edits, trajectory=_with_labels(self.edits.trajectory, labels))
        begin = {(len(labels), self._frame(change, "frame")): box_in(change, self.size)}
        return replace(wider, pending={**wider.pending, **begin})

    def _target(self, change: Mapping[str, Any]) -> int:
        return target_in(change, len(self.edits.trajectory.header.labels))

    def _frame(self, change: Mapping[str, Any], name: str) -> int:
        return Moments(self.edits.trajectory).frame(TimePoint(frame=frame_in(change, name)))

    def _label(self, change: Mapping[str, Any]) -> str:
        return label_in(change, self.edits.trajectory.header.labels)


def _with_labels(trajectory: Trajectory, labels: list[str | None]) -> Trajectory:
    return replace(trajectory, header=replace(trajectory.header, labels=tuple(labels)))


_CHANGES: Mapping[str, Callable[[Editing, Mapping[str, Any]], Edits]] = {
    "box": Editing._box,
    "absent": Editing._absent,
    "name": Editing._name,
    "add": Editing._add,
}
