"""What the library logs, as lines for people."""

from __future__ import annotations

import logging

from siamcli.cli import console

__all__ = ["show_logs"]


class _Lines(logging.Handler):
    """Says warnings to everybody, the rest to people who asked for more (-v)."""

    def emit(self, record: logging.LogRecord) -> None:
        say = console.say if record.levelno >= logging.WARNING else console.tell
        say(record.getMessage())


def show_logs() -> None:
    """From now on what siamcli's modules log is said on stderr."""
    logger = logging.getLogger("siamcli")
    logger.setLevel(logging.INFO)
    logger.handlers = [_Lines()]
