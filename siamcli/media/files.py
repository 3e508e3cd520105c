"""Video files, pipes and addresses, decoded by an ffmpeg child process."""

from __future__ import annotations

import io
import logging
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import IO, cast

import numpy as np

from siamcli.cores import lower_priority
from siamcli.counts import counted
from siamcli.errors import InputError
from siamcli.frames import Frame, SourceInfo
from siamcli.media.base import Source
from siamcli.media.channels import HEAD_OPTIONS, TIME_FORMAT, FrameClock, FrameHead, read_head
from siamcli.media.complaints import NO_RATE, cut_off, unreadable
from siamcli.media.ffmpeg import LOG_OPTIONS, DecoderLog, begin_reader, ffmpeg_exe
from siamcli.media.heads import begins_as_video
from siamcli.media.joined import unread_parts
from siamcli.media.kinds import source_name
from siamcli.media.packets import KeyFrame, is_encrypted, key_frame_before
from siamcli.media.plan import make_plan
from siamcli.media.replay import Replay
from siamcli.media.streams import Streams, list_streams
from siamcli.media.web import WebBody
from siamcli.times import FrameFilter, FrameRange

__all__ = ["VideoFile"]


_logger = logging.getLogger(__name__)
_LATER = 0.0005  # seconds; what is rounded down would lead to the key frame before
_KEEP_TIMES = ("-noaccurate_seek", "-copyts", "-start_at_zero")


