"""Records which weights and parameters corrected a trajectory, if not its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from siamcli.trajectory import CorrectedWith, TrackHeader

if TYPE_CHECKING:
    from siamcli.load import LoadedTracker

__all__ = ["with_correction"]


def with_correction(header: TrackHeader, tracker: LoadedTracker) -> TrackHeader:
    """The header that says that parts are by `tracker`; as it is where its weights and parameters say so.

    Parameters that one of both does not name are of another version and make no difference.
    """
    now = _plain(asdict(tracker.params))
    same = all(now.get(name, value) == value for name, value in _plain(header.params).items())
    if same and tracker.sha256 == header.weights_sha256:
        return header
    one = CorrectedWith(tracker.model, tracker.sha256, now)
    if one in header.corrected_with:
        return header
    return replace(header, corrected_with=(*header.corrected_with, one))


def _plain(params: Mapping[str, object]) -> dict[str, Any]:
    """As they come back from a file."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(params)))
    return plain
