"""What is to be done: every clip with its boxes and outputs, and whether it is done already."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from siamcli.batch.clips import Clip, Shard, output_names
from siamcli.batch.interleave import Ended
from siamcli.batch.manifest import Boxes
from siamcli.batch.status import Entry
from siamcli.errors import InputError, OutputError, SiamtrackError
from siamcli.media.encoders import VideoOptions
from siamcli.media.kinds import path_from, source_name
from siamcli.session.job import Job
from siamcli.targets import Target
from siamcli.version import __version__

__all__ = ["Settings", "Task", "begun", "decide", "ended", "plan", "refused"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What all clips of a batch have in common, and what makes a finished clip outdated.

    `params` are those that replace the parameters of the weights.
    """

    suffixes: tuple[str, ...]
    weights_sha256: str
    params: Mapping[str, object]
    encoding: VideoOptions = field(default_factory=VideoOptions)
    fps: Fraction | None = None
    version: str = __version__


@dataclass(frozen=True, slots=True)
class Task:
    """A job and how the status file knows it; a `problem` says why there is nothing to be tracked."""

    id: str
    key: str
    job: Job
    problem: SiamtrackError | None = None


def plan(
    clips: Sequence[Clip],
    ids: Sequence[str],
    boxes: Boxes,
    settings: Settings,
    folder: Path,
    known: Mapping[str, Entry],
    shard: Shard,
) -> Iterator[Task]:
    """The task of every clip of `shard`, in order; what is wrong with a clip becomes its problem."""
    taken = {name: entry.id for entry in known.values() for name in _stems(entry)}
    for clip, id, name in zip(clips, ids, output_names(clips, ids, taken), strict=True):
        if not shard.holds(id):
            continue
        paths = tuple(str(folder / f"{name}.tracked{suffix}") for suffix in settings.suffixes)
        targets: tuple[Target, ...] = ()
        problem: InputError | None = None
        try:
            targets = boxes.of(clip.source)
            key = _key(source_name(clip.source).fingerprint(), targets, settings)
        except InputError as error:
            key, problem = "", error
        except OSError as error:
            key, hint = "", "is the name right, and may you read it?"
            problem = InputError(f"cannot read {clip.source}: {error.strerror}", hint=hint)
        job = Job(clip.source, targets, paths, overwrite=True, encoding=settings.encoding, fps=settings.fps)
        yield Task(id, key, job, problem)


def _stems(entry: Entry) -> list[str]:
    return [output.partition(".tracked.")[0].casefold() for output in entry.outputs[:1]]


def _key(content: object, targets: Sequence[Target], settings: Settings) -> str:
    """One hash of everything that the result depends on; of what never comes twice, such as a camera's
    pictures (`content` None), a new one every time."""
    content = uuid4().hex if content is None else content
    everything: list[Any] = [content, [asdict(target) for target in targets], asdict(settings)]
    return hashlib.sha256(json.dumps(everything, sort_keys=True, default=str).encode()).hexdigest()[:32]


def decide(
    task: Task, entry: Entry | None, folder: Path, *, retry_failed: bool, overwrite: bool
) -> Literal["track", "skip", "failed"] | SiamtrackError:
    """Whether to track a clip of which `entry` is the last that is known.

    "skip" is finished with the same key and all outputs there, "failed" has failed with the same
    key and is not tried again unasked.  An error says what forbids it: outputs that are not ours.
    """
    if task.problem is not None:
        return task.problem
    if entry is not None and entry.key == task.key:
        if entry.state == "done" and all((folder / output).exists() for output in entry.outputs):
            return "skip"
        if entry.state == "failed" and not retry_failed:
            return "failed"
    ours = set(entry.outputs) if entry else set()
    for file in task.job.files:
        if not overwrite and path_from(file, folder) not in ours and Path(file).exists():
            return OutputError(f"{file} exists, and this batch did not write it", hint="-y replaces it")
    return "track"


def begun(task: Task, folder: Path) -> Entry:
    """The line before the outputs are touched: from here on they are this batch's."""
    outputs = tuple(path_from(file, folder) for file in task.job.files)
    return Entry(task.id, task.job.source, task.key, "started", _now(), outputs)


def ended(task: Task, end: Ended, folder: Path) -> Entry:
    """The line when a clip is over; the outputs of one that failed are those that are there."""
    outputs = tuple(path_from(file, folder) for file in task.job.files if Path(file).exists())
    done = Entry(
        id=task.id,
        clip=task.job.source,
        key=task.key,
        state="done",
        at=_now(),
        outputs=outputs,
        frames=end.frames,
        seconds=end.seconds,
        lost=end.lost,
    )
    return done if end.error is None else _failed(done, end.error)


def refused(task: Task, error: SiamtrackError, before: Entry | None) -> Entry:
    """The line of a clip that was not tracked: without a key, so that it is looked at again next time."""
    outputs = before.outputs if before else ()
    return _failed(Entry(task.id, task.job.source, "", "failed", _now(), outputs), error)


def _failed(entry: Entry, error: SiamtrackError) -> Entry:
    return replace(entry, state="failed", error=str(error), hint=error.hint, code=error.exit_code)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")
