"""Reading ahead, and sources without an end: bounded, prompt, and always the newest frame."""

from __future__ import annotations

import gzip
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from threading import Event, Semaphore, Thread
from typing import cast

import clips
import cv2
import numpy as np
import pytest
from servers import answering

from siamcli.batch.schedule import _Scheduler
from siamcli.cli.commands import doctor
from siamcli.errors import InputError
from siamcli.formats.files import read_trajectory
from siamcli.frames import Frame, SourceInfo
from siamcli.load import LoadedTracker
from siamcli.media import devices, sources
from siamcli.media.base import Source
from siamcli.media.cameras import LiveSource, ReconnectPolicy
from siamcli.media.kinds import source_name
from siamcli.media.prefetch import prefetch
from siamcli.media.sources import open_source
from siamcli.session.job import Job
from siamcli.targets import parse_target
from siamcli.times import FrameFilter, FrameRange, TimePoint


class Stream(Source):
    """Hands out `count` frames, one per `wait` seconds, then ends as `after` says.

    `hold` is called before every frame: a reader that must get them all lets the stream wait for it.
    """

    def __init__(
        self,
        count: int,
        wait: float = 0.0,
        after: Exception | None = None,
        *,
        hang: bool = False,
        hold: Callable[[], object] = lambda: None,
    ):
        super().__init__(FrameRange())
        self.info = SourceInfo("stream", clips.SIZE)
        self.given = 0
        self._count, self._wait, self._after, self._hang = count, wait, after, hang
        self._hold = hold
        self.closed = Event()

    def frames(self, frame_filter: FrameFilter) -> Iterator[Frame]:
        for index in range(self._count):
            if self.closed.wait(self._wait):
                return
            self._hold()
            self.given += 1
            yield Frame(index, None, clips.image(index))
        if self._hang:
            self.closed.wait()
        if self._after:
            raise self._after

    def close(self) -> None:
        self.closed.set()


def test_prefetch_is_bounded() -> None:
    stream = Stream(100)
    with prefetch(stream, depth=3) as ahead:
        for n, frame in enumerate(ahead):
            time.sleep(0.005)
            assert frame.index == n
            assert stream.given <= n + 1 + 3 + 1  # handed out, in the queue, and one waiting for room
    assert n == 99


def test_prefetch_hands_over_the_error_after_the_frames() -> None:
    got = []
    with pytest.raises(InputError, match="torn"), prefetch(Stream(5, after=InputError("torn"))) as ahead:
        got.extend(frame.index for frame in ahead)
    assert got == [0, 1, 2, 3, 4]


def test_prefetch_leaves_a_source_that_hangs() -> None:
    with prefetch(Stream(1, hang=True)) as ahead:
        assert next(iter(ahead)).index == 0


def test_prefetch_leaves_live_sources_alone() -> None:
    live = LiveSource(Stream(1), lambda: Stream(1), FrameRange())
    assert prefetch(live) is live


def test_a_slow_reader_gets_the_newest_frame() -> None:
    policy = ReconnectPolicy(attempts=0)
    stream = Stream(40, wait=0.005)
    with LiveSource(stream, lambda: Stream(1), FrameRange(), policy) as live:
        indices = []
        with pytest.raises(InputError, match="ended"):
            for frame in live:
                indices.append(frame.index)
                assert clips.number(frame.image) == frame.index
                while stream.given < min(40, frame.index + 4):
                    time.sleep(0.001)
    assert indices == sorted(indices)
    assert indices[-1] == 39
    assert live.dropped == 40 - len(indices)
    assert live.dropped > 10


def test_a_live_source_is_ready_when_a_frame_or_its_end_is_there() -> None:
    with LiveSource(Stream(1, hang=True), lambda: Stream(1), FrameRange()) as live:
        frames = iter(live)
        assert live.live and not live.ready
        next(frames)
        assert not live.ready
    assert live.ready


def test_reconnects_and_counts_on() -> None:
    turn = Semaphore(1)
    streams = iter([Stream(3, hold=turn.acquire), Stream(3, hold=turn.acquire)])

    def reopen() -> Source:
        stream = next(streams, None)
        if stream is None:
            raise InputError("nobody there")
        return stream

    policy = ReconnectPolicy(attempts=3, first_wait=0.01)
    indices, times = [], []
    with (
        pytest.raises(InputError, match="nobody there"),
        LiveSource(
            Stream(3, after=InputError("cable"), hold=turn.acquire), reopen, FrameRange(), policy
        ) as live,
    ):
        for frame in live:
            indices.append(frame.index)
            times.append(frame.time)
            turn.release()
    assert indices == list(range(9))
    assert times[0] == 0
    assert times == sorted(times)


