"""Prints what the library logs."""

from __future__ import annotations

import logging

from siamcli.cli import console

__all__ = ["show_logs"]


class _Lines(logging.Handler):
    """Prints warnings; under -v also what is less."""

    def emit(self, record: logging.LogRecord) -> None:
        say = console.info if record.levelno >= logging.WARNING else console.verbose
        say(record.getMessage())


def show_logs() -> None:
    """Print what the modules of siamcli log on stderr from now on."""
    logger = logging.getLogger("siamcli")
    logger.setLevel(logging.INFO)
    logger.handlers = [_Lines()]
