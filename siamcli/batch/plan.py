"""Plans a batch: a task for every clip, with its boxes and outputs, and whether it is finished."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from siamcli.atomic import as_output_error, incomplete_path
from siamcli.batch.clips import Clip, Shard, output_names
from siamcli.batch.manifest import Boxes
from siamcli.batch.schedule import Finished
from siamcli.batch.settings import Settings, clip_key, style_key
from siamcli.batch.status import Entry, now
from siamcli.drawing.style import Style
from siamcli.errors import InputError, OutputError, SiamtrackError
from siamcli.formats.files import read_trajectory
from siamcli.media.kinds import path_from, source_name
from siamcli.media.suffixes import is_video
from siamcli.session.job import Job
from siamcli.session.render import write_again
from siamcli.targets import TargetMark, target_labels
from siamcli.trajectory import Trajectory

__all__ = [
    "Task",
    "Verdict",
    "complete",
    "completed_entry",
    "decide",
    "extended",
    "failed_entry",
    "finished_entry",
    "missing",
    "plan",
    "refused_entry",
    "started_entry",
]


Verdict = Literal["track", "complete", "skip", "failed"] | SiamtrackError
"""What to do with a clip.  skip: it is finished with the same key and all outputs are there; complete: it
lacks only outputs that its trajectory gives; failed: it has failed with the same key and is not tried again
unasked."""


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
        targets: tuple[TargetMark, ...] = ()
        problem: InputError | None = None
        try:
            marks = boxes.of(clip.source)
            settings.style.check(target_labels(marks) or (None,))
            key = clip_key(source_name(clip.source).fingerprint(), marks, settings)
            targets = marks
        except InputError as error:
            key, problem = "", error
        except OSError as error:
            key, hint = "", "is the name right, and may you read it?"
            problem = InputError(f"cannot read {clip.source}: {error.strerror}", hint=hint)
        job = Job(
            clip.source,
            targets,
            paths,
            overwrite=True,
            fps=settings.fps,
            fps_if_needed=True,
            stream=settings.stream,
            deinterlace=settings.deinterlace,
            region=settings.region,
            mask=settings.mask,
            audio=settings.audio,
            unfinished="beside",
            style=Style() if problem else settings.style,
        )
        yield Task(id, key, job, problem)


def _stems(entry: Entry) -> list[str]:
    return [output.partition(".tracked.")[0].casefold() for output in entry.outputs[:1]]


def decide(
    task: Task,
    entry: Entry | None,
    ours: Collection[str],
    folder: Path,
    *,
    retry_failed: bool,
    overwrite: bool,
) -> Verdict:
    """What to do with a clip of which `entry` is the last that is known, and `ours` all files ever written.

    An error says what forbids it, such as outputs that are not ours, or that a human has corrected.
    """
    if task.problem is not None:
        return task.problem
    state = entry.state if entry is not None and entry.key == task.key else None
    if state == "failed" and not retry_failed:
        return "failed"
    for file in task.job.files:
        if not overwrite and path_from(file, folder) not in ours and Path(file).exists():
            return OutputError(f"{file} exists, and this batch did not write it", hint="-y replaces it")
    if entry is not None and state == "done":
        if not missing(task, entry, folder):
            return "skip"
        if _trajectory(task, entry, folder) is not None:
            return "complete"
    if entry is not None and entry.corrected and not overwrite and _is_there(entry, folder):
        lacks = "an output is missing and no .json says what it was"
        why = lacks if state == "done" else "its file, boxes or settings changed"
        return OutputError(
            f"{entry.clip} was corrected; as {why}, -y would track it again",
            hint="siamtrack fix FOLDER --fixes TABLE then puts corrections back",
        )
    return "track"


def _is_there(entry: Entry, folder: Path) -> bool:
    """Whether anything is left of a clip's outputs."""
    return any((folder / output).exists() for output in entry.outputs)


