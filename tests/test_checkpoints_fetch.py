"""Fetching from a real server that cuts, lies, wanders and asks back."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from siamcli.atomic import partial_path
from siamcli.checkpoints.catalog import Entry
from siamcli.checkpoints.fetch import fetch
from siamcli.errors import OutputError, WeightsError

BODY = bytes(range(256)) * 4000
SHA = hashlib.sha256(BODY).hexdigest()
FORM = (
    "<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head><body>"
    '<form id="other" action="/404"><input type="hidden" name="trap" value="1"></form>'
    '<form id="download-form" action="{action}" method="get">'
    '<input type="hidden" name="id" value="a b"><input type="hidden" name="confirm" value="t">'
    '<input type="submit" value="Download anyway"></form></body></html>'
)


@dataclass
class Server:
    """What the server did, and how often it misbehaves before it does its duty."""

    address: str = ""
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    trouble: int = 1

    def troubled(self) -> bool:
        self.trouble -= 1
        return self.trouble >= 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: Server

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, status: int, body: bytes, *, cut: int | None = None, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body[:cut])
        self.close_connection = True

    def file(self, body: bytes = BODY, *, cut: int | None = None) -> None:
        """The file as a proper server sends it: with ranges."""
        wanted = self.headers.get("Range")
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        if start >= len(body):
            self.answer(416, b"", Content_Range=f"bytes */{len(body)}")
        elif wanted:
            span = f"bytes {start}-{len(body) - 1}/{len(body)}"
            self.answer(206, body[start:], cut=cut, Content_Range=span)
        else:
            self.answer(200, body, cut=cut)

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        self.state.asked.append((self.path, self.headers.get("Range")))
        with contextlib.suppress(ConnectionError):  # the client may have heard enough
            getattr(self, "serve_" + path.strip("/"))(query)

    def serve_good(self, _: str) -> None:
        self.file()

    def serve_cut(self, _: str) -> None:
        self.file(cut=300_000 if self.state.troubled() else None)

    def serve_cut_no_range(self, _: str) -> None:
        self.answer(200, BODY, cut=300_000 if self.state.troubled() else None)

    def serve_chunked_cut(self, _: str) -> None:
        if not self.state.troubled():
            return self.file()
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"%x\r\n" % 300_000 + BODY[:300_000] + b"\r\n")
        self.close_connection = True
        return None

    def serve_busy(self, _: str) -> None:
        if self.state.troubled():
            return self.answer(503, b"later")
        return self.file()

    def serve_wrong(self, _: str) -> None:
        self.file(b"x" * len(BODY))

    def serve_short(self, _: str) -> None:
        self.file(BODY[:-1])

    def serve_other_range(self, _: str) -> None:
        self.answer(206, BODY[5:], Content_Range=f"bytes 5-{len(BODY) - 1}/{len(BODY)}")

    def serve_missing(self, _: str) -> None:
        self.answer(404, b"no")

    def serve_redirect(self, _: str) -> None:
        self.answer(302, b"", Location="/good")

    def serve_loop(self, _: str) -> None:
        self.answer(302, b"", Location="/loop")

    def serve_page(self, _: str) -> None:
        body = b"<html><title>Google Drive -\n Quota exceeded</title></html>"
        self.answer(200, body, Content_Type="text/html; charset=utf-8")

    def serve_sly_page(self, _: str) -> None:
        self.answer(200, b"\n<html></html>", Content_Type="application/octet-stream")

    def serve_drive(self, query: str) -> None:
        if query == "id=a+b&confirm=t":
            return self.file()
        return self.answer(200, FORM.format(action="/drive").encode(), Content_Type="text/html")

    def serve_drive_forever(self, _: str) -> None:
        self.answer(200, FORM.format(action="/drive_forever").encode(), Content_Type="text/html")

    def serve_drive_file(self, _: str) -> None:
        self.answer(200, FORM.format(action="file:///etc/passwd").encode(), Content_Type="text/html")


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()
    http = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"state": state}))
    state.address = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    yield state
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SIAMTRACK_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SIAMTRACK_OFFLINE", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def entry(server: Server) -> Callable[..., Entry]:
    def make(*names: str, sha256: str = SHA) -> Entry:
        urls = tuple(f"{server.address}/{name}" for name in names)
        return Entry(name="e", family="pysot", file="e.pth", urls=urls, license="", sha256=sha256)

    return make


def only_file(cache: Path) -> bytes:
    assert [path.name for path in cache.iterdir()] == ["e.pth"]
    return (cache / "e.pth").read_bytes()


@pytest.mark.parametrize("sha256", [SHA, SHA[:8], ""])
def test_whole_file_arrives_with_progress(entry: Callable[..., Entry], cache: Path, sha256: str) -> None:
    seen = list(fetch(entry("good", sha256=sha256)))
    assert only_file(cache) == BODY
    assert [p.done for p in seen] == sorted(p.done for p in seen)
    assert (seen[-1].done, seen[-1].total) == (len(BODY), len(BODY))
    assert len(seen) > 2


def test_what_is_here_is_not_fetched_again(entry: Callable[..., Entry], server: Server, cache: Path) -> None:
    list(fetch(entry("good")))
    assert [p.note for p in fetch(entry("good"))] == ["already here"]
    assert len(server.asked) == 1
    (cache / "e.pth").write_bytes(b"damaged")
    list(fetch(entry("good")))
    assert only_file(cache) == BODY


@pytest.mark.parametrize("sha256", [SHA, ""])
def test_a_planted_link_is_replaced(
    entry: Callable[..., Entry], cache: Path, tmp_path: Path, sha256: str
) -> None:
    """Where others can write to the cache, nothing outside it changes."""
    wanted = entry("good", sha256=sha256)
    cache.mkdir()
    notes = tmp_path / "notes.txt"
    notes.write_text("precious")
    partial_path(cache / wanted.file, per_process=not sha256).symlink_to(notes)
    list(fetch(wanted))
    assert only_file(cache) == BODY
    assert not (cache / wanted.file).is_symlink()
    assert notes.read_text() == "precious"


@pytest.mark.parametrize("sha256", [SHA, ""])
@pytest.mark.parametrize("trouble", [1, 3])
def test_cut_connection_is_resumed(
    entry: Callable[..., Entry], server: Server, cache: Path, sha256: str, trouble: int
) -> None:
    server.trouble = trouble
    waits: list[float] = []
    list(fetch(entry("cut", sha256=sha256), attempts=2, sleep=waits.append))
    assert only_file(cache) == BODY
    assert [r for _, r in server.asked] == [None, *(f"bytes={300_000 * i}-" for i in range(1, trouble + 1))]
    assert waits == [1.0] * trouble


@pytest.mark.parametrize("name", ["cut_no_range", "chunked_cut", "busy"])
def test_other_troubles_are_overcome(entry: Callable[..., Entry], cache: Path, name: str) -> None:
    list(fetch(entry(name), sleep=lambda _: None))
    assert only_file(cache) == BODY


def test_an_interrupted_call_is_continued(entry: Callable[..., Entry], server: Server, cache: Path) -> None:
    for progress in fetch(entry("good")):
        if progress.done > 500_000:
            break
    assert not (cache / "e.pth").exists()
    there = (cache / "e.pth.siamtrack.part").stat().st_size
    list(fetch(entry("good")))
    assert only_file(cache) == BODY
    assert server.asked[-1] == ("/good", f"bytes={there}-")


def test_without_a_hash_nothing_is_continued(
    entry: Callable[..., Entry], server: Server, cache: Path
) -> None:
    running = fetch(entry("good", sha256=""))
    next(running)
    running.close()
    assert not list(cache.iterdir())
    list(fetch(entry("good", sha256="")))
    assert server.asked[-1] == ("/good", None)


@pytest.mark.parametrize("left", [BODY, BODY + b"too much", b"\0" * 1000])
def test_a_strange_part_does_no_harm(entry: Callable[..., Entry], cache: Path, left: bytes) -> None:
    cache.mkdir()
    (cache / "e.pth.siamtrack.part").write_bytes(left)
    list(fetch(entry("good"), sleep=lambda _: None))
    assert only_file(cache) == BODY


@pytest.mark.parametrize("name", ["redirect", "drive?id=a"])
def test_redirects_and_drives_question_are_followed(
    entry: Callable[..., Entry], cache: Path, name: str
) -> None:
    list(fetch(entry(name)))
    assert only_file(cache) == BODY


@pytest.mark.parametrize("bad", ["wrong", "short", "missing", "page", "sly_page", "loop", "drive_forever"])
def test_the_next_mirror_serves(entry: Callable[..., Entry], cache: Path, bad: str) -> None:
    waits: list[float] = []
    seen = list(fetch(entry(bad, "good"), sleep=waits.append))
    assert only_file(cache) == BODY
    assert any("127.0.0.1: " in p.note for p in seen)
    assert not waits


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("wrong", f"does not start with {SHA[:8]}"),
        ("short", f"does not start with {SHA[:8]}"),
        ("missing", "answers 404 Not Found"),
        ("page", r"a web page \(Google Drive - Quota exceeded\)"),
        ("sly_page", "a web page"),
        ("drive_forever", "Virus scan warning"),
        ("drive_file", "Virus scan warning"),
    ],
)
def test_hopeless_mirrors_are_named_once(
    entry: Callable[..., Entry], server: Server, cache: Path, name: str, says: str
) -> None:
    with pytest.raises(WeightsError, match=says) as caught:
        list(fetch(entry(name), sleep=pytest.fail))
    assert len(server.asked) == (2 if name == "drive_forever" else 1)
    assert not list(cache.iterdir())
    assert f"open {server.address}/{name} in a browser" in str(caught.value.hint)


def test_another_range_is_refused(entry: Callable[..., Entry], cache: Path) -> None:
    cache.mkdir()
    (cache / "e.pth.siamtrack.part").write_bytes(BODY[:1000])
    with pytest.raises(WeightsError, match="another range"):
        list(fetch(entry("other_range")))
    assert not (cache / "e.pth").exists()


def test_a_download_gives_up_after_its_attempts(entry: Callable[..., Entry], server: Server) -> None:
    server.trouble = 1000
    waits: list[float] = []
    with pytest.raises(WeightsError, match="answers 503"):
        list(fetch(entry("busy"), attempts=4, sleep=waits.append))
    assert waits == [1.0, 2.0, 4.0]
    with pytest.raises(WeightsError, match="cut the connection"):
        list(fetch(entry("cut_no_range"), attempts=3, sleep=lambda _: None))


def test_a_host_that_cannot_be_reached_is_an_error(entry: Callable[..., Entry]) -> None:
    closed = replace(entry("good"), urls=("http://127.0.0.1:9/e.pth",))
    with pytest.raises(WeightsError, match="cannot be reached"):
        list(fetch(closed, attempts=2, sleep=lambda _: None))


def test_size_is_checked_before_the_bytes(entry: Callable[..., Entry], cache: Path) -> None:
    with pytest.raises(WeightsError, match=f"{len(BODY)} bytes instead of 7"):
        list(fetch(replace(entry("good"), size=7)))
    list(fetch(replace(entry("good"), size=len(BODY))))
    assert only_file(cache) == BODY


def test_offline_asks_nobody(
    entry: Callable[..., Entry], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIAMTRACK_OFFLINE", "1")
    with pytest.raises(WeightsError, match="SIAMTRACK_OFFLINE"):
        list(fetch(entry("good")))
    assert not server.asked


def test_unusable_cache_is_reported(
    entry: Callable[..., Entry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SIAMTRACK_CACHE", str(tmp_path / "file"))
    with pytest.raises(OutputError, match="cannot write"):
        list(fetch(entry("good")))
