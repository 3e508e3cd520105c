"""Video files, pipes and addresses, decoded by an ffmpeg child process."""

from __future__ import annotations

import io
import logging
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import IO, cast

import numpy as np

from siamcli.cores import give_way
from siamcli.errors import InputError
from siamcli.frames import Frame, SourceInfo
from siamcli.media.base import Source
from siamcli.media.ffmpeg import LOG_OPTIONS, DecodeLog, Stamp, ffmpeg_exe
from siamcli.times import Cut, Cutter

__all__ = ["OwnTimesError", "VideoFile"]


class OwnTimesError(InputError):
    """A frame rate was named for a source that has times of its own."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} has frame times of its own", hint="--fps is for images and raw streams: leave it out"
        )


_logger = logging.getLogger(__name__)

# Its first line ends what ffmpeg says of the source: ffmpeg opens one input after the other.
_SECOND_INPUT = ("-f", "lavfi", "-i", "anullsrc")
_SECOND_OPENED = "[info] Input #1,"


class VideoFile(Source):
    """Whatever ffmpeg can open: a file (`file:PATH`), an address, or an open file of this process
    (`pipe:0` is standard input).

    Times are counted from the start of the container, as players do.  Opening waits for the first
    frame.  Raises InputError when there is none, and after the last one when the source is damaged.
    """

    def __init__(self, address: str, name: str, cut: Cut, options: Sequence[str] = ()) -> None:
        super().__init__(cut)
        self._name = name
        self._log = DecodeLog()
        self._stamps: SimpleQueue[Stamp | None] = SimpleQueue()
        self._child = self._start(address, options)
        give_way(self._child.pid)
        assert self._child.stdout and self._child.stderr
        self._pixels = cast("io.BufferedReader", self._child.stdout)
        self._reading = Lock()
        self._listener = Thread(target=self._listen, args=(self._child.stderr,), daemon=True)
        self._listener.start()
        try:
            self._first = self._stamps.get()
        except KeyboardInterrupt:  # an address or a pipe that says nothing
            self.close()
            raise
        if self._first is None:
            self.close()
            hint = "the container must be readable from its start" if address.startswith("pipe:") else None
            problem = self._log.problem or "it has no frames"
            if "Option framerate not found" in problem:
                raise OwnTimesError(name)
            if "matches no streams" in problem:  # ffmpeg speaks of -map
                problem = "it has no video, only sound or text"
            raise InputError(
                f"cannot read {name}: {problem.replace(address, name)}",
                hint=hint or "is it a whole video file that ffmpeg can read?",
            )
        log = self._log
        if log.colors and log.colors.note:
            _logger.info("%s: %s", name, log.colors.note)
        self.info = SourceInfo(
            Path(name).stem, self._first.size, log.fps, log.count, log.rotation, log.pixel_aspect
        )

    def _start(self, address: str, options: Sequence[str]) -> subprocess.Popen[bytes]:
        """Begin to decode; the filters follow through a pipe, once the log has said what they depend on."""
        filters, self._filters = os.pipe()
        source = int(address.removeprefix("pipe:")) if address.startswith("pipe:") else None
        inherited = filters if source == 0 else source
        command = [ffmpeg_exe(), *LOG_OPTIONS, *options, "-i", address, *_SECOND_INPUT]
        # V, not v: no cover pictures
        command += ["-map", "0:V:0", "-/filter:v", f"pipe:{filters if source == 0 else 0}"]
        command += ["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "bgr24", "pipe:1"]
        try:
            return subprocess.Popen(
                command,
                stdin=None if source == 0 else filters,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=() if inherited is None else (inherited,),
                start_new_session=True,  # Ctrl-C is for us, who close the child in order
            )
        finally:
            os.close(filters)

    def _listen(self, stderr: IO[bytes]) -> None:
        with stderr, os.fdopen(self._filters, "wb", buffering=0) as filters:
            for encoded in stderr:
                line = encoded.decode(errors="replace").rstrip()
                if line.startswith(_SECOND_OPENED):
                    with suppress(BrokenPipeError):
                        filters.write(self._filter_chain().encode())
                    filters.close()
                elif stamp := self._log.read(line):
                    self._stamps.put(stamp)
        self._stamps.put(None)

    def _filter_chain(self) -> str:
        # showinfo stands behind the rotation that ffmpeg inserts
        filters = self._log.colors.filters if self._log.colors else ""
        return "showinfo=checksum=0" + (f",{filters}" if filters else "")

    def frames(self, cutter: Cutter) -> Iterator[Frame]:
        index, stamp, size = 0, self._first, self.info.size
        assert size is not None
        while stamp is not None:
            fate = cutter(index, stamp.time)
            if fate == "stop":
                return
            # a stream that changes its size is scaled by ffmpeg to the size of its first frame
            image = np.empty((size[1], size[0], 3), np.uint8)
            with self._reading:
                if self._pixels.closed or self._pixels.readinto(image.data.cast("B")) < image.nbytes:
                    break
            if fate == "keep":
                yield Frame(index, stamp.time, image)
            index, stamp = index + 1, self._stamps.get()
        code = self._child.wait()
        self._listener.join()
        if self._log.set_back is not None:
            _logger.warning(
                "%s: its clock goes back after %.2f s, as in joined recordings; what follows is moved behind",
                self._name,
                self._log.set_back,
            )
        trouble = self._log.damage or (self._log.problem if code else None)
        if trouble:
            raise InputError(
                f"{self._name} is damaged or cut short: {trouble} ({index} frames decoded)",
                hint="every frame that decodes was used; the rest of the file is lost",
            )

    def close(self) -> None:
        self._child.kill()
        self._child.wait()
        self._listener.join()
        with self._reading:
            self._pixels.close()
