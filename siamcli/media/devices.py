"""Lists the cameras that Linux knows, and tells cameras from other devices.

Source: https://docs.kernel.org/userspace-api/media/v4l/open.html; sizes are those that ffmpeg lists.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from siamcli.errors import InputError
from siamcli.media.ffmpeg import LOG_OPTIONS, environment, ffmpeg_exe

__all__ = ["CameraDevice", "check_camera", "list_cameras"]

SYSFS = Path("/sys/class/video4linux")
DEV = Path("/dev")
PERMISSION = "add yourself to the group video: sudo usermod -aG video $USER, and log in again"
_NODE = re.compile(r"video(\d+)")
_FORMAT = re.compile(r"(?:Raw|Compressed) *:.*")
_SIZE = re.compile(r"\b(\d+)x(\d+)\b")
_NO_CAMERA = "Not a video capture device"
_LONGEST = 5  # seconds that a device may take to list what it has


@dataclass(frozen=True, slots=True)
class CameraDevice:
    """A camera.  `lasting` is a path of its that does not depend on what else is plugged in, None where there
    is none; `sizes` are (width, height), the largest first, none where it does not list them.  `allowed`:
    this user may use it."""

    name: str
    path: Path
    lasting: str | None
    sizes: tuple[tuple[int, int], ...]
    allowed: bool


def list_cameras(
    sysfs: Path = SYSFS, dev: Path = DEV, formats: Callable[[Path], str] | None = None
) -> list[CameraDevice]:
    """The cameras of this machine, by their numbers.  `formats` gives ffmpeg's words on a device.

    A device that takes no pictures (a camera's metadata, an output) is left out.
    """
    found = [(int(match[1]), node) for node in _entries(sysfs) if (match := _NODE.fullmatch(node.name))]
    links = {os.path.realpath(link): str(link) for link in reversed(_entries(dev / "v4l" / "by-id"))}
    cameras = []
    for _, node in sorted(found):
        path = dev / node.name
        log = (formats or _formats)(path) if path.exists() else _NO_CAMERA
        if _NO_CAMERA not in log:
            sizes = {(int(w), int(h)) for line in _FORMAT.findall(log) for w, h in _SIZE.findall(line)}
            largest = tuple(sorted(sizes, reverse=True))
            lasting = links.get(os.path.realpath(path))
            cameras.append(CameraDevice(_text(node / "name"), path, lasting, largest, _is_allowed(path)))
    return cameras


def check_camera(path: Path, sysfs: Path = SYSFS) -> None:
    """Raises InputError for a device that is no camera, and for one that this user may not read.

    Where there is no sysfs, nothing is known of it.
    """
    if sysfs.parent.is_dir():
        number = path.stat().st_rdev
        numbers = {_text(node / "dev") for node in _entries(sysfs) if _NODE.fullmatch(node.name)}
        if f"{os.major(number)}:{os.minor(number)}" not in numbers:
            raise InputError(f"{path} is a device, but no camera", hint="`siamtrack doctor` lists cameras")
    if not _is_allowed(path):
        raise InputError(f"{path}: no permission to use this camera", hint=PERMISSION)


def _is_allowed(path: Path) -> bool:
    return os.access(path, os.R_OK | os.W_OK)


def _entries(folder: Path) -> list[Path]:
    with suppress(OSError):
        return sorted(folder.iterdir())
    return []


def _text(path: Path) -> str:
    with suppress(OSError, UnicodeDecodeError):
        return path.read_text(encoding="utf-8").strip()
    return ""


def _formats(path: Path) -> str:
    """What ffmpeg says of the formats of a device; it opens it, and takes no picture."""
    command = [ffmpeg_exe(), *LOG_OPTIONS, "-f", "v4l2", "-list_formats", "all", "-i", str(path)]
    with suppress(subprocess.TimeoutExpired):
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environment(),
            timeout=_LONGEST,
            check=False,
            start_new_session=True,
        )
        return done.stderr.decode(errors="replace")
    return ""
