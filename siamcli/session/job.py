"""The unit of work: one source, its targets, its outputs.  One for `run`, any number for `batch`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from siamcli.atomic import Unfinished
from siamcli.drawing.style import Style
from siamcli.errors import InputError
from siamcli.formats.kinds import is_stream
from siamcli.formats.names import target_paths
from siamcli.frames import Frame, FrameSource, SourceInfo
from siamcli.media.encoders import VideoOptions
from siamcli.media.kinds import source_name
from siamcli.media.sound import AudioChoice
from siamcli.media.sources import constant_rate, is_beyond
from siamcli.media.suffixes import is_video
from siamcli.session.outputs import check_video_name
from siamcli.session.reading import Reading
from siamcli.targets import AbsentTarget, Target, TargetMark, number_marks, target_labels
from siamcli.times import Direction, FrameRange, TimePoint, length_in_words
from siamcli.tracker.follow import Absence, Mark, Start
from siamcli.trajectory import TrackHeader, TrackPoint
from siamcli.version import __version__

if TYPE_CHECKING:
    from siamcli.load import LoadedTracker

__all__ = [
    "Job",
    "check_used",
    "describe_points",
    "make_header",
    "open_job",
    "resolve_targets",
    "uses_more_frames",
    "without_timecodes",
]

_logger = logging.getLogger(__name__)
SHOWN = 4  # targets of a frame that are described


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done with one source; no targets means that the user is asked for one.

    `fps` is the rate of a source that has no times; one that has its own refuses it, or keeps them with
    `fps_if_needed`.  `stream` is the number of one of its video streams, `audio` the sound that is kept.
    `drop_lost` leaves lost frames out of MOT lines.  `unfinished` says where outputs go that an exception
    ends.  `direction` is the one in which targets are tracked from their boxes, `check` adds the agreement
    with a pass in the other one.  `style` is that of the annotated video.  Targets are looked for in `region`
    alone, or where the image `mask` is white.
    """

    source: str
    targets: tuple[TargetMark, ...]
    paths: tuple[str, ...]
    cut: FrameRange = field(default_factory=FrameRange)
    overwrite: bool = False
    encoding: VideoOptions = field(default_factory=VideoOptions)
    drop_lost: bool = False
    fps: Fraction | None = None
    fps_if_needed: bool = False
    stream: int | None = None
    deinterlace: bool = False
    audio: AudioChoice = None
    unfinished: Unfinished = "kept"
    direction: Direction = "forward"
    check: bool = False
    style: Style = field(default_factory=Style)
    region: Target | None = None
    mask: str | None = None

    def __post_init__(self) -> None:
        for path in filter(is_video, self.paths):
            check_video_name(path)
        if self.targets:
            self.style.check(self.labels)
        end = self.cut.end
        for target in self.targets:
            if _must_come(target) and end and any(moment.is_from(end) for moment in target.moments[:1]):
                raise InputError(
                    f"{self.shown}: the time of {target.text!r} is not before --end",
                    hint="choose an earlier time, or a later --end",
                )

    @property
    def shown(self) -> str:
        """The source as messages name it."""
        return source_name(self.source).shown

    @property
    def labels(self) -> tuple[str | None, ...]:
        """The targets' labels in order."""
        return target_labels(self.targets) or (None,)

    @property
    def reading(self) -> Reading:
        """How the source is read."""
        return Reading(
            source=self.source,
            fps=self.fps,
            fps_if_needed=self.fps_if_needed,
            stream=self.stream,
            deinterlace=self.deinterlace,
            audio=self.audio,
            style=self.style,
            region=self.region,
            mask=self.mask,
        )

    @property
    def files(self) -> list[str]:
        """Every file that is written."""
        return [
            name for path in self.paths if not is_stream(path) for name in target_paths(path, self.labels)
        ]


def _must_come(target: TargetMark) -> bool:
    """False for what may begin after `--end`."""
    return not (isinstance(target, Target) and target.annotations)


def _moments(job: Job) -> tuple[TimePoint, ...]:
    return tuple(moment for mark in job.targets for moment in mark.moments)


def open_job(job: Job) -> FrameSource:
    """Open what the job uses of its source: its cut, and the frames in which targets begin or are absent.

    Raises InputError.
    """
    cut = job.cut
    return job.reading.open(start=cut.start, end=cut.end, stride=cut.stride, also=_moments(job))


def uses_more_frames(job: Job, first: Frame) -> bool:
    """True when `open_job` gives frames only because targets begin, or are absent, after the `first` one."""
    return job.cut.stride > 1 and any(moment.frame != first.index for moment in _moments(job))


def without_timecodes(job: Job) -> Job:
    """The job with frames of its source in the place of timecodes.  Raises InputError."""
    if not replace(job.cut, also=_moments(job)).has_timecode:
        return job
    rate = constant_rate(job.source, job.reading.open)
    targets = tuple(mark.at_rate(rate) for mark in job.targets)
    return replace(job, cut=job.cut.at_rate(rate), targets=targets)


