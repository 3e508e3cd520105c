"""Lines that are sent while tracking: the same as in a file, to readers that come late, are slow, or go."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread

import clips
import numpy as np
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from siamcli.boxes import Box
from siamcli.errors import OutputError
from siamcli.formats.files import read_trajectory
from siamcli.frames import Frame, SourceInfo
from siamcli.session import endpoint, websocket
from siamcli.session.lines import open_lines
from siamcli.session.outputs import Outputs
from siamcli.trajectory import TrackHeader, TrackPoint

HEADER = TrackHeader(SourceInfo("x", (64, 48), count=3), "m", "0" * 64, "1", labels=("ant", "bee"))
IMAGE = np.zeros((48, 64, 3), np.uint8)


def free(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port that nobody has just now."""
    with socket.socket(socket.AF_INET, kind) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def write(outputs: Outputs, index: int) -> None:
    """A frame with two targets."""
    points = [TrackPoint(index, index / 25, Box(1, 2, 3, 4), 0.5, "tracked", target) for target in (1, 2)]
    outputs.write(Frame(index, index / 25, IMAGE), points)


@contextmanager
def listening() -> Iterator[tuple[str, socket.socket]]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as reader:
        reader.bind(("127.0.0.1", 0))
        reader.settimeout(20)
        yield f"udp://127.0.0.1:{reader.getsockname()[1]}", reader


def test_readers_get_the_lines_of_the_file(tmp_path: Path) -> None:
    address = f"ws://:{free()}"
    there = address.replace("ws://", "ws://localhost")
    with listening() as (datagrams, reader):
        paths = [str(tmp_path / "a.jsonl"), address, datagrams]
        with ExitStack() as stack, Outputs(paths, HEADER, overwrite=False) as outputs:
            early = stack.enter_context(connect(there))
            assert json.loads(early.recv())["type"] == "header"
            write(outputs, 0)
            assert json.loads(early.recv())["frame"] == 0
            with connect(there) as late:
                assert json.loads(late.recv()) == {"type": "header"} | json.loads(late_header(tmp_path))
                write(outputs, 1)
                rest = [json.loads(late.recv()) for _ in range(2)]
                late.send("what readers say is passed over")
            write(outputs, 2)
            text = Thread(target=lambda: lines.extend(early))
            lines: list[str] = []
            text.start()
            stack.callback(text.join)
        written = (tmp_path / "a.jsonl").read_text().splitlines()
        got = [reader.recv(65536).decode() for _ in written]
    assert [line.rstrip("\n") for line in got] == written and all(line.endswith("\n") for line in got)
    assert lines == written[2:]
    assert {line["frame"] for line in rest} <= {0, 1} and {line["target"] for line in rest} == {1, 2}
    assert outputs.missed == {address: 0, datagrams: 0}
    assert outputs.written == [str(tmp_path / "a.jsonl")]
    assert read_trajectory(tmp_path / "a.jsonl").complete


def late_header(folder: Path) -> str:
    """The first line of the file that grows."""
    (part,) = folder.glob("*.part")
    return part.read_text().splitlines()[0]


def test_an_end_that_comes_too_soon_is_said() -> None:
    address = f"ws://127.0.0.1:{free()}"
    lines: list[str] = []
    stack = ExitStack()
    with pytest.raises(KeyboardInterrupt), stack, Outputs([address], HEADER, overwrite=False) as outputs:
        early = stack.enter_context(connect(address))
        early.recv()
        write(outputs, 0)
        reader = Thread(target=lambda: lines.extend(early))
        reader.start()
        stack.callback(reader.join)
        raise KeyboardInterrupt
    assert json.loads(lines[-1])["complete"] is False and len(lines) == 3


@pytest.mark.parametrize("connected", [True, False])
def test_an_end_before_the_header_lets_readers_go(connected: bool) -> None:
    """What waited for the header was waited for."""
    address = f"ws://127.0.0.1:{free()}"
    lines = open_lines(address)
    with ExitStack() as stack:
        reader = stack.enter_context(connect(address)) if connected else None
        closing = Thread(target=lines.close, daemon=True)
        closing.start()
        closing.join(websocket.DRAIN)
        assert not closing.is_alive()
        assert reader is None or list(reader) == []
    assert lines.missed == 0


def slow(address: str) -> ClientConnection:
    """A reader that takes nothing until it is asked to."""
    return connect(address, max_queue=1, max_size=None, ping_interval=None, close_timeout=0.1)


