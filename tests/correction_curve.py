"""How much corrections help: success AUC after 0, 1, 2 and 3 boxes of the truth at the worst frame.

    OMP_NUM_THREADS=1 python tests/correction_curve.py folder ../shared/data/eval/folder [SEQUENCE ...]

With the backward pass it is `siamcli.fix`; without, the target begins anew in the corrected frame and is
tracked forward to the next box.  It also prints how many frames were tracked again in what time, and how
well the agreement of a pass back from the last frame tells boxes below an overlap of 0.3.
"""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path

import numpy as np

from siamcli import Box, Start, TimePoint, TrackPoint, Trajectory, fix, follow, load_tracker, open_source
from siamcli.evaluation.catalog import specs
from siamcli.evaluation.datasets import open_dataset
from siamcli.evaluation.metrics import success_auc, success_curve
from siamcli.evaluation.overlap import box_overlap
from siamcli.evaluation.sequence import Sequence
from siamcli.session.gaps import Given, gaps_of
from siamcli.session.passes import Footage, track_gaps
from siamcli.tracker.follow import track_points
from siamcli.tracker.tracker import Tracker
from siamcli.trajectory import TrackHeader

CORRECTIONS = 3
THRESHOLDS = (0.1, 0.3, 0.5, 0.7)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def boxes_of(trajectory: Trajectory) -> np.ndarray:
    return np.array([point.box for point in trajectory.points], float)


def first_pass(tracker: Tracker, source: str, sequence: Sequence) -> Trajectory:
    """What `siamtrack run` gives of the sequence."""
    points: list[TrackPoint] = []
    with open_source(source, end=TimePoint(frame=len(sequence))) as frames:
        for frame, states in follow(tracker, frames, [Start(sequence.box(0))]):
            points += track_points(frame, states)
        info = frames.info
    return Trajectory(TrackHeader(info, "", "", ""), tuple(points), complete=True)


def forward_again(
    tracker: Tracker, source: str, before: np.ndarray, at: int, until: int, box: Box
) -> np.ndarray:
    """The boxes with those from frame `at` to `until` tracked anew from `box`."""
    after = before.copy()
    with open_source(source, start=TimePoint(frame=at), end=TimePoint(frame=until)) as frames:
        for frame, (state,) in follow(tracker, frames, [Start(box)]):
            after[frame.index] = state.box
    return after


def worst(overlap: np.ndarray, given: set[int], visible: np.ndarray) -> int:
    """The visible frame without a box whose overlap is least, the first of several."""
    candidates = [index for index in np.flatnonzero(visible) if index not in given]
    return int(min(candidates, key=lambda index: overlap[index]))


def run(tracker: Tracker, sequence: Sequence) -> tuple[list[float], list[float], np.ndarray, np.ndarray]:
    """AUC after every correction without and with the backward pass; agreement and overlap by frame."""
    source = str(sequence.frames[0].parent)
    trajectory = first_pass(tracker, source, sequence)
    visible = sequence.visible
    overlap = box_overlap(boxes_of(trajectory), sequence.truth)
    aucs = [[success_auc(success_curve(overlap[visible]))] for _ in range(2)]
    indices = [point.index for point in trajectory.points]
    last = trajectory.points[-1]
    footage = Footage(source, partial(open_source, source), trajectory.header.source.size or (0, 0), indices)
    gaps = [gap for gap in gaps_of(1, indices, Given({last.index: last.box})) if gap.right is not None]
    steps = track_gaps(tracker, footage, gaps, {1: Given({last.index: last.box})})
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            back = np.array([point.box for point in finished.value[0].backward], float)
            break
    agreement = box_overlap(back, boxes_of(trajectory)[:-1])
    doubt = (agreement[visible[:-1]], overlap[:-1][visible[:-1]])

    boxes, given = boxes_of(trajectory), {0}
    for _ in range(CORRECTIONS):
        at = worst(box_overlap(boxes, sequence.truth), given, visible)
        until = min([index for index in given if index > at] + [len(boxes)])
        boxes = forward_again(tracker, source, boxes, at, until, sequence.box(at))
        given.add(at)
        aucs[0].append(success_auc(success_curve(box_overlap(boxes, sequence.truth)[visible])))

    given = {0}
    for _ in range(CORRECTIONS):
        at = worst(box_overlap(boxes_of(trajectory), sequence.truth), given, visible)
        began, before = time.perf_counter(), trajectory
        correction = Start(sequence.box(at), TimePoint(frame=at), 1)
        trajectory = fix(trajectory, [correction], source, tracker)
        given.add(at)
        seconds = time.perf_counter() - began
        new = len(set(trajectory.points) - set(before.points))
        say(f"  {sequence.name}: frame {at}, {new} of {len(indices)} frames in {seconds:.1f} s")
        aucs[1].append(success_auc(success_curve(box_overlap(boxes_of(trajectory), sequence.truth)[visible])))
    return aucs[0], aucs[1], *doubt


def main(name: str, root: Path, *only: str) -> None:
    dataset = open_dataset(specs()[name], root, partial=True, only=only)
    tracker = load_tracker()
    forward, both, agreements, overlaps = [], [], [], []
    for sequence in dataset.sequences:
        without, with_backward, agreement, overlap = run(tracker, sequence)
        forward.append(without)
        both.append(with_backward)
        agreements.append(agreement)
        overlaps.append(overlap)
        shown = ["  ".join(f"{value:.3f}" for value in values) for values in (without, with_backward)]
        say(f"{sequence.name:20} forward {shown[0]}   both ways {shown[1]}")
    for what, rows in (("forward", forward), ("both ways", both)):
        say(f"mean of {len(rows)}, {what}: " + "  ".join(f"{v:.3f}" for v in np.mean(rows, axis=0)))
    agreement, wrong = np.concatenate(agreements), np.concatenate(overlaps) < 0.3
    say(f"{wrong.sum()} of {len(wrong)} boxes overlap less than 0.3 with the truth")
    for threshold in THRESHOLDS:
        doubted = agreement < threshold
        hits = int((doubted & wrong).sum())
        precision, recall = hits / max(int(doubted.sum()), 1), hits / max(int(wrong.sum()), 1)
        say(f"agreement below {threshold}: precision {precision:.2f}, recall {recall:.2f}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
