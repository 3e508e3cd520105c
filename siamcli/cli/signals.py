"""The signals that end a command."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

__all__ = ["ignore_signals", "on_signal"]

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
