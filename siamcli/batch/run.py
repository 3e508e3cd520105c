"""Runs the tasks of a batch: keeps finished clips, tracks the others, and writes the status file."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from siamcli.batch.plan import (
    Task,
    Verdict,
    complete,
    completed_entry,
    decide,
    extended,
    failed_entry,
    finished_entry,
    missing,
    refused_entry,
    started_entry,
)
from siamcli.batch.schedule import Events, Finished, Moved, Started
from siamcli.batch.settings import StyleWatch, style_key
from siamcli.batch.status import Entry, History, StatusFile
from siamcli.errors import InputError, OutputError, SiamtrackError
from siamcli.media.kinds import SourceName, holds_images, path_from, source_name
from siamcli.media.sources import no_source
from siamcli.media.suffixes import VIDEO_INPUT_SUFFIXES
from siamcli.session.job import Job

__all__ = ["Policy", "Result", "Results", "TrackAll", "foresee", "run_batch"]

_logger = logging.getLogger(__name__)

TrackAll = Callable[[Iterator[Job]], Events]
"""Where clips are tracked: in this process, or on a cluster."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What to do with failures, those of an earlier batch and those of this one, and foreign files."""

    retry_failed: bool = False
    stop_on_error: bool = False
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """A clip is dealt with.  completed: outputs that it lacked were made from its trajectory; failed before:
    it failed in an earlier batch."""

    verdict: Literal["done", "completed", "skipped", "failed", "failed before"]
    entry: Entry


Results = Generator[Result | Started | Moved, None, None]


def foresee(
    tasks: Iterable[Task], history: History, folder: Path, policy: Policy
) -> Iterator[tuple[Task, Verdict]]:
    """What `run_batch` would do with every clip; nothing is opened or written."""
    for task in tasks:
        yield task, _decide(task, history, folder, policy)


def run_batch(
    tasks: Iterable[Task], track: TrackAll, status: StatusFile, folder: Path, policy: Policy
) -> Results:
    """Track what is not finished; yields every clip when it begins to be tracked, and when its line in the
    status file says what became of it; between them how far those under way are.
    """
    batch = _Batch(status, folder, policy)
    with closing(track(batch.jobs(tasks))) as events:
        for event in events:
            if isinstance(event, Started):
                batch.begin(event.job)
            elif isinstance(event, Finished):
                batch.end(event)
            yield from batch.results()
            if not isinstance(event, Finished):
                yield event
    yield from batch.results()


def _decide(task: Task, history: History, folder: Path, policy: Policy) -> Verdict:
    """What to do with a clip; one that cannot be opened needs no tracker."""
    verdict = decide(
        task,
        history.entries.get(task.id),
        history.written.get(task.id, ()),
        folder,
        retry_failed=policy.retry_failed,
        overwrite=policy.overwrite,
    )
    would_open = verdict == "track" or isinstance(verdict, OutputError)
    return (would_open and _nothing_there(source_name(task.job.source))) or verdict


def _nothing_there(source: SourceName) -> InputError | None:
    """The error of a clip that is not there, or is a folder of neither videos nor images."""
    if source.kind == "missing":
        return no_source(source)
    if source.kind != "folder" or holds_images(source.path):
        return None
    return InputError(
        f"no video and no image in {source.shown}",
        hint=f"-r looks in the folders below too; known suffixes: {' '.join(VIDEO_INPUT_SUFFIXES)}",
    )


class _Batch:
    """The tasks under way and the results not yet taken."""

    def __init__(self, status: StatusFile, folder: Path, policy: Policy) -> None:
        self._status, self._folder, self._policy = status, folder, policy
        self._running: dict[Job, Task] = {}
        self._results: list[Result] = []
        self._stopped = False
        self._styles = StyleWatch()
        self._told_outdated = False

    def jobs(self, tasks: Iterable[Task]) -> Iterator[Job]:
        """The jobs that are to be tracked, as long as nothing forbids to go on."""
        for task in tasks:
            if self._stopped:
                return
            entry = self._status.entries.get(task.id)
            verdict = _decide(task, self._status, self._folder, self._policy)
            if verdict == "track":
                self._say_outdated(task, entry)
                self._running[task.job] = task
                yield task.job
            elif verdict == "complete" and entry is not None:
                self._complete(task, entry)
            elif verdict == "skip" and entry is not None:
                self._results.append(Result("skipped", entry))
            elif verdict == "failed" and entry is not None:
                self._results.append(Result("failed before", entry))
            elif not isinstance(verdict, str) and entry is not None and entry.corrected:
                self._fail(entry, verdict)
            elif not isinstance(verdict, str):
                self._conclude(refused_entry(task, verdict, entry))

    def begin(self, job: Job) -> None:
        self._status.add(started_entry(self._running[job], self._folder))

    def end(self, event: Finished) -> None:
        self._conclude(finished_entry(self._running.pop(event.job), event, self._folder))

    def _say_outdated(self, task: Task, before: Entry | None) -> None:
        """Say once that a clip keeps files of other boxes or settings, which this batch was not asked for."""
        if self._told_outdated or before is None or before.key in ("", task.key):
            return
        asked = {path_from(file, self._folder) for file in task.job.files}
        written = sorted(self._status.written[task.id] - asked)
        if outdated := [name for name in written if (self._folder / name).exists()]:
            self._told_outdated = True
            _logger.warning(
                "%s: of other boxes or settings, and not written again: %s; so it is with further clips:"
                " name these formats with -f, too, or remove the files",
                before.clip,
                ", ".join(outdated),
            )

    def _complete(self, task: Task, entry: Entry) -> None:
        """Make what a finished clip lacks.  When that fails its line still says done, as its tracking is:
        the next batch tries the rest again."""
        lacking = missing(task, entry, self._folder)
        style = style_key(task.job.style, task.job.audio)
        there = [file for file in lacking if Path(file).exists()]
        self._styles.redraws(entry.clip, there, entry.style, style)
        # from here on the new ones are this batch's; an outdated one counts once it is replaced
        self._status.add(extended(entry, [file for file in lacking if file not in there], self._folder))
        try:
            complete(task, entry, self._folder)
            completed = completed_entry(task, entry, lacking, self._folder)
            self._status.add(completed)
        except SiamtrackError as error:
            self._fail(entry, error)
        else:
            self._results.append(Result("completed", completed))

    def _fail(self, entry: Entry, error: SiamtrackError) -> None:
        """Nothing could be done with a finished clip, which stays as it is; so does its line."""
        self._results.append(Result("failed", failed_entry(entry, error)))
        self._stopped = self._stopped or self._policy.stop_on_error

    def results(self) -> list[Result]:
        taken, self._results = self._results, []
        return taken

    def _conclude(self, entry: Entry) -> None:
        self._status.add(entry)
        failed = entry.state == "failed"
        self._results.append(Result("failed" if failed else "done", entry))
        self._stopped = self._stopped or (failed and self._policy.stop_on_error)
