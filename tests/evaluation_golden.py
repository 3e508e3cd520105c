"""Published raw results in a form small enough to keep: every number, to 4 decimals, as deltas of integers.

    python tests/evaluation_golden.py FOLDER

makes tests/golden/bench_otb2015.npz and bench_vot2018.npz from the unpacked benchmark files;
`unpack_otb` and `unpack_vot` write them out again in the official layouts.
"""

from __future__ import annotations

import json
import sys
import zlib
from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).parent / "golden"
OTB, VOT = GOLDEN / "bench_otb2015.npz", GOLDEN / "bench_vot2018.npz"
TRACKERS = ("SiamFC-3s", "CFNet-conv2", "SRDCF")
EMPTY = -(10**4)  # stands for a number that is not there


def squeeze(rows: np.ndarray, scale: int) -> np.ndarray:
    """(N, C) decimals -> bytes, to the nearest 1 / scale."""
    whole = np.round(rows * scale).astype(np.int32)
    assert np.abs(whole / scale - rows).max() <= 0.51 / scale
    deltas = np.diff(whole, axis=0, prepend=np.zeros((1, whole.shape[1]), np.int32)).astype(np.int32)
    signless = np.ascontiguousarray(((deltas << 1) ^ (deltas >> 31)).T)
    return np.frombuffer(zlib.compress(signless.view(np.uint8).reshape(-1, 4).T.tobytes(), 9), np.uint8)


def stretch(packed: np.ndarray, columns: int, scale: int) -> np.ndarray:
    """What `squeeze` was given."""
    planes = np.frombuffer(zlib.decompress(packed.tobytes()), np.uint8).reshape(4, -1)
    signless = np.ascontiguousarray(planes.T).view(np.uint32).reshape(columns, -1)
    deltas = (signless >> 1).astype(np.int64) ^ -(signless & 1).astype(np.int64)
    return np.cumsum(deltas, axis=1).T / scale


def unpack_otb(folder: Path) -> Path:
    """Write groundtruth/NAME.txt and TRACKER/NAME.txt below `folder`."""
    kept = np.load(OTB)
    for what in ("groundtruth", *TRACKERS):
        (folder / what).mkdir(parents=True)
        parts = np.split(stretch(kept[what], 4, 100), np.cumsum(kept["lengths"])[:-1])
        for name, rows in zip(kept["names"].tolist(), parts, strict=True):
            lines = [",".join(f"{v:.2f}" for v in row) for row in rows]
            (folder / what / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return folder


def unpack_vot(folder: Path) -> Path:
    """Write VOT2018.json and DaSiamRPN/baseline/NAME/NAME_001.txt below `folder`."""
    kept = np.load(VOT)
    cuts = np.cumsum(kept["lengths"])[:-1]
    truth = np.split(stretch(kept["truth"], 8, 10000), cuts)
    answers = np.split(stretch(kept["DaSiamRPN"], 4, 10000), cuts)
    annotations = {}
    for i, name in enumerate(kept["names"].tolist()):
        width, height = kept["sizes"][i].tolist()
        regions = [[v for v in row if v != EMPTY] for row in truth[i].tolist()]
        annotations[name] = {"gt_rect": regions, "width": width, "height": height}
        place = folder / "DaSiamRPN" / "baseline" / name
        place.mkdir(parents=True)
        lines = [",".join(f"{v:.4f}" for v in row if v != EMPTY) for row in answers[i].tolist()]
        codes = [line if "," in line else str(int(float(line))) for line in lines]
        (place / f"{name}_001.txt").write_text("\n".join(codes) + "\n")
    (folder / "VOT2018.json").write_text(json.dumps(annotations))
    return folder


def numbers(path: Path, columns: int) -> np.ndarray:
    """A text file of comma-separated numbers as (N, columns), EMPTY where a line is shorter."""
    rows = [[float(v) for v in line.split(",")] for line in path.read_text().split()]
    return np.array([row + [EMPTY] * (columns - len(row)) for row in rows])


def pack_otb(root: Path) -> dict[str, np.ndarray]:
    """The arrays of bench_otb2015.npz."""
    names = sorted(path.stem for path in (root / "groundtruth").glob("*.txt"))
    folders = {"groundtruth": root / "groundtruth", **{t: root / "results" / t for t in TRACKERS}}
    tables = {w: [numbers(f / f"{n}.txt", 4) for n in names] for w, f in folders.items()}
    lengths = np.array([len(rows) for rows in tables["groundtruth"]])
    packed = {what: squeeze(np.concatenate(parts), 100) for what, parts in tables.items()}
    return {"names": np.array(names), "lengths": lengths, **packed}


def pack_vot(root: Path) -> dict[str, np.ndarray]:
    """The arrays of bench_vot2018.npz."""
    videos = json.loads((root / "VOT2018.json").read_text())
    truth = [row + [EMPTY] * (8 - len(row)) for v in videos.values() for row in v["gt_rect"]]
    results = next(root.glob("results/**/baseline"))
    answers = np.concatenate([numbers(results / n / f"{n}_001.txt", 4) for n in videos])
    return {
        "names": np.array(list(videos)),
        "lengths": np.array([len(v["gt_rect"]) for v in videos.values()]),
        "sizes": np.array([(v["width"], v["height"]) for v in videos.values()]),
        "truth": squeeze(np.array(truth), 10000),
        "DaSiamRPN": squeeze(answers, 10000),
    }


if __name__ == "__main__":
    source = Path(sys.argv[1])
    np.savez(OTB, **pack_otb(source / "otb2015"))
    np.savez(VOT, **pack_vot(source / "vot2018"))
