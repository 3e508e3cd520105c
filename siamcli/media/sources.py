"""Opens any source."""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial

from siamcli.addresses import without_secrets
from siamcli.errors import InputError
from siamcli.frames import FrameSource, SourceInfo
from siamcli.media.cameras import Camera, LiveSource
from siamcli.media.chapters import ChapterFile, JoinedFiles
from siamcli.media.complaints import SILENT, WHOLE, OwnTimesError
from siamcli.media.devices import check_camera
from siamcli.media.files import VideoFile
from siamcli.media.folders import ImageSequence, images_in, matching
from siamcli.media.heads import check_file
from siamcli.media.kinds import SourceName, source_name
from siamcli.media.packets import leaves_out
from siamcli.media.playlists import check_playlist, protocol_options
from siamcli.media.refusals import AGENT, WEB, no_address, silence
from siamcli.media.streams import Streams, VideoStream
from siamcli.media.suffixes import INDEXED_SUFFIXES
from siamcli.media.web import open_body, request_address
from siamcli.times import FrameRange, TimePoint

__all__ = [
    *("announced_count", "constant_rate", "expected_count", "is_beyond", "no_source", "open_source"),
]

_PAGES = re.compile(r"https?://((www|m)\.)?(youtube\.com/(watch|shorts/|live/)|youtu\.be/)", re.IGNORECASE)
_COUNT_SLACK = Fraction(102, 100)  # what containers announce is an estimate
SILENCE = 10.0
"""Seconds without a byte after which an address counts as gone."""

_FILES = frozenset({"file", *WEB})
_LIVE_FORMATS = frozenset({"dash", "hls", "mpjpeg"})
_ONCE = frozenset({"tcp", "unix"})  # what is sent there may be sent to the first reader only
_ANY = Streams(videos=(VideoStream(0, codec="unknown"),))


def open_source(
    source: str,
    *,
    start: TimePoint | None = None,
    end: TimePoint | None = None,
    stride: int = 1,
    also: Sequence[TimePoint] = (),
    fps: Fraction | None = None,
    fps_if_needed: bool = False,
    stream: int | None = None,
    deinterlace: bool = False,
) -> FrameSource:
    """Open a video file, an image folder or pattern, a camera number, an address, or `-`.

    Frames run from `start` up to, not including, `end`, every `stride`-th of them and the first at each of
    the moments `also`; their index and time stay those of the whole source.  `fps` is the rate of images
    and raw streams; other sources have times of their own and refuse it, or with `fps_if_needed` keep them.
    `stream` is the number of a video stream, without it the one that players show; `deinterlace` removes the
    combs of interlaced video.  Raises InputError.
    """
    cut = FrameRange(start, end, stride, tuple(also))
    if not source:
        raise InputError("a source without a name", hint="is the shell variable set?")
    if cut.has_timecode:
        whole = partial(open_source, fps=fps, fps_if_needed=fps_if_needed, stream=stream)
        cut = cut.at_rate(constant_rate(source, partial(whole, source)))
    name = source_name(source)
    if name.kind == "joined":
        return JoinedFiles(name.stem, _chapters(name, fps, stream, deinterlace=deinterlace), cut)
    video = partial(
        VideoFile, stream=stream, deinterlace=deinterlace, rate=_rate(fps), rate_if_needed=fps_if_needed
    )
    try:
        return _open(name, source, cut, fps, video)
    except OwnTimesError as own_times:
        if not fps_if_needed:
            raise
        try:
            return _open(name, source, cut, None, partial(video, rate=()))
        except InputError:  # it was sent to the first reader only
            raise own_times from None


