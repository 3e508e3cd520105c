"""Reports on the clips of a batch: the plan before, failures meanwhile, and the summary at the end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from siamcli.cli import console
from siamcli.cli.harmless import harmless
from siamcli.counts import counted
from siamcli.errors import PartialError
from siamcli.media.kinds import source_name
from siamcli.targets import AbsentTarget, TargetMark

if TYPE_CHECKING:
    from siamcli.batch.plan import Task, Verdict
    from siamcli.batch.run import Result
    from siamcli.batch.status import Entry
    from siamcli.session.job import Job

__all__ = ["Tally", "about", "doubted_rows", "print_clips", "say_doubted", "say_passed", "say_plan"]

SUFFIXES = 8  # that are named
SHOWN = 20  # lines of a list; the status file has all


def say_passed(passed: Iterable[Path], ours: Iterable[Path]) -> None:
    """Print in one line what the folders of clips contain besides clips, except manifests and the outputs
    (`ours`).
    """
    own = {path.absolute() for path in ours}
    left = [path for path in passed if own.isdisjoint((path.absolute(), path.absolute().parent))]
    folders = sum(path.is_dir() for path in left)
    files = len(left) - folders
    suffixes = sorted({path.suffix.lower() or path.name for path in left if not path.is_dir()})
    words = []
    if files:
        more = " …" * (len(suffixes) > SUFFIXES)
        what = "files that are not videos" if files > 1 else "file that is not a video"
        words.append(f"{files} {what} ({' '.join(suffixes[:SUFFIXES])}{more})")
    if folders:
        words.append(f"{counted(folders, 'folder')} (-r looks there too)")
    if words:
        console.info(f"skipped: {', '.join(words)}")


class Tally:
    """Counts the results of `total` clips; prints failures at once, other clips only under -v."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.frames = 0
        self.failures: list[tuple[str, str]] = []
        self._count = {"done": 0, "completed": 0, "skipped": 0, "failed": 0, "failed before": 0}
        self._begun: set[str] = set()
        self._finished: list[Entry] = []

    def begin(self, job: Job) -> None:
        """Count a clip whose tracking starts."""
        self._begun.add(source_name(job.source).shown)

    def add(self, result: Result) -> None:
        """Count a clip that is finished, failed or refused."""
        entry = result.entry
        self._begun.discard(entry.clip)
        self._count[result.verdict] += 1
        if entry.state == "failed":
            self.failures.append((entry.clip, entry.error or ""))
            console.prompt(f"failed: {about(*self.failures[-1])}")
            return
        console.verbose(f"{result.verdict}: {entry.clip}")
        self._finished.append(entry)
        self.frames += (entry.frames or 0) if result.verdict == "done" else 0

    @property
    def number(self) -> int:
        """How many clips are finished, failed or refused."""
        return sum(self._count.values())

    @property
    def open(self) -> dict[str, int]:
        """How many clips are left: those being tracked, and those not started."""
        unfinished = len(self._begun)
        return {"not finished": unfinished, "not begun": self.total - self.number - unfinished}

    @property
    def not_done(self) -> str:
        """How many clips are not done and why, empty when all are.

        >>> tally = Tally(3)
        >>> tally.not_done
        '3 of 3 clips are not done: 3 not begun'
        """
        why = {"failed": len(self.failures), **self.open}
        counts = ", ".join(f"{n} {what}" for what, n in why.items() if n)
        which = counted(sum(why.values()), "clip", "are", of=self.total)
        return f"{which} not done: {counts}" if counts else ""

    def say(self, seconds: float, status: Path) -> None:
        """Print the summary: all counts, and the clips with lost targets or two targets in nearly one box."""
        words = [f"{n} {what}" for what, n in {**self._count, **self.open}.items() if n]
        done = self._count["done"]
        rate = f" ({3600 * done / seconds:.0f} clips per hour)" if done else ""
        see = f"; see {status}" if status.is_file() else ""  # it may have been removed meanwhile
        console.info(f"{', '.join(words) or 'no clips'} in {seconds:.1f} s{rate}{see}")
        say_doubted(self._finished)

    def document(self, seconds: float, status: object) -> dict[str, Any]:
        """The summary as JSON values."""
        counts = {what.replace(" ", "_"): n for what, n in {**self._count, **self.open}.items()}
        return {
            "clips": self.total,
            **counts,
            "frames": self.frames,
            "seconds": round(seconds, 3),
            "failures": [{"clip": name, "error": why} for name, why in self.failures],
            **doubted_rows(self._finished),
            "status": str(status),
        }


