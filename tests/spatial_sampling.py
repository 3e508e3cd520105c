"""The paper's central claim on our own footing: shifted targets cure the centre bias.

    python tests/spatial_sampling.py OUT.png        (needs matplotlib; half an hour on one CPU core)
    python tests/spatial_sampling.py OUT.png --model siamrpnpp-r50 --steps 10000        (on a GPU)

Twins that differ in `pairs.search_shift` alone train from nothing for the same few steps, each region
with a pasted distractor, so that it pays to know where targets use to be.  Then all see the same pairs,
whose targets lie anywhere on the score map, and the mean response of each over the search positions is
drawn (paper, section 3.1, figure of heat maps), with its score on the target by the target's offset.

Padding is what tells a network where it looks.  In the ResNet-50 it reaches every cell, in the small model
only the rim; the twins for a CPU therefore are the small model with its fourth stage, and use that alone.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from matplotlib import pyplot

from siamcli.checkpoints.read import read_checkpoint
from siamcli.engines.device import resolve_device
from siamcli.model.siamrpn import SiamRPN
from siamcli.model.spec import SPECS
from siamcli.train.config import TrainConfig, load_config
from siamcli.train.data import load_footage
from siamcli.train.draws import RandomSource
from siamcli.train.loop import train
from siamcli.train.pairs import draw_pairs
from siamcli.train.prepare import prepare
from siamcli.train.sampler import PairSampler
from siamcli.train.schedule import PhaseConfig
from siamcli.train.store import TrainingImages

DEEP = replace(
    SPECS["siamrpnpp-r18"], name="siamrpnpp-r18-stage4", levels=(4,), channels=(128,), weighted=False
)
SPECS[DEEP.name] = DEEP

OFFSETS = (0, 24, 48, 72, 96)
"""Limits, in px, of the classes of how far a target lies from the middle of the region."""


def twin_config(model: str, shift: int, steps: int, output: Path) -> TrainConfig:
    whole = load_config("siamrpnpp-r18" if model == DEEP.name else model)
    videos = next(data for data in whole.data if data.format == "videos")
    sequences = replace(videos, include="[du]*", exclude=(), stride=5, share=1.0)
    track = PhaseConfig(
        steps=steps,
        batch=8,
        optimizer="adamw",
        rate=1e-3,
        decay="cosine",
        final=0.05,
        frozen=0,
        backbone_rate=1.0,
        fixed_norm=False,
    )
    pairs = replace(whole.pairs, search_shift=float(shift), paste=1.0, negatives=0.5)
    distill = replace(whole.distill, teacher="")
    return replace(
        whole,
        model=model,
        output=str(output),
        data=(sequences,),
        pairs=pairs,
        distill=distill,
        grow=replace(whole.grow, source=""),
        track=track,
    )


@torch.no_grad()
def responses(
    config: TrainConfig, footage: TrainingImages, count: int, device: torch.device
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean response map (25, 25); per pair the target's offset in px, and the highest score on it."""
    spec = config.spec
    model = SiamRPN(spec)
    model.load_state_dict(read_checkpoint(Path(config.output) / f"{config.model}.safetensors").weights)
    model.eval().to(device)
    sampler, draws = PairSampler(footage, [1.0]), RandomSource(99, device)
    side = spec.score_size()
    grid = (torch.arange(side, device=device) - side // 2) * float(spec.stride)
    maps, offsets, scores = [], [], []
    pairs = replace(config.pairs, search_shift=float(OFFSETS[-1]), paste=0.0)
    for _ in range(count // 8):
        batch = draw_pairs(footage, sampler, spec, pairs, 8, draws)
        cls, _ = model(model.embed(batch.exemplar), batch.search)
        score = cls.reshape(8, 2, -1).softmax(1)[:, 1].reshape(8, -1, side, side).amax(1)
        x, y = ((grid - batch.boxes[:, axis, None]).abs() <= spec.stride for axis in (0, 1))
        maps.append(score)
        offsets.append(batch.boxes[:, :2].abs().amax(1))
        scores.append((score * (y[:, :, None] & x[:, None, :])).amax((1, 2)))
    return torch.cat(maps).mean(0).cpu().numpy(), *(torch.cat(v).cpu().numpy() for v in (offsets, scores))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--model", default=DEEP.name)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--pairs", type=int, default=400)
    parser.add_argument("--work", type=Path, default=Path("work/twins"))
    parser.add_argument("--shifts", type=int, nargs="+", default=[0, 16, 32, 64])
    options = parser.parse_args()
    device = resolve_device("auto")
    footage: TrainingImages | None = None
    results = {}
    for shift in options.shifts:
        config = twin_config(options.model, shift, options.steps, options.work / f"shift{shift}")
        footage = footage or load_footage(config.data).to(device)
        shutil.rmtree(config.output, ignore_errors=True)
        Path(config.output).mkdir(parents=True)
        for step in train(prepare(config), footage, device):
            if step.step % 10 == 0:
                say(f"shift {shift} step {step.step}", step.losses)
        mean, offset, score = responses(config, footage, options.pairs, device)
        classes = itertools.pairwise(OFFSETS)
        numbers = {f"{a}-{b} px": score[(offset >= a) & (offset < b)].mean() for a, b in classes}
        say(f"shift {shift}, score on the target", numbers)
        results[shift] = (mean, list(numbers.values()))
    plot(results, options.picture)


def say(what: str, numbers: Mapping[str, float]) -> None:
    sys.stdout.write(f"{what}: {json.dumps({k: round(float(v), 3) for k, v in numbers.items()})}\n")
    sys.stdout.flush()


def plot(results: Mapping[int, tuple[np.ndarray, list[float]]], picture: Path) -> None:
    figure, axes = pyplot.subplots(1, len(results), figsize=(2.4 * len(results), 2.9), squeeze=False)
    for axis, (shift, (mean, scores)) in zip(axes[0], results.items(), strict=True):
        axis.imshow(mean / mean.max(), vmin=0, vmax=1, cmap="viridis", extent=(-100, 100, 100, -100))
        axis.set_title(f"shift ±{shift} px\n{' '.join(f'{s:.2f}' for s in scores)}", fontsize=9)
        axis.tick_params(labelsize=7)
    figure.tight_layout()
    figure.savefig(picture, dpi=90)


if __name__ == "__main__":
    main()
