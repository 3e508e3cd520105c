"""The clips under review, ordered from the worst to the best."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

from siamcli.atomic import write_text
from siamcli.batch.fix import batch_entries, outputs_of, replace_outputs, trajectory_file
from siamcli.batch.manifest import COLUMNS, name_in_table
from siamcli.batch.status import Entry
from siamcli.drawing.colors import hex_color, target_color
from siamcli.errors import InputError
from siamcli.formats.files import read_trajectory
from siamcli.frames import SourceInfo
from siamcli.media.kinds import source_name
from siamcli.media.reverse import Reopen
from siamcli.session.reading import Reading
from siamcli.session.render import write_again
from siamcli.trajectory import Trajectory
from siamcli.ui.review.changes import State
from siamcli.ui.review.doubt import Summary, summarize
from siamcli.ui.review.editing import ClipFiles, Editing
from siamcli.ui.review.fixes import Rows, check_rows, picks_table, rows_of
from siamcli.ui.review.frames import FrameStore
from siamcli.ui.review.picking import Picking, Picks

__all__ = ["Clip", "Library", "batch_clips", "clip_to_pick", "one_clip", "played_file", "worst_first"]

OPEN_VIDEOS = 3  # each has a decoder and its pictures
UNKNOWN_LENGTH = (
    250  # frames that are offered after the last one seen, where it is not known how many there are
)

Opening = Callable[[str], Reading]
"""Says how a source is read."""


@dataclass(slots=True)
class Clip:
    """A clip by the name that people see: what opens it, and what begins the work at it; `error` says why it
    cannot be shown.  `trajectory` is its file, None where there is none yet; its frames `first` up to, not
    including, `end` are shown, None: as many as there are.  `file` is what a browser may play.  `read` fills
    in what its trajectory says; it is called once, by the library.  `left`: who picks has left it out.
    """

    name: str
    reopen: Reopen | None = None
    begin: Callable[[SourceInfo], State] | None = None
    trajectory: Path | None = None
    summary: Summary = field(default_factory=lambda: Summary(0, 0.0, None, None))
    error: str | None = None
    first: int = 0
    end: int | None = None
    file: Path | None = None
    read: Callable[[], None] | None = None
    left: bool = False


def one_clip(video: str, trajectory: Path, fixes: Path | None, opening: Opening) -> Clip:
    """A video and its trajectory, which is saved in place.  Raises InputError for one that cannot be read."""
    known = read_trajectory(trajectory)
    reading = opening(video).of(known)
    table = fixes or trajectory.with_suffix(".fixes.csv")

    def write(new: Trajectory, also: Mapping[Path, str]) -> Iterator[int]:
        return write_again(reading, new, [str(trajectory)], overwrite=True, also=also)

    begin = partial(Editing, ClipFiles(reading, trajectory, [trajectory], table, write))
    clip = Clip(source_name(video).stem, reading.open, begin, trajectory, summarize(known))
    clip.file = played_file(reading)
    return clip


def batch_clips(folder: Path, fixes: Path | None, opening: Opening) -> list[Clip]:
    """The clips of the batch in `folder`, the worst first as far as its status file tells; their trajectories
    are read later.  Raises InputError when there is no batch.
    """
    table = fixes or folder / "fixes.csv"
    entries = batch_entries(folder).values()
    return sorted((_batch_clip(folder, entry, table, opening) for entry in entries), key=worst_first)


def clip_to_pick(source: str, manifest: Path) -> Clip:
    """A clip in which targets are pointed at for `manifest`; nothing of it is read before it is shown."""
    known: Rows = []  # it has none yet

    def write(picks: Picks) -> None:
        check_rows(manifest, source, COLUMNS, known)
        write_text(manifest, picks_table(manifest, source, picks.boxes, picks.labels))
        known[:] = rows_of(manifest, source, COLUMNS)

    def begin(info: SourceInfo) -> Picking:
        if info.size is None:
            raise InputError(f"{info.name} does not say how large its frames are")
        name_in_table(source, manifest.parent)
        return Picking(info.size, write, manifest)

    reading = Reading(source)
    return Clip(source, reading.open, begin, file=played_file(reading))


def played_file(reading: Reading) -> Path | None:
    """The file whose frames a player shows as they are read, None where there is none."""
    name = source_name(reading.source)
    return name.path.absolute() if name.has_sound and reading.stream is None else None


def _batch_summary(entry: Entry) -> Summary:
    """What a status file says of a clip: two points at least share a box in the frames that it counts."""
    points = (entry.frames or 0) * (entry.targets or 1)
    shared = 2 * (entry.same_box or 0) / max(1, points)
    return Summary(points, entry.lost_share, None, None, min(shared, 1 - entry.lost_share))


def _unfinished(entry: Entry) -> str | None:
    """Why there is nothing to show of a clip, None where it is tracked to its end."""
    return None if entry.state == "done" else entry.error or "it is not tracked to its end"


def _batch_clip(folder: Path, entry: Entry, fixes: Path, opening: Opening) -> Clip:
    name = source_name(entry.clip)
    clip = Clip(name.path.name if name.is_path else entry.clip)
    clip.error = _unfinished(entry)
    clip.summary = _batch_summary(entry)

    def read() -> None:
        now = batch_entries(folder).get(entry.id, entry) if clip.error else entry  # a batch may go on
        if error := _unfinished(now):
            raise InputError(error)
        clip.trajectory = trajectory_file(folder, now)
        known = read_trajectory(clip.trajectory)
        clip.summary = summarize(known)
        reading = opening(source_name(entry.id).within(folder).text).of(known)
        clip.reopen, clip.file = reading.open, played_file(reading)
        write = partial(replace_outputs, folder, entry.id, reading)
        files = ClipFiles(reading, clip.trajectory, outputs_of(folder, now), fixes, write)
        clip.begin = partial(Editing, files)

    clip.read = read
    return clip


class Library:
    """All clips of a review by their number; opens what is looked at.  It may be asked by several threads."""

    def __init__(self, clips: Sequence[Clip]) -> None:
        self.clips = list(clips)
        self._states: dict[int, State] = {}
        self._stores: OrderedDict[int, FrameStore] = OrderedDict()
        self._lock = Lock()

    def frames(self, number: int) -> FrameStore:
        """The frames of a clip.  Raises InputError."""
        with self._lock:
            if number not in self._stores:
                self._stores[number] = FrameStore(self._clip(number)[0])
            self._stores.move_to_end(number)
            while len(self._stores) > OPEN_VIDEOS:
                self._stores.popitem(last=False)[1].close()
            return self._stores[number]

    def picture(self, number: int, index: int) -> bytes | None:
        """A frame of a clip as JPEG, None where there is none.  Raises InputError."""
        store = self.frames(number)
        picture = store.jpeg(index)
        if store.closed:  # somebody looked at others meanwhile
            picture = self.frames(number).jpeg(index)
        return picture

    def state(self, number: int) -> State:
        """The state of a clip, which begins when it is first asked for; where that fails, the next time is
        another try.  Raises InputError.
        """
        try:
            info = self.frames(number).info
            with self._lock:
                if number not in self._states:
                    self._states[number] = self._clip(number)[1](info)
                self.clips[number].error = None
                return self._states[number]
        except InputError as error:
            if 0 <= number < len(self.clips):
                self.clips[number].error = str(error)
            raise

    def can_be_shown(self, number: int) -> bool:
        """True when the clip opens; else its `error` says why not."""
        try:
            self.state(number)
        except InputError:
            return False
        return True

    def _clip(self, number: int) -> tuple[Reopen, Callable[[SourceInfo], State]]:
        if not 0 <= number < len(self.clips):
            raise InputError(f"no clip {number}")
        clip = self.clips[number]
        self._read(clip)
        if clip.reopen is None or clip.begin is None:
            raise InputError(str(clip.error))
        return clip.reopen, clip.begin

    def _read(self, clip: Clip) -> None:
        """Read what is not read yet; its `error` says why that failed."""
        if clip.read is not None:
            try:
                clip.read()
                clip.read = None
            except InputError as error:
                clip.error = str(error)

    def read_all(self) -> Iterator[int]:
        """Read the trajectories of all clips in their order; yields the number of each."""
        for number, clip in enumerate(self.clips):
            if clip.read is not None and clip.error is None:
                with self._lock:
                    self._read(clip)
                yield number

    def document(self, number: int, *, points: bool = True) -> dict[str, Any]:
        """What the page is told of a clip, as by `State.document`.  Raises InputError."""
        known, store, clip = (
            self.state(number).document(points=points),
            self.frames(number),
            self.clips[number],
        )
        width, height = store.info.size or (0, 0)
        timed = bool(known.get("times")) or not store.info.variable
        ends = [end for end in (store.end, clip.end, known.get("frames")) if end]
        end = min(ends) if ends else store.info.count
        return {
            **known,
            "clip": number,
            "name": clip.name,
            "size": [width, height],
            "colors": [hex_color(target_color(number)) for number in range(1, len(known["labels"]) + 1)],
            "fps": known["fps"] or float(store.info.fps or 25),
            "first": clip.first,
            "frames": end or max(clip.first, store.reached) + UNKNOWN_LENGTH,
            "endless": end is None,
            "begin": store.begin,
            "work": self.state(number).working,
            "playable": clip.file is not None and store.begin is not None and timed,
        }

    def rows(self) -> list[dict[str, Any]]:
        """Every clip with its name, error, and how good it looks now."""
        with self._lock:
            for number, state in self._states.items():
                if isinstance(state, Editing):
                    self.clips[number].summary = summarize(state.edits.trajectory)
        return list(map(self.row, range(len(self.clips))))

    def row(self, number: int) -> dict[str, Any]:
        """What the list of clips says of one."""
        clip, state = self.clips[number], self._states.get(number)
        return {
            "name": clip.name,
            "error": clip.error,
            "unsaved": state is not None and state.unsaved,
            "picked": isinstance(state, Picking) and state.used,
            "left": clip.left,
            **asdict(clip.summary),
        }

    def video(self, number: int) -> Path | None:
        """The file of a clip that a browser may play.  Raises InputError."""
        with self._lock:
            self._clip(number)
        return self.clips[number].file

    def opened(self) -> list[State]:
        """The state of every clip that was looked at."""
        with self._lock:
            return list(self._states.values())

    def close(self) -> None:
        """Let go of all videos."""
        with self._lock:
            for store in self._stores.values():
                store.close()
            self._stores.clear()


def worst_first(clip: Clip) -> tuple[object, ...]:
    """A key that sorts clips: the worst first, those that cannot be shown last."""
    return (clip.error is not None, *clip.summary.order, clip.name)
