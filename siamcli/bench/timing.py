"""Times engines side by side: every round measures all of them, so that a disturbance affects all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from siamcli.boxes import Box
from siamcli.engines.kinds import engine_name
from siamcli.frames import Frame
from siamcli.model.spec import TrackerParams
from siamcli.tracker.engine import Engine
from siamcli.tracker.regions import Region, ranking_of
from siamcli.tracker.tracker import Tracker, TrackerState

__all__ = ["StepTimes", "Timing", "compare", "places"]

SIZE = (1280, 720)
BOX = Box(560.0, 300.0, 120.0, 90.0)


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds over all rounds: the best, the median, and the quartiles as the spread."""

    best: float
    median: float
    low: float
    high: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Timing:
        """The statistics of some durations."""
        best, low, median, high = (1000 * float(v) for v in np.percentile(seconds, (0, 25, 50, 75)))
        return cls(round(best, 3), round(median, 3), round(low, 3), round(high, 3))


@dataclass(frozen=True, slots=True)
class StepTimes:
    """One engine's tracking step for `targets` targets in a 1280x720 frame.

    `crop` cuts the search regions, `locate` is network and decoding, `step` is all of it, `cpu` the
    processor time that all threads spent on it: what a machine shared with others leaves untouched.
    `ratio` and `cpu_ratio` say how many times less the step takes than the first engine's with as
    many targets, in the median over rounds.
    """

    engine: str
    targets: int
    step: Timing
    crop: Timing
    locate: Timing
    cpu: Timing
    ratio: float
    cpu_ratio: float


def compare(
    engines: Sequence[Engine], params: TrackerParams, targets: int, rounds: int
) -> Iterator[StepTimes]:
    """Time the step of every engine; the first one is the baseline."""
    frame = _frame()
    timers = [_EngineTimer(Tracker(engine, params), frame, targets) for engine in engines]
    for timer in timers:
        timer.measure()  # compilation, capture, caches
    seconds = [[timer.measure() for timer in timers] for _ in range(rounds)]
    for i, engine in enumerate(engines):
        step, cut, locate, used = (Timing.of([row[i][k] for row in seconds]) for k in range(4))
        wall, cpu = (round(statistics.median(row[0][k] / row[i][k] for row in seconds), 2) for k in (0, 3))
        yield StepTimes(engine_name(engine), targets, step, cut, locate, used, wall, cpu)


def places(targets: int) -> list[Box]:
    """Boxes beside each other in the frame; of more than 64 some lie in one place.

    >>> all(box.x + box.w <= SIZE[0] for box in places(1000))
    True
    """
    return [Box(BOX.x + 8 * (i % 64), BOX.y, BOX.w, BOX.h) for i in range(targets)]


class _EngineTimer:
    """Measures one engine, a round at a time."""

    def __init__(self, tracker: Tracker, frame: Frame, targets: int) -> None:
        self._tracker, self._engine, self._frame = tracker, tracker.engine, frame
        spec = tracker.engine.spec
        self._ranking = ranking_of(spec, tracker.params, spec.search_size)
        self._states = self._tracker.start_all([frame] * targets, places(targets))
        regions = [(state, region) for state in self._states for region in self._regions(state)]
        self._templates = [state.template for state, _ in regions]
        self._crops = np.stack([region.pixels for _, region in regions])
        self._sizes = np.asarray([state.size for state, _ in regions], np.float32)

    def measure(self) -> tuple[float, float, float, float]:
        """Seconds of the whole step, of its crops, of its locate; processor seconds of the step."""
        frames = [self._frame] * len(self._states)
        started_at = time.process_time()
        step = _seconds(lambda: self._tracker.step_all(self._states, frames))
        cpu = time.process_time() - started_at
        return (
            step,
            _seconds(lambda: [self._regions(state) for state in self._states]),
            _seconds(lambda: self._engine.locate(self._templates, self._crops, self._sizes, self._ranking)),
            cpu,
        )

    def _regions(self, state: TrackerState) -> list[Region]:
        return self._tracker.regions(state, self._frame, self._engine.spec.search_size)


def _seconds(work: Callable[[], object]) -> float:
    started_at = time.perf_counter()
    work()
    return time.perf_counter() - started_at


def _frame() -> Frame:
    """Noise on a gradient: nothing in a network depends on what it sees, but zeros may be faster."""
    width, height = SIZE
    noise = np.random.default_rng(0).integers(0, 64, (height, width, 3), np.uint8)
    gradient = np.linspace(0, 191, width, dtype=np.uint8)[None, :, None]
    return Frame(0, 0.0, noise + gradient)
