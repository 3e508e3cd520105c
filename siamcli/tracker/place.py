"""Where a target is in its image, and how what was found moves it."""

from __future__ import annotations

from siamcli.frames import Frame
from siamcli.model.spec import TrackerParams
from siamcli.tracker.engine import Candidate

__all__ = ["Place", "moved"]

Place = tuple[tuple[float, float], tuple[float, float]]
"""Centre x, y and size w, h in image pixels."""


def moved(place: Place, frame: Frame, best: Candidate, scale: float, params: TrackerParams) -> Place:
    """The place after a frame with the candidate `best`.

    `scale` is that of its search region, in region pixels per image pixel.  The size follows slowly, by
    the candidate's score and penalty (SiamRPN's code).
    """
    (cx, cy), (w, h) = place
    height, width = frame.image.shape[:2]
    lr = best.penalty * best.score * params.lr
    return (
        (_clip(cx + best.cx / scale, 0, width), _clip(cy + best.cy / scale, 0, height)),
        (
            _clip(w * (1 - lr) + best.w / scale * lr, params.min_size, width),
            _clip(h * (1 - lr) + best.h / scale * lr, params.min_size, height),
        ),
    )


def _clip(value: float, low: float, high: float) -> float:
    return max(low, min(value, high))
