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
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from siamcli.atomic import as_output_error
from siamcli.errors import DatasetError, DeviceError
from siamcli.evaluation.catalog import DatasetSpec
from siamcli.evaluation.protocols import TrackerProtocol, read_frames, repeat_supervised, run_once
from siamcli.evaluation.results import write_output, write_runs
from siamcli.evaluation.sequence import Dataset, Sequence
from siamcli.frames import Frame
from siamcli.schema import from_record, load_json

__all__ = ["SequenceResult", "evaluate", "finished_sequences", "worker_pool"]

LOG = "run.jsonl"
TrackerFactory = Callable[[], TrackerProtocol[Any]]
"""Makes the tracker, once per process.  Hashable and picklable: a frozen dataclass with `__call__`."""

Watch = Callable[[str, int], None]
"""Is told the sequence and how many of its frames are tracked."""


@dataclass(frozen=True, slots=True)
class SequenceResult:
    """One finished sequence.  `files` maps the result files (relative to the folder) to their SHA-256."""

    sequence: str
    key: str
    frames: int
    seconds: float
    files: Mapping[str, str]
    resumed: bool = False


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
    Raises DatasetError, InputError, DeviceError, OutputError; what was finished before stays.
    """
    finished = finished_sequences(dataset, folder, identity, repetitions=repetitions)
    yield from finished.values()
    tasks = [
        _SequenceTask(
            factory, dataset.spec, s, folder, _key(dataset.spec, s, identity, repetitions), repetitions
        )
        for s in dataset.sequences
        if s.name not in finished
    ]
    with as_output_error(folder):
        folder.mkdir(parents=True, exist_ok=True)
    alone = (_run(task, watch) for task in tasks)
    for result in alone if pool is None else _in_parallel(tasks, pool):
        record = {k: v for k, v in asdict(result).items() if k != "resumed"}
        with as_output_error(folder / LOG), (folder / LOG).open("a", encoding="utf-8") as log:
            log.write(json.dumps({**record, "identity": dict(identity)}) + "\n")
        yield result


def finished_sequences(
    dataset: Dataset, folder: Path, identity: Mapping[str, object], *, repetitions: int = 15
) -> dict[str, SequenceResult]:
    """The results, by sequence, that `evaluate` keeps."""
    logged = _read_log(folder)
    finished = {}
    for sequence in dataset.sequences:
        result = logged.get((sequence.name, _key(dataset.spec, sequence, identity, repetitions)))
        if result is not None and all(_sha256(folder / file) == sha for file, sha in result.files.items()):
            finished[sequence.name] = result
    return finished


def _read_log(folder: Path) -> dict[tuple[str, str], SequenceResult]:
    """The results in the log of `folder` by sequence and key; a line cut by a crash is left out."""
    if not (folder / LOG).is_file():
        return {}
    results = {}
    for line in (folder / LOG).read_bytes().splitlines():
        try:
            result = replace(from_record(SequenceResult, load_json(line)), resumed=True)
        except ValueError:
            continue
        results[result.sequence, result.key] = result
    return results


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
    hashes = {file.relative_to(task.folder).as_posix(): _sha256(file) for file in files}
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


def _key(spec: DatasetSpec, sequence: Sequence, identity: Mapping[str, object], repetitions: int) -> str:
    """A hash of all that decides one result: tracker, protocol and sequence."""
    frames = [path.name for path in sequence.frames]
    protocol = [spec.key, spec.protocol, repetitions if spec.protocol == "supervised" else 1]
    facts = json.dumps([identity, protocol, sequence.name, frames, sequence.offset], default=str)
    return hashlib.sha256(facts.encode() + sequence.truth.tobytes()).hexdigest()


def _sha256(path: Path) -> str:
    """The hash of a file; an empty string where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
