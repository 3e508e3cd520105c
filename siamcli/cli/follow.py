"""Follow the targets of one source: from the parsed wishes of a user to finished outputs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from siamcli import __version__
from siamcli.boxes import Box
from siamcli.cli import console
from siamcli.cli.targets import Target
from siamcli.errors import InputError
from siamcli.frames import Frame, SourceInfo
from siamcli.load import LoadedTracker
from siamcli.media.encoders import VideoOptions
from siamcli.media.parts import make_folder
from siamcli.media.prefetch import prefetch
from siamcli.media.sinks import Sinks
from siamcli.media.sources import expected_count, open_source
from siamcli.times import Cut, TimePoint
from siamcli.tracker.follow import Start, follow, track_points
from siamcli.tracker.tracker import TrackerState
from siamcli.trajectory import LostLog, TrackHeader

if TYPE_CHECKING:
    from siamcli.media.window import LiveWindow

__all__ = ["Job", "follow_source"]


@dataclass(frozen=True, slots=True)
class Job:
    """What a user asked for; no targets means that they are to be picked in a window."""

    source: str
    start: TimePoint | None
    end: TimePoint | None
    stride: int
    targets: tuple[Target, ...]
    paths: tuple[str, ...]
    overwrite: bool
    encoding: VideoOptions
    show: bool


def follow_source(job: Job, load: Callable[[], LoadedTracker]) -> dict[str, Any]:
    """Track, write every output, report to people; returns the summary document.

    Whatever stops it (a damaged source, Ctrl-C, a full disk), outputs that were begun are finished
    and say that they are incomplete.
    """
    clock = console.Clock()
    with ExitStack() as stack:
        source = open_source(job.source, start=job.start, end=job.end, stride=job.stride)
        frames = stack.enter_context(prefetch(source))
        rest = iter(frames)
        first = next(rest)
        clock.lap("open the source and decode its first frame")
        starts, labels = _starts(job, first)
        loaded = load()
        clock.lap(f"load {loaded.model} for {loaded.tracker.engine.name}")
        console.tell(f"{loaded.model} on {loaded.tracker.engine.name}")
        run = _Run(job, _header(frames.info, first, loaded, labels), starts)
        stack.push(run.report)
        sinks = stack.enter_context(_sinks(job, run.header))
        window = stack.enter_context(_live_window(job.source)) if job.show else None
        clock.lap("open the outputs")
        run.track(loaded, chain([first], rest), sinks, window)
    clock.lap(f"track {run.frames} frames and finish the outputs")
    return run.summary()


class _Run:
    """One run in progress: what has been seen so far, for the bar and the summary."""

    def __init__(self, job: Job, header: TrackHeader, starts: Sequence[Start]) -> None:
        self.header = header
        self.frames = 0
        self._job = job
        self._starts = starts
        self._began = time.perf_counter()
        self._lost = LostLog()

    def track(
        self, loaded: LoadedTracker, frames: Iterable[Frame], sinks: Sinks, window: LiveWindow | None
    ) -> None:
        """Feed every frame through the tracker into the sinks.  Raises what any of them raises."""
        total = expected_count(self.header.source, Cut(self._job.start, self._job.end, self._job.stride))
        states: tuple[TrackerState | None, ...] = ()
        with console.progress(Path(self._job.source).name, total) as update:
            loop = follow(loaded.tracker, frames, self._starts)
            again: dict[int, Box] | None = None
            while True:
                try:
                    frame, states = loop.send(again)
                except StopIteration:
                    break
                points = track_points(frame, states)
                for point in points:
                    self._lost.add(point)
                sinks.write(frame, points)
                self.frames += 1
                update(self.frames, " ".join(f"{p.score:.2f} {p.state}" for p in points[:4]))
                again = window.show(frame, points, self.header.labels) if window else None
        for target, state in zip(self._job.targets, states, strict=False):
            if state is None:
                raise InputError(
                    f"{self._job.source} ends before the time of {target.text!r}",
                    hint="choose an earlier time for --box-at",
                )

    def report(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Tell people how it went, also when it was stopped."""
        seconds = time.perf_counter() - self._began
        rate = f"{self.frames} frames in {seconds:.1f} s ({self.frames / max(seconds, 1e-9):.1f} fps)"
        console.say(f"stopped: {rate}" if error else f"tracked {rate}")
        for target, intervals in self._lost.intervals().items():
            if intervals:
                name = self.header.labels[target - 1] or f"target {target}"
                shown = ", ".join(f"{a}-{b}" for a, b in intervals[:8])
                more = f" and {len(intervals) - 8} more" if len(intervals) > 8 else ""
                console.say(f"{name}: lost in frames {shown}{more}", style="yellow")
        named = [path for path in self._job.paths if path != "-"]
        if named and self.frames:
            console.say(("kept, marked incomplete: " if error else "wrote ") + ", ".join(named))

    def summary(self) -> dict[str, Any]:
        """The document that --json prints."""
        seconds = time.perf_counter() - self._began
        return {
            "source": self._job.source,
            "model": self.header.model,
            "weights_sha256": self.header.weights_sha256,
            "frames": self.frames,
            "seconds": round(seconds, 3),
            "targets": [label or str(i) for i, label in enumerate(self.header.labels, start=1)],
            "lost": {str(t): [list(i) for i in found] for t, found in self._lost.intervals().items()},
            "outputs": [path for path in self._job.paths if path != "-"],
            "complete": True,
        }


def _starts(job: Job, first: Frame) -> tuple[list[Start], tuple[str | None, ...]]:
    """The targets in pixels of the first frame, echoed to the user, and their labels."""
    height, width = first.image.shape[:2]
    if not job.targets:
        from siamcli.media.pick import pick_box

        labels: tuple[str | None, ...] = (None,)
        starts = [Start(pick_box(first.image, f"siamtrack: {job.source}"))]
    else:
        starts = [Start(target.box((width, height)), target.at) for target in job.targets]
        labels = tuple(target.label for target in job.targets)
    for number, (start, label) in enumerate(zip(starts, labels, strict=True), start=1):
        x, y, w, h = (f"{v:g}" for v in start.box)
        console.say(f"{label or f'target {number}'}: box {x},{y},{w},{h} in a {width}x{height} frame")
    return starts, labels


def _header(
    info: SourceInfo, first: Frame, loaded: LoadedTracker, labels: tuple[str | None, ...]
) -> TrackHeader:
    height, width = first.image.shape[:2]
    return TrackHeader(
        source=replace(info, size=(width, height)),
        model=loaded.model,
        weights_sha256=loaded.sha256,
        version=__version__,
        params=asdict(loaded.tracker.engine.params),
        labels=labels,
    )


def _sinks(job: Job, header: TrackHeader) -> Sinks:
    for path in job.paths:
        if path != "-":
            make_folder(Path(path).parent)
    from_start = job.start is None and job.stride == 1
    audio = job.source if from_start and Path(job.source).is_file() else None
    return Sinks(job.paths, header, overwrite=job.overwrite, audio=audio, options=job.encoding)


def _live_window(title: str) -> LiveWindow:
    from siamcli.media.window import LiveWindow

    return LiveWindow(title)
