"""Addresses that break off, say nothing or say no, and servers that are not who they should be."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from threading import Event

import clips
import pytest
from servers import answering

from siamcli.errors import InputError
from siamcli.media import sources
from siamcli.media.complaints import unreadable
from siamcli.media.sources import open_source


def ranges(clip: Path, share: float, after: Callable[[], object]) -> Callable[[socket.socket], None]:
    """Gives a clip from any byte on, up to a share of it, and calls `after` before it hangs up."""
    data = clip.read_bytes()

    def answer(connection: socket.socket) -> None:
        asked = re.search(rb"Range: bytes=(\d+)-", connection.recv(4096))
        begin, whole = int(asked[1]) if asked else 0, len(data)
        says = "HTTP/1.1 206 x\r\nAccept-Ranges: bytes\r\nConnection: close\r\n"
        says += f"Content-Range: bytes {begin}-{whole - 1}/{whole}\r\nContent-Length: {whole - begin}\r\n\r\n"
        connection.sendall(says.encode() + data[begin : round(share * whole)])
        after()

    return answer


def breaks_off(answer: Callable[[socket.socket], None]) -> str:
    """What is said of an address that gives frames, and not all."""
    with answering(answer) as port, open_source(f"http://127.0.0.1:{port}/a.mkv") as source:
        found = []
        with pytest.raises(InputError) as caught:
            found.extend(source)
    assert found and f"({len(found)} of about 60 frames decoded)" in str(caught.value)
    assert "download it first" in str(caught.value.hint)
    return str(caught.value)


def test_a_server_that_hangs_up_midway(tmp_path: Path) -> None:
    clip = clips.constant(tmp_path / "a.mkv", frames=60)
    size = clip.stat().st_size
    says = f"broke off: the server hung up after {round(0.7 * size)} of {size} bytes"
    assert says in breaks_off(ranges(clip, 0.7, lambda: None))


def test_a_server_that_stalls_midway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "SILENCE", 1.0)
    over = Event()
    clip = clips.constant(tmp_path / "a.mkv", frames=60)
    assert "broke off: the server stopped sending" in breaks_off(ranges(clip, 0.7, lambda: over.wait(30)))
    over.set()


def test_a_file_that_is_cut_short_is_so_on_a_server_too(tmp_path: Path) -> None:
    clip = clips.damaged(clips.constant(tmp_path / "a.mkv", frames=60), 0.7)
    with (
        answering(ranges(clip, 1.0, lambda: None)) as port,
        open_source(f"http://127.0.0.1:{port}/a.mkv") as source,
        pytest.raises(InputError, match="damaged or cut short"),
    ):
        list(source)


def send_rubbish(connection: socket.socket) -> None:
    for _ in range(6):
        connection.sendall(b"rubbish" * 50)
        time.sleep(0.2)


@pytest.mark.parametrize(("send", "says"), [(send_rubbish, "Invalid data"), (lambda _: time.sleep(3), "1 s")])
def test_silence_is_said_where_nothing_came(
    send: Callable[[socket.socket], None], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "SILENCE", 1.0)
    with answering(send) as port, pytest.raises(InputError) as caught:
        open_source(f"tcp://127.0.0.1:{port}")
    assert says in str(caught.value) and ("nothing came" in str(caught.value)) == (says == "1 s")


def test_a_rate_that_is_not_needed_is_named_where_a_stream_is_sent_once(tmp_path: Path) -> None:
    data = [clips.constant(tmp_path / "a.ts", frames=5).read_bytes()]
    with (
        answering(lambda connection: connection.sendall(data.pop() if data else b"")) as port,
        pytest.raises(InputError, match="frame times of its own") as caught,
    ):
        open_source(f"tcp://127.0.0.1:{port}", fps=Fraction(50), fps_if_needed=True)
    assert "leave it out" in str(caught.value.hint) and not data


@pytest.mark.parametrize("scheme", ["rtp", "udp", "rtsp"])
def test_no_scheme_is_waited_for_without_an_end(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "SILENCE", 1.0)
    with (
        answering(lambda _: time.sleep(5)) as port,
        pytest.raises(InputError, match=rf"{scheme}://127.0.0.1:\d+: nothing came from it for 1 s"),
    ):
        open_source(f"{scheme}://127.0.0.1:{port}")


def test_no_ffmpeg_waits_for_a_silent_address_after_the_end() -> None:
    """The thread that opens a clip of a batch is not waited for."""
    came, gone = Event(), Event()

    def answer(connection: socket.socket) -> None:
        came.set()
        try:
            connection.recv(1)
        finally:
            gone.set()

    program = "import sys, threading; from siamcli.media.sources import open_source as opened; "
    program += "threading.Thread(target=opened, args=sys.argv[1:], daemon=True).start(); sys.stdin.read()"
    with answering(answer) as port:
        command = [sys.executable, "-c", program, f"tcp://127.0.0.1:{port}"]
        with subprocess.Popen(command, stdin=subprocess.PIPE):
            assert came.wait(30)
        assert gone.wait(5)


@pytest.mark.parametrize(
    "problem",
    ["Error opening input: Server returned 404 Not Found", "method DESCRIBE failed: 404 (Not Found)"],
)
def test_what_a_server_answers_ffmpeg_is_said_as_what_it_answers_us(problem: str) -> None:
    error = unreadable("rtsp://host/a", problem, is_pipe=False)
    assert str(error) == "cannot read rtsp://host/a: the server says 404 Not Found"
    assert str(error.hint).startswith("is the address right?")


@pytest.mark.parametrize("host", ["127.0.0.1:99999", "127.0.0.1:nine", "[::1", ""])
def test_what_is_no_host_and_port(host: str) -> None:
    with pytest.raises(InputError, match="no address that can be asked for"):
        open_source(f"http://{host}/a.mp4")


def test_a_server_without_encryption() -> None:
    with (
        answering(lambda c: (c.recv(4096), c.sendall(b"HTTP/1.0 200 OK\r\n\r\n"))) as port,
        pytest.raises(InputError, match="no https server answers there"),
    ):
        open_source(f"https://127.0.0.1:{port}/a.mp4")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_a_certificate_that_is_not_trusted_and_one_that_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever vouches for himself is not trusted unless the user says so."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    make += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(make, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    send = ranges(clips.constant(tmp_path / "a.mkv", frames=5), 1.0, lambda: None)

    def answer(connection: socket.socket) -> None:
        with suppress(ssl.SSLError), context.wrap_socket(connection, server_side=True) as encrypted:
            send(encrypted)

    with answering(answer) as port:
        with pytest.raises(InputError, match=r"certificate is not trusted \(self-signed certificate\)"):
            open_source(f"https://127.0.0.1:{port}/a.mkv")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        with open_source(f"https://127.0.0.1:{port}/a.mkv") as source:
            assert len(list(source)) == 5


def test_a_certificate_that_ffmpeg_does_not_trust() -> None:
    error = unreadable(
        "https://host/a", "error:0A000086:SSL routines::certificate verify failed", is_pipe=False
    )
    assert "its server's certificate is not trusted" in str(error) and "SSL_CERT_FILE" in str(error.hint)
