"""Runs a tracker on a sequence: once from start to end, or with a new start after every failure."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

import numpy as np

from siamcli.boxes import Box
from siamcli.counts import counted
from siamcli.errors import DatasetError
from siamcli.evaluation.overlap import box_corners, region_overlap
from siamcli.evaluation.results import TrackerOutput
from siamcli.evaluation.sequence import Sequence
from siamcli.evaluation.vot import FAILED, RESTART_AFTER, SKIPPED, STARTED, TRACKED, VotRun
from siamcli.frames import Frame
from siamcli.media.folders import ImageSequence
from siamcli.media.sources import open_source
from siamcli.times import FrameRange, TimePoint

__all__ = ["Read", "TrackerProtocol", "read_frames", "repeat_supervised", "run_once"]


class TrackerStateProtocol(Protocol):
    """What a benchmark reads from the state of a tracker."""

    @property
    def box(self) -> Box: ...
    @property
    def score(self) -> float: ...


S = TypeVar("S", bound=TrackerStateProtocol)


class TrackerProtocol(Protocol[S]):
    """What a benchmark calls: siamcli's `Tracker`, or another tracker in the same form."""

    def start(self, frame: Frame, box: Box) -> S: ...
    def step(self, state: S, frame: Frame) -> S: ...


def read_frames(sequence: Sequence) -> Iterator[Frame]:
    """The frames of a sequence, one per row of its truth.  Raises DatasetError, InputError.

    A video that goes on after the last row is refused as one that ends before it: where a row was lost, all
    later ones belong to other frames.
    """
    first = sequence.offset if sequence.video else 0
    if sequence.video:
        end = TimePoint(frame=first + len(sequence) + 1)
        source = open_source(str(sequence.video), start=TimePoint(frame=first), end=end)
    elif sequence.frames:  # at their own sizes, which change in some sequences of GOT-10k, as the truth is
        source = ImageSequence(sequence.name, sequence.frames, FrameRange(), scaled=False)
    else:
        raise DatasetError(f"{sequence.name} comes without frames", hint="only its annotations were opened")
    count = 0
    with source:
        for frame in source:
            if count == len(sequence):
                raise DatasetError(
                    f"{sequence.name}: {sequence.video} has frames after the last one annotated",
                    hint="write a row for every frame, or cut the video where they end",
                )
            if frame.index != first + count:
                raise DatasetError(f"{sequence.name}: cannot decode {sequence.frames[count]}")
            yield frame
            count += 1
    if count != len(sequence):
        raise DatasetError(
            f"{sequence.name}: {counted(count, 'frame')} in {sequence.video}, {len(sequence)} annotated"
        )


Read = Callable[[Sequence], Iterator[Frame]]
"""`read_frames`, or something that looks on while it reads."""


def run_once(tracker: TrackerProtocol[S], frames: Iterable[Frame], box: Box) -> TrackerOutput:
    """One-pass evaluation: the tracker is started on the first frame and never again.

    The output of frame 1 is the given box.  Times are those of the tracker, without decoding.  For OTB,
    UAV, LaSOT, NfS, GOT-10k, TrackingNet, and VOT-LT with its confidences.
    """
    state: S | None = None
    boxes, scores, seconds = [], [], []
    for frame in frames:
        started_at = time.perf_counter()
        state = tracker.start(frame, box) if state is None else tracker.step(state, frame)
        seconds.append(time.perf_counter() - started_at)
        boxes.append(tuple(state.box))
        scores.append(state.score)
    return TrackerOutput(np.array(boxes, np.float64), np.array(scores), np.array(seconds))


def run_supervised(
    tracker: TrackerProtocol[S], frames: Iterable[Frame], sequence: Sequence
) -> tuple[VotRun, TrackerOutput]:
    """VOT's reset-based experiment: the run fails where the overlap is 0, and starts anew 5 frames on.

    The overlap is counted in pixels inside the image.
    """
    truth = box_corners(sequence.truth) if sequence.polygons is None else sequence.polygons
    count = len(sequence)
    codes = np.full(count, SKIPPED)
    boxes, regions, seconds = np.full((count, 4), np.nan), np.full((count, 8), np.nan), np.zeros(count)
    state: S | None = None
    start = 0
    for i, frame in enumerate(frames):
        if i < start:
            continue
        started_at = time.perf_counter()
        state = (
            tracker.start(frame, sequence.box(i))
            if i == start or state is None
            else tracker.step(state, frame)
        )
        seconds[i] = time.perf_counter() - started_at
        if i == start:
            codes[i] = STARTED
            continue
        corners = box_corners(np.array([state.box]))
        bound = (frame.image.shape[1], frame.image.shape[0])
        if region_overlap(corners, truth[i : i + 1], bound)[0] > 0:
            codes[i], boxes[i], regions[i] = TRACKED, state.box, corners[0]
        else:
            codes[i], start = FAILED, i + RESTART_AFTER
    return VotRun(codes, regions), TrackerOutput(boxes, None, seconds)


def repeat_supervised(
    tracker: TrackerProtocol[S], sequence: Sequence, repetitions: int = 15, read: Read = read_frames
) -> list[tuple[VotRun, TrackerOutput]]:
    """Up to `repetitions` reset-based runs; ends early when the first three are identical."""
    runs: list[tuple[VotRun, TrackerOutput]] = []
    for _ in range(repetitions):
        runs.append(run_supervised(tracker, read(sequence), sequence))
        if len(runs) == 3 and all(_same(runs[0][0], run) for run, _ in runs[1:]):
            break
    return runs


def _same(a: VotRun, b: VotRun) -> bool:
    return np.array_equal(a.codes, b.codes) and np.array_equal(a.regions, b.regions, equal_nan=True)