class VideoFile(Source):
    """Whatever ffmpeg can open: a file (`file:PATH`), an address, a named pipe (`fifo:PATH`), or an open file
    of this process (`pipe:0` is standard input).

    Times are counted from the start of the container, as players do.  Pictures of another size than the
    first one are scaled into it.  Opening waits for the first frame.  Raises InputError when there is none,
    and after the last one when the source is damaged.  `streams` is what an address is known to consist of,
    `body` what a web server sends from there.  `rate` are the options that give a raw stream its rate; what
    has times of its own is refused with them, or with `rate_if_needed` read without.
    """

    def __init__(
        self,
        address: str,
        name: str,
        cut: FrameRange,
        options: Sequence[str] = (),
        streams: Streams | None = None,
        *,
        body: WebBody | None = None,
        stream: int | None = None,
        deinterlace: bool = False,
        rate: Sequence[str] = (),
        rate_if_needed: bool = False,
    ) -> None:
        super().__init__(cut)
        self._address, self._name, self._options = address, name, options
        self._replay: Replay | None = None
        if body:
            self._replay = Replay(body)
        elif address.startswith("pipe:"):
            self._replay = Replay(int(address.removeprefix("pipe:")))
        elif address.startswith("fifo:"):
            self._replay = Replay(address.removeprefix("fifo:"))
        if self._replay:
            self._address = "pipe:0"
        self.rate = rate
        self.streams = streams or self._list(if_needed=rate_if_needed)
        self._file = address if address.startswith("file:") else None
        self.plan = make_plan(self._file, name, self.streams, stream, deinterlace=deinterlace)
        head = self._begin_at(cut)
        turn = self.plan.orientation
        self.info = SourceInfo(
            source_name(name).stem if "://" in name else Path(name).stem,
            head.size,
            head.fps,
            self._count(head, self.plan.video.fps),
            round(turn.rotation),
            head.pixel_aspect,
            mirrored=turn.mirrored,
            variable=self.plan.video.varies_from(head.fps),
            sounds=len(self.streams.sounds),
        )

    def _list(self, *, if_needed: bool) -> Streams:
        """What the source consists of.  Raises InputError."""
        run = self._replay.run if self._replay else None
        streams = list_streams(self._address, (*self._options, *self.rate), run)
        if if_needed and NO_RATE in (streams.problem or ""):
            self.rate = ()
            streams = list_streams(self._address, self._options, run)
        try:
            if self._replay:
                self._replay.check(self._name)
            if streams.problem:
                raise self._unreadable(streams.problem)
        except InputError:
            if self._replay:
                self._replay.close()
            raise
        return streams

    def _begin_at(self, cut: FrameRange) -> FrameHead:
        """Begin to decode, at the key frame before the cut where there is one."""
        self._begin: KeyFrame | None = None
        if cut.start is not None and self._file:
            self._begin = key_frame_before(self._file, self.streams, self.plan.video, cut.start)
        size = self.plan.size
        head = self._start(size)
        if self._replay is None and head.size != (size or head.size):
            self.close()  # the container says another size than its frames have
            size = head.size
            head = self._start(size)
        if self._begin and not self._reaches(self._begin, head.size):
            self.close()  # it does not begin where its packets say
            self._begin = None
            head = self._start(size)
        return head

    def _unreadable(self, problem: str) -> InputError:
        broken = self._replay.problem if self._replay else None
        said = (broken or problem).replace(self._address, self._name)
        is_file = self._address.startswith("file:")
        foreign = is_file and not begins_as_video(Path(self._address.removeprefix("file:")))
        return unreadable(self._name, said, bool(self._replay), foreign=foreign)

    def _count(self, head: FrameHead, rate: float | None) -> int | None:
        """Number of frames that the container announces: an estimate."""
        if not self.streams.duration or not rate:
            return None
        exact = head.fps is not None and rate > head.fps - 0.01  # the container's is rounded to two digits
        return round(self.streams.duration * (head.fps if exact and head.fps else rate))

    def _start(self, size: tuple[int, int] | None) -> FrameHead:
        """Begin to decode to pictures of `size`; returns what is known of the first frame."""
        self._log = DecoderLog()
        self._times: SimpleQueue[tuple[float | None] | None] = SimpleQueue()
        self._reading = Lock()
        self._child, head_lines, times = self._run(size)
        lower_priority(self._child.pid)
        assert self._child.stdout and self._child.stderr
        self._pixels = cast("io.BufferedReader", self._child.stdout)
        self._readers = [Thread(target=self._listen, args=(self._child.stderr,), daemon=True)]
        self._readers[0].start()
        try:
            with head_lines:
                head = read_head(head_lines)
            self._clock = FrameClock(head.fps if head else None)
            self._readers.append(Thread(target=self._read_times, args=(times,), daemon=True))
            self._readers[1].start()
            self._first = self._times.get()
        except BaseException:  # a signal, while an address or a pipe says nothing
            self.close()
            raise
        if head is None or self._first is None:
            self.close()
            self._refuse_encrypted()
            raise self._unreadable(self._log.problem or self._log.damage or "it has no frames")
        # for a rate that it does not know ffmpeg puts the ticks of the clock
        unknown = self.plan.video.fps is None and head.fps and self._clock.tick == 1 / head.fps
        return replace(head, fps=None) if unknown else head

    def _reaches(self, begin: KeyFrame, size: tuple[int, int]) -> bool:
        """Read up to a key frame; False where it does not come."""
        image = np.empty((size[1], size[0], 3), np.uint8)
        while self._first is not None and self._first[0] is not None and self._first[0] < begin.time:
            if self._pixels.readinto(image.data.cast("B")) < image.nbytes:
                return False
            self._first = self._times.get()
        return self._first == (begin.time,)

    def _run(self, size: tuple[int, int] | None) -> tuple[subprocess.Popen[bytes], IO[str], IO[str]]:
        """An ffmpeg that decodes, its list of the first frame, and the times of all frames."""
        (head, head_end), (times, times_end) = os.pipe(), os.pipe()
        seek = () if self._begin is None else ("-ss", f"{self._begin.time + _LATER:.6f}", *_KEEP_TIMES)
        command = [ffmpeg_exe(), *LOG_OPTIONS, *self._options, *self.rate, *seek, "-i", self._address]
        stream = ("-map", f"0:v:{self.plan.video.number}")
        command += [*stream, *HEAD_OPTIONS, f"pipe:{head_end}", *stream, "-filter:v", self.plan.chain(size)]
        command += ["-stats_enc_pre", f"pipe:{times_end}", "-stats_enc_pre_fmt", TIME_FORMAT]
        command += ["-enc_time_base", "filter", "-fps_mode", "passthrough"]
        command += ["-f", "rawvideo", "-pix_fmt", "bgr24"]
        try:
            child = begin_reader(
                [*command, "pipe:1"],
                stdin=subprocess.PIPE if self._replay else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=(head_end, times_end),
            )
        except OSError:
            os.close(head)
            os.close(times)
            raise
        finally:
            os.close(head_end)
            os.close(times_end)
        if self._replay and child.stdin:
            self._replay.feed(child.stdin)
        return child, os.fdopen(head), os.fdopen(times)

    def _listen(self, stderr: IO[bytes]) -> None:
        with stderr:
            for line in stderr:
                self._log.read(line.decode(errors="replace"))

    def _read_times(self, times: IO[str]) -> None:
        with times:
            for line in times:
                self._times.put((self._clock.read(line),))
        self._times.put(None)

    def frames(self, frame_filter: FrameFilter) -> Iterator[Frame]:
        index, stamp, size = self._begin.index if self._begin else 0, self._first, self.info.size
        assert size is not None
        while stamp is not None:
            (time,) = stamp
            decision = frame_filter(index, time)
            if decision == "stop":
                return
            image = np.empty((size[1], size[0], 3), np.uint8)
            with self._reading:
                if self._pixels.closed or self._pixels.readinto(image.data.cast("B")) < image.nbytes:
                    break
            if decision == "keep":
                yield Frame(index, time, image)
            index, stamp = index + 1, self._times.get()
        code = self._child.wait()
        for reader in self._readers:
            reader.join()
        self._report()
        broken = self._replay.problem if self._replay else self._log.broken
        if broken and not self._file:
            raise cut_off(self._name, broken, index, self.info.count)
        trouble = self._log.damage or (self._log.problem if code else None)
        if trouble:
            self._refuse_encrypted()
            raise InputError(
                f"{self._name} is damaged or cut short: {trouble} ({counted(index, 'frame')} decoded)",
                hint="every frame that decodes was used; the rest of the file is lost",
            )
        self._check_all_read()
        self.info = self.info.counted(index)

    def _refuse_encrypted(self) -> None:
        """Raise InputError for encrypted packets; by chance some of them decode, to noise."""
        if self._file and is_encrypted(self._file, self.plan.video):
            raise InputError(f"{self._name} is encrypted", hint="give the video without copy protection")

    def _check_all_read(self) -> None:
        """Raise InputError when recordings that are joined in the file were not read."""
        path, container = Path(self._address.removeprefix("file:")), self.streams.format
        if (
            self._file
            and path.is_file()
            and (container.startswith(("flv", "mov,")) or self._clock.set_back is not None)
        ):
            unread = unread_parts(path, container)
            if unread:
                raise InputError(
                    f"{self._name} consists of joined recordings, the last {unread} of which cannot be read",
                    hint="track its parts one by one, or join them with ffmpeg's concat demuxer",
                )

    def _report(self) -> None:
        """Say what was done to the frames on the way."""
        if self._clock.set_back is not None:
            _logger.warning(
                "%s: its clock goes back after %.2f s, as in joined recordings; what follows is moved behind",
                self._name,
                self._clock.set_back,
            )
        if self._log.resized:
            index, size, first = self._log.resized
            _logger.warning(
                "%s is %dx%d from frame %d on, not %dx%d as before: scaled into it, its shape is kept",
                *(self._name, *size, index, *first),
            )

    def close(self) -> None:
        self._child.kill()
        self._child.wait()
        if self._replay:
            self._replay.close()
        for reader in self._readers:
            reader.join()
        with self._reading:
            self._pixels.close()
