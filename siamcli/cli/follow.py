"""Tracks one source and reports on it: boxes, progress, lost intervals, files written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from siamcli.cli import console
from siamcli.cli.outputs import check_writable, frames_in_words, left_out
from siamcli.counts import counted
from siamcli.engines.kinds import engine_name
from siamcli.errors import PickError
from siamcli.frames import Frame, SourceInfo
from siamcli.labels import shown_name
from siamcli.media.kinds import source_name
from siamcli.media.suffixes import is_video
from siamcli.session.job import Job, describe_points
from siamcli.session.session import Session
from siamcli.session.twoway import TwoWaySession
from siamcli.targets import TargetMark
from siamcli.tracker.follow import Start

if TYPE_CHECKING:
    from siamcli.cli.options import TrackerOptions
    from siamcli.load import LoadedTracker
    from siamcli.ui.window import LiveWindow

__all__ = ["follow_source", "summary"]

_PAIRS = 10  # pairs of targets with nearly one box that are named

AskUser = Callable[[Job, Frame, SourceInfo], Sequence[TargetMark]]
"""Gives the targets of a job, none when it was cancelled; its first frame is there to be shown."""


def follow_source(job: Job, options: TrackerOptions, *, ask: AskUser, show: bool) -> Session:
    """Track a source, write every output, and report; returns the session, which has ended.

    `ask` returns the targets of a job that has none; meanwhile, the tracker is loaded.  If a damaged source,
    Ctrl-C or a full disk stops it, the outputs are finished and marked as incomplete.
    """
    clock = console.Clock()
    options.check()
    load = options.load

    def targets(first: Frame, info: SourceInfo) -> Sequence[TargetMark]:
        nonlocal load
        check_writable(job.files, overwrite=job.overwrite)  # said before a box is drawn
        load = options.begin_loading()
        if not (found := ask(session.job, first, info)):
            raise PickError(
                "no box was picked", hint="drag a box and confirm it, or give it with --box x,y,w,h"
            )
        return found

    def loaded() -> LoadedTracker:
        clock.lap("open the source and decode its first frame")
        check_writable(session.job.files, overwrite=job.overwrite)
        _print_boxes(session)
        tracker = load()
        if any(map(is_video, job.paths)):
            _reserve_core(tracker)
        name = engine_name(tracker.engine)
        clock.lap(f"load {tracker.model} for {name}")
        console.verbose(f"{tracker.model} on {name}")
        return tracker

    one_way = job.direction == "forward" and not job.check
    session = (Session if one_way else TwoWaySession)(job, loaded, ask=targets)
    try:
        with session, _live_window(session, show) as window:
            clock.lap("open the outputs")
            _track(session, window)
    except BaseException:
        _report(session, stopped=True)
        raise
    _report(session, stopped=False)
    clock.lap(f"track {counted(session.frames, 'frame')} and finish the outputs")
    return session


def _track(session: Session, window: LiveWindow | None) -> None:
    """Track to the end, with a progress bar, and with a window if `show`."""
    name = source_name(session.job.source).short
    before = session.prepare()
    if (first := next(before, None)) is not None:
        with console.progress(f"tracking {name}", first.total) as update:
            for step in before:
                update(step.done)
    with console.progress(name, session.expected) as update:
        for frame, points in session:
            update(session.frames, describe_points(points, session.header.labels))
            picked = window.show(frame, points) if window else None
            for position, box in (picked or {}).items():
                session.restart(position + 1, box)


def _reserve_core(tracker: LoadedTracker) -> None:
    from siamcli.engines.cpu import reserve_core_for_encoder

    reserve_core_for_encoder(tracker.engine)


def _print_boxes(session: Session) -> None:
    """Print the boxes of the targets in pixels of the first frame."""
    height, width = session.first.image.shape[:2]
    for start in session.marks:
        if isinstance(start, Start) and start.target is not None:
            x, y, w, h = (f"{v:g}" for v in start.box)
            name = shown_name(session.job.labels, start.target)
            console.info(f"{name}: box {x},{y},{w},{h} in a {width}x{height} frame")


def _live_window(session: Session, show: bool) -> AbstractContextManager[LiveWindow | None]:
    if not show:
        return nullcontext()
    from siamcli.drawing.painter import Painter
    from siamcli.ui.window import LiveWindow

    painter = Painter(session.job.style, session.header.labels)
    return LiveWindow(source_name(session.job.source).shown, painter)


def _report(session: Session, *, stopped: bool) -> None:
    """Print a summary, also after an interruption."""
    seconds, frames = session.seconds, session.frames
    if not frames:
        return
    rate = f"{counted(frames, 'frame')} in {seconds:.1f} s ({frames / max(seconds, 1e-9):.1f} fps)"
    console.info(f"stopped: {rate}" if stopped else f"tracked {rate}")
    if session.dropped:
        dropped = counted(session.dropped, "frame", "were")
        console.info(f"{dropped} dropped: the source was too fast", style="yellow")
    labels = session.header.labels
    for target, intervals in session.lost.items():
        if intervals:
            name = shown_name(labels, target)
            console.info(f"{name}: lost in {frames_in_words(intervals)}", style="yellow")
    _report_shared(session)
    for address, lines in session.missed.items():
        if lines:
            console.info(f"{address}: {counted(lines, 'line')} did not reach a reader", style="yellow")
    if session.job.drop_lost:
        console.info(left_out(session.points_lost, session.points, len(labels)))
    for what, incomplete in (("wrote", False), ("kept, incomplete:", True)):
        if names := [name for name in session.written if (name in session.incomplete) == incomplete]:
            console.info(f"{what} {', '.join(names)}")


def _report_shared(session: Session) -> None:
    """Print which targets have nearly the same box; at most the first pairs."""
    pairs = list(session.shared.intervals().items())
    for pair, intervals in pairs[:_PAIRS]:
        both = " and ".join(shown_name(session.header.labels, target) for target in pair)
        where = frames_in_words(intervals)
        console.info(f"{both}: nearly the same box in {where}: do both follow one target?", style="yellow")
    if len(pairs) > _PAIRS:
        console.info(f"... and {counted(len(pairs) - _PAIRS, 'more pair')}: --json names all", style="yellow")


def summary(session: Session) -> dict[str, Any]:
    """The document that --json prints."""
    header = session.header
    return {
        "source": source_name(session.job.source).shown,
        "model": header.model,
        "weights_sha256": header.weights_sha256,
        "frames": session.frames,
        "dropped": session.dropped,
        "seconds": round(session.seconds, 3),
        "targets": [label or str(i) for i, label in enumerate(header.labels, start=1)],
        "lost": {str(t): [list(i) for i in intervals] for t, intervals in session.lost.items()},
        "same_box": [
            {"targets": list(pair), "frames": [list(i) for i in intervals]}
            for pair, intervals in session.shared.intervals().items()
        ],
        "outputs": session.job.files,
        "missed": session.missed,
        "complete": True,
    }
