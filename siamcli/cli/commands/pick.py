"""siamtrack pick: collects a box for every clip, so that a batch can track them unattended."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import ExitStack, closing
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from siamcli.cli import console
from siamcli.cli.options import Recursive
from siamcli.cli.outputs import check_writable
from siamcli.cli.picking import PickBrowser, announce
from siamcli.cli.tally import say_passed
from siamcli.counts import counted
from siamcli.errors import InputError, PartialError, PickError

if TYPE_CHECKING:
    from siamcli.batch.clips import Clip
    from siamcli.boxes import Box
    from siamcli.frames import Image
    from siamcli.ui.pick import Picker

__all__ = ["pick"]


def pick(
    clips: Annotated[list[str], typer.Argument(help="Folders, videos or quoted patterns.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The manifest to write; boxes are added to it.")
    ] = Path("boxes.csv"),
    pick_browser: PickBrowser = False,
    recursive: Recursive = False,
) -> None:
    """Draw a box around the target of every clip, and collect the boxes in a manifest.  The same command
    continues later with the clips that have no box yet.

    A window shows the first frame of each clip; Esc stops.  The web page of --pick-browser shows any frame
    and takes several named targets; Esc skips a clip.

    Examples:
        siamtrack pick clips/ -o boxes.csv
        siamtrack batch --boxes boxes.csv
    """
    from siamcli.batch.clips import find_clips
    from siamcli.ui.collect import clips_without_box, pick_all

    found, _, passed = find_clips(clips, recursive=recursive)
    say_passed(passed, [output])
    left = clips_without_box(found, output)
    console.info(f"{counted(len(found) - len(left), 'clip', 'have', of=len(found))} a box in {output}")
    if not left:
        _say_next(output)
        return
    check_writable([str(output)], overwrite=True)
    failures: list[tuple[str, str]] = []
    if pick_browser:
        _pick_on_page(left, output)
        _say_next(output)
        return
    with ExitStack() as stack:

        @cache  # opened when there is something to show
        def opened() -> Picker:
            from siamcli.ui.pick import window_picker

            return stack.enter_context(window_picker("siamtrack pick"))

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
    _report(failures, len(left))
    _say_next(output)


def _say_next(manifest: Path) -> None:
    console.info(f"`siamtrack batch --boxes {shlex.quote(str(manifest))}` tracks them")


def _report(failures: Sequence[tuple[str, str]], clips: int) -> None:
    """Raises PartialError if clips could not be shown."""
    if failures:
        console.print_rows(failures)
        said = f"{counted(len(failures), 'clip', of=clips)} cannot be shown"
        raise PartialError(said, hint="repair or remove them")


def _pick_on_page(clips: Sequence[Clip], manifest: Path) -> None:
    """Serve a page until the user has picked in all clips or says that picking is finished.

    Raises PickError if clips are left; InputError or PartialError if clips cannot be shown.
    """
    from siamcli.ui.collect import clips_without_box
    from siamcli.ui.review.library import Library, clip_to_pick
    from siamcli.ui.review.server import ReviewServer

    library = Library([clip_to_pick(clip.source, manifest) for clip in clips])
    with closing(library):
        if any(map(library.can_be_shown, range(len(clips)))):
            with closing(ReviewServer(library, None)) as server:
                announce(server.address, server.port)
                server.wait()
    failures = [(clip.name, clip.error) for clip in library.clips if clip.error is not None]
    if failures and len(clips) == 1:
        raise InputError(failures[0][1])
    _report(failures, len(clips))
    if left := clips_without_box(clips, manifest):
        raise PickError(
            f"{counted(len(left), 'clip', 'have', of=len(clips))} no box yet",
            hint="run the same command again to continue; all boxes so far are kept",
        )