def test_an_unexpected_error_ends_a_live_source_and_is_told() -> None:
    """Its reader waited for ever."""
    stream = Stream(0, after=ZeroDivisionError("a bug"))
    with (
        pytest.raises(ZeroDivisionError, match="a bug"),
        LiveSource(stream, lambda: Stream(1), FrameRange()) as live,
    ):
        next(iter(live))


def test_a_camera_that_comes_back_with_another_size_is_refused() -> None:
    stream = Stream(1)
    stream.info = replace(stream.info, size=(640, 360))
    policy = ReconnectPolicy(attempts=1, first_wait=0.01)
    with (
        pytest.raises(InputError, match="stream sends frames of 96x64 now, and sent 640x360 before"),
        LiveSource(stream, lambda: Stream(1), FrameRange(), policy) as live,
    ):
        next(iter(live))


def test_a_live_source_can_be_cut() -> None:
    cut = FrameRange(TimePoint(frame=2), TimePoint(frame=7), 2)
    turn, indices = Semaphore(3), []
    with LiveSource(Stream(20, hold=turn.acquire), lambda: Stream(1), cut) as live:
        for frame in live:
            indices.append(frame.index)
            turn.release(2)
    assert indices == [2, 4, 6]


def test_closing_ends_a_live_source_that_hangs() -> None:
    with LiveSource(Stream(1, hang=True), lambda: Stream(1), FrameRange()) as live:
        assert next(iter(live)).index == 0


def test_an_address_that_goes_away_and_comes_back(tmp_path: Path) -> None:
    """MPEG-TS over TCP, cut off after every clip: the source opens the address again."""
    data = clips.constant(tmp_path / "a.ts", frames=20).read_bytes()
    server = socket.create_server(("127.0.0.1", 0))
    visits = []

    def serve() -> None:
        while len(visits) < 2:
            connection, _ = server.accept()
            visits.append(1)
            with connection:
                connection.sendall(data)
        server.close()

    Thread(target=serve, daemon=True).start()
    with open_source(f"tcp://127.0.0.1:{server.getsockname()[1]}", end=TimePoint(frame=30)) as live:
        assert isinstance(live, LiveSource)
        assert live.info.count is None
        count = sum(1 for _ in live)
    assert len(visits) == 2
    assert count + live.dropped == 30


@contextmanager
def served(clip: Path) -> Iterator[str]:
    """The address of a clip that is sent to whoever connects, and is cut off after it."""
    data = clip.read_bytes()
    with answering(lambda connection: connection.sendall(data)) as port:
        yield f"tcp://127.0.0.1:{port}"


def test_points_of_a_live_source_say_when_they_came(siamtrack, weights, tmp_path: Path) -> None:
    clip = clips.constant(tmp_path / "a.ts", frames=20)
    began = time.time()
    options = ("--weights", weights, "--box", "20,20,30,30")
    with served(clip) as address:
        outputs = ("-o", "a.json", "-o", "a.jsonl", "-o", "a.csv")
        done = siamtrack("run", address, "--end", "12f", *options, *outputs)
    assert done.code == 0, done.err
    ended = time.time()
    for name in ("a.json", "a.jsonl", "a.csv"):
        trajectory = read_trajectory(tmp_path / name)
        assert trajectory.header.live and trajectory.points
        for point in trajectory.points:
            assert point.at is not None and point.latency is not None
            assert point.latency > 0 and began <= point.at and point.at + point.latency <= ended + 1e-5
        arrivals = [point.at for point in trajectory.points]
        assert arrivals == sorted(arrivals)
        assert {"at", "latency"} <= set(trajectory.to_pandas().columns)
    assert siamtrack("run", clip, *options, "-o", "b.jsonl", "-o", "b.csv").code == 0
    for name in ("b.jsonl", "b.csv"):
        assert "latency" not in Path(name).read_text() and '"live"' not in Path(name).read_text()


def test_a_camera_that_is_not_there() -> None:
    with pytest.raises(InputError, match="camera 97 gives no picture") as caught:
        open_source("97")
    assert caught.value.hint


