"""siamtrack review: serves a web page to review and correct trajectories, or writes a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from siamcli.atomic import write_text
from siamcli.cli import console
from siamcli.cli.again import loader_again
from siamcli.cli.options import ItsTrajectory, TrackedVideo, TrackerOptions
from siamcli.cli.outputs import Overwrite, check_writable
from siamcli.cli.picking import announce
from siamcli.cli.picture import PictureOptions
from siamcli.cli.reading import ReadingOptions
from siamcli.cli.search import SearchOptions
from siamcli.cli.source import batch_folder
from siamcli.cli.tally import print_clips
from siamcli.cli.usage import WrongUsage
from siamcli.counts import counted
from siamcli.errors import OutputError, SiamtrackError
from siamcli.media.kinds import source_name

if TYPE_CHECKING:
    from siamcli.ui.review.library import Library, Opening

__all__ = ["review"]

USAGE = "siamtrack review VIDEO TRAJECTORY, or BATCH_FOLDER"


def review(
    video: TrackedVideo,
    trajectory: ItsTrajectory = None,
    fixes: Annotated[
        Path | None,
        typer.Option(
            help="Table to which corrections are added; `siamtrack fix --fixes` reads it.",
            show_default="beside TRAJECTORY, or in the folder of the batch",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Write a page to look at (.html) instead of serving one.",
            show_default=False,
        ),
    ] = None,
    overwrite: Overwrite = False,
    host: Annotated[
        str,
        typer.Option(
            help="Address to serve on; with the address of this machine, a phone in the same network can"
            " open the page."
        ),
    ] = "127.0.0.1",
    *,
    reading: ReadingOptions,
    search: SearchOptions,
    picture: PictureOptions,
    tracker: TrackerOptions,
) -> None:
    """Review trajectories on a web page, the doubtful ones first, and correct them there.

    The page shows every frame with its boxes.  After a correction, the frames that it affects are tracked
    again.  Results are saved into TRAJECTORY (in a batch: into all outputs of the clip), corrections into a
    table.

    Examples:
        siamtrack review video.mp4 video.tracked.json
        siamtrack review tracked/
        siamtrack review tracked/ -o report.html
    """
    if fixes is not None and fixes.suffix.lower() != ".csv":
        raise WrongUsage(f"--fixes {fixes}: the table is a .csv", hint="--fixes corrections.csv")
    folder = batch_folder(video, USAGE) if trajectory is None else None
    drawn = folder is not None and output is None and _has_videos(folder)  # which are written again
    opening = reading.opening(picture.style(drawn=drawn), search, drawn=drawn)
    if output is not None:
        _check_page(output, overwrite)
    library = _library(video, trajectory, fixes, opening)
    if trajectory is not None:
        library.state(0)  # a video that was not tracked is refused before anything is served or written
    if output is not None:
        _write_report(library, output, source_name(video).stem, overwrite, named=trajectory is not None)
        return
    tracker.check()

    from siamcli.ui.review.server import ReviewServer

    server = ReviewServer(library, loader_again(tracker), host)
    announce(server.address, server.port)
    console.info("Ctrl-C ends it")
    try:
        server.wait()
    except KeyboardInterrupt:
        pass
    finally:
        server.close()
        _keep_unsaved(library)


def _has_videos(folder: Path) -> bool:
    """Whether the batch in that folder wrote videos.  Raises InputError where there is none."""
    from siamcli.batch.fix import has_videos

    return has_videos(folder)


def _library(video: str, trajectory: Path | None, fixes: Path | None, opening: Opening) -> Library:
    """The one clip, or without a trajectory those of the batch in the folder `video`.  Raises InputError."""
    from siamcli.ui.review.library import Library, batch_clips, one_clip

    if trajectory is not None:
        return Library([one_clip(video, trajectory, fixes, opening)])
    return Library(batch_clips(Path(video), fixes, opening))


def _check_page(output: Path, overwrite: bool) -> None:
    """Raises OutputError for a report that cannot or must not be written."""
    if output.suffix.lower() not in (".html", ".htm"):
        raise OutputError(f"{output}: the page is a .html", hint="-o report.html")
    check_writable([str(output)], overwrite=overwrite)


def _write_report(library: Library, output: Path, title: str, overwrite: bool, *, named: bool) -> None:
    """Write the report, and say of which clips it lacks pictures.

    Raises MisfitError for a clip that is `named` by the user; others must not stop the report of a folder.
    """
    from siamcli.session.fit import MisfitError
    from siamcli.ui.review.library import worst_first
    from siamcli.ui.review.report import report_entries, report_page

    with console.progress("reading", len(library.clips), "clips") as update:
        for number in library.read_all():
            update(number + 1)
    entries, without = [], []
    with console.progress("pictures", len(library.clips), "clips") as update:
        for entry, problem in report_entries(sorted(library.clips, key=worst_first)):
            if named and isinstance(problem, MisfitError):
                raise problem
            if problem is not None:
                without.append((entry["name"], str(problem)))
            entries.append(entry)
            update(len(entries))
    if without:
        console.info(
            f"pictures are missing of {counted(len(without), 'clip', of=len(entries))}:", style="yellow"
        )
        print_clips(without)
    write_text(output, report_page(title, entries), overwrite=overwrite)
    console.print_path(output)


def _keep_unsaved(library: Library) -> None:
    """Write corrections that were not saved into tables of their own, and say so."""
    for state in library.opened():
        try:
            for said in state.keep():
                console.info(f"not saved: {said}", style="yellow")
        except SiamtrackError as error:
            console.info(f"not saved: {error}", style="yellow")
