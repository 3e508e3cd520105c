"""The tracker of what is corrected: that of the trajectory, where its weights are here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from siamcli.cli import console
from siamcli.cli.options import TrackerOptions

if TYPE_CHECKING:
    from siamcli.load import LoadedTracker
    from siamcli.trajectory import Trajectory

__all__ = ["loader_again"]


def loader_again(options: TrackerOptions) -> Callable[[Trajectory], LoadedTracker]:
    """What gives the tracker of a trajectory: the one that the options name, else the trajectory's own, else
    the default.  Says so, once, where it is not the trajectory's own."""
    from siamcli.checkpoints.store import find_again

    @cache
    def load(weights: Path | None) -> LoadedTracker:
        return (options if weights is None else replace(options, weights=weights)).load()

    @cache
    def say(before: str, now: str) -> None:
        console.info(f"tracked with {before} before, with {now} now", style="yellow")

    def again(wrong: Trajectory) -> LoadedTracker:
        header = wrong.header
        own = None if options.wanted() is not None else find_again(header.model, header.weights_sha256)
        loaded = load(own)
        if header.weights_sha256 and header.weights_sha256 != loaded.sha256:
            say(header.model, loaded.model)
        return loaded

    return again
