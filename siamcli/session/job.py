"""A job: one source, its targets and its outputs.  `run` has one job, `batch` any number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from siamcli.atomic import Unfinished
from siamcli.errors import InputError
from siamcli.formats.kinds import is_stream
from siamcli.formats.names import target_paths
from siamcli.frames import Frame, FrameSource, SourceInfo
from siamcli.labels import shown_name
from siamcli.media.encoders import VideoOptions
from siamcli.media.kinds import source_name
from siamcli.media.sources import constant_rate
from siamcli.media.suffixes import is_video
from siamcli.session.outputs import check_video_name
from siamcli.session.reading import Reading
from siamcli.targets import Target, TargetMark, target_labels
from siamcli.times import Direction, FrameRange, TimePoint
from siamcli.trajectory import TrackHeader, TrackPoint
from siamcli.version import __version__

if TYPE_CHECKING:
    from siamcli.load import LoadedTracker

__all__ = [
    "Job",
    "describe_points",
    "make_header",
    "must_come",
    "open_job",
    "uses_more_frames",
    "without_timecodes",
]

SHOWN = 4  # targets of a frame that are described


@dataclass(frozen=True, slots=True)
class Job(Reading):
    """What to do with one source: a Reading of it, its targets and its outputs.

    `targets` are boxes and absences; without any, `Session` asks for them.  `paths` are the output files.
    `cut` is the part of the source that is tracked.  `direction` is the direction in which targets are
    tracked from their boxes; with `check`, they are also tracked in the other direction, and every point gets
    the agreement of both passes.

    `drop_lost` leaves lost frames out of MOT files.  `unfinished` says what happens to outputs when an
    exception ends the job.
    """

    targets: tuple[TargetMark, ...]
    paths: tuple[str, ...]
    cut: FrameRange = field(default_factory=FrameRange)
    overwrite: bool = False
    encoding: VideoOptions = field(default_factory=VideoOptions)
    drop_lost: bool = False
    unfinished: Unfinished = "kept"
    direction: Direction = "forward"
    check: bool = False

    def __post_init__(self) -> None:
        for path in filter(is_video, self.paths):
            check_video_name(path)
        if self.targets:
            self.style.check(self.labels)
        end = self.cut.end
        for target in self.targets:
            if must_come(target) and end and any(moment.is_from(end) for moment in target.moments[:1]):
                raise InputError(
                    f"{self.shown}: the time of {target.text!r} is not before --end",
                    hint="choose an earlier time, or a later --end",
                )

    @property
    def shown(self) -> str:
        """The source as messages show it."""
        return source_name(self.source).shown

    @property
    def labels(self) -> tuple[str | None, ...]:
        """The targets' labels in order."""
        return target_labels(self.targets) or (None,)

    @property
    def files(self) -> list[str]:
        """Every file that is written."""
        return [
            name for path in self.paths if not is_stream(path) for name in target_paths(path, self.labels)
        ]


def must_come(target: TargetMark) -> bool:
    """False for annotations: they may begin outside the part of the source that is tracked."""
    return not (isinstance(target, Target) and target.annotations)


def _moments(job: Job) -> tuple[TimePoint, ...]:
    return tuple(moment for mark in job.targets for moment in mark.moments)


def open_job(job: Job) -> FrameSource:
    """Open what the job uses of its source: its cut, and the frames in which targets begin or are absent.

    Raises InputError.
    """
    cut = job.cut
    return job.open(start=cut.start, end=cut.end, stride=cut.stride, also=_moments(job))


def uses_more_frames(job: Job, first: Frame) -> bool:
    """True when `open_job` gives frames only because targets begin, or are absent, after the `first` one."""
    return job.cut.stride > 1 and any(moment.frame != first.index for moment in _moments(job))


def without_timecodes(job: Job) -> Job:
    """The job with frames of its source in the place of timecodes.  Raises InputError."""
    if not replace(job.cut, also=_moments(job)).has_timecode:
        return job
    rate = constant_rate(job.source, job.open)
    targets = tuple(mark.at_rate(rate) for mark in job.targets)
    return replace(job, cut=job.cut.at_rate(rate), targets=targets)


def make_header(
    info: SourceInfo, first: Frame, tracker: LoadedTracker, labels: tuple[str | None, ...]
) -> TrackHeader:
    """The header of a trajectory: this source, tracked by these weights."""
    height, width = first.image.shape[:2]
    return TrackHeader(
        source=replace(info, size=(width, height)),
        model=tracker.model,
        weights_sha256=tracker.sha256,
        version=__version__,
        params=asdict(tracker.params),
        labels=labels,
    )


def describe_points(points: Sequence[TrackPoint], labels: Sequence[str | None]) -> str:
    """Score and state of the targets in one frame, with their names unless there is a single target without
    one.
    """
    alone = len(labels) == 1 and labels[0] is None
    described = [
        ("" if alone else f"{shown_name(labels, point.target)} ") + f"{point.score:.2f} {point.state}"
        for point in points[:SHOWN]
    ]
    return ", ".join([*described, *([f"{len(points) - SHOWN} more"] if len(points) > SHOWN else [])])
