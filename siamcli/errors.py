"""The errors that a user can cause or fix, and their exit codes.

    SiamtrackError
      InputError      3   the video, the folder, the camera, the box
      WeightsError    4   unknown name, corrupt file, keys left over
      DatasetError    5   a folder that is not the benchmark it should be
      DeviceError     6   no such device, out of memory
      PartialError    7   some items of a batch failed
      OutputError     8   a file that exists, a codec, permission, a full disk
      PickError       9   selection cancelled, no display
      LostError      10   the target was lost, where the user asked for that to fail

Exit codes 0 (done), 1 (a bug in siamtrack), 2 (wrong usage), 129, 130, 141 and 143
(128 + the signal) belong to Python, Typer and the shell.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from siamcli.addresses import without_secrets

__all__ = [
    "DatasetError",
    "DeviceError",
    "InputError",
    "LostError",
    "OutputError",
    "PartialError",
    "PickError",
    "SiamtrackError",
    "WeightsError",
    "unread_as",
    "why_unread",
    "why_wrong",
]


def why_unread(error: Exception) -> str:
    """Why a text file cannot be read, without the number of the error and the path again.

    >>> why_unread(FileNotFoundError(2, "No such file or directory", "a.csv"))
    'No such file or directory'
    >>> why_unread(UnicodeDecodeError("utf-8", bytes([255]), 0, 1, "invalid start byte"))
    'it is not text'
    """
    if isinstance(error, UnicodeDecodeError):
        return "it is not text"
    return getattr(error, "strerror", None) or str(error)


def why_wrong(error: Exception) -> str:
    """What is wrong in a file, by the error of who read it, or what is not there: a KeyError has its name.

    >>> why_wrong(KeyError("box")), why_wrong(ValueError("no size"))
    ("no 'box'", 'no size')
    """
    return f"no {error}" if isinstance(error, KeyError) else str(error)


@contextmanager
def unread_as(kind: type[SiamtrackError], path: object) -> Iterator[None]:
    """Turn the system's refusal to look at `path` into an error of that kind."""
    try:
        yield
    except OSError as error:
        raise kind(f"cannot read {path}: {why_unread(error)}") from error


class SiamtrackError(Exception):
    """Base class: the message names the thing that is wrong, `hint` says what to do about it.

    Of addresses that users give (`private`) the message says no password; links to help stay whole.
    """

    exit_code = 1
    private = False

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(without_secrets(message) if self.private else message)
        self.hint = hint


class InputError(SiamtrackError):
    """The video, the folder, the camera or the box."""

    exit_code = 3
    private = True


class WeightsError(SiamtrackError):
    """Unknown name, corrupt file, keys missing or left over."""

    exit_code = 4


class DatasetError(SiamtrackError):
    """A folder or file that is not the data set it should be."""

    exit_code = 5


class DeviceError(SiamtrackError):
    """No such device, or not enough memory on it."""

    exit_code = 6


class PartialError(SiamtrackError):
    """Some items of a batch failed; the others are finished."""

    exit_code = 7


class OutputError(SiamtrackError):
    """A file that exists, a codec that is missing, permission, a full disk."""

    exit_code = 8
    private = True


class PickError(SiamtrackError):
    """Selection cancelled, or no display to select on."""

    exit_code = 9


class LostError(SiamtrackError):
    """The target was lost; only where the user asked for that to be a failure."""

    exit_code = 10
