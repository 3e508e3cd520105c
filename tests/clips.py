"""Test clips, made with the ffmpeg that the product brings: every frame shows its own number."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from functools import cache, wraps
from pathlib import Path

import cv2
import numpy as np

from siamcli.media.ffmpeg import ffmpeg_exe

__all__ = [
    "SIZE",
    "constant",
    "damaged",
    "ffmpeg",
    "folder",
    "header",
    "image",
    "number",
    "odd",
    "pitch",
    "portrait",
    "two_sounds",
    "variable",
]

SIZE = (96, 64)
RATE = "30000/1001"
_BITS = 8


def ffmpeg(*arguments: str, data: bytes = b"") -> None:
    command = [ffmpeg_exe(), "-y", "-loglevel", "error", *arguments]
    subprocess.run(command, input=data, check=True, capture_output=True)


def header(path: Path) -> dict[str, int]:
    """The fields of the H.264 stream's header (sequence parameter set) as they stand in the file."""
    command = [ffmpeg_exe(), "-i", str(path), "-map", "0:v", "-c", "copy"]
    command += ["-bsf:v", "trace_headers", "-f", "null", "-"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    sequence = said.partition("Sequence Parameter Set")[2].partition("Picture Parameter Set")[0]
    return {name: int(value) for name, value in re.findall(r"\d +(\w+) +[01]+ = (-?\d+)", sequence)}


def image(index: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A picture that shows `index` in binary as bright and dark bars, the highest bit at the left."""
    picture = np.full((size[1], size[0], 3), 24, np.uint8)
    for bit in range(_BITS):
        if index >> (_BITS - 1 - bit) & 1:
            picture[:, bit * size[0] // _BITS : (bit + 1) * size[0] // _BITS] = (90, 200, 230)
    return picture


def number(picture: np.ndarray) -> int:
    """The inverse of `image`, also after lossy compression and drawing."""
    middle = picture[picture.shape[0] // 3 : picture.shape[0] // 2].mean((0, 2))
    bars = np.array_split(middle, _BITS)
    return sum(1 << (_BITS - 1 - bit) for bit, bar in enumerate(bars) if np.median(bar) > 100)


def made_once(make: Callable[..., Path]) -> Callable[..., Path]:
    """A maker of clips that encodes equal ones once: many tests take the same."""
    made: dict[object, bytes] = {}

    @wraps(make)
    def maker(path: Path, *options: object, **more: object) -> Path:
        wanted = (path.suffix, options, tuple(sorted(more.items())))
        if wanted not in made:
            made[wanted] = make(path, *options, **more).read_bytes()
        path.write_bytes(made[wanted])
        return path

    return maker


@made_once
def constant(
    path: Path, *options: str, frames: int = 30, size: tuple[int, int] = SIZE, sound: bool = False
) -> Path:
    """A clip at a constant 29.97 frames per second; the suffix chooses the container."""
    inputs = ["-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{size[0]}x{size[1]}", "-r", RATE, "-i", "pipe:0"]
    if sound:
        inputs += ["-f", "lavfi", "-t", str(frames * 1001 / 30000), "-i", "sine=f=440:r=48000"]
    encoding = options or ("-c:v", "libx264", "-g", "10", "-pix_fmt", "yuv420p", "-movflags", "+faststart")
    pixels = b"".join(image(i, size).tobytes() for i in range(frames))
    ffmpeg(*inputs, *encoding, str(path), data=pixels)
    return path


def odd(path: Path) -> Path:
    """A clip whose sides are odd."""
    return constant(path, "-c:v", "libx264", "-pix_fmt", "yuv444p", size=(97, 65))


@made_once
def portrait(path: Path) -> Path:
    """As a phone records it: stored on its side, turned by metadata, with sound."""
    flat = constant(path.with_name("flat.mp4"), sound=True)
    ffmpeg("-display_rotation:v:0", "90", "-i", str(flat), "-c", "copy", str(path))
    flat.unlink()
    return path


@made_once
def variable(path: Path) -> Path:
    """10 frames at 30 per second, then 10 per second."""
    times = "settb=1/600,setpts=if(lt(N\\,10)\\,N\\,10+(N-10)*3)/(30*TB)"
    return constant(path, "-vf", times, "-fps_mode", "vfr", "-enc_time_base", "1/600", "-c:v", "libx264")


@made_once
def two_sounds(path: Path, default: int, *, unknown: int = 0) -> Path:
    """440 and 880 Hz in AAC, one marked as the default; `unknown` of them of no known codec."""
    flat = constant(path.with_name("flat.mp4"), sound=True)
    other = ["-f", "lavfi", "-t", "1", "-i", "sine=f=880:r=48000"]
    marks = [f"-disposition:a:{number}" for number in (0, 1)]
    marks = [marks[default], "default", marks[1 - default], "0"]
    inputs = ["-i", str(flat), *other, "-map", "0", "-map", "1", "-c:v", "copy"]
    ffmpeg(*inputs, "-c:a", "aac", *marks, str(path))
    flat.unlink()
    data = path.read_bytes()
    path.write_bytes(data.replace(b"mp4a", b"apac", unknown).replace(b"esds", b"none", unknown))
    return path


def pitch(path: Path) -> float:
    """The loudest frequency of a file's sound in Hz."""
    command = [ffmpeg_exe(), "-v", "error", "-i", str(path), "-map", "0:a:0"]
    command += ["-f", "s16le", "-ac", "1", "-ar", "48000", "-"]
    wave = np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.int16)
    spectrum = np.abs(np.fft.rfft(wave))
    return float(spectrum.argmax() * 48000 / len(wave))


@cache
def _ground() -> np.ndarray:
    return cv2.GaussianBlur(np.random.default_rng(0).integers(40, 140, (360, 640, 3), np.uint8), (0, 0), 3)


def faces(*places: tuple[int, int]) -> np.ndarray:
    """A textured ground of 640x360 with the same face drawn at each place."""
    ground = _ground().copy()
    for x, y in places:
        cv2.ellipse(ground, (x, y), (24, 30), 0, 0, 360, (150, 180, 235), -1)
        cv2.circle(ground, (x - 9, y - 8), 5, (40, 30, 20), -1)
        cv2.circle(ground, (x + 9, y - 8), 5, (40, 30, 20), -1)
        cv2.ellipse(ground, (x, y + 12), (11, 5), 0, 0, 180, (60, 40, 160), -1)
    return ground


def folder(path: Path, frames: int = 12) -> Path:
    """Images that sort wrongly by letter: f1.png, f2.png ... f10.png, and a file that is none."""
    path.mkdir()
    for index in range(frames):
        cv2.imwrite(str(path / f"f{index + 1}.png"), image(index))
    (path / "notes.txt").write_text("not an image")
    return path


def damaged(path: Path, keep: float) -> Path:
    """The first `keep` part of a file."""
    cut = path.with_name(f"cut_{path.name}")
    cut.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])
    return cut
