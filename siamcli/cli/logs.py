"""Prints the warnings that the library logs."""

from __future__ import annotations

import logging

from siamcli.cli import console

__all__ = ["show_logs"]


class _Lines(logging.Handler):
    """Prints warnings, each once, as a file may be opened many times; under -v also what is less."""

    def __init__(self) -> None:
        super().__init__()
        self._said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message not in self._said:
            self._said.add(message)
            say = console.info if record.levelno >= logging.WARNING else console.verbose
            say(message)


def show_logs() -> None:
    """Print what the modules of siamcli log on stderr from now on."""
    logger = logging.getLogger("siamcli")
    logger.setLevel(logging.INFO)
    logger.handlers = [_Lines()]
