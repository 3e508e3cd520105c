"""`siamtrack` for the recipes of a shell: commands forked off one process, which has imported all once.

PyTorch takes seconds to import, and the recipes start a dozen commands.  Each is still a process of its own,
with the folder, the arguments, the open files and the exit code of whoever starts it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import siamcli.cli.app
import siamcli.load  # noqa: F401 - what most commands need, once
from siamcli.__main__ import start

__all__ = ["commands_in"]

ROOT = Path(__file__).parents[1]
CALLER = """\
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    socket.send_fds(server, [json.dumps([os.getcwd(), *sys.argv[1:]]).encode()], [0, 1, 2])
    sys.exit(int(server.recv(8) or 1))
"""


@contextmanager
def commands_in(folder: Path, weights: Path) -> Iterator[None]:
    """An executable `siamtrack` in `folder`, whose `run` and `batch` use `weights`."""
    caller, command = folder / "caller.py", folder / "siamtrack"
    # the recipes name no weights: these stand for the ones that come along
    command.write_text(
        f'#!/bin/sh\ncase $1 in run|batch) set -- "$@" --weights "{weights}";; esac\n'
        f'exec "{sys.executable}" -IS "{caller}" "$@"\n'
    )
    command.chmod(0o755)
    # the address of a socket has at most about a hundred bytes
    with socket.socket(socket.AF_UNIX) as listening, TemporaryDirectory(dir="/tmp") as short:
        address = f"{short}/socket"
        caller.write_text(CALLER.format(address=address))
        listening.bind(address)
        listening.listen()
        serving = [sys.executable, __file__, str(listening.fileno())]
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        with subprocess.Popen(serving, pass_fds=[listening.fileno()], env=env) as server:
            try:
                yield
            finally:
                server.terminate()


def serve(listening: socket.socket) -> None:
    """Fork a command for everybody who calls."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # none is waited for: each tells its caller itself
    while True:
        calling, _ = listening.accept()
        said, files, _, _ = socket.recv_fds(calling, 65536, 3)
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listening.close()
            folder, *arguments = json.loads(said)
            os.chdir(folder)
            for number, file in enumerate(files):
                os.dup2(file, number)
                os.close(file)
            sys.stdin, sys.stdout = open(0), open(1, "w")  # noqa: SIM115 - as at the start of Python
            sys.stderr = open(2, "w", buffering=1, errors="backslashreplace")  # noqa: SIM115
            sys.argv[1:] = arguments
            calling.sendall(str(ended()).encode())
            os._exit(0)
        for file in files:
            os.close(file)
        calling.close()


def ended() -> int:
    """The exit code of the command."""
    try:
        start()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    else:
        code = 0
    sys.stdout.flush()
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
