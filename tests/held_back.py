"""Boxes and "lost" on videos that are held back from training: the figures of weights/README.md.

    OMP_NUM_THREADS=1 python tests/held_back.py OUT.npy FOLDER ... [--model M] [--params FILE] [--check]
    python tests/held_back.py OUT.npy [--against OTHER.npy]

FOLDERs hold NAME.mp4 with NAME.txt; of them the videos are taken that the packaged recipe excludes.  OUT
gets what was said of every frame; `--against` shows differences, clip by clip, from other weights or
parameters.  `--check` tracks backward too, as `siamtrack run --check` does.

Every video gives up to four runs (`run`); up to two clips in which another video comes between for half a
second, after which every other one goes on mirrored, so that the target is elsewhere (`join`); and the same
frames with the target painted over instead (`hide`).  A frame is lost with an overlap below 0.1 or without a
target, good with an overlap above 0.4.  Standard errors are over clips (jackknife).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from siamcli import load_tracker
from siamcli.boxes import Box
from siamcli.evaluation.catalog import specs
from siamcli.evaluation.datasets import open_dataset
from siamcli.evaluation.overlap import box_overlap
from siamcli.evaluation.protocols import read_frames
from siamcli.evaluation.sequence import Sequence
from siamcli.frames import Frame
from siamcli.session.check import confirmed, return_gap, with_agreement
from siamcli.session.gaps import Gap
from siamcli.tracker.follow import follow, track_points
from siamcli.tracker.tracker import Tracker
from siamcli.train.config import load_config
from siamcli.trajectory import TrackPoint

LONGEST = 80  # frames of a run
BEFORE, AWAY, AFTER = 40, 15, 30  # frames of the other clips
KINDS = ("run", "join", "hide")
ROW = [("kind", "U4"), ("clip", "U60"), ("frame", int), ("overlap", float), ("seen", bool), ("lost", bool)]
ROW += [("score", float)]


class Clip(NamedTuple):
    """Images (H, W, 3) and true boxes (N, 4), NaN where there is no target; the first has one."""

    kind: str
    name: str
    images: list[np.ndarray]
    truth: np.ndarray


def held_back(folders: list[Path]) -> Iterator[Sequence]:
    """The sequences that the packaged recipe excludes from training, in order of their names."""
    patterns = [name for data in load_config("siamrpnpp-r18").data for name in data.exclude]
    for folder in folders:
        names = sorted({path.stem for pattern in patterns for path in folder.glob(f"{pattern}.mp4")})
        if names:
            yield from open_dataset(specs()["folder"], folder, partial=True, only=names).sequences


def clips_of(sequences: list[Sequence]) -> Iterator[Clip]:
    footage = [[frame.image for frame in read_frames(sequence)] for sequence in sequences]
    for i, (sequence, images) in enumerate(zip(sequences, footage, strict=True)):
        for start in sequence.starts(4):
            name = f"{sequence.name}@{start}"
            if start + AWAY < len(images):
                end = start + LONGEST
                yield Clip("run", name, images[start:end], sequence.truth[start:end])
        for start in sequence.starts(2):
            name = f"{sequence.name}@{start}"
            rest = slice(start, start + BEFORE + AFTER)
            if len(images[rest]) > 2 * AFTER:
                other = footage[(i + 1) % len(footage)]
                yield joined(name, images[rest], sequence.truth[rest], other, mirrored=i % 2 == 1)
                yield hidden(name, images[rest], sequence.truth[rest])


def joined(
    name: str, images: list[np.ndarray], truth: np.ndarray, other: list[np.ndarray], *, mirrored: bool
) -> Clip:
    """The clip with a part of another video before its last frames."""
    at, size = len(images) - AFTER, images[0].shape[1::-1]
    last, boxes = images[at:], truth[at:].copy()
    if mirrored:
        last = [np.ascontiguousarray(image[:, ::-1]) for image in last]
        boxes[:, 0] = size[0] - boxes[:, 0] - boxes[:, 2]
    between = [cv2.resize(image, size) for image in other[:AWAY]]
    absent = np.full((len(between), 4), np.nan)
    return Clip("join", name, images[:at] + between + last, np.concatenate((truth[:at], absent, boxes)))


def hidden(name: str, images: list[np.ndarray], truth: np.ndarray) -> Clip:
    """The clip with the target painted over before its last frames, in the colours around it."""
    images, truth = list(images), truth.copy()
    at = len(images) - AFTER
    for index in range(at, at + AWAY):
        x, y, w, h = truth[index]
        if np.isfinite(x):
            mask = np.zeros(images[index].shape[:2], np.uint8)
            mask[max(int(y - h / 10), 0) : int(y + h * 1.1), max(int(x - w / 10), 0) : int(x + w * 1.1)] = 1
            images[index] = cv2.inpaint(images[index], mask, 3, cv2.INPAINT_TELEA)
    truth[at : at + AWAY] = np.nan
    return Clip("hide", name, images, truth)


def tracked(tracker: Tracker, clip: Clip, box: Box, frames: range) -> list[TrackPoint]:
    """The points of the frames, the first with the given box."""
    images = (Frame(index, float(index), clip.images[index]) for index in frames)
    found = follow(tracker, images, [box])
    return [point for frame, states in found for point in track_points(frame, states)]


def checked(tracker: Tracker, clip: Clip, points: list[TrackPoint]) -> list[TrackPoint]:
    """The points behind the given box, as `--check` leaves them."""
    way = return_gap(Gap(1, 0, None, tuple(point.index for point in points)), points)
    if way is None:
        return points
    gap, end = way
    back = tracked(tracker, clip, end.box, range(end.index, 0, -1))
    others = [end, *sorted(back[1:], key=lambda point: point.index)]
    return confirmed(with_agreement(points, others), others, gap)


def track(tracker: Tracker, clip: Clip, *, check: bool = False) -> np.ndarray:
    """What is said of every frame but the first, as ROWs."""
    points = tracked(tracker, clip, Sequence(clip.name, clip.truth).box(0), range(len(clip.images)))[1:]
    points = checked(tracker, clip, points) if check else points
    truth = clip.truth[1:]
    seen = np.isfinite(truth).all(axis=1)
    overlaps = np.where(seen, box_overlap(np.array([point.box for point in points]), truth), 0.0)
    rows = [
        (clip.kind, clip.name, point.index, overlap, there, point.state == "lost", point.score)
        for point, overlap, there in zip(points, overlaps, seen, strict=True)
    ]
    return np.array(rows, ROW)


def counts(rows: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """For every figure what is counted, and of what: masks or values of the rows."""
    lost, good, on = rows["overlap"] < 0.1, rows["overlap"] > 0.4, rows["overlap"] >= 0.1
    return {
        "lost is right": (lost & rows["lost"], rows["lost"]),
        "of lost it catches": (lost & rows["lost"], lost),
        "good called lost": (good & rows["lost"], good),
        "mean overlap": (rows["overlap"], rows["seen"]),
        "on the target": (rows["overlap"] * on, on),
    }


def per_clip(rows: np.ndarray) -> dict[str, np.ndarray]:
    """(clips, 2) of every figure: what was counted and of what, in order of the clips' names."""
    _, clip = np.unique(np.char.add(rows["kind"], rows["clip"]), return_inverse=True)
    return {
        name: np.stack([np.bincount(clip, values.astype(float)) for values in pair], axis=1)
        for name, pair in counts(rows).items()
    }


