"""Outputs that are whole or not there: NAME.siamtrack.part beside the target, renamed at the end."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from siamcli.errors import OutputError

__all__ = ["PartFile", "file_stem", "make_folder", "reporting", "target_paths"]


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
            "FileExistsError": "a file has that name: name a folder",
            "NotADirectoryError": "the folder in that path is a file",
            "PermissionError": "choose a folder that you may write to",
        }
        hint = hints.get(type(error).__name__, "free some space, or choose another folder")
        if error.errno == errno.ENAMETOOLONG:
            hint = "choose a shorter name with -o"
        raise OutputError(f"cannot write {path}: {error.strerror or error}", hint=hint) from error


def make_folder(path: Path) -> None:
    """Make the folder and those above it, if they are missing; raises OutputError."""
    with reporting(path):
        path.mkdir(parents=True, exist_ok=True)


def file_stem(text: str) -> str:
    """`text` as part of a file name on any system.

    >>> file_stem("player 7/left")
    'player_7_left'
    """
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in text)


def target_paths(path: str, labels: Sequence[str | None]) -> list[str]:
    """`path`, or one path per target where it holds `{target}`: the label, else the number.

    >>> target_paths("a.{target}.csv", ["ball", None, "ball"])
    ['a.ball.csv', 'a.2.csv', 'a.ball_3.csv']
    """
    if "{target}" not in path:
        return [path]
    names: list[str] = []
    for number, label in enumerate(labels, start=1):
        name = file_stem(label or str(number))
        names.append(name if name not in names else f"{name}_{number}")
    return [path.replace("{target}", name) for name in names]


class PartFile:
    """The name under which an output grows, and its two ends: `commit` and `discard`.

    Raises OutputError when `target` exists and may not be replaced, or cannot be written.
    """

    def __init__(self, target: Path, *, overwrite: bool) -> None:
        self.target = target
        if target.is_dir():
            raise OutputError(f"{target} is a folder", hint="name a file")
        if target.exists() and not overwrite:
            raise OutputError(f"{target} exists", hint="-y replaces it, -n skips it")
        # A name that only siamtrack makes: what a killed run left is replaced, a download is not.
        self.path = target.with_name(f"{target.name}.siamtrack.part")
        with reporting(target):
            self.path.unlink(missing_ok=True)
            self.path.touch(exist_ok=False)

    def commit(self) -> None:
        """Give the finished file its name, once its bytes are on the disk."""
        with reporting(self.target):
            with self.path.open("rb+") as file:
                os.fsync(file.fileno())
            self.path.replace(self.target)

    def discard(self) -> None:
        """Leave nothing behind."""
        self.path.unlink(missing_ok=True)
