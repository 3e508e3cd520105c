"""Several clips at once: one batch of search regions from all, while others decode and encode."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from types import TracebackType
from typing import TYPE_CHECKING

from siamcli.batch.job import Job, Recording, describe, starts_in
from siamcli.cores import available_memory, usable_cores
from siamcli.errors import InputError, SiamtrackError
from siamcli.frames import Frame, FrameSource
from siamcli.media.prefetch import prefetch
from siamcli.media.sources import expected_count, open_source
from siamcli.tracker.follow import Start, States, advance

if TYPE_CHECKING:
    from typing_extensions import Self

    from siamcli.load import LoadedTracker
    from siamcli.tracker.tracker import Tracker

__all__ = ["Begun", "Ended", "Events", "Moved", "auto_width", "track_all"]

CLIP_BYTES = 500_000_000  # two ffmpeg children and 24 waiting frames of 1920x1080


@dataclass(frozen=True, slots=True)
class Begun:
    """A job is about to touch its outputs."""

    job: Job


@dataclass(frozen=True, slots=True)
class Ended:
    """A job is over; `error` is None when it is complete, `lost` counts the frames without a target."""

    job: Job
    frames: int = 0
    seconds: float = 0.0
    lost: int = 0
    error: SiamtrackError | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """How far the jobs under way are: their frames so far, and how many jobs these make, by parts."""

    frames: int
    jobs: float


def auto_width(on_gpu: bool) -> int:
    """How many clips to keep open: enough to fill the device, what cores and available memory carry."""
    cores = usable_cores()
    wanted = 2 * cores if on_gpu else cores + 1
    return max(1, min(wanted, 32, available_memory() // 2 // CLIP_BYTES))


Events = Generator[Begun | Moved | Ended, None, None]
"""What tracking says while it goes on; closed early, it finishes the clips under way as incomplete."""


def track_all(loaded: LoadedTracker, jobs: Iterable[Job | None], width: int) -> Events:
    """Track every job, at most `width` at a time; a job that fails does not disturb the others.

    `jobs` is asked for the next one when there is room; None means that there is none at the moment.
    When the iteration is ended from outside
    (Ctrl-C), the clips under way are finished as incomplete.
    """
    waiting = iter(jobs)
    with _Floor(loaded, width) as floor:
        while True:
            while floor.has_room and (job := next(waiting, None)) is not None:
                yield Begun(job)
                floor.begin(job)
            if floor.empty:
                return
            yield from floor.tick()
            yield floor.moved()


@dataclass(eq=False)
class _Lane:
    """One clip under way: frames come in, states go round, the recording goes out."""

    job: Job
    stack: ExitStack
    source: FrameSource
    frames: Iterator[Frame]
    starts: Sequence[Start]
    recording: Recording
    states: States
    began: float = field(default_factory=time.monotonic)

    @property
    def ready(self) -> bool:
        """True when the next frame needs no waiting."""
        return self.source.ready or not self.recording.frames

    @property
    def share(self) -> float:
        """The part of the clip that is tracked, from 0 to 1; 0 where its length is not known."""
        count = expected_count(self.source.info, self.job.cut)
        return min(self.recording.frames / count, 1) if count else 0

    def end(self, error: BaseException | None) -> None:
        """Finish the outputs, as complete or not; raises what then goes wrong, else `error`."""
        if error is None:
            try:
                self.recording.check_all_begun()
            except InputError as late:
                error = late
        if error is None:
            self.stack.close()
        else:
            self.stack.__exit__(type(error), error, error.__traceback__)
            raise error


def _open(job: Job, loaded: LoadedTracker) -> _Lane:
    with ExitStack() as stack:
        source = open_source(job.source, start=job.cut.start, end=job.cut.end, stride=job.cut.stride)
        source = stack.enter_context(prefetch(source))
        frames = iter(source)
        first = next(frames)
        starts = starts_in(job, first)
        header = describe(source.info, first, loaded, job.labels)
        recording = stack.enter_context(Recording(job, header))
        states: States = (None,) * len(starts)
        kept = stack.pop_all()
    return _Lane(job, kept, source, chain([first], frames), starts, recording, states)


class _Floor:
    """The lanes: those that open, those that run, those that close."""

    def __init__(self, loaded: LoadedTracker, width: int) -> None:
        self._loaded = loaded
        self._width = width
        self._pool = ThreadPoolExecutor(2 * width, thread_name_prefix="clips")
        self._opening: dict[Future[_Lane], Job] = {}
        self._lanes: list[_Lane] = []
        self._closing: dict[Future[None], _Lane] = {}

    @property
    def has_room(self) -> bool:
        """Closing clips count by themselves: where encoding is the slow part they must not pile up."""
        return len(self._opening) + len(self._lanes) < self._width and len(self._closing) <= self._width

    @property
    def empty(self) -> bool:
        return not (self._opening or self._lanes or self._closing)

    def begin(self, job: Job) -> None:
        """Open a clip in a thread."""
        self._opening[self._pool.submit(_open, job, self._loaded)] = job

    def tick(self) -> list[Ended]:
        """Advance every clip whose next frame is there; returns those that are over."""
        if not self._lanes:
            wait({**self._opening, **self._closing}, return_when=FIRST_COMPLETED)
        over: list[Ended] = []
        for opened in [future for future in self._opening if future.done()]:
            job, error = self._opening.pop(opened), opened.exception()
            if error is None:
                self._lanes.append(opened.result())
            else:
                over.append(Ended(job, error=_named(error)))
        if self._lanes:
            self._step([lane for lane in self._lanes if lane.ready] or self._lanes[:1])
        for closed in [future for future in self._closing if future.done()]:
            over.append(_ended(self._closing.pop(closed), closed.exception()))
        return over

    def moved(self) -> Moved:
        """How far the lanes are, those included that only finish their outputs."""
        lanes = [*self._lanes, *self._closing.values()]
        return Moved(sum(lane.recording.frames for lane in lanes), sum(lane.share for lane in lanes))

    def _step(self, lanes: Sequence[_Lane]) -> None:
        fed: list[tuple[_Lane, Frame]] = []
        for lane in lanes:
            try:
                frame = next(lane.frames, None)
            except Exception as error:  # noqa: BLE001 - whatever its decoder meets is this clip's affair
                self._end(lane, error)
                continue
            if frame is None:
                self._end(lane, None)
            else:
                fed.append((lane, frame))
        for lane, frame in self._advance(fed):
            try:
                lane.recording.write(frame, lane.states)
            except Exception as error:  # noqa: BLE001 - so is what its outputs meet
                self._end(lane, error)

    def _advance(self, fed: Sequence[tuple[_Lane, Frame]]) -> Sequence[tuple[_Lane, Frame]]:
        """Track the frames; returns those that could be tracked."""
        try:
            _track(self._loaded.tracker, fed)
        except InputError as error:
            if len(fed) == 1:
                self._end(fed[0][0], error)
                return []
            # one clip's box or time is impossible: find out whose, the others go on
            return [one for pair in fed for one in self._advance([pair])]
        return fed

    def _end(self, lane: _Lane, error: BaseException | None) -> None:
        self._lanes.remove(lane)
        self._closing[self._pool.submit(lane.end, error)] = lane

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for future in self._opening:
            if not future.cancel() and future.exception() is None:
                self._lanes.append(future.result())
        for lane in list(self._lanes):
            self._end(lane, error or InputError("stopped"))
        self._pool.shutdown(wait=True)


def _track(tracker: Tracker, fed: Sequence[tuple[_Lane, Frame]]) -> None:
    after = advance(tracker, [(frame, lane.starts, lane.states) for lane, frame in fed])
    for (lane, _), states in zip(fed, after, strict=True):
        lane.states = states


def _ended(lane: _Lane, error: BaseException | None) -> Ended:
    lost = _frames(lane.recording.lost)
    seconds = round(time.monotonic() - lane.began, 3)
    return Ended(lane.job, lane.recording.frames, seconds, lost, _named(error) if error else None)


def _frames(lost: Mapping[int, Sequence[tuple[int, int]]]) -> int:
    return sum(last - first + 1 for stretches in lost.values() for first, last in stretches)


def _named(error: BaseException) -> SiamtrackError:
    """An error that people can read, also where nobody foresaw it."""
    if isinstance(error, SiamtrackError):
        return error
    return SiamtrackError(
        f"{type(error).__name__}: {error}", hint="a bug in siamtrack: run that clip alone with --debug"
    )