def resolve_targets(job: Job, frame: Frame, info: SourceInfo) -> list[Mark]:
    """What the user says of the targets, in pixels of the first frame and with their numbers.

    Raises InputError for a box or a time that does not fit, or for two of one target at one time.
    """
    height, width = frame.image.shape[:2]
    marks: list[Mark] = []
    for target, number in zip(job.targets, number_marks(job.targets), strict=True):
        moments = target.moments
        if moments and _is_before(moments[-1], job.cut, frame):
            raise InputError(
                f"{job.shown}: the time of {target.text!r} is before the first frame that is used",
                hint="choose a later time, or an earlier --start",
            )
        if moments and is_beyond(moments[0], job.source, info):
            raise _no_frame(job, target, _announced_length(info))
        if not isinstance(target, Target):
            _check_order(job, target, frame, info)
            marks.append(Absence(number, target.first, target.last))
            continue
        if any(isinstance(m, Start) and (m.target, m.at) == (number, target.at) for m in marks):
            raise InputError(
                f"{job.shown}: {target.text!r} is a second box for one target at one time",
                hint="give it another label, or a time of its own with --box-at",
            )
        marks.append(Start(target.box((width, height)), target.at, number))
        if odd := target.oddity((width, height)):
            _logger.warning("%s: box %s %s", job.shown, target.text, odd)
    _check_absences(job, marks, frame)
    return marks


def _check_order(job: Job, absence: AbsentTarget, first: Frame, info: SourceInfo) -> None:
    """Raises InputError where a constant rate says of a frame and seconds that the end comes before."""
    if info.fps is None or info.variable or first.time is None:
        return
    begin, end = (
        first.time + float((moment.frame - first.index) / info.fps)
        if moment.frame is not None
        else moment.seconds or 0.0
        for moment in absence.moments
    )
    if end < begin - float(1 / info.fps) / 2:
        raise InputError(
            f"{job.shown}: {absence.text!r} ends before it begins: {absence.last} is at {end:.3f} s,"
            f" {absence.first} at {begin:.3f} s",
            hint="write the earlier time first",
        )


def _check_absences(job: Job, marks: Sequence[Mark], first: Frame) -> None:
    """Raises InputError for a box of a target at a time of which another mark says that it is absent."""
    absences = [mark for mark in marks if isinstance(mark, Absence)]
    for target, start in zip(job.targets, marks, strict=True):
        if not isinstance(start, Start):
            continue
        its = [absence for absence in absences if absence.target == start.target]
        if any(_is_within(start.at, absence, first) for absence in its):
            raise InputError(
                f"{job.shown}: {target.text!r} is a box at a time at which its target is said to be absent",
                hint="leave the box out, or shorten the absence",
            )


def _is_within(at: TimePoint | None, absence: Absence, first: Frame) -> bool:
    """True when that can be told from the first frame alone, which None stands for."""
    if at is None:
        return absence.first.is_reached(first.index, first.time)
    for a, b, c in (
        (absence.first.frame, at.frame, absence.last.frame),
        (absence.first.seconds, at.seconds, absence.last.seconds),
    ):
        if a is not None and b is not None and c is not None and a <= b <= c:
            return True
    return False


def check_used(job: Job, marks: Sequence[Mark], left: Sequence[Mark], last: Frame, length: str) -> None:
    """Raises InputError for the first target whose time never came: `marks` of the job, those `left` after
    the `last` frame of a source of that `length`.  Annotations after `--end` are only counted."""
    after = 0
    for target, mark in zip(job.targets, marks, strict=False):
        if mark in left and not any(m.is_reached(last.index, last.time) for m in target.moments[:1]):
            if job.cut.end is None or _must_come(target):
                raise _no_frame(job, target, length)
            after += 1
    if after:
        what = "1 target has" if after == 1 else f"{after} targets have"
        _logger.warning("%s: %s no box before --end", job.shown, what)


def _announced_length(info: SourceInfo) -> str:
    """How long a source says that it is."""
    count = info.count or 0
    return length_in_words(FrameRange(), count, float((count - 1) / info.fps) if info.fps else None, info.fps)


def _no_frame(job: Job, target: TargetMark, length: str) -> InputError:
    return InputError(
        f"{job.shown}: no frame at the time of {target.text!r}",
        hint=f"{length}: choose an earlier time",
    )


def _is_before(at: TimePoint, cut: FrameRange, first: Frame) -> bool:
    """True when the cut begins after that moment."""
    if cut.start is None:
        return False  # a source may begin later than at 0 s
    if at.seconds is None:
        return at.frame is not None and at.frame < first.index
    begin = first.time if cut.start.seconds is None else cut.start.seconds
    return begin is not None and at.seconds < begin


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
    """How the targets of one frame are doing: by name, unless there is one alone without a name."""
    alone = len(labels) == 1 and labels[0] is None
    described = [
        ("" if alone else f"{labels[point.target - 1] or f'target {point.target}'} ")
        + f"{point.score:.2f} {point.state}"
        for point in points[:SHOWN]
    ]
    return ", ".join([*described, *([f"{len(points) - SHOWN} more"] if len(points) > SHOWN else [])])