def _open(
    name: SourceName, source: str, cut: FrameRange, fps: Fraction | None, video: Callable[..., VideoFile]
) -> FrameSource:
    if name.descriptor is not None:
        return video(f"pipe:{name.descriptor}", name.stem, cut, protocol_options(None))
    if name.kind == "address":
        return _open_address(source, cut, video)
    if name.kind == "folder":
        return ImageSequence(name.stem, images_in(name.path), cut, fps)
    if name.kind == "image":
        return ImageSequence(name.stem, [name.path], cut, fps)
    if name.kind == "file":
        way = "fifo" if _is_pipe(name) else "file"
        if way == "file":
            check_playlist(name.path)
            check_file(name.path)
        return video(f"{way}:{name.text}", name.text, cut, protocol_options(None))
    if name.kind == "pattern":
        return ImageSequence(name.stem, matching(name.text), cut, fps)
    if name.kind == "camera":
        if fps is not None:
            raise OwnTimesError(f"camera {source}")
        if not source.isdecimal():
            check_camera(name.path)
        device = int(source) if source.isdecimal() else source
        return LiveSource(Camera(device, name.stem), lambda: Camera(device, name.stem), cut)
    raise no_source(name)


def no_source(name: SourceName) -> InputError:
    """The error of a path at which nothing is that frames can come from."""
    there = os.path.exists(name.text)  # noqa: PTH110 - no error for a name that no system takes
    if not there and name.text.startswith(("/dev/video", "/dev/v4l/")):
        return InputError(f"no such device: {name.text}", hint="`siamtrack doctor` lists cameras")
    return InputError(
        f"{'neither a file nor a folder' if there else 'no such file or folder'}: {name.shown}",
        hint="give a video, a folder of images or a quoted pattern; `siamtrack run` also takes a camera's"
        " number, an address, or -",
    )


def _chapters(
    name: SourceName, fps: Fraction | None, stream: int | None, *, deinterlace: bool
) -> list[ChapterFile]:
    """The files of a joined recording.  Raises InputError for one that is not there any more."""
    files = []
    for part in name.parts:
        if not part.has_sound:
            raise InputError(f"no such file: {part.shown}", hint="it is a part of a joined recording")
        check_playlist(part.path)
        check_file(part.path)
        changed, options = part.path.stat().st_mtime_ns, (*protocol_options(None), *_rate(fps))
        files.append(ChapterFile(part.text, changed, options, stream, deinterlace))
    return files


def _is_pipe(name: SourceName) -> bool:
    return name.kind == "file" and name.path.is_fifo()


def _rate(fps: Fraction | None) -> tuple[str, ...]:
    """The options that give a raw stream its rate.

    ffmpeg refuses -framerate for any other source.  -r replaces the rate that an H.264 stream suggests.
    """
    return () if fps is None else ("-framerate", str(fps), "-r", str(fps))


def _open_address(address: str, cut: FrameRange, video: Callable[..., VideoFile]) -> FrameSource:
    scheme = address.partition(":")[0].lower()
    name = without_secrets(address)
    if _PAGES.match(address):
        raise InputError(
            f"{name} is a page, not a video",
            hint="yt-dlp -o - URL | siamtrack run - --box x,y,w,h",
        )
    if source_name(address).is_shortened and "?…" in address:
        raise InputError(
            f"{name}: what follows the ? was left out where it was written down, as secrets stand there",
            hint="name the whole address beside the list: siamtrack batch ADDRESS --boxes LIST",
        )
    if scheme in WEB:
        try:
            address = request_address(address)
        except ValueError:
            raise no_address(name) from None
        if body := open_body(address, name, SILENCE):
            return video(address, name, cut, protocol_options("pipe"), body=body)
    silent = f"{SILENCE * 1_000_000:.0f}"  # microseconds
    if scheme == "rtp":  # of which ffmpeg takes no such option
        address += f"{'&' if '?' in address else '?'}timeout={silent}"
    options = (*_patience(scheme, silent), *protocol_options(scheme))
    began = time.monotonic()
    try:
        stream = video(address, name, cut, options, _ANY if scheme in _ONCE else None)
    except InputError as error:
        waited = time.monotonic() - began
        if waited >= SILENCE and SILENT.search(str(error)):
            raise silence(name, SILENCE) from None
        if waited >= SILENCE and scheme in WEB and error.hint == WHOLE:
            error.hint = f"this took {waited:.0f} s: perhaps its server stopped sending; download it first"
        raise
    # what announces its length, and what a web server gives that is no camera, is a file that lies elsewhere
    found = stream.streams
    if found.duration is not None or (scheme in _FILES and found.format not in _LIVE_FORMATS):
        return stream
    again = partial(video, address, name, FrameRange(), options, found, rate=stream.rate)
    return LiveSource(stream, again, cut)


