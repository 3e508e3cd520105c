"""siamtrack merge: joins the status files of a batch's shards."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from siamcli.cli import console
from siamcli.cli.options import AsJson
from siamcli.cli.outputs import Overwrite
from siamcli.cli.tally import about, doubted_rows, say_doubted
from siamcli.counts import counted
from siamcli.errors import PartialError

__all__ = ["merge"]


def merge(
    statuses: Annotated[list[Path], typer.Argument(help="The shards' status files, all in one folder.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File in the same folder to write all lines into.")
    ],
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Join the status files of a batch's shards, and print how much of the whole batch is done.

    Examples:
        siamtrack merge tracked/batch.*-of-8.jsonl -o tracked/batch.jsonl
    """
    from siamcli.batch import status
    from siamcli.batch.clips import missing_shards

    entries = status.merge(statuses, output, overwrite=overwrite).values()
    unfinished = [(e.clip, "begun, but not finished") for e in entries if e.state == "started"]
    failed = [(e.clip, e.error or "") for e in entries if e.state == "failed"]
    gone = missing_shards(path.name for path in statuses)
    done = sum(e.state == "done" for e in entries)
    console.info(f"{done} done, {len(failed)} failed, {len(unfinished)} unfinished")
    say_doubted(entries)
    rows = failed + unfinished
    if as_json:
        console.print_json(
            {
                "done": done,
                "failed": len(failed),
                "unfinished": len(unfinished),
                "missing": gone,
                "open": [{"clip": name, "error": why} for name, why in rows],
                **doubted_rows(entries),
            }
        )
    for row in rows:
        console.prompt(f"not done: {about(*row)}")
    if rows:
        raise PartialError(
            f"{counted(len(rows), 'clip', 'are', of=len(entries))} not done",
            hint="fix the problems above and run the batch again; clips that have not changed since they"
            " failed are tried again with --retry-failed",
        )
    if gone:
        more = f" and {len(gone) - 1} more" if len(gone) > 1 else ""
        raise PartialError(f"a shard is missing: {gone[0]}{more}", hint="its clips are not among these")