def missing(task: Task, entry: Entry, folder: Path) -> list[str]:
    """The wanted files that a finished clip does not have, and its videos that are of another style."""
    there = {output for output in entry.outputs if (folder / output).exists()}
    redrawn = entry.style != style_key(task.job.style, task.job.audio)
    return [
        file
        for file in task.job.files
        if path_from(file, folder) not in there or (redrawn and is_video(file))
    ]


def _trajectory(task: Task, entry: Entry, folder: Path) -> Trajectory | None:
    """What a finished clip's JSON or JSON Lines say, if they are there and whole."""
    name = task.job.files[0].rpartition(".tracked.")[0]
    for file in (f"{name}.tracked.json", f"{name}.tracked.jsonl"):
        if path_from(file, folder) in entry.outputs and Path(file).exists():
            with suppress(InputError):
                trajectory = read_trajectory(file)
                if trajectory.complete and trajectory.header.weights_sha256:
                    return trajectory
    return None


def complete(task: Task, entry: Entry, folder: Path) -> None:
    """Make the missing outputs of a finished clip from its trajectory; raises InputError, OutputError."""
    trajectory = _trajectory(task, entry, folder)
    if trajectory is None:
        raise InputError(f"{task.job.source}: its trajectory is gone", hint="run the same command again")
    for _ in write_again(task.job, trajectory, missing(task, entry, folder), overwrite=True):
        pass


def extended(entry: Entry, files: Sequence[str], folder: Path) -> Entry:
    """The line of a finished clip that has more outputs than before."""
    outputs = (*entry.outputs, *(path_from(file, folder) for file in files))
    return replace(entry, at=now(), outputs=tuple(dict.fromkeys(outputs)))


def completed_entry(task: Task, entry: Entry, files: Sequence[str], folder: Path) -> Entry:
    """The line of a finished clip whose missing `files` are made; videos of another style count no more."""
    if any(map(is_video, files)) and entry.style != style_key(task.job.style, task.job.audio):
        kept = tuple(output for output in entry.outputs if not is_video(output))
        entry = replace(entry, outputs=kept, style=style_key(task.job.style, task.job.audio))
    return extended(entry, files, folder)


def started_entry(task: Task, folder: Path) -> Entry:
    """The line before the outputs are touched: from here on they are this batch's."""
    outputs = tuple(path_from(file, folder) for file in task.job.files)
    return Entry(task.id, _clip(task), task.key, "started", now(), outputs)


def finished_entry(task: Task, end: Finished, folder: Path) -> Entry:
    """The line when a clip is over; the outputs of one that failed are those that are there."""
    beside = [str(incomplete_path(Path(file))) for file in task.job.files]
    if end.error is None:
        for file in map(Path, beside):
            with as_output_error(file):
                file.unlink(missing_ok=True)  # of an earlier try
    outputs = tuple(path_from(file, folder) for file in [*task.job.files, *beside] if Path(file).exists())
    done = Entry(
        id=task.id,
        clip=_clip(task),
        key=task.key,
        state="done",
        at=now(),
        outputs=outputs,
        frames=end.frames,
        seconds=end.seconds,
        lost=end.lost,
        targets=end.targets,
        same_box=end.same_box,
        style=style_key(task.job.style, task.job.audio),
    )
    return done if end.error is None else failed_entry(done, end.error)


def refused_entry(task: Task, error: SiamtrackError, before: Entry | None) -> Entry:
    """The line of a clip that was not tracked: without a key, so that it is looked at again next time."""
    outputs = before.outputs if before else ()
    return failed_entry(Entry(task.id, _clip(task), "", "failed", now(), outputs), error)


def failed_entry(entry: Entry, error: SiamtrackError) -> Entry:
    """The line of a clip that ended with an error."""
    return replace(entry, state="failed", error=str(error), hint=error.hint, code=error.exit_code)


def _clip(task: Task) -> str:
    return source_name(task.job.source).shown