def test_a_slow_reader_misses_lines_and_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "MOST", 256)
    monkeypatch.setattr(websocket, "WAIT", 60.0)
    monkeypatch.setattr(websocket, "DRAIN", 60.0)
    port = free()
    lines = open_lines(f"ws://127.0.0.1:{port}")
    lines.write("header\n")
    with slow(f"ws://127.0.0.1:{port}") as reader:
        assert reader.recv() == "header"
        total, long = 900, "x" * 50_000  # more than all buffers on the way hold
        for number in range(total):
            lines.write(f"{number} {long}\n")
        got: list[str] = []
        reading = Thread(target=lambda: got.extend(reader))
        reading.start()
        lines.close()
        reading.join()
    numbers = [int(line.split()[0]) for line in got]
    assert numbers == sorted(numbers) and numbers[-1] == total - 1
    assert lines.missed and len(numbers) + lines.missed == total


def test_lines_that_waited_too_long_go_for_what_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    async def wait() -> None:
        reader = websocket._Reader()
        reader.put("1")
        monkeypatch.setattr(websocket, "WAIT", -1.0)  # what is there is too old
        reader.put("2")
        assert reader.missed == 2
        monkeypatch.undo()
        reader.put("3")
        reader.end()
        assert [await reader.next(), await reader.next()] == ["3", None] and reader.missed == 2

    asyncio.run(wait())


