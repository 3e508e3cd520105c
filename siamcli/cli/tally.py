"""What becomes of the clips of a batch: said before, counted as it goes, said at its end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from siamcli.cli import console
from siamcli.cli.harmless import harmless
from siamcli.errors import PartialError
from siamcli.media.kinds import source_name
from siamcli.targets import AbsentTarget, TargetMark

if TYPE_CHECKING:
    from siamcli.batch.plan import Task, Verdict
    from siamcli.batch.run import Result
    from siamcli.batch.status import Entry
    from siamcli.session.job import Job

__all__ = ["Tally", "about", "doubted_rows", "say_doubted", "say_passed", "say_plan"]

SUFFIXES = 8  # that are named
SHOWN = 20  # lines of a list; the status file has all


def say_passed(passed: Iterable[Path], ours: Iterable[Path]) -> None:
    """One line of what lies in the folders of clips and is none, but `ours`: manifests, and what lies in the
    folder for the outputs."""
    own = {path.absolute() for path in ours}
    left = [path for path in passed if own.isdisjoint((path.absolute(), path.absolute().parent))]
    folders = sum(path.is_dir() for path in left)
    files = len(left) - folders
    suffixes = sorted({path.suffix.lower() or path.name for path in left if not path.is_dir()})
    words = []
    if files:
        more = " …" * (len(suffixes) > SUFFIXES)
        what = "files that are no videos" if files > 1 else "file that is no video"
        words.append(f"{files} {what} ({' '.join(suffixes[:SUFFIXES])}{more})")
    if folders:
        words.append(f"{folders} folder{'s' * (folders > 1)} (-r looks there too)")
    if words:
        console.info(f"passed over: {', '.join(words)}")


class Tally:
    """Counts results of `total` clips; says of each failure at once, and of no other clip unless asked."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.frames = 0
        self.failures: list[tuple[str, str]] = []
        self._count = {"done": 0, "completed": 0, "skipped": 0, "failed": 0, "failed before": 0}
        self._begun: set[str] = set()
        self._finished: list[Entry] = []

    def begin(self, job: Job) -> None:
        """A clip is about to be tracked."""
        self._begun.add(source_name(job.source).shown)

    def add(self, result: Result) -> None:
        """A clip is dealt with."""
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
        """How many clips are dealt with."""
        return sum(self._count.values())

    @property
    def open(self) -> dict[str, int]:
        """How many clips are not dealt with: those that were being tracked, and those that were not begun."""
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
        return f"{sum(why.values())} of {self.total} clips are not done: {counts}" if counts else ""

    def say(self, seconds: float, status: object) -> None:
        """The last lines: all counts, and the clips that lost a target or have two with one box."""
        words = [f"{n} {what}" for what, n in {**self._count, **self.open}.items() if n]
        done = self._count["done"]
        rate = f" ({3600 * done / seconds:.0f} clips per hour)" if done else ""
        console.info(f"{', '.join(words) or 'no clips'} in {seconds:.1f} s{rate}; see {status}")
        say_doubted(self._finished)

    def document(self, seconds: float, status: object) -> dict[str, Any]:
        """The same for programs."""
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
    """The finished clips in which a target was lost, those first that lost the largest part."""
    lost = [entry for entry in entries if entry.lost_share]
    return sorted(lost, key=lambda entry: entry.lost_share, reverse=True)


def _same_box_first(entries: Iterable[Entry]) -> list[Entry]:
    """The finished clips in which two targets have nearly the same box, those first that have it longest."""
    same = [entry for entry in entries if entry.state == "done" and entry.same_box]
    return sorted(same, key=lambda entry: (entry.same_box or 0) / (entry.frames or 1), reverse=True)


def doubted_rows(entries: Iterable[Entry]) -> dict[str, list[dict[str, Any]]]:
    """The finished clips in which a target was lost, and those in which two have nearly the same box, both
    worst first, for programs."""
    entries = list(entries)
    return {
        "lost": [{"clip": e.clip, "lost": e.lost, "frames": e.frames} for e in _worst_first(entries)],
        "same_box": [
            {"clip": e.clip, "same_box": e.same_box, "frames": e.frames} for e in _same_box_first(entries)
        ],
    }


def say_doubted(entries: Iterable[Entry]) -> None:
    """The same for people."""
    entries = list(entries)
    if worst := _worst_first(entries):
        console.info(f"a target was lost in {_clips(worst)}, the worst first:", style="yellow")
        _print_clips([(e.clip, f"lost in {_part(e, f'{e.lost_share:.0%}', e.lost)}") for e in worst])
    if same := _same_box_first(entries):
        what = f"two targets have nearly the same box in {_clips(same)}, the worst first:"
        console.info(what, style="yellow")
        _print_clips([(e.clip, f"in {_part(e, e.same_box, e.same_box)}") for e in same])


def _part(entry: Entry, part: object, count: int | None) -> str:
    """A part of a clip's frames, and only its `count` where nothing says how many there are."""
    return f"{count} frames" if entry.frames is None else f"{part} of {entry.frames} frames"


def _clips(entries: Sequence[Entry]) -> str:
    return f"{len(entries)} clip{'s' * (len(entries) > 1)}"


def _print_clips(rows: Sequence[tuple[str, str]]) -> None:
    more = [("...", f"and {len(rows) - SHOWN} more")] if len(rows) > SHOWN else []
    console.print_rows([*rows[:SHOWN], *more], always=False)


def say_plan(verdicts: Iterable[tuple[Task, Verdict]], *, as_json: bool) -> None:
    """Print what would become of every clip, on stdout.  Raises PartialError when some would not be done."""
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
            f"{wrong} of {len(rows)} clips would not be done",
            hint="refuse: repair what is named; failed: it failed before, --retry-failed tries it again",
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
