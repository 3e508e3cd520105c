"""Follow the targets of one source: from the parsed wishes of a user to finished outputs."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, ExitStack
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from siamcli.batch.job import Job, Recording, describe, describe_points, starts_in
from siamcli.boxes import Box
from siamcli.cli import console
from siamcli.cli.outputs import check_writable, left_out
from siamcli.errors import PickError
from siamcli.frames import Frame
from siamcli.media.prefetch import prefetch
from siamcli.media.sources import expected_count, open_source
from siamcli.media.suffixes import is_video
from siamcli.tracker.follow import Following, Start, follow

if TYPE_CHECKING:
    from siamcli.cli.options import TrackerOptions
    from siamcli.load import LoadedTracker
    from siamcli.ui.pick import Ask
    from siamcli.ui.window import LiveWindow

__all__ = ["follow_source"]


def follow_source(
    job: Job, tracker: TrackerOptions, *, picker: AbstractContextManager[Ask], show: bool
) -> dict[str, Any]:
    """Track, write every output, report to people; returns the summary document.

    `picker` is opened for a job without targets; the tracker is loaded meanwhile.

    Whatever stops it (a damaged source, Ctrl-C, a full disk), outputs that were begun are finished
    and say that they are incomplete.
    """
    clock = console.Clock()
    with ExitStack() as stack:
        source = open_source(job.source, start=job.cut.start, end=job.cut.end, stride=job.cut.stride)
        frames = stack.enter_context(prefetch(source))
        rest = iter(frames)
        first = next(rest)
        clock.lap("open the source and decode its first frame")
        starts = _said(starts_in(job, first), job, first)
        if starts:
            loaded = tracker.load()
        else:
            starts, loaded = _picked_while_loading(job, first, tracker, picker)
        if any(map(is_video, job.paths)):
            _leave_room(loaded)
        clock.lap(f"load {loaded.model} for {loaded.tracker.engine.name}")
        console.tell(f"{loaded.model} on {loaded.tracker.engine.name}")
        recording = Recording(job, describe(frames.info, first, loaded, job.labels))
        run = _Run(recording)
        stack.push(run.report)
        stack.enter_context(recording)
        clock.lap("open the outputs")
        window = stack.enter_context(_live_window(job.source)) if show else None
        run.track(follow(loaded.tracker, chain([first], rest), starts), window)
    clock.lap(f"track {recording.frames} frames and finish the outputs")
    return run.summary()


class _Run:
    """One run in progress, as people see it: the bar, the lines at the end, the summary."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._began = time.time()
        self._points = 0
        self._lost = 0

    def track(self, loop: Following, window: LiveWindow | None) -> None:
        """Record every frame that is followed.  Raises what tracking and recording raise."""
        self._began = time.time()
        recording = self._recording
        header, job = recording.header, recording.job
        with console.progress(Path(job.source).name, expected_count(header.source, job.cut)) as update:
            again: dict[int, Box] | None = None
            while True:
                try:
                    frame, states = loop.send(again)
                except StopIteration:
                    break
                points = recording.write(frame, states)
                self._points += len(points)
                self._lost += sum(point.state == "lost" for point in points)
                update(recording.frames, describe_points(points, header.labels))
                again = window.show(frame, points, header.labels) if window else None
        recording.check_all_begun()

    def report(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Tell people how it went, also when it was stopped."""
        recording = self._recording
        seconds, frames = time.time() - self._began, recording.frames
        if not frames:
            return
        rate = (
            f"{frames} frame{'s' * (frames > 1)} in {seconds:.1f} s ({frames / max(seconds, 1e-9):.1f} fps)"
        )
        console.say(f"stopped: {rate}" if error else f"tracked {rate}")
        for target, intervals in recording.lost.items():
            if intervals:
                name = recording.header.labels[target - 1] or f"target {target}"
                shown = ", ".join(f"{a}-{b}" for a, b in intervals[:8])
                more = f" and {len(intervals) - 8} more" if len(intervals) > 8 else ""
                console.say(f"{name}: lost in frames {shown}{more}", style="yellow")
        if recording.job.drop_lost:
            console.say(left_out(self._lost, self._points, len(recording.header.labels)))
        written = [name for name in recording.job.files if self._is_new(Path(name))]
        if written:
            console.say(("kept, incomplete: " if error else "wrote ") + ", ".join(written))

    def _is_new(self, path: Path) -> bool:
        # A full disk may have left nothing under the name, or the file that was there before.
        return path.exists() and path.stat().st_mtime >= self._began

    def summary(self) -> dict[str, Any]:
        """The document that --json prints."""
        recording, header = self._recording, self._recording.header
        seconds = time.time() - self._began
        return {
            "source": recording.job.source,
            "model": header.model,
            "weights_sha256": header.weights_sha256,
            "frames": recording.frames,
            "seconds": round(seconds, 3),
            "targets": [label or str(i) for i, label in enumerate(header.labels, start=1)],
            "lost": {str(t): [list(i) for i in found] for t, found in recording.lost.items()},
            "outputs": recording.job.files,
            "complete": True,
        }


def _leave_room(loaded: LoadedTracker) -> None:
    from siamcli.engines.cpu import leave_room

    leave_room(loaded.tracker.engine)


def _picked_while_loading(
    job: Job, first: Frame, tracker: TrackerOptions, picker: AbstractContextManager[Ask]
) -> tuple[list[Start], LoadedTracker]:
    """What the user draws, and the tracker, which is loaded meanwhile.  Raises PickError."""
    tracker.check()  # nobody draws a box for a run that cannot begin
    check_writable(job.files, overwrite=job.overwrite)
    loaded = tracker.begin_loading()
    starts = _said([Start(_picked(job, first, picker))], job, first)
    return starts, loaded()


def _picked(job: Job, first: Frame, picker: AbstractContextManager[Ask]) -> Box:
    """The box that the user draws in the first frame.  Raises PickError."""
    with picker as ask:
        box = ask(first.image, f"siamtrack: {job.source}")
    if box is None:
        raise PickError("no box was picked", hint="drag a box and confirm it, or give it with --box x,y,w,h")
    return box


def _said(starts: list[Start], job: Job, first: Frame) -> list[Start]:
    """The targets in pixels of the first frame, echoed to the user."""
    height, width = first.image.shape[:2]
    for number, (start, label) in enumerate(zip(starts, job.labels, strict=False), start=1):
        x, y, w, h = (f"{v:g}" for v in start.box)
        console.say(f"{label or f'target {number}'}: box {x},{y},{w},{h} in a {width}x{height} frame")
    return starts


def _live_window(title: str) -> LiveWindow:
    from siamcli.ui.window import LiveWindow

    return LiveWindow(title)
