"""How siamtrack speaks: to people on stderr, colour and bars where they are welcome; results on stdout."""

from __future__ import annotations

import errno
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from typing import Any, TextIO, cast

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from siamcli.errors import OutputError

__all__ = [
    "Clock",
    "Debug",
    "Quiet",
    "Verbose",
    "ask",
    "bars",
    "debugging",
    "error",
    "guard_streams",
    "listing",
    "progress",
    "result",
    "say",
    "tell",
    "text",
    "verbose",
]

err = Console(stderr=True, highlight=False, soft_wrap=True)
_level = {"quiet": 0, "verbose": 0, "debug": 0}


class _Guarded:
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


def guard_streams() -> None:
    """Decide once, for all that writes there, what it means that a standard stream takes nothing.

    A message that cannot be delivered is dropped: the work goes on.  A result that cannot be is an
    OutputError, and a reader who left ends the command quietly.  The name of a file goes out as the
    bytes that it has, also where they are no text.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")
    if not isinstance(sys.stderr, _Guarded):
        sys.stderr = cast("TextIO", _Guarded(sys.stderr, lambda failure: None))
    if not isinstance(sys.stdout, _Guarded):
        sys.stdout = cast("TextIO", _Guarded(sys.stdout, _no_result))


def _no_result(failure: OSError) -> None:
    # What Python still holds for it goes nowhere, so that the end of the program does not fail again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if failure.errno == errno.EPIPE:
        raise SystemExit(141) from None  # 128 + SIGPIPE
    raise OutputError(f"cannot write standard output: {failure.strerror}", hint="send it elsewhere") from None


def _remember(name: str) -> Callable[[int], int]:
    def callback(value: int) -> int:
        _level[name] = int(value)
        return value

    return callback


Quiet = typer.Option("--quiet", "-q", help="Only results and errors.", callback=_remember("quiet"))
Verbose = typer.Option("--verbose", "-v", help="Say more.", callback=_remember("verbose"))
Debug = typer.Option(
    "--debug", help="Show where time goes, and the traceback of an error.", callback=_remember("debug")
)


def debugging() -> bool:
    """True when the user asked for tracebacks and timings."""
    return bool(_level["debug"])


def verbose() -> bool:
    """True when the user asked to hear more."""
    return bool(_level["verbose"] or _level["debug"])


def say(message: str, style: str = "") -> None:
    """A line for people, on stderr; nothing under --quiet."""
    if not _level["quiet"]:
        err.print(message, style=style, markup=False)


def ask(message: str) -> None:
    """What people must do before anything goes on, on stderr, also under --quiet."""
    err.print(message, markup=False)


def tell(message: str) -> None:
    """A line for people who asked for more (-v)."""
    if verbose():
        say(message, style="dim")


def result(document: object) -> None:
    """A document for programs: JSON on stdout."""
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
    sys.stdout.flush()


def text(content: str) -> None:
    """A document for programs on stdout: the bytes that a file would have, whatever the locale."""
    cast("TextIOWrapper", sys.stdout).reconfigure(encoding="utf-8", newline="\n")
    sys.stdout.write(content)
    sys.stdout.flush()


def listing(rows: Sequence[tuple[str, str]]) -> None:
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
        if debugging():
            say(f"{now - self._last:8.3f} s  {what}", style="dim")
        self._last = now


def error(message: str, hint: str | None = None) -> None:
    """What went wrong and what to do, on stderr, also under --quiet."""
    err.print(f"error: {message}", style="red", markup=False)
    if hint:
        err.print(f"hint:  {hint}", markup=False)


def bars() -> bool:
    """True where bars are welcome: on a terminal, and not under --quiet."""
    return err.is_terminal and not _level["quiet"]


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Callable[[int, str], None]]:
    """A bar on stderr while stderr is a terminal, silence otherwise.

    Yields `update(done, note)`; `total` None means that the end is not known.
    """
    columns: list[ProgressColumn] = [TextColumn("{task.description}")]
    if total is None:
        columns += [SpinnerColumn(), TextColumn("{task.completed}"), TimeElapsedColumn()]
    else:
        columns += [BarColumn(), MofNCompleteColumn(), TaskProgressColumn(), TimeRemainingColumn()]
    columns.append(TextColumn("{task.fields[note]}"))
    with Progress(*columns, console=err, disable=not bars(), transient=True) as bar:
        task = bar.add_task(what, total=total, note="")
        yield lambda done, note: bar.update(task, completed=done, note=note)
