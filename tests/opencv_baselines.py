"""OpenCV's own trackers through our protocol, for a comparison that anybody can repeat.

The trackers live in OpenCV's contrib build, which cannot share an environment with plain OpenCV:

    python -m venv cv && cv/bin/pip install -e . && cv/bin/pip uninstall -y opencv-python
    cv/bin/pip install "opencv-contrib-python-headless<5"
    cv/bin/python tests/opencv_baselines.py CSRT otb2015 OTB results/otb2015/CSRT
    cv/bin/python tests/opencv_baselines.py Nano:BACKBONE.onnx:HEAD.onnx otb2015 OTB results/otb2015/nano

writes result files and scores.json as `siamtrack eval --starts 4` does; `siamtrack report` reads them.
NanoTrack's two networks are not ours: they come with OpenCV's samples, or from its authors.
One thread; a lost target (KCF) keeps its last box.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from siamcli.atomic import write_text
from siamcli.bench.precision import STARTS
from siamcli.boxes import Box
from siamcli.evaluation.catalog import find_spec
from siamcli.evaluation.datasets import open_dataset
from siamcli.evaluation.evaluate import evaluate
from siamcli.evaluation.scoring import score_results
from siamcli.evaluation.sequence import from_starts
from siamcli.frames import Frame


@dataclass(frozen=True)
class OpenCvState:
    tracker: Any
    box: Box
    score: float = 1.0


@dataclass(frozen=True)
class OpenCvTracker:
    """CSRT, KCF or MIL, or Nano with the paths of its two networks; default parameters."""

    name: str

    def __call__(self) -> OpenCvTracker:
        cv2.setNumThreads(1)
        return self

    def start(self, frame: Frame, box: Box) -> OpenCvState:
        kind, *networks = self.name.split(":")
        options = []
        if networks:
            parameters = getattr(cv2, f"Tracker{kind}_Params")()
            parameters.backbone, parameters.neckhead = networks
            options.append(parameters)
        tracker = getattr(cv2, f"Tracker{kind}_create")(*options)
        tracker.init(frame.image, tuple(round(v) for v in box))
        return OpenCvState(tracker, box)

    def step(self, state: OpenCvState, frame: Frame) -> OpenCvState:
        found, box = state.tracker.update(frame.image)
        return OpenCvState(state.tracker, Box(*map(float, box)) if found else state.box)


def main(name: str, dataset_name: str, root: str, out: str) -> None:
    """Run one tracker over one data set and score it."""
    dataset = from_starts(open_dataset(find_spec(dataset_name), Path(root), partial=True), STARTS)
    tracker, folder = OpenCvTracker(name), Path(out)
    for done in evaluate(dataset, tracker, folder, {"model": name, "opencv": cv2.__version__}):
        sys.stderr.write(f"{done.sequence}: {done.frames / max(done.seconds, 1e-6):.0f} frames/s\n")
    scores = score_results(dataset, folder, f"OpenCV {name}")
    write_text(folder / "scores.json", scores.to_json())
    sys.stdout.write(f"{name} {dataset.spec.title} {json.dumps(scores.values)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
