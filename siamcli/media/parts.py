"""Outputs that are whole or not there: NAME.part beside the target, renamed at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from siamcli.errors import OutputError

__all__ = ["PartFile", "make_folder", "reporting"]


@contextmanager
def reporting(path: Path) -> Iterator[None]:
    """Turn the system's refusal to write into an OutputError that names `path`."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        hints = {
            "FileNotFoundError": "make the folder first",
            "NotADirectoryError": "the folder in that path is a file",
            "PermissionError": "choose a folder that you may write to",
        }
        hint = hints.get(type(error).__name__, "free some space, or choose another folder")
        raise OutputError(f"cannot write {path}: {error.strerror or error}", hint=hint) from error


def make_folder(path: Path) -> None:
    """Make the folder and those above it, if they are missing; raises OutputError."""
    with reporting(path):
        path.mkdir(parents=True, exist_ok=True)


class PartFile:
    """The name under which an output grows, and its two ends: `commit` and `discard`.

    Raises OutputError when `target` exists and may not be replaced, or cannot be written.
    """

    def __init__(self, target: Path, *, overwrite: bool) -> None:
        self.target = target
        self.path = target.with_name(target.name + ".part")
        if target.is_dir():
            raise OutputError(f"{target} is a folder", hint="name a file")
        if target.exists() and not overwrite:
            raise OutputError(f"{target} exists", hint="-y replaces it, -n skips it")
        with reporting(target):
            self.path.write_bytes(b"")

    def commit(self) -> None:
        """Give the finished file its name, once its bytes are on the disk."""
        with reporting(self.target):
            with self.path.open("rb+") as file:
                os.fsync(file.fileno())
            self.path.replace(self.target)

    def discard(self) -> None:
        """Leave nothing behind."""
        self.path.unlink(missing_ok=True)
