"""What a score is worth, when a target counts as lost, and what a box near nothing does to the search."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from siamcli.boxes import Box, iou
from siamcli.engines.eager import split_templates
from siamcli.frames import Frame
from siamcli.load import load_tracker
from siamcli.model.siamrpn import Template
from siamcli.model.spec import SPECS, TrackerParams
from siamcli.tracker.engine import Candidate
from siamcli.tracker.lost import overlap_of, status_after, usual_after
from siamcli.tracker.tracker import Tracker

CASES = Path(__file__).parents[2] / "shared/cases"
REFERENCE = TrackerParams(lost_below=0.5, found_above=0.8)
RELATIVE = replace(REFERENCE, lost_shares=(0.4, 0.75))


def answer(logit):
    return Candidate(0, 0, 50, 50, 1 / (1 + math.exp(-logit)), 1.0, logit)


def statuses(params, logits):
    status, usual, given = "init", None, []
    for logit in logits:
        usual = usual_after(None, logit, params) if usual is None else usual
        status = status_after(status, answer(logit), usual, params)
        usual = usual if status == "lost" else usual_after(usual, logit, params)
        given.append(status)
    return given


def test_the_score_is_the_overlap_to_expect():
    """The network's own score without a calibration; with one, what the logistic curve says."""
    assert overlap_of(answer(3.0), REFERENCE) == answer(3.0).score
    params = replace(REFERENCE, calibration=(0.5, -1.0))
    assert overlap_of(answer(2.0), params) == 0.5
    assert overlap_of(answer(-500.0), params) == pytest.approx(0, abs=1e-6)


def test_thresholds_of_the_reference():
    assert statuses(REFERENCE, [3, -1, 1, 2, 3]) == ["tracked", "lost", "lost", "found", "tracked"]


def test_lost_is_what_is_unusual_for_the_target():
    """A logit of 6 is a loss for a target that has 15, and none for one that has 8: both score above 0.99."""
    assert statuses(RELATIVE, [15, 15, 5, 6, 10, 13, 15]) == [
        *["tracked"] * 2,
        *["lost"] * 3,
        "found",
        "tracked",
    ]
    assert statuses(RELATIVE, [8, 8, 6, 6, 8]) == ["tracked"] * 5
    slowly = [15 * 0.95**i for i in range(40)]
    assert statuses(RELATIVE, slowly) == ["tracked"] * 40


def test_what_is_usual_has_a_limit():
    """A still target has 15: with a limit of 8 it is found again at 9, and lost below 3.2 only."""
    logits = [15, 15, 5, -3, 9, 9]
    assert statuses(RELATIVE, logits) == [*["tracked"] * 2, *["lost"] * 4]
    limited = replace(RELATIVE, usual_limit=8.0)
    assert statuses(limited, logits) == [*["tracked"] * 3, "lost", "found", "tracked"]
    assert statuses(limited, [7, 7, 2.7, 5, 5.5]) == [*["tracked"] * 2, "lost", "lost", "found"]


def test_shares_out_of_order_are_refused():
    with pytest.raises(ValueError, match="lost_shares"):
        TrackerParams(lost_shares=(0.8, 0.4))
    with pytest.raises(ValueError, match="calibration must be two numbers, or none"):
        TrackerParams(calibration=(0.3,))


@pytest.fixture(scope="module")
def tracker():
    return load_tracker("light", engine="eager")


def test_a_box_near_nothing_does_not_move_the_search(tracker):
    """White frames leave place and size as they were; without `hold_below` they push the search away."""
    scene = np.random.default_rng(0).integers(60, 120, (240, 320, 3), np.uint8)
    scene = cv2.GaussianBlur(scene, (0, 0), 3)
    cv2.ellipse(scene, (200, 90), (24, 15), 0, 0, 360, (40, 90, 220), -1)
    cv2.circle(scene, (194, 86), 6, (230, 230, 60), -1)
    white = np.full_like(scene, 255)
    moved = {}
    for hold_below in (0.0, 0.02):
        tracker = replace(tracker, params=replace(tracker.params, hold_below=hold_below))
        before = tracker.start(Frame(0, None, scene), Box(176, 75, 48, 30))
        after = tracker.step(before, Frame(1, None, white))
        assert after.lost and after.raw_score < 0.02
        moved[hold_below] = (after.center, after.size) != (before.center, before.size)
    assert moved == {0.0: True, 0.02: False}


class Scripted:
    """Answers what it is told, a logit and a size in image pixels at a time."""

    spec = SPECS["siamrpnpp-r18"]

    def __init__(self, answers):
        self.answers = list(answers)
        self.sides = []

    def embed(self, exemplars):
        kernel = torch.zeros(len(exemplars), 1, 1, 1)
        return split_templates(Template((kernel,), (kernel,)))

    def locate(self, templates, searches, sizes, ranking):
        scale = sizes[0, 0] / self.sides[-1] if self.sides else sizes[0, 0] / 50
        (logit, side) = self.answers.pop(0)
        score = 1 / (1 + math.exp(-logit))
        return [Candidate(0, 0, side * scale, side * scale, score, 1.0, logit)]


def test_a_target_that_went_behind_something_is_looked_for_as_large_as_it_was():
    """Its box shrinks with what is left to see; when nothing is left, the search region is that of before."""
    engine = Scripted([(7, 50), (7, 50), (6, 40), (5, 25), (4, 10), (-9, 10), (-9, 10)])
    params = replace(RELATIVE, hold_below=0.02, lr=1.0)
    tracker = Tracker(engine, params)
    frame = Frame(0, None, np.zeros((240, 320, 3), np.uint8))
    state, sides = tracker.start(frame, Box(100, 100, 50, 50)), []
    for _ in range(7):
        engine.sides.append(state.size[0])
        state = tracker.step(state, frame)
        sides.append(state.size[0])
    assert sides[:5] == sorted(sides[:5], reverse=True)
    assert sides[4] < 20
    assert sides[5:] == pytest.approx([50, 50], rel=0.02)


@pytest.mark.slow
@pytest.mark.skipif(not CASES.exists(), reason="needs ../shared: the clips with two white frames")
@pytest.mark.parametrize(("name", "least"), [("long_white2", 0.3), ("long_white2_slow", 0.8)])
def test_two_white_frames(name, least):
    """Lost in the white frames alone; afterwards nearly as good as when the target is pointed at after them,
    which gives a newer exemplar."""
    truth = [Box(*map(float, line.split(","))) for line in (CASES / f"{name}.txt").read_text().splitlines()]
    capture = cv2.VideoCapture(str(CASES / f"{name}.mp4"))
    frames = [Frame(i, None, capture.read()[1]) for i in range(len(truth))]
    tracker = load_tracker()

    def overlaps(start):
        state, found, lost = tracker.start(frames[start], truth[start]), {}, []
        for frame in frames[start + 1 :]:
            state = tracker.step(state, frame)
            found[frame.index] = iou(state.box, truth[frame.index])
            lost += [frame.index] * state.lost
        return [overlap for i, overlap in found.items() if i > 47], lost

    through, lost = overlaps(0)
    after, _ = overlaps(47)
    assert lost == [45, 46]
    assert min(through) > least
    assert np.mean(through) > np.mean(after) - 0.1
