"""Reads tracker parameters from a TOML file; they replace those of the weights."""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path

from siamcli.errors import WeightsError, why_unread
from siamcli.model.spec import TrackerParams
from siamcli.schema import from_plain, load_toml

__all__ = ["read_overrides", "read_params"]

_logger = logging.getLogger(__name__)


def read_params(path: Path, defaults: TrackerParams) -> TrackerParams:
    """`defaults` with what the file names replaced; raises WeightsError for what it cannot mean.

    What has no effect beside the others is named in a warning.
    """
    named = read_overrides(path)
    try:
        params = from_plain(TrackerParams, {**asdict(defaults), **named})
    except ValueError as error:
        raise _unreadable(path, error) from None
    if idle := " and ".join(name for name in named if params.is_idle(name)):
        said = "%s: no effect of %s: lost_shares decide; lost_shares = [] turns them off"
        _logger.warning(said, path, idle)
    return params


def read_overrides(path: Path) -> dict[str, object]:
    """The parameters that the file names; raises WeightsError for one that is unknown or out of range."""
    try:
        values = load_toml(path.read_bytes())
        from_plain(TrackerParams, values)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    return values


def _unreadable(path: Path, error: Exception) -> WeightsError:
    return WeightsError(
        f"cannot read tracker parameters from {path}: {why_unread(error)}",
        hint="write lines such as penalty_k = 0.05; `siamtrack weights info` shows the names",
    )
