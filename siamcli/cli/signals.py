"""Handles the signals that end a command."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sys import UnraisableHookArgs
    from types import FrameType

__all__ = ["end_on_signals", "ignore_signals", "on_signal", "told_at_once"]

ENDINGS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]  # Windows has no SIGHUP

AGAIN = 0.05  # seconds after which a signal that ended nothing is sent again
_sending: list[Event] = []
"""What stops the thread that sends it."""


def end_on_signals() -> None:
    """End the program by an exception when a signal of ENDINGS comes, so that every output is finished."""
    on_signal(_end)
    sys.unraisablehook = _end_again


def _end(number: int, frame: FrameType | None) -> None:
    """Raise the exception, once, whatever other signals follow."""
    while frame is not None:
        if frame.f_code is _end_again.__code__:
            _send_later(number)  # what is raised here is dropped
            return
        frame = frame.f_back
    ignore_signals()
    while _sending:
        _sending.pop().set()
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)


def _end_again(dropped: UnraisableHookArgs) -> None:
    """Python drops an exception raised in a destructor, where a signal may come: raise it again outside."""
    error = dropped.exc_value
    if not isinstance(error, KeyboardInterrupt | SystemExit):
        sys.__unraisablehook__(dropped)
        return
    number = int(error.code or 128) - 128 if isinstance(error, SystemExit) else signal.SIGINT
    if number in ENDINGS:
        signal.signal(number, _end)
        _send_later(number)


def _send_later(number: int) -> None:
    """Send the signal from a thread of its own until it ends the program; one that is sent is enough."""
    if not _sending:
        _sending.append(Event())
        Thread(target=_send_again, args=(number, _sending[-1]), daemon=True).start()


def _send_again(number: int, ended: Event) -> None:
    while not ended.wait(AGAIN):
        os.kill(os.getpid(), number)


def on_signal(handler: Callable[[int, FrameType | None], None]) -> dict[int, Any]:
    """Call `handler` with the number of every signal of ENDINGS; returns the previous handlers.

    Signals that are ignored stay ignored: under nohup, or in the background of a script.
    """
    before = {n: found for n in ENDINGS if (found := signal.getsignal(n)) is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, handler)
    return before


def ignore_signals() -> None:
    """Ignore the signals of ENDINGS from now on."""
    for number in ENDINGS:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def told_at_once(tell: Callable[[], None]) -> Iterator[None]:
    """Call `tell` as soon as a signal comes, before the work in the block is ended.

    It runs in a thread of its own: the signal may have interrupted a message that holds the lock of stderr.
    """
    told: list[Thread] = []

    def handler(number: int, frame: object) -> None:
        told.append(Thread(target=tell))
        told[-1].start()
        before[number](number, frame)

    before = on_signal(handler)
    try:
        yield
    finally:
        for number, previous in before.items():
            if signal.getsignal(number) is handler:
                signal.signal(number, previous)
        for thread in told:
            thread.join()