def about(clip: str, reason: str) -> str:
    """A clip and what is wrong with it; it is named once.

    >>> about("a.mp4", "cannot read a.mp4"), about("a.mp4", "no box")
    ('cannot read a.mp4', 'a.mp4: no box')
    """
    return reason if clip in reason else f"{clip}: {reason}"


def _worst_first(entries: Iterable[Entry]) -> list[Entry]:
    """The finished clips in which a target was lost, largest part first."""
    lost = [entry for entry in entries if entry.lost_share]
    return sorted(lost, key=lambda entry: entry.lost_share, reverse=True)


def _same_box_first(entries: Iterable[Entry]) -> list[Entry]:
    """The finished clips in which two targets have nearly the same box, longest first."""
    same = [entry for entry in entries if entry.state == "done" and entry.same_box]
    return sorted(same, key=lambda entry: (entry.same_box or 0) / (entry.frames or 1), reverse=True)


def doubted_rows(entries: Iterable[Entry]) -> dict[str, list[dict[str, Any]]]:
    """The clips of `_worst_first` and `_same_box_first` as JSON values."""
    entries = list(entries)
    return {
        "lost": [{"clip": e.clip, "lost": e.lost, "frames": e.frames} for e in _worst_first(entries)],
        "same_box": [
            {"clip": e.clip, "same_box": e.same_box, "frames": e.frames} for e in _same_box_first(entries)
        ],
    }


def say_doubted(entries: Iterable[Entry]) -> None:
    """Print the clips of `_worst_first` and `_same_box_first`."""
    entries = list(entries)
    if worst := _worst_first(entries):
        console.info(f"a target was lost in {counted(len(worst), 'clip')}, the worst first:", style="yellow")
        print_clips([(e.clip, f"lost in {_part(e, f'{e.lost_share:.0%}', e.lost)}") for e in worst])
    if same := _same_box_first(entries):
        what = f"two targets have nearly the same box in {counted(len(same), 'clip')}, the worst first:"
        console.info(what, style="yellow")
        print_clips([(e.clip, f"in {_part(e, e.same_box, e.same_box)}") for e in same])


def _part(entry: Entry, part: object, count: int | None) -> str:
    """A part of a clip's frames, and only its `count` where nothing says how many there are."""
    if entry.frames is None:
        return counted(count or 0, "frame")
    return f"{part} of {counted(entry.frames, 'frame')}"


def print_clips(rows: Sequence[tuple[str, str]]) -> None:
    """Print the first SHOWN clips with a remark each, and how many more there are; nothing under --quiet."""
    more = [("...", f"and {len(rows) - SHOWN} more")] if len(rows) > SHOWN else []
    console.print_rows([*rows[:SHOWN], *more], always=False)


def say_plan(verdicts: Iterable[tuple[Task, Verdict]], *, as_json: bool) -> None:
    """Print on stdout what would be done with every clip.  Raises PartialError if some clips would not be
    done.
    """
    rows: list[dict[str, Any]] = []
    for task, verdict in verdicts:
        clip = source_name(task.job.source).shown
        action, error = (verdict, None) if isinstance(verdict, str) else ("refuse", str(verdict))
        rows.append(
            {
                "clip": clip,
                "action": action,
                "targets": [_in_words(mark) for mark in task.job.targets],
                "outputs": task.job.files,
                "error": error,
            }
        )
        if not as_json:
            does = f"{'; '.join(rows[-1]['targets'])} -> {' '.join(task.job.files)}"
            words = f"{clip}: {does}" if error is None else about(clip, error)
            console.print_table(f"{action:<8}  {harmless(words)}\n")
    if as_json:
        console.print_json({"clips": rows})
    wrong = sum(row["action"] in ("refuse", "failed") for row in rows)
    if wrong:
        raise PartialError(
            f"{counted(wrong, 'clip', of=len(rows))} would not be done",
            hint="refuse: fix the problem; failed: it failed before, --retry-failed tries it again",
        )


def _in_words(mark: TargetMark) -> str:
    """A target as it was named, with its label and its time.

    >>> from siamcli.targets import parse_target, parse_timed_target
    >>> _in_words(parse_target("ball=1,2,30%,40")), _in_words(parse_timed_target("1.5=1,2,3,4"))
    ('ball 1,2,30%,40 xywh', '1,2,3,4 xywh at 1.5')
    """
    label = f"{mark.label} " if mark.label else ""
    if isinstance(mark, AbsentTarget):
        return f"{label}absent from {mark.first} to {mark.last}"
    numbers = ",".join(f"{v:g}{'%' * percent}" for v, percent in zip(mark.values, mark.percent, strict=True))
    return f"{label}{numbers} {mark.format}{f' at {mark.at}' if mark.at else ''}"