def test_a_burst_reaches_a_reader_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a clip that is written once it is tracked in both directions, or of hundreds of targets."""
    monkeypatch.setattr(websocket, "WAIT", 60.0)
    monkeypatch.setattr(websocket, "DRAIN", 60.0)
    port = free()
    lines = open_lines(f"ws://127.0.0.1:{port}")
    lines.write("header\n")
    with connect(f"ws://127.0.0.1:{port}") as reader:
        assert reader.recv() == "header"
        lines.write("".join(f"{number} {'x' * 250}\n" for number in range(3000)))
        got: list[str] = []
        reading = Thread(target=lambda: got.extend(reader))
        reading.start()
        lines.close()
        reading.join()
    assert [int(line.split()[0]) for line in got] == list(range(3000)) and lines.missed == 0


def test_a_reader_that_takes_nothing_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "DRAIN", 0.1)
    port = free()
    lines = open_lines(f"ws://127.0.0.1:{port}")
    lines.write("header\n")
    with slow(f"ws://127.0.0.1:{port}"), slow(f"ws://127.0.0.1:{port}") as gone:
        gone.close()
        for _ in range(400):
            lines.write("x" * 50_000 + "\n")
        lines.close()
        lines.close()
    assert 0 < lines.missed < 400


def test_pages_of_other_machines_are_refused() -> None:
    port = free()
    lines = open_lines(f"ws://127.0.0.1:{port}")
    lines.write("header\n")
    for origin in ("http://localhost:3000", "https://127.0.0.1", None):
        with connect(f"ws://127.0.0.1:{port}", origin=origin) as reader:  # type: ignore[arg-type]
            assert reader.recv() == "header"
    for origin in ("http://example.org", "null", "http://localhost.example.org", f"http://a.b:{port}"):
        with pytest.raises(InvalidStatus, match="403"), connect(f"ws://127.0.0.1:{port}", origin=origin):  # type: ignore[arg-type]
            pass
    lines.close()
    assert lines.missed == 0


def test_datagrams_for_which_nobody_listens_are_counted() -> None:
    address = f"udp://127.0.0.1:{free(socket.SOCK_DGRAM)}"
    with Outputs([address], HEADER, overwrite=False) as outputs:
        for index in range(3):
            write(outputs, index)
    assert outputs.missed == {address: 8}  # the header, six points, the summary


def test_a_header_that_fits_into_no_datagram(tmp_path: Path) -> None:
    files = tuple(f"image_{i:08d}.png" for i in range(5000))
    header = replace(HEADER, source=replace(HEADER.source, files=files))
    with listening() as (address, _), pytest.raises(OutputError, match="does not fit into a datagram") as no:
        Outputs([str(tmp_path / "a.json"), address], header, overwrite=False)
    assert "ws://" in str(no.value.hint) and not list(tmp_path.iterdir())


REFUSED = {
    "ws://127.0.0.1": "no port from 1 to 65535",
    "ws://127.0.0.1:0": "no port from 1 to 65535",
    "udp://127.0.0.1:70000": "no port from 1 to 65535",
    "udp://127.0.0.1:nine": "no port from 1 to 65535",
    "ws://[::1:8080": "no port from 1 to 65535",
    "ws://127.0.0.1:8080/tracks": "has more than a host and a port",
    "ws://me:pw@127.0.0.1:8080": "has more than a host and a port",
    "ws://127.0.0.1:8080?a=b": "has more than a host and a port",
    "ws://{target}.x:8080": "no such host as {target}.x",
    "udp://no such host:9000": "no such host as no such host",
    "ws://203.0.113.7:8080": "203.0.113.7 is not an address of this machine",
    "http://127.0.0.1:8080": "http://127.0.0.1:8080: no address to write to",
    "rtmp://me:pw@127.0.0.1/live/a.mp4": "rtmp://127.0.0.1/live/a.mp4: no address to write to",
}


@pytest.mark.parametrize(("address", "says"), REFUSED.items())
def test_bad_addresses_are_refused_before_anything_is_done(siamtrack, tmp_path, address, says) -> None:
    clip = clips.constant(tmp_path / "clip.mp4", frames=2)
    done = siamtrack("run", clip, "--box", "1,2,30,40", "-o", "a.json", "-o", address)
    assert done.code == 8 and says in done.err.replace("\n", " ") and "loading" not in done.err, done.err
    assert len(done.err.splitlines()) <= 4 and "me:pw" not in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_a_port_that_is_taken(siamtrack, tmp_path) -> None:
    clip = clips.constant(tmp_path / "clip.mp4", frames=2)
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"ws://127.0.0.1:{other.getsockname()[1]}"
        done = siamtrack("run", clip, "--box", "1,2,30,40", "-o", address)
    assert done.code == 8 and "another program has that port" in done.err
    done = siamtrack("run", clip, "--box", "1,2,30,40", "-o", address, "-o", address)
    assert done.code == 8 and "named twice" in done.err


def test_without_the_extra(siamtrack, tmp_path, monkeypatch) -> None:
    clip = clips.constant(tmp_path / "clip.mp4", frames=2)
    monkeypatch.setattr(endpoint, "find_spec", lambda name: None)
    done = siamtrack("run", clip, "--box", "1,2,30,40", "-o", f"ws://:{free()}")
    assert done.code == 8 and "needs websockets" in done.err and "'.[live]'" in done.err


def test_run_sends_lines_and_says_what_was_missed(siamtrack, weights, tmp_path) -> None:
    clip = clips.constant(tmp_path / "clip.mp4", frames=3)
    options = ("--weights", weights, "--box", "1,2,30,40", "--json")
    gone, served = f"udp://127.0.0.1:{free(socket.SOCK_DGRAM)}", f"ws://127.0.0.1:{free()}"
    with listening() as (address, reader):
        done = siamtrack("run", clip, *options, "-o", "a.jsonl", "-o", address, "-o", gone, "-o", served)
        assert done.code == 0, done.err
        written = Path("a.jsonl").read_text().splitlines(keepends=True)
        assert [json.loads(reader.recv(65536))["type"] for _ in written] == [
            json.loads(line)["type"] for line in written
        ]
    summary = json.loads(done.out)
    assert summary["missed"] == {address: 0, gone: 5, served: 0} and len(summary["outputs"]) == 1
    assert f"{gone}: 5 lines did not reach a reader" in done.err and address not in done.err


def test_what_writes_files_alone_says_so(siamtrack, tmp_path) -> None:
    clip = clips.constant(tmp_path / "clip.mp4", frames=2)
    with Outputs([str(tmp_path / "a.json")], HEADER, overwrite=False) as outputs:
        write(outputs, 0)
    address = "ws://127.0.0.1:8080"
    done = siamtrack("convert", "a.json", "--to", "jsonl", "-o", address)
    assert done.code == 8 and "convert writes files" in done.err
    done = siamtrack("batch", clip, "--box", "1,2,30,40", "-f", address)
    assert done.code == 2 and "a batch writes files" in done.err
    done = siamtrack("fix", clip, "a.json", "--box-at", "0f=1,2,30,40", "-o", address)
    assert done.code == 8 and "unknown format" in done.err
    assert {path.name for path in tmp_path.iterdir()} == {"a.json", "clip.mp4"}
