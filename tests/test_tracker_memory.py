"""The memory of later looks: class kernels alone, only of sure boxes, neutral without a share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from siamcli.boxes import Box
from siamcli.load import load_tracker
from siamcli.media.sources import open_source
from siamcli.model.siamrpn import Template
from siamcli.tracker.memory import Memory, is_due

DEMO = Path(__file__).parent / "data" / "demo.mp4"
START = Box(43, 150, 73, 79)


def template(value):
    return Template((torch.full((1, 2, 5, 5), value),), (torch.full((1, 2, 5, 5), value),))


def test_a_mean_of_later_looks_beside_the_first():
    memory = Memory(template(1.0)).with_look(template(2.0)).with_look(template(4.0))
    mixed = memory.template(0.25)
    assert memory.later[0].unique().tolist() == [3.0]  # half the newest
    assert mixed.cls[0].unique().tolist() == [1.5]
    assert torch.equal(mixed.loc[0], template(1.0).loc[0])


@pytest.mark.parametrize(("age", "score", "due"), [(5, 0.99, True), (6, 0.99, False), (10, 0.97, False)])
def test_when_a_target_is_looked_at(age, score, due):
    assert is_due(age, score) == due


def test_targets_remember_for_themselves():
    """Two targets of a batch get the templates that each gets alone; without a share nothing changes."""
    tracker = load_tracker("light", engine="eager")
    with open_source(str(DEMO)) as frames:
        first, *rest = (frame for frame, _ in zip(frames, range(6), strict=False))
    boxes = [START, Box(START.x + 3, START.y - 2, START.w, START.h)]
    params = replace(tracker.params, class_memory=0.3, first_frame_bias=0.0)
    tracker = replace(tracker, params=params)
    both, alone = tracker.start_all([first] * 2, boxes), tracker.start(first, boxes[1])
    start = both[1].template
    for frame in rest:
        both, alone = tracker.step_all(both, [frame] * 2), tracker.step(alone, frame)
    assert both[1].memory.later and not torch.equal(both[1].template.cls[0], start.cls[0])
    torch.testing.assert_close(both[1].template.cls, alone.template.cls, rtol=1e-3, atol=1e-3)
    assert both[1].template.loc is start.loc
    tracker = replace(tracker, params=replace(params, class_memory=0.0))
    neutral = tracker.start(first, boxes[1])
    for frame in rest:
        neutral = tracker.step(neutral, frame)
    assert neutral.template is neutral.memory.first