def test_a_camera_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As /dev/v4l/by-id/..., the names that last: any device but a terminal."""
    camera = tmp_path / "usb-cam"
    camera.symlink_to("/dev/zero")
    name = source_name(str(camera))
    assert (name.kind, name.stem) == ("camera", "usb-cam")
    assert source_name("/dev/tty").kind == "missing"
    monkeypatch.setattr(sources, "check_camera", lambda path: None)
    with pytest.raises(InputError, match="usb-cam gives no picture"):
        open_source(str(camera))


def test_what_is_no_camera_is_refused(tmp_path: Path) -> None:
    """Another device, a socket, a link to nothing, a device that is not there."""
    (tmp_path / "video0").symlink_to("/dev/zero")
    (tmp_path / "gone").symlink_to(tmp_path / "nothing")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        for path, says in {
            "video0": "video0 is a device, but no camera",
            "socket": "neither a file nor a folder: .*socket",
            "gone": "no such file or folder: .*gone",
            "/dev/null": "neither a file nor a folder: /dev/null",
            "/dev/video97": "no such device: /dev/video97",
            "/dev/v4l/by-id/usb-none": "no such device",
        }.items():
            with pytest.raises(InputError, match=says) as refused:
                open_source(str(tmp_path / path))
            assert refused.value.hint


def lists(path: Path) -> str:
    """What ffmpeg says of the devices below, as it colours it."""
    head = "\x1b[0;35m[video4linux2,v4l2 @ 0x5581] \x1b[0m[info] "
    if path.name == "video1":
        return f"{head}\x1b[1;31m[error] \x1b[0m\x1b[1;31mNot a video capture device.\n"
    return (
        f"{head}Raw       :     yuyv422 :           YUYV 4:2:2 : 640x480 160x120 1280x720\n"
        f"{head}Compressed:       mjpeg :          Motion-JPEG : 640x480 1920x1080\n"
        "[in#0 @ 0x55d5] Error opening input: Immediate exit requested\n"
    )


def test_cameras_as_linux_lists_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes of a camera, of its metadata, of one that is not there any more, and of a second camera."""
    numbers = {"video0": "1:5", "video1": "1:8", "video2": "1:9", "video10": "1:3", "v4l-subdev0": "1:7"}
    sysfs, dev = tmp_path / "sys" / "video4linux", tmp_path / "dev"
    for name, number in numbers.items():
        (sysfs / name).mkdir(parents=True)
        (sysfs / name / "dev").write_text(f"{number}\n")
        (sysfs / name / "name").write_text(f"Camera of {name}\n")
    (dev / "v4l" / "by-id").mkdir(parents=True)
    for name, target in (("video0", "/dev/zero"), ("video1", "/dev/random"), ("video10", "/dev/null")):
        (dev / name).symlink_to(target)
    (dev / "v4l" / "by-id" / "usb-cam-index0").symlink_to("../../video0")
    first, second = found = devices.list_cameras(sysfs, dev, lists)
    assert (first.name, first.path) == ("Camera of video0", dev / "video0")
    assert first.lasting == str(dev / "v4l" / "by-id" / "usb-cam-index0") and first.allowed
    assert first.sizes == ((1920, 1080), (1280, 720), (640, 480), (160, 120))
    assert second.path == dev / "video10" and second.lasting is None
    assert devices.list_cameras(tmp_path / "none", dev) == []
    # asked itself, ffmpeg names no sizes of these devices
    assert [camera.sizes for camera in devices.list_cameras(sysfs, dev)] == [()] * 3
    devices.check_camera(dev / "v4l" / "by-id" / "usb-cam-index0", sysfs)
    with pytest.raises(InputError, match="is a device, but no camera"):
        devices.check_camera(Path("/dev/tty"), sysfs)
    monkeypatch.setattr(devices, "list_cameras", lambda: [first, replace(second, allowed=False)])
    can, cannot = doctor._cameras()
    assert can.verdict == "ok" and f"{first.path}: Camera of video0, 1920x1080, 1280x720" in can.finding
    assert first.lasting in str(can.hint)
    assert (cannot.verdict, cannot.hint) == ("note", devices.PERMISSION)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(InputError, match="no permission") as refused:
        devices.check_camera(found[0].path, sysfs)
    assert "group video" in str(refused.value.hint)


def test_a_secret_in_an_address_is_not_repeated() -> None:
    with pytest.raises(InputError, match="cannot read") as caught:
        open_source("rtsp://user:secret@127.0.0.1:1/stream")
    assert "secret" not in str(caught.value)


@contextmanager
def web_server(answers: dict[str, list[bytes]]) -> Iterator[str]:
    """The address of a web server that gives each of its answers once, and then none."""

    def answer(connection: socket.socket) -> None:
        left = answers.get(connection.recv(4096).split()[1].decode())
        connection.sendall(b"HTTP/1.0 200 OK\r\n" + left.pop() if left else b"HTTP/1.0 404 Not Found\r\n\r\n")

    with answering(answer) as port:
        yield f"http://127.0.0.1:{port}"


