"""siamtrack pick: point at the target of every clip, so that the tracking can run unattended."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from siamcli.cli import console
from siamcli.cli.picking import PickBrowser, picker
from siamcli.errors import PartialError

if TYPE_CHECKING:
    from siamcli.boxes import Box
    from siamcli.frames import Image
    from siamcli.ui.pick import Picker

__all__ = ["pick"]


def pick(
    clips: Annotated[list[str], typer.Argument(help="Folders, videos or quoted patterns.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The manifest; it is added to.")] = Path(
        "boxes.csv"
    ),
    pick_browser: PickBrowser = False,
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Folders in folders too.")] = False,
) -> None:
    """Show the first frame of every clip and collect the boxes.  Esc stops; the same command goes on.

    Examples:
        siamtrack pick clips/ -o boxes.csv
        siamtrack batch --boxes boxes.csv
    """
    from siamcli.batch.clips import find_clips
    from siamcli.ui.collect import clips_without_box, pick_all

    found, _ = find_clips(clips, recursive=recursive)
    left = clips_without_box(found, output)
    console.info(f"{len(found) - len(left)} of {len(found)} clips have a box in {output}")
    if not left:
        return
    failures: list[tuple[str, str]] = []
    with ExitStack() as stack:

        @cache  # opened when there is something to show
        def opened() -> Picker:
            return stack.enter_context(picker("siamtrack pick", browser=pick_browser))

        def ask(image: Image, title: str) -> Box | None:
            return opened()(image, title)

        for number, picked in enumerate(pick_all(left, output, ask), start=1):
            if picked.error is not None and len(found) == 1:
                raise picked.error
            if picked.error is not None:
                failures.append((picked.clip.source, str(picked.error)))
            elif picked.box is not None:
                place = ",".join(f"{value:g}" for value in picked.box)
                console.info(f"{number} of {len(left)}: {picked.clip.source}: {place}")
    if failures:
        console.print_rows(failures)
        raise PartialError(
            f"{len(failures)} of {len(left)} clips cannot be shown", hint="repair or remove them"
        )
