"""siamtrack doctor: checks what works on this machine, and says how to repair what does not."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Literal

from siamcli.cli import console
from siamcli.cli.options import AsJson
from siamcli.counts import counted
from siamcli.errors import PartialError, SiamtrackError
from siamcli.extras import CPU_TORCH, EXTRAS, install_extra
from siamcli.tables import align
from siamcli.version import __version__

__all__ = ["doctor"]

SELF_TEST_SECONDS = 2.0
SIZES = 4  # of a camera that are shown


@dataclass(frozen=True, slots=True)
class Check:
    """One finding.  `note` is something that works without."""

    what: str
    verdict: Literal["ok", "note", "failed"]
    finding: str
    hint: str | None = None


def doctor(
    as_json: AsJson = False,
) -> None:
    """Check this machine: torch, devices, windows, ffmpeg, cameras, weights, cache; and a short self-test.

    Cameras are those that Linux lists.  The list, and opening a camera by its path, were never tried with a
    real camera.

    Examples:
        siamtrack doctor --json
    """
    checks = []
    for what, examine in EXAMINATIONS.items():
        try:
            found = list(examine())
        except SiamtrackError as error:
            found = [Check(what, "failed", str(error), error.hint)]
        checks += found
        if not as_json:
            for check in found:
                rows = [[check.verdict, check.what, check.finding]]
                if check.hint:
                    rows.append(["", "", check.hint])
                console.print_table("\n".join(align(rows, left=3, widths=(6, 12))) + "\n")
    if as_json:
        console.print_json([asdict(check) for check in checks])
    failed = [check.what for check in checks if check.verdict == "failed"]
    if failed:
        raise PartialError(f"not working: {', '.join(failed)}", hint="see the lines marked failed")


def _program() -> Iterator[Check]:
    from siamcli.cores import usable_cores

    where = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    yield Check("siamtrack", "ok", f"{__version__}, {where}, {counted(usable_cores(), 'core')}")


def _torch() -> Iterator[Check]:
    import torch

    from siamcli.engines.device import resolve_device

    yield Check("torch", "ok", f"{torch.__version__}, {counted(torch.get_num_threads(), 'thread')}")
    chosen = resolve_device("auto")
    if chosen.type == "cuda":
        finding = f"{torch.cuda.get_device_name(chosen)}, CUDA {torch.version.cuda}"
        yield Check("device", "ok", f"{chosen}: {finding}")
    elif torch.backends.mps.is_available():
        finding = "cpu: auto leaves the Apple GPU (mps) alone, where nothing was measured"
        yield Check(
            "device", "note", finding, "`siamtrack bench --device mps` measures it, --device mps takes it"
        )
    else:
        unused = f"PyTorch's CUDA is of no use here; the build for the CPU alone is smaller: {CPU_TORCH}"
        yield Check(
            "device",
            "note",
            "cpu: no GPU that PyTorch can use",
            unused if torch.version.cuda and platform.system() == "Linux" else None,
        )


def _opencv() -> Iterator[Check]:
    from importlib.metadata import packages_distributions, version

    from siamcli.errors import PickError
    from siamcli.ui.display import require_display

    installed = sorted(set(packages_distributions()["cv2"]))
    yield Check("opencv", "ok", ", ".join(f"{name} {version(name)}" for name in installed))
    try:
        require_display()
    except PickError as error:
        yield Check("windows", "note", f"{error}: --pick and --show will not work", error.hint)
    else:
        yield Check("windows", "ok", "a display is there for --pick and --show")


def _ffmpeg() -> Iterator[Check]:
    from siamcli.media.encoders import working_encoders
    from siamcli.media.ffmpeg import ffmpeg_exe

    yield Check("ffmpeg", "ok", ffmpeg_exe())
    names = working_encoders()
    yield Check("encoders", "ok" if names else "failed", ", ".join(names) or "no H.264 encoder works")


def _cameras() -> Iterator[Check]:
    from siamcli.media.devices import PERMISSION, SYSFS, list_cameras

    cameras = list_cameras()
    for camera in cameras:
        sizes = [f"{width}x{height}" for width, height in camera.sizes]
        more = [f"and {len(sizes) - SIZES} more"] if len(sizes) > SIZES else []
        finding = f"{camera.path}: {', '.join([camera.name, *sizes[:SIZES], *more])}"
        if camera.allowed:
            hint = camera.lasting and f"also {camera.lasting}, whatever else is plugged in"
            yield Check("camera", "ok", finding, hint)
        else:
            yield Check("camera", "note", f"{finding}: no permission", PERMISSION)
    if not cameras and platform.system() == "Linux":
        yield Check("camera", "note", f"none in {SYSFS}")
    elif not cameras:
        yield Check("camera", "note", "not listed on this system; run takes their numbers, 0 is the first")


def _weights() -> Iterator[Check]:
    from siamcli.checkpoints.read import read_checkpoint
    from siamcli.checkpoints.store import ROLES, available

    here = available()
    for name, path in here.items():
        try:
            checkpoint = read_checkpoint(path)
        except SiamtrackError as error:
            yield Check("weights", "failed", str(error), error.hint)
        else:
            yield Check("weights", "ok", f"{name}, sha256 {checkpoint.sha256[:12]}")
    for role, name in ROLES.items():
        if name not in here:
            hint = "they come with siamtrack: install it anew"
            yield Check("weights", "failed", f"the {role} model {name} is not here", hint)


def _cache() -> Iterator[Check]:
    from siamcli.checkpoints.store import cache_folder, offline

    folder = cache_folder()
    there = next(p for p in (folder, *folder.parents) if p.exists())
    network = "offline (SIAMTRACK_OFFLINE)" if offline() else "network allowed"
    if os.access(there, os.W_OK):
        yield Check("cache", "ok", f"{folder}, {network}")
    else:
        yield Check("cache", "failed", f"{folder} cannot be written", "set SIAMTRACK_CACHE to another folder")


def _extras() -> Iterator[Check]:
    from importlib.metadata import version

    for name, module in EXTRAS.items():
        if find_spec(module) is None:
            yield Check("extra", "note", f"{name} is not installed", install_extra(name))
        else:
            yield Check("extra", "ok", f"{name}: {module} {version(module)}")


def _self_test() -> Iterator[Check]:
    """Follow a checkered square over noise for two seconds."""
    import numpy as np

    from siamcli.boxes import Box, iou
    from siamcli.engines.kinds import engine_name
    from siamcli.frames import Frame
    from siamcli.load import load_tracker

    tracker = load_tracker()
    ground = np.random.default_rng(0).integers(90, 130, (240, 320, 3), np.uint8)
    square = np.kron(np.indices((4, 4)).sum(0) % 2, np.ones((12, 12)))[..., None] * (40, 90, 255)

    def scene(i: int) -> tuple[Frame, Box]:
        x, y = 60 + 2 * i % 180, 80 + round(40 * np.sin(i / 15))
        image = ground.copy()
        image[y : y + 48, x : x + 48] = square
        return Frame(i, None, image), Box(x, y, 48, 48)

    state = tracker.start(*scene(0))
    overlaps: list[float] = []
    end = time.perf_counter() + SELF_TEST_SECONDS
    while time.perf_counter() < end and len(overlaps) < 80:
        frame, truth = scene(len(overlaps) + 1)
        state = tracker.step(state, frame)
        overlaps.append(iou(state.box, truth))
    seconds = SELF_TEST_SECONDS - max(end - time.perf_counter(), 0)
    rate = len(overlaps) / seconds
    mean = sum(overlaps) / len(overlaps)
    finding = f"{tracker.model} on {engine_name(tracker.engine)}: {rate:.1f} frames/s, overlap {mean:.2f}"
    yield Check("self-test", "ok" if mean > 0.5 else "failed", finding)


EXAMINATIONS: dict[str, Callable[[], Iterator[Check]]] = {
    "siamtrack": _program,
    "torch": _torch,
    "opencv": _opencv,
    "ffmpeg": _ffmpeg,
    "cameras": _cameras,
    "weights": _weights,
    "cache": _cache,
    "extras": _extras,
    "self-test": _self_test,
}