def test_an_address_that_is_sent_only_once_is_asked_for_once(tmp_path: Path) -> None:
    """The end of a stream is no error; where the server hangs up early, it is."""
    data = clips.constant(tmp_path / "a.ts", frames=5).read_bytes()
    promised = b"Content-Length: %d\r\n\r\n" % (len(data) + 9)
    with web_server({"/live.ts": [b"\r\n" + data], "/cut.ts": [promised + data]}) as address:
        with open_source(f"{address}/live.ts") as source:
            assert [clips.number(frame.image) for frame in source] == list(range(5))
            assert not source.live and source.info.count == 5
        with open_source(f"{address}/cut.ts") as source, pytest.raises(InputError, match="9 bytes early"):
            list(source)
        with pytest.raises(InputError, match="404 Not Found"):
            open_source(f"{address}/live.ts")


def test_user_and_password_answer_a_server_that_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, and no name server hears of them."""
    data = clips.constant(tmp_path / "a.ts", frames=5).read_bytes()
    streams, looked_up, look_up = [b"HTTP/1.0 200 OK\r\n\r\n" + data], [], socket.getaddrinfo
    ask = b'HTTP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic realm="a"\r\n\r\n'

    def answer(connection: socket.socket) -> None:
        allowed = b"Authorization: Basic bWU6cCB3" in connection.recv(4096)
        connection.sendall(streams.pop() if allowed and streams else ask)

    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *a, **k: looked_up.append(host) or look_up(host, *a, **k)
    )
    with answering(answer) as port, open_source(f"http://me:p%20w@127.0.0.1:{port}/a.ts") as source:
        assert len(list(source)) == 5
    assert set(looked_up) == {"127.0.0.1"}


def test_a_range_without_a_known_end_is_read_once(tmp_path: Path) -> None:
    """ffmpeg takes it for empty."""
    data = clips.constant(tmp_path / "a.ts", frames=5).read_bytes()
    head = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-%d/*\r\n\r\n" % (len(data) - 1)
    streams = [head + data]
    with (
        answering(lambda c: (c.recv(4096), c.sendall(streams.pop()))) as port,
        open_source(f"http://127.0.0.1:{port}/a.ts") as source,
    ):
        assert len(list(source)) == 5


def test_what_a_web_server_compresses_is_read(tmp_path: Path) -> None:
    data = gzip.compress(clips.constant(tmp_path / "a.ts", frames=5).read_bytes())
    sent = b"Content-Encoding: gzip\r\n\r\n" + data
    with web_server({"/a.ts": [sent] * 3}) as address, open_source(f"{address}/a.ts") as source:
        assert len(list(source)) == 5


def test_a_playlist_of_a_web_server_is_read_as_one(tmp_path: Path) -> None:
    """What it names lies beside it, which a pipe cannot say."""
    data = clips.constant(tmp_path / "a.ts", frames=5).read_bytes()
    playlist = b"\r\n#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.5,\na.ts\n#EXT-X-ENDLIST\n"
    with (
        web_server({"/a.m3u8": [playlist] * 3, "/a.ts": [b"\r\n" + data] * 3}) as address,
        open_source(f"{address}/a.m3u8") as source,
    ):
        assert len(list(source)) == 5


def test_a_camera_of_a_web_server_is_live() -> None:
    """It sends one image after the other, and the newest counts."""
    _, image = cv2.imencode(".jpg", np.full((64, 96, 3), 90, np.uint8))
    part = b"--b\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % image.size
    parts = (part + image.tobytes() + b"\r\n") * 5
    sent = b"Content-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n" + parts
    with web_server({"/cam": [sent] * 3}) as address, open_source(f"{address}/cam") as source:
        assert source.live and source.info.size == (96, 64)


def gives(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> InputError:
    """The error of an address whose server answers so."""
    monkeypatch.setattr(sources, "SILENCE", 5.0)

    def send(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(answer)

    with answering(send) as port, pytest.raises(InputError) as caught:
        open_source(f"http://me:secret@127.0.0.1:{port}/a.mp4?key=secret")
    assert caught.value.hint and "secret" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"HTTP/1.0 404 x\r\n\r\n", "the server says 404 Not Found"),
        (b"HTTP/1.0 401 x\r\n\r\n", "the server says 401 Unauthorized"),
        (b"HTTP/1.0 503 x\r\n\r\n", "the server says 503 Service Unavailable"),
        (b"HTTP/1.0 302 x\r\nLocation: file:///etc/passwd\r\n\r\n", "leads to file:///etc/passwd"),
        (b"HTTP/1.0 302 x\r\nLocation: ftp://me:pw@h/a\r\n\r\n", "leads to ftp://h/a"),
        (b"HTTP/1.0 302 x\r\nLocation: /a.mp4\r\n\r\n", "without an end"),
        (b"HTTP/1.0 200 x\r\nContent-Length: 0\r\n\r\n", "it is empty"),
        (b"HTTP/1.0 200 x\r\n\r\n<!doctype html>\n<html>", "is a web page, not a video"),
        (b"HTTP/1.0 206 x\r\n\r\nPK\x03\x04" + bytes(500), "is a ZIP archive, not a video"),
        (b'HTTP/1.0 200 x\r\n\r\n{"error": 1}', "is a JSON document, not a video"),
        (b"", "hung up without an answer"),
        (b"SSH-2.0-OpenSSH\r\n", "no web server answers there"),
    ],
)
def test_what_a_web_server_gives_in_place_of_a_video(
    answer: bytes, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert says in str(gives(answer, monkeypatch))


@pytest.mark.parametrize("start", [b"", b"HTTP/1.0 200 OK\r\n\r\n"])
def test_a_silent_server_is_waited_for_once(start: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before its answer, and before the body of its answer."""
    monkeypatch.setattr(sources, "SILENCE", 0.3)
    asked, over = [], Event()

    def answer(connection: socket.socket) -> None:
        asked.append(connection.recv(4096))
        connection.sendall(start)
        over.wait(30)

    with (
        answering(answer) as port,
        pytest.raises(InputError, match=rf"http://127.0.0.1:{port}/a.mp4: nothing came from it for"),
    ):
        open_source(f"http://127.0.0.1:{port}/a.mp4")
    over.set()
    assert len(asked) == 1


