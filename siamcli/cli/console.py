"""All output of the commands: messages and progress on stderr, results on stdout."""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from io import TextIOWrapper
from threading import Event, Lock, Thread, Timer
from typing import Protocol, cast

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column

from siamcli.cli.harmless import harmless, without_commands

__all__ = [
    "Clock",
    "Update",
    "error",
    "hush",
    "info",
    "is_debugging",
    "patience",
    "print_json",
    "print_path",
    "print_rows",
    "print_table",
    "print_text",
    "progress",
    "prompt",
    "set_level",
    "shows_progress",
    "verbose",
]

PATIENCE = 1.0
"""Seconds after which `patience` prints its message."""

SAID_EVERY = 30.0
"""Seconds between two lines where there is no terminal for a bar."""

PACE_OVER = 10.0
"""Seconds over which a rate is averaged."""

err = Console(stderr=True, highlight=False, soft_wrap=True)
_level = {"quiet": False, "verbose": False, "debug": False}


def set_level(*, quiet: bool, verbose: bool, debug: bool) -> None:
    """Set how much is printed from now on."""
    _level.update(quiet=quiet, verbose=verbose, debug=debug)


def is_debugging() -> bool:
    """True when the user asked for tracebacks and timings."""
    return _level["debug"]


def hush() -> None:
    """From now on print as little as under --quiet."""
    _level["quiet"] = True


def info(message: str, style: str = "") -> None:
    """Print a line on stderr; nothing under --quiet."""
    if not _level["quiet"]:
        _print(message, style)


def prompt(message: str) -> None:
    """Print on stderr what the user must do to continue, even under --quiet."""
    _print(message)


def _print(message: str, style: str = "") -> None:
    """Print one line on stderr; names and addresses in it cannot control the terminal."""
    err.print(harmless(message), style=style, markup=False)


def verbose(message: str) -> None:
    """Print a line on stderr under -v."""
    if _level["verbose"] or _level["debug"]:
        info(message, style="dim")


def print_json(document: object) -> None:
    """Print a JSON document on stdout."""
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
    sys.stdout.flush()


def print_text(content: str) -> None:
    """Print a document on stdout with the same bytes that a file would have, whatever the locale."""
    cast("TextIOWrapper", sys.stdout).reconfigure(encoding="utf-8", newline="\n")
    sys.stdout.write(content)
    sys.stdout.flush()


def print_table(lines: str) -> None:
    """Print lines of text on stdout; what they quote cannot control the terminal."""
    sys.stdout.write(without_commands(lines))
    sys.stdout.flush()


def print_path(path: object) -> None:
    """Print a path on stdout as its exact bytes; on a terminal, without characters that control it."""
    sys.stdout.write(f"{harmless(str(path)) if sys.stdout.isatty() else path}\n")
    sys.stdout.flush()


def print_rows(rows: Sequence[tuple[str, str]], *, always: bool = True) -> None:
    """Print names with a remark each on stderr; under --quiet only if `always`."""
    if _level["quiet"] and not always:
        return
    wide = min(max((len(name) for name, _ in rows), default=0), 60)
    for name, reason in rows:
        _print(f"  {name:<{wide}}  {reason}")


