"""Writes files atomically: an output grows in a partial file beside the target and is renamed when it is
complete.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Literal

from siamcli.errors import OutputError

if sys.platform != "win32":
    import fcntl

__all__ = [
    "TOO_LARGE",
    "AtomicFile",
    "Unfinished",
    "as_output_error",
    "atomic_file",
    "atomic_folder",
    "check_new_file",
    "hold",
    "incomplete_path",
    "lock",
    "make_folder",
    "partial_path",
    "write_text",
]

Unfinished = Literal["kept", "beside", "removed"]
"""What becomes of an output that misses something at its end.  kept: it gets its name, unless a file has it,
and else NAME.incomplete.EXT; beside: always that; removed: nothing is left of it."""


_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")  # longer than the letter of a drive
TOO_LARGE = "it is larger than this shell (`ulimit -f`) or the disk's file system allows"
"""What to know when a file is refused for its size."""
PATIENCE = 5.0
"""Seconds in which a lock may still come free: after kill -9 it lasts until the system has taken down the
memory of the run, and until a child that was about to start has become ffmpeg."""
_POLL = 0.02  # seconds


@contextmanager
def as_output_error(path: Path) -> Iterator[None]:
    """Turn the system's refusal to write into an OutputError that names `path`."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        hints = {
            "FileNotFoundError": "make the folder first",
            "FileExistsError": "a file has that name, or a link that leads to no folder: name a folder",
            "NotADirectoryError": "the folder in that path is a file",
            "PermissionError": "choose a folder that you may write to",
        }
        hint = hints.get(type(error).__name__, "choose another folder")
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = "free some space, or choose another folder"
        if error.errno == errno.ENAMETOOLONG:
            hint = "choose a shorter name with -o"
        if error.errno == errno.EFBIG:
            hint = TOO_LARGE
        raise OutputError(f"cannot write {path}: {error.strerror or error}", hint=hint) from error


def make_folder(path: Path) -> None:
    """Make the folder and those above it, if they are missing; raises OutputError, also for an address."""
    first = path.parts[:1]
    if any(map(_SCHEME.fullmatch, first)) and not Path(*first).is_dir():
        raise OutputError(f"cannot write to the address {path}", hint="name a file or a folder")
    with as_output_error(path):
        path.mkdir(parents=True, exist_ok=True)


def partial_path(target: Path, *, per_process: bool = False) -> Path:
    """Where `target` grows: a name that only siamtrack makes, with `per_process` only this process.

    What a killed run left there goes away; NAME.part, which browsers and others use, is not ours.

    >>> partial_path(Path("a.csv")).name
    'a.csv.siamtrack.part'
    """
    process = f".{os.getpid()}" if per_process else ""
    return target.with_name(f"{target.name}{process}.siamtrack.part")


def lock(file: int, *, patient: bool = False) -> bool:
    """Whether this process alone has the open file until it closes it; the kernel sees to that, also
    after kill -9.  `patient`: whoever has it gets a little time to end.

    True as well where the file system or the system has no locks.
    """
    if sys.platform != "win32":
        until = time.monotonic() + (PATIENCE if patient else 0)
        with suppress(OSError):
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= until:
                        return False
                time.sleep(_POLL)
    return True


def incomplete_path(target: Path) -> Path:
    """Where what an interrupted run has goes when `target` is not to be replaced.

    >>> incomplete_path(Path("a.csv")).name
    'a.incomplete.csv'
    """
    return target.with_name(f"{target.stem}.incomplete{target.suffix}")


def hold(path: Path, *, fresh: bool, patient: bool = False) -> BinaryIO | None:
    """Open and lock a file that grows, made where there is none; None when another run has it.

    `fresh`: it is a new file, which no process of a killed run can still write; what was there goes away.
    Raises OSError, also for a link.
    """
    no_link = getattr(os, "O_NOFOLLOW", 0)
    while True:
        try:
            file, new = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666), True
        except FileExistsError:
            try:
                file, new = os.open(path, os.O_RDWR | no_link), False
            except FileNotFoundError:
                continue
        held = os.fdopen(file, "rb+")
        if not lock(file, patient=patient):
            held.close()
            return None
        # who held it before may just have given it its final name, or taken the new file for one left behind
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file), path.lstat()):
                if new or not fresh:
                    return held
                if sys.platform == "win32":
                    held.close()  # an open file could not be removed
                path.unlink()
        held.close()


