"""Output: messages, colours and bars on stderr; results on stdout."""

from __future__ import annotations

import errno
import json
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from threading import Timer
from typing import Any, Protocol, TextIO, cast

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

from siamcli.errors import OutputError

__all__ = [
    "Clock",
    "Update",
    "error",
    "hush",
    "info",
    "is_debugging",
    "is_verbose",
    "patience",
    "print_json",
    "print_rows",
    "print_text",
    "progress",
    "prompt",
    "protect_streams",
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


class _SafeStream:
    """A standard stream, None where it is closed; `refused` is told of every write that fails."""

    def __init__(self, stream: TextIO | None, refused: Callable[[OSError], None]) -> None:
        self._closed = stream is None
        self._stream = stream or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - to the end
        self._refused = refused

    def write(self, text: str) -> int:
        if text == "":  # typer probes a stream with it, and hides what that raises
            return 0
        if self._closed:
            self._refused(OSError(errno.EBADF, "it is closed"))
        self._try(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        self._try(self._stream.flush)

    def _try(self, act: Callable[[], object]) -> None:
        try:
            act()
        except OSError as failure:
            self._refused(failure)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the stream has
        return getattr(self._stream, name)


def protect_streams() -> None:
    """Decide once, for all that writes there, what it means that a standard stream takes nothing.

    A message that cannot be delivered is dropped: the work goes on.  A result that cannot be is an
    OutputError, and a reader who left ends the command quietly.  The name of a file goes out as the
    bytes that it has, also where they are no text.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")
    if not isinstance(sys.stderr, _SafeStream):
        sys.stderr = cast("TextIO", _SafeStream(sys.stderr, lambda failure: None))
    if not isinstance(sys.stdout, _SafeStream):
        sys.stdout = cast("TextIO", _SafeStream(sys.stdout, _no_result))


def _no_result(failure: OSError) -> None:
    # What Python still holds for it goes nowhere, so that the end of the program does not fail again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if failure.errno == errno.EPIPE:
        raise SystemExit(141) from None  # 128 + SIGPIPE
    raise OutputError(f"cannot write standard output: {failure.strerror}", hint="send it elsewhere") from None


def set_level(*, quiet: bool, verbose: bool, debug: bool) -> None:
    """How much is said from now on."""
    _level.update(quiet=quiet, verbose=verbose, debug=debug)


def is_debugging() -> bool:
    """True when the user asked for tracebacks and timings."""
    return _level["debug"]


def is_verbose() -> bool:
    """True when the user asked to hear more."""
    return _level["verbose"] or _level["debug"]


def hush() -> None:
    """From now on as under --quiet."""
    _level["quiet"] = True


def info(message: str, style: str = "") -> None:
    """Print a line on stderr; nothing under --quiet."""
    if not _level["quiet"]:
        err.print(message, style=style, markup=False)


def prompt(message: str) -> None:
    """Print on stderr what the user must do before the work goes on, also under --quiet."""
    err.print(message, markup=False)


def verbose(message: str) -> None:
    """Print a line on stderr under -v."""
    if is_verbose():
        info(message, style="dim")


def print_json(document: object) -> None:
    """A document for programs: JSON on stdout."""
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
    sys.stdout.flush()


def print_text(content: str) -> None:
    """A document for programs on stdout: the bytes that a file would have, whatever the locale."""
    cast("TextIOWrapper", sys.stdout).reconfigure(encoding="utf-8", newline="\n")
    sys.stdout.write(content)
    sys.stdout.flush()


def print_rows(rows: Sequence[tuple[str, str]]) -> None:
    """Names and what is wrong with them, on stderr, also under --quiet."""
    wide = min(max((len(name) for name, _ in rows), default=0), 60)
    for name, reason in rows:
        err.print(f"  {name:<{wide}}  {reason}", markup=False)


class Clock:
    """Where the time goes, said under --debug."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def lap(self, what: str) -> None:
        """Say how long `what` took: the time since the lap before."""
        now = time.perf_counter()
        if is_debugging():
            info(f"{now - self._last:8.3f} s  {what}", style="dim")
        self._last = now


def error(message: str, hint: str | None = None) -> None:
    """What went wrong and what to do, on stderr, also under --quiet."""
    err.print(f"error: {message}", style="red", markup=False)
    if hint:
        err.print(f"hint:  {hint}", markup=False)


def shows_progress() -> bool:
    """True where bars are welcome: on a terminal, and not under --quiet."""
    return err.is_terminal and not _level["quiet"]


@contextmanager
def patience(message: str) -> Iterator[None]:
    """Say `message` once the block has taken a second: what is quicker needs no words."""
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
    """A bar on stderr while stderr is a terminal, else a line there every SAID_EVERY seconds.

    `total` counts `unit`; None means that the end is not known.  The rate is that of `passing`, which is
    `unit` unless something else is worth counting beside it.
    """
    passing = passing or unit
    pace = _Pace()
    with Progress(*_columns(total), console=err, disable=not shows_progress(), transient=True) as bar:
        task = bar.add_task(what, total=total, note="", rate="")
        said = time.monotonic()

        def update(done: float, note: str = "", passed: int | None = None) -> None:
            nonlocal said
            rate = f"{pace.after(done if passed is None else passed):.1f} {passing}/s"
            count = "" if passed is None else f"{passed} {passing}, "
            bar.update(task, completed=done, note=note, rate=count + rate)
            now = time.monotonic()
            if not shows_progress() and now - said >= SAID_EVERY:
                said = now
                of = "" if total is None else f" of {total}"
                info(", ".join(filter(None, [f"{what}: {done:.0f}{of} {unit}", count + rate, note])))

        yield update


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
    columns: list[ProgressColumn] = [TextColumn("{task.description}", table_column=_narrow())]
    if total is None:
        columns += [SpinnerColumn(), TextColumn("{task.completed:.0f}"), TimeElapsedColumn()]
    else:
        columns += [BarColumn(20), MofNCompleteColumn(), TimeRemainingColumn()]
    rest = [TextColumn("{task.fields[" + name + "]}", table_column=_narrow()) for name in ("rate", "note")]
    return [*columns, *rest]


def _narrow() -> Column:
    """A column that ends in ... rather than going on in a second line."""
    return Column(no_wrap=True, overflow="ellipsis")
