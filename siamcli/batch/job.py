"""The unit of work: one source, its targets, its outputs.  One for `run`, any number for `batch`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from siamcli.errors import InputError
from siamcli.frames import Frame, SourceInfo
from siamcli.media.encoders import VideoOptions
from siamcli.media.kinds import source_name
from siamcli.media.names import target_paths
from siamcli.media.sinks import Sinks
from siamcli.parts import make_folder
from siamcli.targets import Target
from siamcli.times import Cut, TimePoint
from siamcli.tracker.follow import Start, track_points
from siamcli.trajectory import LostLog, TrackHeader, TrackPoint
from siamcli.version import __version__

if TYPE_CHECKING:
    from typing_extensions import Self

    from siamcli.load import LoadedTracker
    from siamcli.tracker.tracker import TrackerState

__all__ = ["Job", "Recording", "describe", "describe_points", "starts_in"]

SHOWN = 4  # targets of a frame that are described


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done with one source; no targets means that the user is asked for one.

    `drop_lost` leaves lost frames out of MOT lines.
    """

    source: str
    targets: tuple[Target, ...]
    paths: tuple[str, ...]
    cut: Cut = field(default_factory=Cut)
    overwrite: bool = False
    encoding: VideoOptions = field(default_factory=VideoOptions)
    drop_lost: bool = False

    @property
    def labels(self) -> tuple[str | None, ...]:
        """The targets' labels in order."""
        return tuple(target.label for target in self.targets) or (None,)

    @property
    def files(self) -> list[str]:
        """Every file that is written."""
        return [name for path in self.paths if path != "-" for name in target_paths(path, self.labels)]


def starts_in(job: Job, frame: Frame) -> list[Start]:
    """The targets in pixels of the first frame; raises InputError for a box or a time that does not fit."""
    height, width = frame.image.shape[:2]
    for target in job.targets:
        if target.at is not None and _is_over(target.at, job.cut, frame):
            raise InputError(
                f"{job.source}: the time of {target.text!r} is before the first frame that is used",
                hint="choose a later time for that box, or an earlier --start",
            )
    return [Start(target.box((width, height)), target.at) for target in job.targets]


def _is_over(at: TimePoint, cut: Cut, first: Frame) -> bool:
    """True when the cut begins after that moment."""
    if cut.start is None:
        return False  # a source may begin later than at 0 s
    if at.seconds is None:
        return at.frame is not None and at.frame < first.index
    begin = first.time if cut.start.seconds is None else cut.start.seconds
    return begin is not None and at.seconds < begin


def describe(
    info: SourceInfo, first: Frame, loaded: LoadedTracker, labels: tuple[str | None, ...]
) -> TrackHeader:
    """The header of a trajectory: this source, tracked by these weights."""
    height, width = first.image.shape[:2]
    return TrackHeader(
        source=replace(info, size=(width, height)),
        model=loaded.model,
        weights_sha256=loaded.sha256,
        version=__version__,
        params=asdict(loaded.tracker.engine.params),
        labels=labels,
    )


def describe_points(points: Sequence[TrackPoint], labels: Sequence[str | None]) -> str:
    """How the targets of one frame are doing: by name, unless there is one alone without a name."""
    alone = len(labels) == 1 and labels[0] is None
    found = [
        ("" if alone else f"{labels[point.target - 1] or f'target {point.target}'} ")
        + f"{point.score:.2f} {point.state}"
        for point in points[:SHOWN]
    ]
    return ", ".join([*found, *([f"{len(points) - SHOWN} more"] if len(points) > SHOWN else [])])


class Recording:
    """The outputs of one job, and what has been seen so far.

    A context manager: when an exception ends the block, outputs that were begun are finished and
    say that they are incomplete.  Raises OutputError.
    """

    def __init__(self, job: Job, header: TrackHeader) -> None:
        self.job = job
        self.header = header
        self.frames = 0
        self._lost = LostLog()
        self._states: Sequence[TrackerState | None] = ()
        self._stack = ExitStack()

    @property
    def lost(self) -> dict[int, tuple[tuple[int, int], ...]]:
        """Target -> first and last frame of every stretch in which it was lost."""
        return self._lost.intervals()

    def write(self, frame: Frame, states: Sequence[TrackerState | None]) -> tuple[TrackPoint, ...]:
        """Add one frame and what the tracker says of it."""
        points = track_points(frame, states)
        for point in points:
            self._lost.add(point)
        self._sinks.write(frame, points)
        self._states = states
        self.frames += 1
        return points

    def check_all_begun(self) -> None:
        """Raises InputError when the source ended before a target's time."""
        for target, state in zip(self.job.targets, self._states, strict=False):
            if state is None:
                raise InputError(
                    f"{self.job.source}: no frame at the time of {target.text!r}",
                    hint="choose an earlier time for that box",
                )

    def __enter__(self) -> Self:
        job = self.job
        for name in job.files:
            make_folder(Path(name).parent)
        audio = job.source if source_name(job.source).has_sound else None
        sinks = Sinks(
            job.paths,
            self.header,
            overwrite=job.overwrite,
            audio=audio,
            options=job.encoding,
            drop_lost=job.drop_lost,
        )
        self._sinks = self._stack.enter_context(sinks)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)
