"""Finds out which source the arguments of a command name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from siamcli.cli.usage import WrongUsage
from siamcli.counts import counted
from siamcli.errors import InputError
from siamcli.media.kinds import join_files, source_name

__all__ = ["batch_folder", "check_sources", "named_source"]


def named_source(words: Sequence[str], *, join: bool) -> str:
    """The source of `run`: one, or several files to join.

    Raises WrongUsage for several files without `join`, InputError for files that cannot be joined and for a
    folder of videos.
    """
    if join:
        return join_files(words)
    if len(words) > 1:
        raise WrongUsage(
            f"run takes one source, and here are {len(words)}",
            hint="--join takes them as one recording; `siamtrack batch` tracks each by itself",
        )
    _refuse_videos(words[0])
    return words[0]


def _refuse_videos(source: str) -> None:
    """Raises InputError for a folder of videos without images: that is work for `batch`."""
    if source_name(source).kind != "folder":  # an address may be longer than any path
        return
    from siamcli.batch.clips import find_clips
    from siamcli.media.kinds import holds_images

    videos = [clip.source for clip in find_clips([source], recursive=False).clips if clip.source != source]
    if videos and not holds_images(Path(source)):
        raise InputError(
            f"{source} holds {counted(len(videos), 'video')}, and run takes one source",
            hint=f"`siamtrack pick {source}` and `siamtrack batch {source}` take all of them",
        )


def batch_folder(text: str, hint: str) -> Path:
    """The folder of a batch, which stands in place of a video and its trajectory.

    Raises InputError where nothing is there or named, WrongUsage for what is no folder, with the `hint`.
    """
    if not text:
        check_sources([text])
    if Path(text).is_dir():
        return Path(text)
    if (name := source_name(text)).kind == "missing":
        from siamcli.media.sources import no_source

        raise InputError(str(no_source(name)), hint=hint)
    raise WrongUsage("which trajectory?", hint=hint)


def check_sources(names: Sequence[str]) -> None:
    """Raises InputError for a source that cannot be opened; one that can be read only once is not tried."""
    from siamcli.media.sources import open_source

    for text in names:
        name = source_name(text)
        if name.is_rereadable or name.kind == "missing":
            with open_source(text):
                pass