def test_a_batch_that_is_stopped_waits_for_no_silent_server(tmp_path: Path) -> None:
    """It answers after the end: no output is opened any more."""
    data, over = clips.constant(tmp_path / "a.ts", frames=5).read_bytes(), Event()

    def answer(connection: socket.socket) -> None:
        connection.recv(4096)
        over.wait(30)
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + data)

    with answering(answer) as port:
        job = Job(
            f"http://127.0.0.1:{port}/a.ts", (parse_target("20,20,30,30"),), (str(tmp_path / "a.json"),)
        )
        with _Scheduler(cast(LoadedTracker, None), 1) as scheduler:
            scheduler.begin(job)
            (opened,) = scheduler._opening
        assert not opened.done()
        over.set()
        with pytest.raises(InputError, match="stopped"):
            opened.result(timeout=30)
    assert not (tmp_path / "a.json").exists()


def test_a_server_that_hangs_up_is_named_in_plain_words(tmp_path: Path) -> None:
    data = clips.constant(tmp_path / "a.ts", frames=20).read_bytes()
    chunk = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(data) + data + b"\r\n"
    with (
        answering(lambda c: (c.recv(4096), c.sendall(b"HTTP/1.1 200 OK\r\n" + chunk))) as port,
        open_source(f"http://127.0.0.1:{port}/a.ts") as source,
        pytest.raises(InputError, match="the server hung up before the end"),
    ):
        list(source)


def test_a_rate_that_is_not_needed_reads_an_address_once(tmp_path: Path) -> None:
    """As a batch gives one rate to all clips."""
    data = clips.constant(tmp_path / "a.ts", frames=5).read_bytes()
    with (
        web_server({"/a.ts": [b"\r\n" + data]}) as address,
        open_source(f"{address}/a.ts", fps=Fraction(50), fps_if_needed=True) as source,
    ):
        assert len(list(source)) == 5 and source.info.fps == Fraction(30000, 1001)


def test_an_address_is_asked_for_as_browsers_do(tmp_path: Path) -> None:
    """A space and a letter of another language are escaped, what is for browsers is left out."""
    data = clips.constant(tmp_path / "a.ts", frames=5).read_bytes()
    with (
        web_server({"/my%20clip%20%C3%BC.ts?a=b%20c": [b"\r\n" + data]}) as address,
        open_source(f"{address}/my clip%20ü.ts?a=b c#t=1") as source,
    ):
        assert len(list(source)) == 5 and source.info.name == "my clip ü"
