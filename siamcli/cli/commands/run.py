"""siamtrack run: tracks targets in one source; writes an annotated video and the trajectory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from siamcli.cli import console
from siamcli.cli.options import BoxFormatName, TrackerOptions
from siamcli.cli.outputs import check_outputs_differ, files_that_exist, output_paths, require_found
from siamcli.cli.picking import PickBrowser, ask_in_window, ask_on_page
from siamcli.cli.picture import PictureOptions
from siamcli.cli.reading import ReadingOptions
from siamcli.cli.search import SearchOptions
from siamcli.cli.source import named_source
from siamcli.cli.targets import given_targets, require_one_way
from siamcli.errors import OutputError
from siamcli.formats.kinds import FORMATS, STREAMS, find_format
from siamcli.formats.names import target_paths
from siamcli.media.encoders import EncoderName, Preset, VideoOptions, encoder_named
from siamcli.media.suffixes import VIDEO_SUFFIXES, is_video
from siamcli.targets import target_labels
from siamcli.times import Direction, FrameRange, parse_time

__all__ = ["run"]

ENCODING = VideoOptions()
TEXT_SUFFIXES = " ".join(kind.said for kind in FORMATS.values() if kind.streamed)
WITHOUT_STATES = [kind for kind in FORMATS.values() if kind.streamed and not kind.keeps_lost]
DROPS_LOST = " ".join(kind.said for kind in WITHOUT_STATES)


def run(
    source: Annotated[
        list[str],
        typer.Argument(
            help="Video, image folder, quoted pattern of images, camera (its number such as 0, or its path),"
            " address, or - for stdin. With --join, several videos.",
        ),
    ],
    box: Annotated[
        list[str] | None,
        typer.Option(
            help="Box of a target in the first frame: [LABEL=]x,y,w,h in pixels or percent.  Repeatable.",
            rich_help_panel="Target",
        ),
    ] = None,
    box_at: Annotated[
        list[str] | None,
        typer.Option(
            help="Box of a target at a later time: TIME=[LABEL=]x,y,w,h.  The label (or the number, #1) of a"
            " target that already has a box starts that target again from this one.  Repeatable.",
            rich_help_panel="Target",
        ),
    ] = None,
    absent: Annotated[
        list[str] | None,
        typer.Option(
            help="Frames in which a target is not visible: [LABEL=]FIRST-LAST, for example bug=63f-80f."
            "  Repeatable.",
            rich_help_panel="Target",
        ),
    ] = None,
    box_file: Annotated[
        Path | None,
        typer.Option(
            help="Text file with one target per line: [LABEL=]x,y,w,h, TIME=LABEL=x,y,w,h or"
            " FIRST-LAST=LABEL=absent.  Or a file of another program in the format that --box-format names.",
            rich_help_panel="Target",
        ),
    ] = None,
    box_format: BoxFormatName = "xywh",
    backward: Annotated[
        bool,
        typer.Option(
            "--backward", help="Track from the box back to the start; files only.", rich_help_panel="Target"
        ),
    ] = False,
    both_ways: Annotated[
        bool,
        typer.Option(
            "--both-ways",
            help="Track from the box both back to the start and on to the end; files only.",
            rich_help_panel="Target",
        ),
    ] = False,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Track a second time in the other direction, write for every frame how well the two passes"
            " agree, and take lost frames back where they do; files only.",
            rich_help_panel="Target",
        ),
    ] = False,
    pick: Annotated[
        bool, typer.Option("--pick", help="Draw the box in a window.", rich_help_panel="Target")
    ] = False,
    pick_browser: PickBrowser = False,
    start: Annotated[
        str | None,
        typer.Option(
            help="Start at this frame or time: frame 100f, seconds 12.5, 1m30s, 00:00:12.5, or timecode"
            " 00:00:12:05, which is counted from the first frame at the clip's rate (non-drop-frame;"
            " 00:00:12;05 is drop-frame).",
            rich_help_panel="Input",
        ),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option(help="Stop before this frame or time.", rich_help_panel="Input"),
    ] = None,
    join: Annotated[
        bool,
        typer.Option(
            "--join",
            help="Track several videos as one recording, in this order, for example the chapters of an"
            " action camera.",
            rich_help_panel="Input",
        ),
    ] = False,
    stride: Annotated[int, typer.Option(help="Use every n-th frame.", min=1, rich_help_panel="Input")] = 1,
    output: Annotated[
        list[str] | None,
        typer.Option(
            "--output",
            "-o",
            help=f"Output file; its suffix is its format: {' '.join(VIDEO_SUFFIXES)} {TEXT_SUFFIXES}.  -"
            f" writes JSON Lines to stdout, an address ({' '.join(STREAMS)}) sends them while tracking."
            "  With {target} in the name, every target gets its own file.  Repeatable.  Default:"
            " NAME.tracked.mp4, .json and .csv.",
            rich_help_panel="Output",
        ),
    ] = None,
    output_dir: Annotated[
        Path | None,
        typer.Option(help="Folder for the outputs; it is created if missing.", rich_help_panel="Output"),
    ] = None,
    video: Annotated[
        bool, typer.Option("--video/--no-video", help="Write the annotated video.", rich_help_panel="Video")
    ] = True,
    jsonl: Annotated[
        str | None,
        typer.Option(
            help="Write JSON Lines to this file (- is stdout) while tracking.  Without -o, this is the only"
            " output.",
            rich_help_panel="Output",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a summary as JSON on stdout.", rich_help_panel="Output")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", "-y", help="Replace outputs that exist.", rich_help_panel="Output")
    ] = False,
    skip_existing: Annotated[
        bool,
        typer.Option(
            "--skip-existing", "-n", help="Do nothing if an output exists.", rich_help_panel="Output"
        ),
    ] = False,
    show: Annotated[
        bool,
        typer.Option(
            "--show",
            help="Show the tracking in a window: space pauses, r draws a box again, q quits.",
            rich_help_panel="Video",
        ),
    ] = False,
    fail_if_lost: Annotated[
        bool,
        typer.Option(
            "--fail-if-lost",
            help="Exit with code 10 if a target was lost in any frame.",
            rich_help_panel="Output",
        ),
    ] = False,
    drop_lost: Annotated[
        bool,
        typer.Option("--drop-lost", help=f"Leave lost frames out of {DROPS_LOST}.", rich_help_panel="Output"),
    ] = False,
    encoder: Annotated[
        EncoderName,
        typer.Option(
            help="H.264 encoder; auto uses a hardware encoder if one works.", rich_help_panel="Video"
        ),
    ] = ENCODING.encoder,
    preset: Annotated[
        Preset, typer.Option(help="Speed preset of libx264.", rich_help_panel="Video")
    ] = ENCODING.preset,
    crf: Annotated[
        int,
        typer.Option(
            help="Quality of the video on x264's CRF scale; lower is better.",
            min=1,
            max=51,
            rich_help_panel="Video",
        ),
    ] = ENCODING.crf,
    *,
    reading: ReadingOptions,
    search: SearchOptions,
    picture: PictureOptions,
    tracker: TrackerOptions,
) -> None:
    """Follow one or more objects through SOURCE.

    Examples:
        siamtrack run video.mp4 --box 300,120,80,70
        siamtrack run video.mp4 --box ball=300,120,80,70 -o ball.csv
        siamtrack run video.mp4 --pick-browser --start 12.5
    """
    name = named_source(source, join=join)
    targets = given_targets(name, box, box_at, absent, box_file, box_format)
    require_one_way([bool(targets), pick, pick_browser])
    if not video and any(map(is_video, output or [])):
        raise typer.BadParameter("-o names a video that --no-video leaves out")
    direction = _direction(backward=backward, both_ways=both_ways, show=show, check=check)
    if overwrite and skip_existing:
        raise typer.BadParameter("give -y or -n, not both")
    first, last = (None if text is None else parse_time(text) for text in (start, end))
    model = tracker.wanted()
    paths = output_paths(name, output or [], folder=output_dir, jsonl=jsonl, video=video)
    _check_drop_lost(paths, drop_lost=drop_lost)
    labels = target_labels(targets) or (None,)
    files = [name for path in paths for name in target_paths(path, labels)]
    inputs = [str(path) for path in (box_file, model, tracker.params) if isinstance(path, Path)]
    check_outputs_differ(files, [*source, *inputs])
    if as_json and "-" in paths:
        raise typer.BadParameter("--json and JSON Lines cannot both go to stdout")
    there = files_that_exist(files)
    if there and skip_existing:
        console.info(f"{there[0]} exists: nothing to do")
        return
    if there and not overwrite:
        raise OutputError(f"{there[0]} exists", hint="-y replaces it, -n skips it")

    if any(map(is_video, paths)):
        encoder_named(encoder)
    _require_display(pick=pick, show=show)

    from siamcli.cli.follow import follow_source, summary
    from siamcli.session.job import Job

    job = Job(
        source=name,
        targets=tuple(targets),
        paths=tuple(paths),
        cut=FrameRange(first, last, stride),
        overwrite=overwrite,
        encoding=VideoOptions(encoder, preset, crf),
        drop_lost=drop_lost,
        **reading.given(drawn=any(map(is_video, paths))),
        **search.given(),
        direction=direction,
        check=check,
        style=picture.style(drawn=show or any(map(is_video, paths))),
    )
    session = follow_source(job, tracker, ask=ask_on_page if pick_browser else ask_in_window, show=show)
    if as_json:
        console.print_json(summary(session))
    if fail_if_lost:
        require_found(session.header.labels, session.lost)


def _check_drop_lost(paths: list[str], *, drop_lost: bool) -> None:
    """Raises typer.BadParameter for --drop-lost without an output that it affects."""
    if drop_lost and not any(find_format(path) in WITHOUT_STATES for path in paths):
        raise typer.BadParameter(
            f"--drop-lost is for {DROPS_LOST}; the other outputs say the state of every frame"
        )


def _direction(*, backward: bool, both_ways: bool, show: bool, check: bool) -> Direction:
    """The direction to track in; raises typer.BadParameter for options that exclude each other."""
    if backward and both_ways:
        raise typer.BadParameter("give --backward or --both-ways, not both")
    if show and (backward or both_ways or check):
        raise typer.BadParameter("--show shows tracking forward: it goes with no other direction or --check")
    return "backward" if backward else "both" if both_ways else "forward"


def _require_display(*, pick: bool, show: bool) -> None:
    """Raises PickError if a window is needed and there is no display."""
    if show or pick:
        from siamcli.ui.display import require_display

        if pick:
            require_display()
        else:
            require_display("leave out --show")