def _patience(scheme: str, silent: str) -> tuple[str, ...]:
    """ffmpeg's options for how long an address may be `silent`, and what it asks it with."""
    if scheme == "rtp":
        return ()
    if scheme.startswith("rtsp"):
        return ("-rtsp_transport", "tcp", "-timeout", silent)
    if scheme.startswith("udp"):
        return ("-timeout", silent)
    return ("-rw_timeout", silent, *(("-user_agent", AGENT) if scheme in WEB else ()))


def constant_rate(source: str, reopen: Callable[[], FrameSource]) -> Fraction:
    """The frame rate by which timecodes of `source` are counted.

    Raises InputError where it is not known before the source is read, and where it varies.
    """
    name = source_name(source)
    hint = "name a frame (100f) or seconds (12.5)"
    if not (name.is_rereadable or name.kind == "missing"):
        raise InputError(f"{name.shown}: timecode HH:MM:SS:FF is for files and images", hint=hint)
    with reopen() as frames:
        info = frames.info
        varies = info.variable or (info.fps is not None and _leaves_out(frames, name.text, info.fps))
    if info.fps is None:
        hint = f"--fps gives one; or {hint}" if name.is_images else hint
        raise InputError(f"{name.shown}: timecode needs a frame rate, and none is known", hint=hint)
    if varies:
        raise InputError(f"{name.shown}: its frame rate varies, timecode needs a constant one", hint=hint)
    return info.fps


def _leaves_out(frames: FrameSource, path: str, rate: Fraction) -> bool:
    """True where a video leaves frames out at that rate; images leave out none."""
    if isinstance(frames, JoinedFiles):
        return frames.leaves_out(rate)
    return isinstance(frames, VideoFile) and leaves_out(
        f"file:{path}", frames.streams, frames.plan.video, rate
    )


def announced_count(source: str) -> int | None:
    """How many frames a file or folder announces; None for what can be read only once, and what cannot be."""
    name = source_name(source)
    if not name.is_rereadable:
        return None
    try:
        with open_source(source) as frames:
            return frames.info.count
    except InputError:
        return None


def expected_count(info: SourceInfo, cut: FrameRange) -> int | None:
    """How many frames `cut` leaves of a source: an estimate, None where it cannot be known."""

    def frame(point: TimePoint | None) -> float | None:
        if point is None or point.frame is not None:
            return point.frame if point else None
        return None if info.fps is None or point.seconds is None else float(point.seconds * info.fps)

    last = min((n for n in (frame(cut.end), info.count) if n is not None), default=None)
    if last is None:
        return None
    return max(0, math.ceil((last - (frame(cut.start) or 0)) / cut.stride))


def is_beyond(at: TimePoint, source: str, info: SourceInfo) -> bool:
    """True when a source of known length is certainly over at that moment."""
    if info.count is None:
        return False
    if info.files:
        return at.frame is not None and at.frame >= info.count
    if not all(part.text.lower().endswith(INDEXED_SUFFIXES) for part in source_name(source).parts):
        return False
    if at.frame is not None:
        return at.frame > info.count * _COUNT_SLACK + 2
    return info.fps is not None and (at.seconds or 0) > (info.count * _COUNT_SLACK + 2) / info.fps
