"""Tracks clips on a Ray cluster: one worker per GPU or core, each with several clips at a time."""

from __future__ import annotations

import re
import signal
import socket
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from queue import Empty, Queue, SimpleQueue
from threading import Thread
from typing import Any

from siamcli.batch.schedule import Events, Finished, Started, track_jobs
from siamcli.errors import DeviceError, SiamtrackError
from siamcli.extras import install_extra
from siamcli.load import load_tracker
from siamcli.media.kinds import source_name
from siamcli.session.job import Job

__all__ = ["ClipWorker", "WorkerConfig", "track_on_ray"]

MAX_RETRIES = 2  # times that a clip is given to a restarted worker before it counts as failed
PATIENCE = 10.0  # seconds for a cluster to answer
_PLACE = re.compile(r"(?:ray://)?\[?([^\[\]/]+)\]?:(\d+)")


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """What a worker needs to load the tracker by itself; files lie on storage that all nodes share."""

    model: str | Path
    device: str
    engine: str
    params: Path | None


class ClipWorker:
    """A process of the cluster: `track` is called from many threads, one loop interleaves them all."""

    def __init__(self, config: WorkerConfig, width: int) -> None:
        self._tracker = load_tracker(
            config.model, device=config.device, engine=config.engine, params=config.params
        )
        self._width = width
        self._waiting: Queue[tuple[Job, SimpleQueue[Finished]]] = Queue()
        self._answers: dict[Job, SimpleQueue[Finished]] = {}
        Thread(target=self._serve, daemon=True).start()

    def track(self, job: Job) -> Finished:
        """Track one clip, together with those that other threads have given."""
        answer: SimpleQueue[Finished] = SimpleQueue()
        self._waiting.put((job, answer))
        return answer.get()

    def _serve(self) -> None:
        while True:
            first = self._take(block=True)
            for event in track_jobs(self._tracker, self._jobs(first), self._width):
                if isinstance(event, Finished):
                    self._answers.pop(event.job).put(event)

    def _jobs(self, first: Job | None) -> Iterator[Job | None]:
        yield first
        while True:
            yield self._take(block=False)

    def _take(self, *, block: bool) -> Job | None:
        try:
            job, answer = self._waiting.get(block)
        except Empty:
            return None
        self._answers[job] = answer
        return job


def track_on_ray(
    jobs: Iterable[Job | None], *, address: str, config: WorkerConfig, width: int | None
) -> Events:
    """Track every job on the cluster at `address`; "local" starts one on this machine.

    A worker that dies is started again, and its clips with it; a clip that was given out
    1 + MAX_RETRIES times fails.  `width` is the number of clips that a worker has at a time; None
    chooses it by the cores that a worker has.  Raises DeviceError when there is no Ray or no cluster, and
    where a worker cannot begin.  Closed early, it ends the workers, and nothing is kept of their clips.
    """
    with _cluster(address) as ray:
        free = _workers(ray, config, width)
        # futures, as Ray's own waiting gives a program that SIGTERM ends the code 1
        running: dict[Future[Finished], tuple[Job, Any]] = {}
        waiting = iter(jobs)
        while True:
            while free and (job := next(waiting, None)) is not None:
                yield Started(job)
                worker = free.pop()
                running[worker.track.remote(_with_absolute_paths(job)).future()] = (job, worker)
            if not running:
                return
            for finished in wait(running, return_when=FIRST_COMPLETED).done:
                job, worker = running.pop(finished)
                free.append(worker)
                try:
                    yield replace(finished.result(), job=job)
                except ray.exceptions.RayError as error:
                    if getattr(error, "actor_init_failed", False):
                        reason = str(error).strip().splitlines()[-1]
                        hint = "siamtrack and the weights must be on every node of the cluster"
                        raise DeviceError(f"a Ray worker cannot start: {reason}", hint=hint) from error
                    yield Finished(job, error=_worker_error(error))


@contextmanager
def _cluster(address: str) -> Iterator[Any]:
    on_end = signal.getsignal(signal.SIGTERM)
    try:
        ray: Any = import_module("ray")
    except ImportError:
        raise DeviceError("Ray is not installed", hint=install_extra("ray")) from None
    try:
        if place := _PLACE.fullmatch(address):  # Ray itself tries for a quarter of an hour
            socket.create_connection((place[1], int(place[2])), PATIENCE).close()
        ray.init(address, log_to_driver=False, logging_level="error")
    except (OSError, OverflowError, ValueError, RuntimeError) as error:
        hint = "auto, local or HOST:PORT; a cluster that asks for a token needs RAY_AUTH_MODE=token"
        raise DeviceError(f"no Ray cluster at {address}: {error}", hint=hint) from error
    try:
        # Ray has taken it, and aborts the program 3 s later, even where the cluster is still shut down
        signal.signal(signal.SIGTERM, on_end or signal.SIG_DFL)
        yield ray
    finally:
        ray.shutdown()


def _workers(ray: Any, config: WorkerConfig, width: int | None) -> list[Any]:  # noqa: ANN401 - Ray may be missing
    """One actor per GPU of the cluster, without GPUs one per core; each as often as it takes clips."""
    resources = ray.cluster_resources()
    cores = int(resources.get("CPU", 1))
    gpus = int(resources.get("GPU", 0)) if config.device != "cpu" else 0
    width = width or (max(2, min(32, 2 * cores // gpus)) if gpus else 2)
    remote = ray.remote(ClipWorker).options(
        num_cpus=1,
        num_gpus=1 if gpus else 0,
        max_concurrency=width,
        max_restarts=-1,
        max_task_retries=MAX_RETRIES,
    )
    actors = [remote.remote(config, width) for _ in range(gpus or cores)]
    return [actor for _ in range(width) for actor in actors]


def _with_absolute_paths(job: Job) -> Job:
    """The job with paths that mean the same in every working directory."""
    source = source_name(job.source).absolute().text
    return replace(job, source=source, paths=tuple(str(Path(path).absolute()) for path in job.paths))


def _worker_error(error: Exception) -> SiamtrackError:
    reason = str(getattr(error, "cause", None) or error).strip().splitlines()[0]
    return DeviceError(f"its worker failed: {reason}", hint="is the clip too large for the worker's memory?")
