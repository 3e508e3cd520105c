"""Writes H.264 video that plays everywhere, with the source's size, timestamps and sound."""

from __future__ import annotations

import errno
import logging
import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import NoReturn

import numpy as np

from siamcli.atomic import TOO_LARGE, AtomicFile, Unfinished
from siamcli.errors import OutputError
from siamcli.frames import Image, SourceInfo
from siamcli.media.base import Output
from siamcli.media.encoders import VideoOptions, encoder_named
from siamcli.media.ffmpeg import LOG_OPTIONS, component_message, environment, ffmpeg_exe
from siamcli.media.joined_sound import JoinedSoundtrack
from siamcli.media.rawvideo import INPUT_OPTIONS, frame_header, stream_header
from siamcli.media.sound import Soundtrack

__all__ = ["MUXERS", "VideoWriter", "check_frame_size"]

MUXERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
"""The container of each suffix that a video may have."""

LARGEST = 16384  # pixels a side, of x264 and of the decoders of browsers

_logger = logging.getLogger(__name__)

_FREE_SPACE = "is there space on the disk?"
_DISK_ERRORS = tuple(os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS))
_FILE_TOO_LARGE = getattr(signal, "SIGXFSZ", 0)

SNAP = 0.0006  # seconds; Matroska and AVI round timestamps to milliseconds, the frame grid does not


def check_frame_size(path: str, size: tuple[int, int]) -> None:
    """Raises OutputError for frames of a `size` (width, height) that no video has."""
    if max(size) > LARGEST:
        raise OutputError(
            f"{path}: frames of {size[0]}x{size[1]} are too large for H.264 ({LARGEST} at most)",
            hint="write a trajectory alone: -o NAME.json",
        )