class Clock:
    """Prints under --debug how long each step takes."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def lap(self, what: str) -> None:
        """Print how long `what` took, counted from the lap before."""
        now = time.perf_counter()
        if is_debugging():
            info(f"{now - self._last:8.3f} s  {what}", style="dim")
        self._last = now


def error(message: str, hint: str | None = None) -> None:
    """Print an error and its hint on stderr, even under --quiet."""
    _print(f"error: {message}", "red")
    if hint:
        _print(f"hint:  {hint}")


def shows_progress() -> bool:
    """True if progress bars are shown: on a terminal, and not under --quiet."""
    return err.is_terminal and not _level["quiet"]


@contextmanager
def patience(message: str) -> Iterator[None]:
    """Print `message` if the block takes longer than a second."""
    timer = Timer(PATIENCE, info, (message,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class Update(Protocol):
    """Tell how far it is: `done` of the total, a note, and how much has passed where that is not `done`."""

    def __call__(self, done: float, note: str = "", passed: int | None = None) -> None: ...


@contextmanager
def progress(what: str, total: int | None, unit: str = "frames", passing: str = "") -> Iterator[Update]:
    """Show a progress bar while stderr is a terminal, else print a line there every SAID_EVERY seconds.

    `total` is a number of `unit`, None if the end is not known.  The rate counts `passing`, by default
    `unit`.
    """
    bar = Progress(*_columns(total), console=err, disable=not shows_progress(), transient=True)
    lines = _Lines(harmless(what), total, unit, passing or unit)
    with bar, nullcontext() if shows_progress() else lines:
        task = bar.add_task(harmless(what), total=total, note="", rate="")

        def update(done: float, note: str = "", passed: int | None = None) -> None:
            lines.update(done, harmless(note), passed)
            of = None if total is None else max(total, done)
            bar.update(task, completed=done, total=of, note=harmless(note), rate=lines.rate())

        yield update


class _Lines:
    """The words of a bar; as a context manager it says them every SAID_EVERY seconds, also while nothing
    moves."""

    def __init__(self, what: str, total: int | None, unit: str, passing: str) -> None:
        self._what, self._unit, self._passing = what, unit, passing
        self._total = total
        self._done, self._note = 0.0, ""
        self._passed: int | None = None
        self._pace = _Pace()
        self._speaks = False
        self._said = time.monotonic()
        self._turn = Lock()
        self._ended = Event()

    def update(self, done: float, note: str, passed: int | None) -> None:
        """How far it is; says so when the time has come."""
        self._done, self._note, self._passed = done, note, passed
        if self._speaks:
            self._say()

    def rate(self) -> str:
        """What has passed, where that is not what is done, and how fast."""
        passed = self._done if self._passed is None else self._passed
        same = self._passing == self._unit and passed == self._done
        count = "" if self._passed is None or same else f"{self._passed} {self._passing}, "
        return f"{count}{self._pace.after(passed):.1f} {self._passing}/s"

    def _say(self) -> None:
        with self._turn:
            if time.monotonic() - self._said >= SAID_EVERY:
                self._said = time.monotonic()
                known = self._total is not None and self._done <= self._total  # files can announce too few
                of = f" of {self._total}" if known else ""
                done = f"{self._what}: {int(self._done)}{of} {self._unit}"
                info(", ".join(filter(None, [done, self.rate(), self._note])))

    def _watch(self) -> None:
        while not self._ended.wait(max(SAID_EVERY / 4, 1)):
            self._say()

    def __enter__(self) -> None:
        self._speaks = True
        Thread(target=self._watch, daemon=True).start()

    def __exit__(self, *stopped: object) -> None:
        self._ended.set()


class _Pace:
    """How many pass per second, over the last PACE_OVER seconds."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, float]] = deque()

    def after(self, passed: float) -> float:
        """The rate when so many have passed."""
        now = time.monotonic()
        self._marks.append((now, passed))
        while now - self._marks[0][0] > PACE_OVER and len(self._marks) > 2:
            self._marks.popleft()
        began, before = self._marks[0]
        return (passed - before) / max(now - began, 1e-9)


def _columns(total: int | None) -> list[ProgressColumn]:
    columns: list[ProgressColumn] = [TextColumn("{task.description}", markup=False, table_column=_narrow())]
    if total is None:
        columns += [SpinnerColumn(), TextColumn("{task.completed:.0f}"), TimeElapsedColumn()]
    else:
        columns += [BarColumn(20), MofNCompleteColumn(), TimeRemainingColumn()]
    rest = [
        TextColumn("{task.fields[" + name + "]}", markup=False, table_column=_narrow())
        for name in ("rate", "note")
    ]
    return [*columns, *rest]


def _narrow() -> Column:
    """A column that ends in ... rather than going on in a second line."""
    return Column(no_wrap=True, overflow="ellipsis")