def figure(sums: list[np.ndarray]) -> float:
    """The ratio of the first's sums, or how much it is above that of the second."""
    ratios = [float(np.divide(*clips.sum(axis=0))) for clips in sums]
    return ratios[0] - sum(ratios[1:])


def show(rows: np.ndarray, others: list[np.ndarray]) -> Iterator[str]:
    """Lines of a table, one for each kind of clip; differences where there are others."""
    for kind in (*KINDS, "all"):
        chosen = [r if kind == "all" else r[r["kind"] == kind] for r in (rows, *others)]
        yield f"{kind}: {len(chosen[0])} frames"
        tables = [per_clip(r) for r in chosen]
        for name in tables[0]:
            sums = [t[name] for t in tables]
            number = len(sums[0])
            left_out = [figure([np.delete(clips, i, axis=0) for clips in sums]) for i in range(number)]
            error = np.sqrt((number - 1) * np.var(left_out))
            yield f"  {name:20}{figure(sums):8.4f} ± {error:.4f}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--model")
    parser.add_argument("--params", type=Path)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--against", type=Path)
    given = parser.parse_args()
    if given.folders:
        model = Path(given.model) if given.model and Path(given.model).is_file() else given.model
        tracker = load_tracker(model, engine="cpu", params=given.params)
        clips = clips_of(list(held_back(given.folders)))
        np.save(given.out, np.concatenate([track(tracker, clip, check=given.check) for clip in clips]))
    others = [np.load(given.against)] if given.against else []
    for line in show(np.load(given.out), others):
        sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
