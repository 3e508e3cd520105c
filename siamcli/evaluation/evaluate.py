"""Run a tracker over a data set, sequence by sequence, and pick up where an earlier run stopped."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import signal
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from siamcli.errors import DatasetError, DeviceError
from siamcli.evaluation.catalog import DatasetSpec
from siamcli.evaluation.protocols import Follower, read_frames, repeat_supervised, run_once
from siamcli.evaluation.results import write_runs, write_track
from siamcli.evaluation.sequence import Dataset, Sequence
from siamcli.frames import Frame
from siamcli.parts import reporting

__all__ = ["Done", "evaluate", "finished", "kept"]

LOG = "run.jsonl"
Make = Callable[[], Follower[Any]]
"""Makes the tracker, once per process.  Hashable and picklable: a frozen dataclass with `__call__`."""

Watch = Callable[[str, int], None]
"""Is told the sequence and how many of its frames are tracked."""


@dataclass(frozen=True, slots=True)
class Done:
    """One finished sequence.  `files` maps the result files (relative to the folder) to their SHA-256."""

    sequence: str
    key: str
    frames: int
    seconds: float
    files: Mapping[str, str]
    resumed: bool = False


def evaluate(
    dataset: Dataset,
    make: Make,
    folder: Path,
    identity: Mapping[str, object],
    *,
    jobs: int = 1,
    repetitions: int = 15,
    watch: Watch = lambda sequence, frame: None,
) -> Iterator[Done]:
    """Run what is not finished yet, one record per sequence, the finished ones first.

    `identity` names everything that decides the boxes: weights hash, parameters, engine, version.  A
    sequence counts as finished when the log holds its key (identity, protocol and truth) and its files
    still are what was written then.  `jobs` processes share the sequences; `watch` is told of every
    frame where there is but one.
    Raises DatasetError, InputError, DeviceError, OutputError; what was finished before stays.
    """
    before = kept(dataset, folder, identity, repetitions=repetitions)
    yield from before.values()
    waiting = [
        _Task(make, dataset.spec, s, folder, _key(dataset.spec, s, identity, repetitions), repetitions)
        for s in dataset.sequences
        if s.name not in before
    ]
    with reporting(folder):
        folder.mkdir(parents=True, exist_ok=True)
    alone = (_run(task, watch) for task in waiting)
    for done in alone if jobs == 1 else _in_parallel(waiting, jobs):
        record = {k: v for k, v in asdict(done).items() if k != "resumed"}
        with reporting(folder / LOG), (folder / LOG).open("a", encoding="utf-8") as log:
            log.write(json.dumps({**record, "identity": dict(identity)}) + "\n")
        yield done


def kept(
    dataset: Dataset, folder: Path, identity: Mapping[str, object], *, repetitions: int = 15
) -> dict[str, Done]:
    """What `evaluate` would not run again, by sequence."""
    known = finished(folder)
    found = {}
    for sequence in dataset.sequences:
        done = known.get((sequence.name, _key(dataset.spec, sequence, identity, repetitions)))
        if done is not None and all(_sha256(folder / file) == sha for file, sha in done.files.items()):
            found[sequence.name] = done
    return found


def finished(folder: Path) -> dict[tuple[str, str], Done]:
    """What the log of `folder` says was done, by sequence and key; a line cut by a crash is passed over."""
    if not (folder / LOG).is_file():
        return {}
    found = {}
    for line in (folder / LOG).read_text(encoding="utf-8").splitlines():
        try:
            raw = json.loads(line)
        except ValueError:
            continue
        done = Done(raw["sequence"], raw["key"], raw["frames"], raw["seconds"], raw["files"], resumed=True)
        found[done.sequence, done.key] = done
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    make: Make
    spec: DatasetSpec
    sequence: Sequence
    folder: Path
    key: str
    repetitions: int


@lru_cache(maxsize=1)
def _made(make: Make) -> Follower[Any]:
    return make()


def _run(task: _Task, watch: Watch = lambda sequence, frame: None) -> Done:
    def read(sequence: Sequence) -> Iterator[Frame]:
        for number, frame in enumerate(read_frames(sequence)):
            watch(sequence.name, number)
            yield frame

    tracker, sequence = _made(task.make), task.sequence
    if not sequence.box(0).valid:
        raise DatasetError(f"{sequence.name}: no target in the first frame: {tuple(sequence.box(0))}")
    if task.spec.protocol == "supervised":
        runs = repeat_supervised(tracker, sequence, task.repetitions, read)
        files = write_runs(task.folder, task.spec, sequence.name, runs)
        seconds = sum(float(track.seconds.sum()) for _, track in runs if track.seconds is not None)
    else:
        track = run_once(tracker, read(sequence), sequence.box(0))
        files = write_track(task.folder, task.spec, sequence.name, track)
        seconds = 0.0 if track.seconds is None else float(track.seconds.sum())
    hashes = {file.relative_to(task.folder).as_posix(): _sha256(file) for file in files}
    return Done(sequence.name, task.key, len(sequence), seconds, hashes)


def _in_parallel(tasks: list[_Task], jobs: int) -> Iterator[Done]:
    """Longest first, so that no process is left alone with a long one at the end."""
    spawn = multiprocessing.get_context("spawn")  # torch and ffmpeg do not survive a fork
    pool = ProcessPoolExecutor(jobs, mp_context=spawn, initializer=_leave_interrupts_to_parent)
    try:
        ordered = sorted(tasks, key=lambda task: -len(task.sequence))
        for future in as_completed([pool.submit(_run, task) for task in ordered]):
            yield future.result()
    except BrokenProcessPool:
        raise DeviceError("a process died at work", hint="out of memory? use fewer --jobs") from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in multiprocessing.active_children():  # after an error or Ctrl-C: nobody waits for them
            child.terminate()
            while child.is_alive():  # join alone returns early while the pool's own thread reaps it
                child.join(0.1)


def _leave_interrupts_to_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _key(spec: DatasetSpec, sequence: Sequence, identity: Mapping[str, object], repetitions: int) -> str:
    """The identity of one result: what ran, by which protocol, on what."""
    frames = [path.name for path in sequence.frames]
    protocol = [spec.key, spec.protocol, repetitions if spec.protocol == "supervised" else 1]
    facts = json.dumps([identity, protocol, sequence.name, frames, sequence.offset], default=str)
    return hashlib.sha256(facts.encode() + sequence.truth.tobytes()).hexdigest()


def _sha256(path: Path) -> str:
    """The hash of a file; of nothing where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
