"""Times the stages of a whole run: each by itself, then all of them at once as in `run`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from siamcli.drawing.draw import draw
from siamcli.engines.cpu import reserve_core_for_encoder
from siamcli.engines.kinds import engine_name
from siamcli.frames import Frame, FrameSource, Image, SourceInfo
from siamcli.load import LoadedTracker
from siamcli.media.sources import open_source
from siamcli.media.video import VideoWriter
from siamcli.model.siamrpn import Template
from siamcli.session.job import Job
from siamcli.session.session import Session
from siamcli.targets import parse_target
from siamcli.times import FrameRange, TimePoint
from siamcli.tracker.engine import Candidate, Engine, Ranking
from siamcli.tracker.follow import Start, follow, track_points
from siamcli.tracker.locate import locate, search_grid
from siamcli.tracker.regions import ranking_of
from siamcli.tracker.tracker import Tracker
from siamcli.trajectory import TrackPoint

__all__ = ["PipelineTimes", "time_pipeline"]

T = TypeVar("T")

TARGET = parse_target("37.5%,37.5%,25%,25%")

_MEMORY = 2**29  # bytes of decoded frames


@dataclass(frozen=True, slots=True)
class PipelineTimes:
    """Milliseconds per frame.  `stages` were timed one after the other, `end_to_end` with all threads.

    `slowest` is the slowest thread (decoding; tracking; drawing and encoding): no run can be faster.
    """

    source: str
    engine: str
    frames: int
    size: tuple[int, int]
    stages: dict[str, float]
    slowest: float
    end_to_end: float
    fps: float


def time_pipeline(tracker: Tracker, source: str) -> PipelineTimes:
    """Time the first frames of a video, with a quarter of the picture as the target.

    Raises InputError, OutputError.
    """
    engine = tracker.engine
    reserve_core_for_encoder(engine)
    opened = open_source(source)
    decode, frames = _timed(lambda: _read(opened))
    count = len(frames)
    height, width = frames[0].image.shape[:2]
    start = Start(TARGET.box((width, height)))
    list(follow(tracker, frames[:2], [start]))  # compilation, capture, caches
    watched = _TimedEngine(engine)
    alone = replace(tracker, engine=watched)
    track, points = _timed(lambda: [track_points(f, s) for f, s in follow(alone, frames, [start])])
    inside = sum(watched.seconds)
    post = _post_processing(tracker) * (count - 1)
    with TemporaryDirectory() as folder:
        drawing, encode = _draw_and_encode(Path(folder) / "alone.mp4", opened.info, frames, points)
        frames.clear()  # a run does not hold them either
        end = TimePoint(frame=count)
        whole, _ = _timed(
            lambda: _run(
                tracker, Job(source, (TARGET,), (str(Path(folder) / "all.mp4"),), FrameRange(end=end))
            )
        )
    stages = {
        "decode": decode,
        "crop and update": track - inside,
        "network": inside - post,
        "post-processing": post,
        "draw": drawing,
        "encode": encode,
    }
    return PipelineTimes(
        source=source,
        engine=engine_name(engine),
        frames=count,
        size=(width, height),
        stages={name: _milliseconds(seconds / count) for name, seconds in stages.items()},
        slowest=_milliseconds(max(decode, track, drawing + encode) / count),
        end_to_end=_milliseconds(whole / count),
        fps=round(count / whole, 2),
    )


def _post_processing(tracker: Tracker) -> float:
    """Seconds from score maps to a box, on the CPU.  A GPU takes both in one queue or one graph, so that
    there it cannot be told apart from the network: 0."""
    if tracker.engine.device.type != "cpu":
        return 0.0
    spec, params = tracker.engine.spec, tracker.params
    side, scales = spec.score_size(), 1 + len(params.scales)
    grid = search_grid(spec, spec.search_size, torch.device("cpu"))
    outputs = (2,) if spec.correlation == "plain" else (2, 4)
    maps = [torch.zeros(scales, each * len(spec.anchors), side, side) for each in outputs]
    sizes = torch.full((scales, 2), spec.exemplar_size / 2)
    ranking = ranking_of(spec, params, spec.search_size)
    times = [_timed(lambda: locate(maps, grid, sizes, ranking))[0] for _ in range(50)]
    return median(times)


class _TimedEngine:
    """Another engine, with the seconds of its calls."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.seconds: list[float] = []
        self.kind, self.precision, self.device = engine.kind, engine.precision, engine.device
        self.spec = engine.spec

    def embed(self, exemplars: Image) -> list[Template]:
        seconds, templates = _timed(lambda: self._engine.embed(exemplars))
        self.seconds.append(seconds)
        return templates

    def locate(
        self, templates: Sequence[Template], searches: Image, sizes: NDArray[np.float32], ranking: Ranking
    ) -> list[Candidate]:
        seconds, found = _timed(lambda: self._engine.locate(templates, searches, sizes, ranking))
        self.seconds.append(seconds)
        return found


def _read(source: FrameSource) -> list[Frame]:
    """As many frames as memory takes: the more, the less starting and ending the encoder counts."""
    with source:
        frames = iter(source)
        first = next(frames)
        return [first, *islice(frames, max(30, _MEMORY // first.image.nbytes) - 1)]


def _draw_and_encode(
    path: Path, info: SourceInfo, frames: Sequence[Frame], points: Sequence[Sequence[TrackPoint]]
) -> tuple[float, float]:
    """The seconds of each; one picture at a time, as in `run`."""
    drawing = 0.0
    started_at = time.perf_counter()
    with VideoWriter(str(path), info, overwrite=True) as video:
        for frame, found in zip(frames, points, strict=True):
            seconds, picture = _timed(partial(draw, frame.image, found))
            drawing += seconds
            video.write(picture, frame.time)
    return drawing, time.perf_counter() - started_at - drawing


def _run(tracker: Tracker, job: Job) -> None:
    """What `siamtrack run` does."""
    with Session(job, lambda: LoadedTracker(tracker.engine, tracker.params, "", "")) as session:
        for _ in session:
            pass


def _milliseconds(seconds: float) -> float:
    return round(1000 * seconds, 2)


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    started_at = time.perf_counter()
    done = work()
    return time.perf_counter() - started_at, done
