"""The signals that end a command."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

__all__ = ["ignore_signals", "on_signal", "told_at_once"]

ENDINGS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]  # Windows has no SIGHUP


def on_signal(handler: Callable[[int, object], None]) -> dict[int, Any]:
    """Call `handler` with the number of every such signal; returns the handlers that were there before.

    What is ignored stays ignored: under nohup, or in the background of a script.
    """
    before = {n: found for n in ENDINGS if (found := signal.getsignal(n)) is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, handler)
    return before


def ignore_signals() -> None:
    """From now on none of them does anything."""
    for number in ENDINGS:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def told_at_once(tell: Callable[[], None]) -> Iterator[None]:
    """Call `tell` as soon as such a signal comes, before what is under way in the block is ended.

    It has a thread of its own: the signal may have interrupted another message, whose lock is held.
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
