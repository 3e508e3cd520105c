"""What a score is worth, and when a target counts as lost."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from siamcli.model.spec import TrackerParams
from siamcli.tracker.engine import Candidate
from siamcli.trajectory import TrackState

__all__ = ["overlap_of", "status_after"]


def overlap_of(best: Candidate, params: TrackerParams) -> float:
    """The overlap to expect of a box; its raw score where the weights bring no calibration."""
    if params.calibration is None:
        return best.score
    slope, offset = params.calibration
    return 1 / (1 + math.exp(-(slope * best.logit + offset)))


def status_after(status: TrackState, recent: Sequence[float], params: TrackerParams) -> TrackState:
    """Hysteresis over the median of the recent scores: lost below one threshold, found above another."""
    score = statistics.median(recent)
    if status == "lost":
        return "found" if score > params.found_above else "lost"
    return "lost" if score < params.lost_below else "tracked"
