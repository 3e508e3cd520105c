"""What many tests share: small real weights, a real clip, the command itself."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import pytest
import torch
import typer
from hypothesis import settings
from programs import started

import siamcli.cli.app
import siamcli.load
from siamcli.checkpoints.native import Checkpoint, write_native
from siamcli.load import LoadedTracker
from siamcli.media.video import VideoWriter
from siamcli.model.siamrpn import SiamRPN
from siamcli.model.spec import SPECS, TrackerParams

# The tests run beside each other, one per core: more threads would only wait for one another.
torch.set_num_threads(1)
os.environ.setdefault("OMP_NUM_THREADS", "1")
# What tests start keeps its bytecode: otherwise each process would compile the package again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# A test must not fail because the machine is busy.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

DEMO = Path(__file__).parent / "data" / "demo.mp4"


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def weights(tmp_path_factory) -> Path:
    """A native file of an untrained small network: enough to run everything, not to track."""
    torch.manual_seed(0)
    spec = replace(SPECS["siamrpnpp-r10"], name="untrained", width=0.25, levels=(2,), channels=(16,))
    path = tmp_path_factory.mktemp("weights") / "untrained.safetensors"
    checkpoint = Checkpoint(
        spec=spec,
        params=TrackerParams(),
        weights=SiamRPN(spec).state_dict(),
        name="untrained",
        version="1",
        license="Apache-2.0",
        provenance={},
    )
    write_native(checkpoint, path, "float16")
    return path


@pytest.fixture(scope="session")
def load_once():
    """The real `load_tracker`, which reads equal files only once: a tracker serves any number of videos."""
    load, trackers = siamcli.load.load_tracker, {}

    def state(value: object) -> object:
        return (value, value.stat().st_mtime_ns) if isinstance(value, Path) and value.exists() else value

    def once(*model: object, **options: object) -> LoadedTracker:
        key = (*map(state, model), *((name, state(value)) for name, value in sorted(options.items())))
        if key not in trackers:
            trackers[key] = load(*model, **options)
        return trackers[key]

    return once


@pytest.fixture(scope="session")
def command_line():
    """The command line, declared once: that takes longer than most commands."""
    return typer.main.get_command(siamcli.cli.app.app)


@pytest.fixture
def siamtrack(monkeypatch, capfd, tmp_path, load_once, command_line):
    """Run the command in this process, in an empty folder: `siamtrack("run", ...) -> Done`.

    `stdin` is an open file that takes the place of standard input.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(siamcli.load, "load_tracker", load_once)
    monkeypatch.setattr(siamcli.cli.app, "app", command_line)

    def run(*arguments: object, stdin: IO[bytes] | None = None) -> Done:
        monkeypatch.setattr(sys, "argv", ["siamtrack", *map(str, arguments)])
        capfd.readouterr()
        try:
            with nullcontext() if stdin is None else standard_input(stdin):
                siamcli.cli.app.main()
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
        out, err = capfd.readouterr()
        return Done(code, out, err)

    return run


@contextmanager
def standard_input(file: IO[bytes]) -> Iterator[None]:
    """Lets descriptor 0 of this process be `file`, as a shell does it for a command."""
    before = os.dup(0)
    os.dup2(file.fileno(), 0)
    try:
        yield
    finally:
        os.dup2(before, 0)
        os.close(before)


def wait_until(condition, process=None):
    """Wait for something, however long it takes; a `process` that does it must not end before."""
    while not condition():
        assert process is None or process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(0.02)


@pytest.fixture
def start_siamtrack(tmp_path):
    """Start the command as a process of its own, in an empty folder."""
    with ExitStack() as programs:

        def start(*arguments: object, **how: object) -> subprocess.Popen:
            command = [sys.executable, "-m", "siamcli", *arguments]
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | how
            return programs.enter_context(started(command, cwd=tmp_path, **pipes))

        yield start


@pytest.fixture
def impatient(monkeypatch):
    """What another run is writing is refused at once."""
    monkeypatch.setattr("siamcli.atomic.PATIENCE", 0)


@pytest.fixture
def full_disk(monkeypatch):
    """The disk takes the frames, and not the sound beside them."""
    run = VideoWriter._run

    def refused(video, stdin, *arguments):
        last = arguments[-1] if stdin == subprocess.PIPE else "file:/dev/full"
        return run(video, stdin, *arguments[:-1], last)

    monkeypatch.setattr(VideoWriter, "_run", refused)
