"""Tracks and saves in a thread, one clip at a time, and reports progress to the pages."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import cache, partial
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, TypeAlias

from siamcli.errors import InputError, SiamtrackError
from siamcli.ui.review.changes import State
from siamcli.ui.review.documents import point_row
from siamcli.ui.review.editing import Editing
from siamcli.ui.review.events import Events

if TYPE_CHECKING:
    from siamcli.load import LoadedTracker
    from siamcli.trajectory import Trajectory

__all__ = ["Load", "Work"]

Load: TypeAlias = "Callable[[Trajectory], LoadedTracker]"
TOLD_EVERY = 0.2  # seconds between two events about work under way


class Work:
    """Tracks and saves; `load` gives the tracker for a trajectory, None where nothing is tracked."""

    def __init__(self, load: Load | None, events: Events) -> None:
        self._load = load
        self._events = events
        self._busy = Lock()
        self._finished = False

    def begin(self, number: int, state: State, what: str, version: int) -> None:
        """Begin to `track` or `save` a clip; raises InputError while something else is under way."""
        if what == "track" and (self._load is None or not isinstance(state, Editing)):
            raise InputError("nothing is tracked here")
        if not self._busy.acquire(blocking=False):
            raise InputError("a clip is being tracked or written", hint="wait for it, or stop it")
        state.stopped = False
        if self._finished:  # asked after that, so that what `finish` stops stays stopped
            self._busy.release()
            raise InputError("siamtrack has ended")
        state.working = what
        Thread(target=self._do, args=(number, state, what, version), name=what).start()

    def finish(self, states: Iterable[State]) -> None:
        """Let nothing begin any more, stop what is under way in `states`, and wait for that."""
        self._finished = True
        for state in states:
            state.stopped = True
        with self._busy:
            pass

    def _do(self, number: int, state: State, what: str, version: int) -> None:
        end: dict[str, Any] = {"clip": number, "done": what}
        try:
            if isinstance(state, Editing) and self._load is not None and what == "track":
                self._track(number, state, version, self._load)
            else:
                self._save(number, state, version)
        except SiamtrackError as error:
            end["error"], end["hint"] = str(error), error.hint
        except Exception as error:
            end["error"] = f"{type(error).__name__}: {error}"  # without it the page would say that it is done
            raise
        finally:
            state.working = ""
            self._busy.release()
            self._events.send({**end, "version": state.version})

    def _track(self, number: int, editing: Editing, version: int, load: Load) -> None:
        told, rows = 0.0, []
        trajectory = editing.edits.trajectory
        own = cache(partial(load, trajectory))
        self._events.send({"clip": number, "work": "track", "step": 0, "of": 0})
        for step, total, point in editing.track(version, own):
            rows.append([point.target, *point_row(point)])
            if time.monotonic() - told >= TOLD_EVERY:
                told = time.monotonic()
                event = {"clip": number, "work": "track", "step": step, "of": total, "points": rows}
                self._events.send(event)
                rows = []
        before, now = trajectory.header, own()
        if before.weights_sha256 and before.weights_sha256 != now.sha256:
            said = f"tracked with {before.model} before, with {now.model} now"
            self._events.send({"clip": number, "said": said})

    def _save(self, number: int, state: State, version: int) -> None:
        told = 0.0
        for done in state.save(version):
            if time.monotonic() - told >= TOLD_EVERY:
                told = time.monotonic()
                self._events.send({"clip": number, "work": "save", "step": done, "of": 0})
