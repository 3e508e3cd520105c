"""log.csv: one line per step of the run that is in the folder, and of no other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from siamcli.atomic import as_output_error, write_text
from siamcli.train.resume import PHASES, TrainingState

if TYPE_CHECKING:
    from siamcli.train.loop import Step

__all__ = ["add_step", "begin_log"]

_HEADER = "phase,step,pairs,rate,seconds,data_seconds,losses\n"
_ROW = re.compile(rf"({'|'.join(PHASES)}),(\d+),.*\n")


def begin_log(path: Path, before: TrainingState | None) -> None:
    """A log of the steps up to `before`, as all later ones come again; of none for a new run.

    Whole or not at all: what was there stays until the new one is finished.  Raises OutputError.
    """
    rows: list[str] = []
    if before is not None and path.exists():
        reached = PHASES.index(before.phase), before.step
        with as_output_error(path):
            text = path.read_text(encoding="utf-8", errors="replace")
        for line in text.splitlines(keepends=True):
            row = _ROW.fullmatch(line)  # no match: the header, or a line that a crash has cut short
            if row and (PHASES.index(row[1]), int(row[2])) <= reached:
                rows.append(line)
    write_text(path, _HEADER + "".join(rows))


def add_step(path: Path, step: Step) -> None:
    """Add the line of a finished step.  Raises OutputError."""
    numbers = f"{step.rate:.6g},{step.seconds:.4f},{step.data_seconds:.4f}"
    losses = " ".join(f"{name}={value:.4f}" for name, value in step.losses.items())
    with as_output_error(path), path.open("a", encoding="utf-8", newline="\n") as file:
        file.write(f"{step.phase},{step.step},{step.pairs},{numbers},{losses}\n")
