"""The paper's central claim on our own footing: shifted targets cure the centre bias.

    python tests/spatial_sampling.py OUT.png        (needs matplotlib; an hour on one CPU core at --steps 300)

Twins of the small model, equal but for `pairs.search_shift`, train for the same few steps from the shipped
backbone and untrained heads.  Then all see the same pairs, whose targets lie uniformly within 64 px, and
the mean response of each over the search positions is drawn (paper, section 3.1, figure of heat maps).
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from matplotlib import pyplot
from torch import Tensor

from siamcli.checkpoints.read import read_checkpoint
from siamcli.checkpoints.store import find
from siamcli.model.siamrpn import SiamRPN
from siamcli.train.config import TrainConfig, load_config
from siamcli.train.data import load_footage
from siamcli.train.draws import Draws
from siamcli.train.loop import train
from siamcli.train.pairs import PairSampler, draw_pairs
from siamcli.train.schedule import PhaseConfig
from siamcli.train.store import Footage

CPU = torch.device("cpu")


def twin_config(shift: int, steps: int, output: Path) -> TrainConfig:
    whole = load_config("siamrpnpp-r18")
    sequences = replace(whole.data[1], include="[du]*", stride=5, share=1.0)
    track = PhaseConfig(
        steps=steps,
        batch=8,
        optimizer="adamw",
        rate=1e-3,
        decay="cosine",
        final=0.05,
        frozen=0,
        backbone_rate=1.0,
    )
    pairs = replace(whole.pairs, search_shift=float(shift))
    return replace(whole, output=str(output), data=(sequences,), pairs=pairs, track=track)


def start_weights(config: TrainConfig) -> dict[str, Tensor]:
    """The shipped backbone under untrained heads, the same for every twin."""
    torch.manual_seed(0)
    weights = dict(SiamRPN(config.spec).state_dict())
    trained = read_checkpoint(find("siamrpnpp-r18")).weights
    return weights | {name: trained[name] for name in weights if name.startswith("backbone.")}


@torch.no_grad()
def responses(config: TrainConfig, footage: Footage, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean response map (25, 25); per pair the target's distance from the middle, if the peak is on it."""
    spec = config.spec
    model = SiamRPN(spec)
    model.load_state_dict(read_checkpoint(Path(config.output) / f"{config.model}.safetensors").weights)
    model.eval()
    sampler = PairSampler(footage, [1.0])
    draws = Draws(99, CPU)
    maps, distances, hits = [], [], []
    side = spec.score_size()
    for _ in range(count // 8):
        batch = draw_pairs(
            footage, sampler, spec, replace(config.pairs, search_shift=64.0, paste=0.0), 8, draws
        )
        cls, _ = model(model.embed(batch.exemplar), batch.search)
        score = cls.reshape(8, 2, -1).softmax(1)[:, 1].reshape(8, -1, side, side).amax(1)
        best = score.flatten(1).argmax(1)
        peak = torch.stack([best % side, best // side], 1) * spec.stride - side // 2 * spec.stride
        miss = (peak - batch.boxes[:, :2]).abs() < batch.boxes[:, 2:] / 2
        maps.append(score)
        distances.append(batch.boxes[:, :2].abs().amax(1))
        hits.append(miss.all(1))
    return torch.cat(maps).mean(0).numpy(), torch.cat(distances).numpy(), torch.cat(hits).numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--pairs", type=int, default=160)
    parser.add_argument("--work", type=Path, default=Path("work/twins"))
    parser.add_argument("--shifts", type=int, nargs="+", default=[0, 16, 32, 64])
    options = parser.parse_args()
    footage: Footage | None = None
    results = {}
    for shift in options.shifts:
        config = twin_config(shift, options.steps, options.work / f"shift{shift}")
        footage = footage or load_footage(config.data)
        shutil.rmtree(config.output, ignore_errors=True)
        Path(config.output).mkdir(parents=True)
        for step in train(config, footage, CPU, start=start_weights(config)):
            if step.step % 10 == 0:
                say(f"shift {shift} step {step.step}", step.losses)
        mean, distance, hit = responses(config, footage, options.pairs)
        results[shift] = (mean, distance, hit)
        near, far = distance < 24, distance > 40
        numbers = {
            "middle / mean": mean[11:14, 11:14].mean() / mean.mean(),
            "on target, within 24 px": hit[near].mean(),
            "beyond 40 px": hit[far].mean(),
        }
        say(f"shift {shift}", numbers)
    plot(results, options.picture)


def say(what: str, numbers: Mapping[str, float]) -> None:
    sys.stdout.write(f"{what}: {json.dumps({k: round(float(v), 3) for k, v in numbers.items()})}\n")
    sys.stdout.flush()


def plot(results: dict[int, tuple[np.ndarray, np.ndarray, np.ndarray]], picture: Path) -> None:
    figure, axes = pyplot.subplots(1, len(results), figsize=(2.4 * len(results), 2.9))
    for axis, (shift, (mean, distance, hit)) in zip(axes, results.items(), strict=True):
        axis.imshow(mean / mean.max(), vmin=0, vmax=1, cmap="viridis", extent=(-100, 100, 100, -100))
        far = hit[distance > 40].mean()
        axis.set_title(f"shift ±{shift} px\n{far:.0%} found beyond 40 px", fontsize=9)
        axis.tick_params(labelsize=7)
    figure.tight_layout()
    figure.savefig(picture, dpi=90)


if __name__ == "__main__":
    main()
