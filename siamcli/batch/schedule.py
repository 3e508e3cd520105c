"""Tracks several clips at once: their search regions share a batch, while other clips decode and encode."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Thread
from typing import TYPE_CHECKING

from siamcli.cores import available_memory, usable_cores
from siamcli.errors import InputError, SiamtrackError
from siamcli.frames import Frame
from siamcli.session.job import Job
from siamcli.session.session import Session, advance

if TYPE_CHECKING:
    from typing_extensions import Self

    from siamcli.load import LoadedTracker

__all__ = ["Events", "Finished", "Moved", "Started", "default_concurrency", "track_jobs"]

_GRACE = 0.5  # seconds that clips which are being opened get at the end; what opens later opens no output
CLIP_BYTES = 500_000_000  # two ffmpeg children and 24 waiting frames of 1920x1080


@dataclass(frozen=True, slots=True)
class Started:
    """A job is about to touch its outputs."""

    job: Job


@dataclass(frozen=True, slots=True)
class Finished:
    """A job is finished; `error` is None when it is complete, `lost` counts the frames in which one of the
    `targets` was lost, for each of them, `same_box` those in which two have nearly the same box."""

    job: Job
    frames: int = 0
    seconds: float = 0.0
    lost: int = 0
    targets: int = 1
    same_box: int = 0
    error: SiamtrackError | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """How far the jobs under way are: their frames so far, and how many jobs these make, by parts."""

    frames: int
    jobs: float


def default_concurrency(on_gpu: bool) -> int:
    """How many clips to keep open: enough to fill the device, what cores and available memory carry."""
    cores = usable_cores()
    wanted = 2 * cores if on_gpu else cores + 1
    return max(1, min(wanted, 32, available_memory() // 2 // CLIP_BYTES))


Events = Generator[Started | Moved | Finished, None, None]
"""What tracking says while it goes on; closed early, it finishes the clips under way as incomplete."""


def track_jobs(tracker: LoadedTracker, jobs: Iterable[Job | None], width: int) -> Events:
    """Track every job, at most `width` at a time; a job that fails does not disturb the others.

    `jobs` is asked for the next one when there is room; None means that there is none at the moment.
    When the iteration is ended from outside
    (Ctrl-C), the clips under way are finished as incomplete.
    """
    waiting = iter(jobs)
    with _Scheduler(tracker, width) as scheduler:
        while True:
            while scheduler.has_room and (job := next(waiting, None)) is not None:
                yield Started(job)
                scheduler.begin(job)
            if scheduler.empty:
                return
            yield from scheduler.step()
            yield scheduler.moved()


def _open(job: Job, load: Callable[[], LoadedTracker], opened: Future[Session]) -> None:
    try:
        opened.set_result(Session(job, load).__enter__())
    except BaseException as error:  # noqa: BLE001 - handed over to who waits for it
        opened.set_exception(error)


def _close(session: Session, error: BaseException | None) -> None:
    """Finish the outputs, as complete or not; raises what then goes wrong, else `error`."""
    if error is None:
        session.__exit__(None, None, None)
    else:
        session.__exit__(type(error), error, error.__traceback__)
        raise error


class _Scheduler:
    """The sessions: those that open, those that run, those that close."""

    def __init__(self, tracker: LoadedTracker, width: int) -> None:
        self._tracker = tracker
        self._width = width
        self._ended = False
        self._pool = ThreadPoolExecutor(2 * width, thread_name_prefix="clips")
        self._opening: dict[Future[Session], Job] = {}
        self._running: dict[Session, Job] = {}  # the job as it came: a session fills in what its source says
        self._closing: dict[Future[None], tuple[Session, Job]] = {}

    @property
    def has_room(self) -> bool:
        """Closing clips count by themselves: where encoding is the slow part they must not pile up."""
        return len(self._opening) + len(self._running) < self._width and len(self._closing) <= self._width

    @property
    def empty(self) -> bool:
        return not (self._opening or self._running or self._closing)

    def begin(self, job: Job) -> None:
        """Open a clip in a thread, which nobody has to wait for: an address may be silent."""
        opened: Future[Session] = Future()
        Thread(target=_open, args=(job, self._load, opened), daemon=True).start()
        self._opening[opened] = job

    def _load(self) -> LoadedTracker:
        """The tracker, for which sessions ask before they open outputs.  Raises InputError at the end."""
        if self._ended:
            raise InputError("stopped")
        return self._tracker

    def step(self) -> list[Finished]:
        """Advance every clip whose next frame is there; returns those that are finished."""
        if not self._running:
            wait({**self._opening, **self._closing}, return_when=FIRST_COMPLETED)
        finished: list[Finished] = []
        for opened in [future for future in self._opening if future.done()]:
            job, error = self._opening.pop(opened), opened.exception()
            if error is None:
                self._running[opened.result()] = job
            else:
                finished.append(Finished(job, error=_named(error)))
        if self._running:
            self._step_sessions(
                [session for session in self._running if session.ready] or [*self._running][:1]
            )
        for closed in [future for future in self._closing if future.done()]:
            finished.append(_finished(*self._closing.pop(closed), closed.exception()))
        return finished

    def moved(self) -> Moved:
        """How far the sessions are, those included that only finish their outputs."""
        sessions = [*self._running, *(session for session, _ in self._closing.values())]
        return Moved(sum(s.frames for s in sessions), sum(s.share for s in sessions))

    def _step_sessions(self, sessions: Sequence[Session]) -> None:
        decoded: list[tuple[Session, Frame]] = []
        for session in sessions:
            try:
                frame = session.read()
            except Exception as error:  # noqa: BLE001 - an error of one decoder ends only its clip
                self._end(session, error)
                continue
            if frame is None:
                self._end(session, None)
            else:
                decoded.append((session, frame))
        for session, frame in self._advance(decoded):
            try:
                session.write(frame)
            except Exception as error:  # noqa: BLE001 - and so does an error of its outputs
                self._end(session, error)

    def _advance(self, decoded: Sequence[tuple[Session, Frame]]) -> Sequence[tuple[Session, Frame]]:
        """Track the frames; returns those that could be tracked."""
        try:
            advance(self._tracker, decoded)
        except InputError as error:
            if len(decoded) == 1:
                self._end(decoded[0][0], error)
                return []
            # one clip's box or time is impossible: find out whose, the others go on
            return [one for pair in decoded for one in self._advance([pair])]
        return decoded

    def _end(self, session: Session, error: BaseException | None) -> None:
        job = self._running.pop(session)
        self._closing[self._pool.submit(_close, session, error)] = session, job

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._ended = True
        wait(self._opening, timeout=_GRACE)
        for future, job in self._opening.items():
            if future.done() and future.exception() is None:
                self._running[future.result()] = job
        for session in list(self._running):
            self._end(session, error or InputError("stopped"))
        self._pool.shutdown(wait=True)


def _finished(session: Session, job: Job, error: BaseException | None) -> Finished:
    lost = _frames(session.lost)
    seconds = round(session.seconds, 3)
    targets, same_box = len(job.labels), session.shared.frames
    return Finished(job, session.frames, seconds, lost, targets, same_box, _named(error) if error else None)


def _frames(lost: Mapping[int, Sequence[tuple[int, int]]]) -> int:
    return sum(last - first + 1 for stretches in lost.values() for first, last in stretches)


def _named(error: BaseException) -> SiamtrackError:
    """Wraps an unexpected exception."""
    if isinstance(error, SiamtrackError):
        return error
    return SiamtrackError(
        f"{type(error).__name__}: {error}", hint="a bug in siamtrack: run that clip alone with --debug"
    )
