"""Expected overlap from scores, and the decision that a target is lost."""

from __future__ import annotations

import math

from siamcli.model.spec import TrackerParams
from siamcli.tracker.engine import Candidate
from siamcli.trajectory import TrackState

__all__ = ["LEAST_USUAL", "overlap_of", "status_after", "usual_after"]

RATE = 0.3  # of the newest logit in the running mean
LEAST_USUAL = 2.0  # a logit below says nothing of a target


def overlap_of(best: Candidate, params: TrackerParams) -> float:
    """The overlap to expect of a box; its raw score where the weights bring no calibration."""
    if not params.calibration:
        return best.score
    slope, offset = params.calibration
    return 1 / (1 + math.exp(min(-(slope * best.logit + offset), 700)))  # more overflows


def status_after(status: TrackState, best: Candidate, usual: float, params: TrackerParams) -> TrackState:
    """Hysteresis: lost below one threshold, found again only above another.

    `usual` is the logit that is usual for this target: one target is sure at 6, another in doubt at 7.
    """
    if not params.lost_shares:
        value, (lost_below, found_above) = best.score, (params.lost_below, params.found_above)
    else:
        value, (lost_below, found_above) = best.logit / usual, params.lost_shares
    if status in ("lost", "absent"):
        return "found" if value > found_above else "lost"
    return "lost" if value < lost_below else "tracked"


def usual_after(usual: float | None, logit: float, params: TrackerParams) -> float:
    """The running mean of a target's logits, with one more; only of frames in which it is not lost.

    None: this is the first.  A logit counts as at most `usual_limit`: a target that never changes has one of
    15 and more, and would stay lost with 9, which is sure for any target.
    """
    newest = min(logit, params.usual_limit) if params.usual_limit else logit
    return max(newest if usual is None else usual + RATE * (newest - usual), LEAST_USUAL)