class VideoWriter(Output):
    """Encodes frames as they come; `close` adds the sound and gives the file its name.

    Images of odd size are padded by one row or column, never rescaled; pixels that are not square stay
    so.  The first frame has time 0.  The sound `audio` is cut to the same stretch.
    `unfinished` says what becomes of it when an exception ends it.  `source` may be set to what is known when
    it ends, such as when the files of a joined recording begin.  Raises OutputError.
    """

    def __init__(
        self,
        path: str,
        info: SourceInfo,
        *,
        overwrite: bool,
        audio: Soundtrack | JoinedSoundtrack | None = None,
        options: VideoOptions | None = None,
        unfinished: Unfinished = "kept",
    ) -> None:
        self._options = options or VideoOptions()
        self.source = info
        self._rate = info.fps or self._options.fps
        self._pixel_aspect = info.pixel_aspect
        # fine enough for variable rates, and a whole number for each frame of constant ones
        self._ticks_per_second = self._rate.numerator
        while self._ticks_per_second < 90_000:
            self._ticks_per_second *= 2
        self._audio = audio
        self._whole = unfinished == "removed"
        suffix = Path(path).suffix.lower()
        if suffix not in MUXERS:
            raise OutputError(f"{path}: unknown format", hint=f"known suffixes: {' '.join(MUXERS)}")
        self._muxer = MUXERS[suffix]
        self._part = AtomicFile(Path(path), overwrite=overwrite, unfinished=unfinished)
        self._open = True
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - a pipe would fill up unread and block ffmpeg
        self._child: subprocess.Popen[bytes] | None = None
        self._size = (0, 0)
        self._origin = 0.0
        self._pts = -1
        self._rest = memoryview(b"")  # of a write that Ctrl-C cut short

    def write(self, image: Image, time: float | None) -> None:
        """Add one frame; without a time it follows the frame before it at the source's rate."""
        height, width = image.shape[:2]
        if self._child is None:
            self._size = (width, height)
            check_frame_size(str(self._part.target), self._size)
            self._origin = time or 0.0
            self._child = self._start()
        elif (width, height) != self._size:
            raise OutputError(
                f"a frame of {width}x{height} in a video of {self._size[0]}x{self._size[1]}",
                hint="write no video for a source whose frames change their size",
            )
        self._pts = self._next_pts(time)
        pixels = np.ascontiguousarray(image)
        self._send(frame_header(pixels.nbytes, Fraction(self._pts, self._ticks_per_second)))
        self._send(pixels.data.cast("B"))

    def _next_pts(self, time: float | None) -> int:
        step = round(self._ticks_per_second / self._rate)  # one frame, in ticks
        if time is None:
            return self._pts + step if self._pts >= 0 else 0
        since = time - self._origin
        frame = round(since * self._rate)
        on_grid = abs(since - frame / self._rate) < SNAP
        pts = frame * step if on_grid else round(since * self._ticks_per_second)
        return max(pts, self._pts + 1)  # a player needs times that rise

    def close(self, complete: bool) -> None:
        """End the video, also one that is not `complete`, unless it must be `whole`."""
        if not self._open:
            return
        if self._child is None:
            self.discard()
            raise OutputError(f"no frame for {self._part.target}")
        if self._whole and not complete:
            self.discard()
            return
        try:
            self._finish(self._child, complete)
        except BaseException:
            if self._whole:
                self.discard()
            raise

    def _finish(self, child: subprocess.Popen[bytes], complete: bool) -> None:
        self._send(self._rest)
        assert child.stdin
        child.stdin.close()
        if child.wait():
            self._fail()
        self._open = False
        if self._audio:
            self._add_audio(self._audio)
        self._part.commit(complete=complete)

    def _start(self) -> subprocess.Popen[bytes]:
        encoder = encoder_named(self._options.encoder)
        filters = ["pad=ceil(iw/2)*2:ceil(ih/2)*2", "scale=out_color_matrix=bt709:out_range=tv"]
        filters.append(f"setsar={self._pixel_aspect}:max=65535")  # as large as H.264 can say it
        # encoders take the tags from the frames, not from ffmpeg's options
        filters.append("setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709")
        child = self._run(
            subprocess.PIPE,
            *encoder.before,
            *(*INPUT_OPTIONS, "-i", "pipe:0"),
            *("-vf", ",".join([*filters, *([encoder.filter] if encoder.filter else [])])),
            *encoder.options(self._options.preset, self._options.crf, self._size),
            # without B-frames the last frame keeps its full duration when the rate varies
            *("-bf", "0"),
            *("-fps_mode", "passthrough", "-enc_time_base", f"1/{self._ticks_per_second}"),
            *("-movflags", "+faststart", "-f", self._muxer, f"file:{self._part.path}"),
        )
        self._child = child
        self._send(stream_header(self._size, self._rate))
        return child

    def _run(self, stdin: int, *arguments: str) -> subprocess.Popen[bytes]:
        command = [ffmpeg_exe(), *LOG_OPTIONS, "-y", *arguments]
        return subprocess.Popen(
            command,
            bufsize=0,
            stdin=stdin,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            env=environment(),
            start_new_session=True,  # Ctrl-C is for us, who end the file in order
        )

    def _send(self, data: bytes | memoryview) -> None:
        assert self._child and self._child.stdin
        self._rest = memoryview(data)
        try:
            while self._rest:
                self._rest = self._rest[self._child.stdin.write(self._rest) :]
        except BrokenPipeError:
            self._fail()

    def _add_audio(self, track: Soundtrack | JoinedSoundtrack) -> None:
        """Put the stretch of the source's sound that belongs to the frames beside them."""
        all_of_them = range(len(track.sounds))
        groups = [all_of_them] if track.every else [range(number, number + 1) for number in all_of_them]
        if not track.sounds or any(self._add_sounds(track, group) for group in groups):
            return
        left_out, reason = list(all_of_them), self._reason()
        decoded = [number for number in all_of_them if track.every and track.sounds[number].decodes()]
        if decoded and self._add_sounds(track, decoded):
            left_out = [number for number in all_of_them if number not in decoded]
        codecs = ", ".join(dict.fromkeys(track.sounds[number].codec for number in left_out))
        lacks = "has no sound" if len(left_out) == len(track.sounds) else "lacks a sound"
        _logger.warning("%s %s: %s of %s: %s", self._part.target, lacks, codecs, track.source, reason)

    def _add_sounds(self, track: Soundtrack | JoinedSoundtrack, chosen: Sequence[int]) -> bool:
        """Put some sounds of the track beside the frames; False when one of them cannot be decoded."""
        seconds = float(Fraction(self._pts, self._ticks_per_second) + 1 / self._rate)
        mix = track.mix(chosen, self._origin, seconds, self.source.chapters)
        self._log.seek(0)
        self._log.truncate()
        with self._part.second_pass() as (mixed, take):
            self._child = self._run(
                subprocess.DEVNULL,
                *("-itsoffset", f"{mix.lead:.6f}", "-i", f"file:{self._part.path}", *mix.inputs),
                *("-map", "0:v", "-c:v", "copy", *mix.outputs),
                *("-ss", "0"),  # leave out what comes before
                *("-movflags", "+faststart", "-f", self._muxer, f"file:{mixed}"),
            )
            if not self._child.wait():
                take()
                return True
        if not self._disk_refuses():
            return False
        if self._whole:
            self._fail()
        self._part.commit(complete=False)
        raise OutputError(f"{self._part.target} has no sound: {self._reason()}", hint=_FREE_SPACE)

    def _fail(self) -> NoReturn:
        """Leave nothing behind; raises OutputError with ffmpeg's own words."""
        self.discard()
        assert self._child
        reason = self._reason()
        if self._child.returncode == -_FILE_TOO_LARGE or reason.endswith(os.strerror(errno.EFBIG)):
            reason, hint = os.strerror(errno.EFBIG), TOO_LARGE
        else:
            hint = _FREE_SPACE if self._disk_refuses() else "`siamtrack doctor` lists the encoders that work"
        raise OutputError(f"cannot write {self._part.target}: {reason}", hint=hint)

    def _disk_refuses(self) -> bool:
        """True when ffmpeg ended because the disk took no more, or, killed by a limit, could not say so."""
        assert self._child
        return self._child.returncode == -_FILE_TOO_LARGE or self._reason().endswith(_DISK_ERRORS)

    def _reason(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").splitlines()
        messages = [message for line in lines if (message := component_message(line))]
        errors = [text for level, text in messages if level != "warning"]
        refused = [text for text in errors if text.endswith(_DISK_ERRORS)]
        return (refused or errors or ["ffmpeg stopped without a word"])[0]

    def discard(self) -> None:
        self._open = False
        if self._child:
            self._child.kill()
            self._child.wait()
        self._part.discard()

    @property
    def begun(self) -> bool:
        return self._child is not None

    @property
    def kept(self) -> Path | None:
        return self._part.kept
