"""Runs a tracker over a data set, sequence by sequence, and continues where an earlier run stopped."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import signal
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from siamcli.atomic import as_output_error
from siamcli.counts import counted
from siamcli.errors import DatasetError, DeviceError, OutputError
from siamcli.evaluation.catalog import DatasetSpec
from siamcli.evaluation.log import SequenceResult, add_to_log, read_log, sha256_of
from siamcli.evaluation.protocols import TrackerProtocol, read_frames, repeat_supervised, run_once
from siamcli.evaluation.results import has_output, write_output, write_runs
from siamcli.evaluation.sequence import Dataset, Sequence
from siamcli.frames import Frame

__all__ = ["evaluate", "finished_sequences", "unlogged_sequences", "worker_pool"]

TrackerFactory = Callable[[], TrackerProtocol[Any]]
"""Makes the tracker, once per process.  Hashable and picklable: a frozen dataclass with `__call__`."""

Watch = Callable[[str, int], None]
"""Is told the sequence and how many of its frames are tracked."""


def evaluate(
    dataset: Dataset,
    factory: TrackerFactory,
    folder: Path,
    identity: Mapping[str, object],
    *,
    pool: Executor | None = None,
    repetitions: int = 15,
    watch: Watch = lambda sequence, frame: None,
) -> Iterator[SequenceResult]:
    """Run what is not finished yet, one record per sequence, the finished ones first.

    `identity` names everything that decides the boxes: weights hash, parameters, engine, version.  A
    sequence counts as finished when the log holds its key (identity, protocol and truth) and its files
    are unchanged.  The processes of a `pool` share the sequences; without one `watch` is told of every frame.
    Raises DatasetError, InputError, DeviceError, OutputError; what was finished before stays.  An OutputError
    also says that another run wrote into `folder` meanwhile: a score would be of both.
    """
    keys = _keys(dataset, identity, repetitions)
    finished = _finished(folder, keys)
    yield from finished.values()
    tasks = [
        _SequenceTask(factory, dataset.spec, s, folder, keys[s.name], repetitions)
        for s in dataset.sequences
        if s.name not in finished
    ]
    with as_output_error(folder):
        folder.mkdir(parents=True, exist_ok=True)
    alone = (_run(task, watch) for task in tasks)
    for result in alone if pool is None else _in_parallel(tasks, pool):
        add_to_log(folder, replace(result, identity=identity))
        yield result
    kept = _finished(folder, keys)
    if gone := [s.name for s in dataset.sequences if s.name not in kept]:
        raise OutputError(
            f"{folder}: {counted(len(gone), 'result')} changed while it ran: {gone[0]}",
            hint="does another run write there? another -o keeps them apart",
        )


def finished_sequences(
    dataset: Dataset, folder: Path, identity: Mapping[str, object], *, repetitions: int = 15
) -> dict[str, SequenceResult]:
    """The results, by sequence, that `evaluate` keeps."""
    return _finished(folder, _keys(dataset, identity, repetitions))


def _finished(folder: Path, keys: Mapping[str, str]) -> dict[str, SequenceResult]:
    logged = {(result.sequence, result.key): result for result in read_log(folder)}
    found = {name: logged.get((name, key)) for name, key in keys.items()}
    return {name: result for name, result in found.items() if result is not None and result.stands_in(folder)}


def unlogged_sequences(dataset: Dataset, folder: Path) -> list[str]:
    """The sequences of which `folder` holds results that are in no log as they are: of other programs, or
    changed since.  `evaluate` replaces them."""
    standing = {result.sequence for result in read_log(folder) if result.stands_in(folder)}
    names = [sequence.name for sequence in dataset.sequences if sequence.name not in standing]
    return [name for name in names if has_output(folder, dataset.spec, name)]


@dataclass(frozen=True, slots=True, eq=False)
class _SequenceTask:
    factory: TrackerFactory
    spec: DatasetSpec
    sequence: Sequence
    folder: Path
    key: str
    repetitions: int


@lru_cache(maxsize=1)
def _make_tracker(factory: TrackerFactory) -> TrackerProtocol[Any]:
    return factory()


def _run(task: _SequenceTask, watch: Watch = lambda sequence, frame: None) -> SequenceResult:
    def read(sequence: Sequence) -> Iterator[Frame]:
        for number, frame in enumerate(read_frames(sequence)):
            watch(sequence.name, number)
            yield frame

    tracker, sequence = _make_tracker(task.factory), task.sequence
    if not sequence.box(0).valid:
        raise DatasetError(f"{sequence.name}: no target in the first frame: {tuple(sequence.box(0))}")
    if task.spec.protocol == "supervised":
        runs = repeat_supervised(tracker, sequence, task.repetitions, read)
        files = write_runs(task.folder, task.spec, sequence.name, runs)
        outputs = [output for _, output in runs]
    else:
        outputs = [run_once(tracker, read(sequence), sequence.box(0))]
        files = write_output(task.folder, task.spec, sequence.name, outputs[0])
    seconds = sum(float(output.seconds.sum()) for output in outputs if output.seconds is not None)
    hashes = {file.relative_to(task.folder).as_posix(): sha256_of(file) for file in files}
    return SequenceResult(sequence.name, task.key, len(sequence), seconds, hashes)


def _in_parallel(tasks: list[_SequenceTask], pool: Executor) -> Iterator[SequenceResult]:
    """Run the tasks in processes, the longest first, so that none of them starts late."""
    ordered = sorted(tasks, key=lambda task: -len(task.sequence))
    try:
        for future in as_completed([pool.submit(_run, task) for task in ordered]):
            yield future.result()
    except BrokenProcessPool:
        raise DeviceError("a process died at work", hint="out of memory? use fewer --jobs") from None


@contextmanager
def worker_pool(jobs: int) -> Iterator[Executor | None]:
    """So many processes for any number of `evaluate`, None for a single job; at the end they are ended."""
    if jobs == 1:
        yield None
        return
    spawn = multiprocessing.get_context("spawn")  # torch and ffmpeg do not survive a fork
    pool = ProcessPoolExecutor(jobs, mp_context=spawn, initializer=_ignore_interrupts)
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in multiprocessing.active_children():  # after an error or Ctrl-C they would go on
            child.terminate()
            while child.is_alive():  # join alone returns early while the pool's own thread reaps it
                child.join(0.1)


def _ignore_interrupts() -> None:
    """Ctrl-C reaches all processes; the parent ends them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _keys(dataset: Dataset, identity: Mapping[str, object], repetitions: int) -> dict[str, str]:
    """The key of every sequence by its name.  The size of every image is asked for, which takes long over a
    network."""
    return {s.name: _key(dataset.spec, s, identity, repetitions) for s in dataset.sequences}


def _key(spec: DatasetSpec, sequence: Sequence, identity: Mapping[str, object], repetitions: int) -> str:
    """A hash of all that decides one result: tracker, protocol and sequence."""
    videos = [] if sequence.video is None else [sequence.video]
    frames = [(path.name, path.stat().st_size) for path in (*sequence.frames, *videos)]
    protocol = [spec.key, spec.protocol, repetitions if spec.protocol == "supervised" else 1]
    facts = json.dumps([identity, protocol, sequence.name, frames, sequence.offset], default=str)
    return hashlib.sha256(facts.encode() + sequence.truth.tobytes()).hexdigest()