def check_new_file(target: Path, *, overwrite: bool) -> None:
    """Raises OutputError for a file that exists and may not be replaced."""
    with as_output_error(target):
        there = target.exists()
    if there and not overwrite:
        raise OutputError(f"{target} exists", hint="-y replaces it")


class AtomicFile:
    """The name under which an output grows, and its two ends: `commit` and `discard`.

    `kept` is where the file lies after its end, None where nothing was kept.  Raises OutputError when
    `target` exists and may not be replaced, when another run is writing it, or when the system refuses.
    """

    def __init__(self, target: Path, *, overwrite: bool, unfinished: Unfinished = "kept") -> None:
        self.target = target
        self.path = partial_path(target)
        self.kept: Path | None = None
        self._unfinished = unfinished
        with as_output_error(target):
            is_other = target.exists() and not target.is_file()
        if is_other:
            what = "a folder" if target.is_dir() else "no file but a pipe or a device"
            raise OutputError(f"{target} is {what}", hint="name a file")
        self._locked_file: BinaryIO | None = self._acquire(self.path)
        try:
            check_new_file(target, overwrite=overwrite)
        except OutputError:
            self.discard()
            raise

    def _acquire(self, path: Path) -> BinaryIO:
        with as_output_error(self.target):
            held = hold(path, fresh=True, patient=True)
        if held is None:
            raise OutputError(
                f"another run is writing {self.target}", hint="wait for it, or choose another name"
            )
        if sys.platform == "win32":
            held.close()  # an open file could not be renamed
        return held

    @contextmanager
    def second_pass(self) -> Iterator[tuple[Path, Callable[[], None]]]:
        """A second file, for what is made of the part, and what puts it in the part's place; it goes away
        unless that is called.  No other run gets either of them meanwhile."""
        path = self.path.with_name(f"{self.path.name}.second")
        held = self._acquire(path)

        def take() -> None:
            nonlocal held
            with as_output_error(self.target):
                path.replace(self.path)
            assert self._locked_file is not None
            self._locked_file, held = held, self._locked_file

        try:
            yield path, take
        finally:
            with as_output_error(self.target):
                path.unlink(missing_ok=True)
            held.close()

    def commit(self, *, complete: bool = True) -> None:
        """Give the finished file its name, once its bytes are on the disk; one that is not `complete`
        replaces nothing that is there, as `unfinished` says."""
        if not complete and self._unfinished == "removed":
            self.discard()
            return
        with as_output_error(self.target):
            with self.path.open("rb+") as file:
                os.fsync(file.fileno())
            beside = not complete and (self._unfinished == "beside" or self.target.exists())
            place = incomplete_path(self.target) if beside else self.target
            self.path.replace(place)
        self.kept = place
        self._release()

    def discard(self) -> None:
        """Leave nothing behind, unless it has its name."""
        if self._locked_file is not None:
            self.path.unlink(missing_ok=True)
            self._release()

    def _release(self) -> None:
        if self._locked_file is not None:
            self._locked_file.close()
            self._locked_file = None


@contextmanager
def atomic_file(target: Path, *, overwrite: bool) -> Iterator[Path]:
    """An empty file to write, which becomes `target` when the block ends well, and else goes away.

    Raises OutputError when `target` exists and may not be replaced, or the system refuses.
    """
    part = AtomicFile(target, overwrite=overwrite)
    try:
        with as_output_error(target):
            yield part.path
        part.commit()
    except BaseException:
        part.discard()
        raise


def check_new_folder(target: Path) -> None:
    """Raises OutputError where something has that name."""
    with as_output_error(target):
        there = target.exists()
    if there:
        raise OutputError(f"{target} exists", hint="choose another folder with -o, or remove it")


@contextmanager
def atomic_folder(target: Path, *, overwrite: bool) -> Iterator[Path]:
    """An empty folder to fill, which becomes `target` when the block ends well, and else goes away.

    Two processes may fill one each: the last one stays.  Raises OutputError as `atomic_file` does.
    """
    if not overwrite:
        check_new_folder(target)
    part = partial_path(target, per_process=True)
    try:
        with as_output_error(target):
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            yield part
            if overwrite:
                shutil.rmtree(target, ignore_errors=True)
            part.replace(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_text(path: Path, text: str, *, overwrite: bool = True) -> None:
    """Write a whole UTF-8 file or nothing, with the folders it needs.  Raises OutputError."""
    make_folder(path.parent)
    with atomic_file(path, overwrite=overwrite) as part:
        part.write_text(text, encoding="utf-8", newline="\n")
