"""Loads the tracker for corrections: the one that made the trajectory, if its weights are on this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from siamcli.cli import console
from siamcli.cli.options import TrackerOptions

if TYPE_CHECKING:
    from siamcli.load import LoadedTracker
    from siamcli.model.spec import TrackerParams
    from siamcli.trajectory import Trajectory

__all__ = ["loader_again"]


def loader_again(options: TrackerOptions) -> Callable[[Trajectory], LoadedTracker]:
    """Return a function that loads the tracker for correcting a trajectory.

    The tracker is the one that the options name, else the one that made the trajectory, with the parameters
    in its header, else the default.  If it is not the trajectory's own, a message says so once.
    """
    from siamcli.checkpoints.store import find_again

    found = cache(find_again)  # which hashes a file

    @cache
    def load(weights: Path | None) -> LoadedTracker:
        return (options if weights is None else replace(options, weights=weights)).load()

    @cache
    def say(before: str, now: str) -> None:
        console.info(f"tracked with {before} before, with {now} now", style="yellow")

    def again(wrong: Trajectory) -> LoadedTracker:
        header = wrong.header
        own = None if options.wanted() is not None else found(header.model, header.weights_sha256)
        loaded = load(own)
        if header.weights_sha256 and header.weights_sha256 != loaded.sha256:
            say(header.model, loaded.model)
        if own is None or options.params is not None:
            return loaded
        return replace(loaded, params=_as_tracked(header.params, loaded.params))

    return again


def _as_tracked(said: Mapping[str, object], own: TrackerParams) -> TrackerParams:
    """The parameters in a header; those of the weights if a parameter has another meaning in this version."""
    from siamcli.model.spec import TrackerParams
    from siamcli.schema import from_record

    try:
        return from_record(TrackerParams, {**asdict(own), **said})
    except ValueError:
        return own
