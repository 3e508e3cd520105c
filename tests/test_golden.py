"""Parity with the reference implementation, to the byte where bytes are at stake.

tests/golden holds the reference's first crops, every third cell of its first score map and boxes
(it decodes them in place, so that its raw `loc` is gone), and its trajectories, for five
configurations whose weights follow from a recipe.  With ../shared the trajectories are run in full.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from recipe import GOLDEN_CONFIGS, golden_keys, recipe_state, recipe_tensor

from siamcli.boxes import Box
from siamcli.checkpoints.read import read_checkpoint
from siamcli.engines.eager import EagerEngine
from siamcli.frames import Frame
from siamcli.load import build_model
from siamcli.model.anchors import anchor_grid, decode
from siamcli.tracker.tracker import Tracker

GOLDEN = Path(__file__).parent / "golden"
CLIP = Path(__file__).parents[2] / "shared/data/clips/bag.avi"
# The reference's box 300,120,80,70 has its centre at x + (w - 1) / 2: half a pixel before ours.
START = Box(299.5, 119.5, 80, 70)


class RecordingEngine(EagerEngine):
    """Keeps the first crops and maps that pass through."""

    def __init__(self, model):
        super().__init__(model, torch.device("cpu"))
        self.first = {}
        model.register_forward_hook(lambda _, __, maps: self._keep(*maps))

    def _keep(self, cls, loc):
        if "cls" not in self.first:
            boxes = decode(loc.reshape(4, -1), anchor_grid(self.spec)).reshape(loc.shape)
            self.first |= {"cls": cls[0].numpy(), "boxes": boxes[0].numpy()}

    def embed(self, exemplars):
        self.first.setdefault("template", exemplars[0])
        return super().embed(exemplars)

    def locate(self, templates, searches, sizes, ranking):
        self.first.setdefault("search", searches[0])
        return super().locate(templates, searches, sizes, ranking)


def remembered(features):
    """Features of equal pictures are made once: the clip's first crops are the recorded ones."""
    known = {}

    def once(picture):
        key = picture.numpy().tobytes()
        if key not in known:
            known[key] = features(picture)
        return known[key]

    return once


@pytest.fixture(scope="module", autouse=True)
def _recipe_is_forgotten():
    """Three configurations share a backbone: its tensors are kept for as long as they are needed."""
    yield
    recipe_tensor.cache_clear()


@pytest.fixture(scope="module", params=GOLDEN_CONFIGS)
def golden(request, tmp_path_factory):
    """(tracker with the recipe's weights, recorded figures) of one configuration."""
    file = tmp_path_factory.mktemp("pth") / f"{request.param}.pth"
    torch.save(recipe_state(golden_keys(request.param)), file)
    checkpoint = read_checkpoint(file, request.param)
    file.unlink()
    model = build_model(checkpoint)
    model.features = remembered(model.features)
    with np.load(GOLDEN / "parity.npz") as file:
        figures = {k.split("/")[1]: file[k] for k in file.files if k.split("/")[0] == request.param}
    return Tracker(RecordingEngine(model), checkpoint.params), figures


def test_reference_is_worth_comparing_with(golden):
    _, figures = golden
    for value in figures.values():
        assert np.isfinite(value).all()
    assert figures["cls"].std() > 0.1 and np.ptp(figures["trajectory"][:, 1:3], axis=0).min() > 5


def test_first_maps_and_first_step(golden):
    """From the reference's own crops: its maps within 1e-3, its first step within 1e-2 px."""
    tracker, figures = golden
    engine = tracker.engine
    template = cv2.imread(str(GOLDEN / "template.png"))
    search = cv2.imread(str(GOLDEN / f"search{engine.spec.search_size}.png"))
    tracker = replace(tracker, engine=replay(engine, template, search))
    blank = np.zeros((360, 480, 3), np.uint8)
    state = tracker.step(tracker.start(Frame(0, None, blank), START), Frame(1, None, blank))
    assert np.abs(engine.first["cls"][:, ::3, ::3] - figures["cls"]).max() < 1e-3
    assert np.abs(engine.first["boxes"][:, ::3, ::3] - figures["boxes"]).max() < 1e-3
    assert np.abs(np.array(state.box) - figures["trajectory"][1, 1:5]).max() < 1e-2


def replay(engine, template, search):
    """An engine that sees the given crops whatever it is shown."""

    class Replay:
        spec, device = engine.spec, engine.device

        def embed(self, exemplars):
            return engine.embed(template[None])

        def locate(self, templates, searches, sizes, ranking):
            return engine.locate(templates, search[None], sizes, ranking)

    return Replay()


@pytest.mark.skipif(
    not CLIP.exists(), reason="needs ../shared: the clip that the trajectories were recorded on"
)
@pytest.mark.parametrize("frames", [3, pytest.param(30, marks=pytest.mark.slow)])
def test_crops_and_trajectory(golden, frames):
    """On the reference's own clip: crops equal to the byte, trajectories within 1e-2 px."""
    tracker, figures = golden
    rows = figures["trajectory"][:frames]
    engine = RecordingEngine(tracker.engine._model)
    tracker = replace(tracker, engine=engine)
    capture = cv2.VideoCapture(str(CLIP))
    frames = [Frame(i, None, capture.read()[1]) for i in range(len(rows))]
    state = tracker.start(frames[0], START)
    for frame, row in zip(frames[1:], rows[1:], strict=True):
        state = tracker.step(state, frame)
        assert np.abs(np.array(state.box) - row[1:5]).max() < 1e-2, f"frame {frame.index}"
        assert abs(state.score - row[5]) < 1e-3
    assert (engine.first["template"] == cv2.imread(str(GOLDEN / "template.png"))).all()
    assert (engine.first["search"] == cv2.imread(str(GOLDEN / f"search{engine.spec.search_size}.png"))).all()
