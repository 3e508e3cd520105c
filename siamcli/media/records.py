"""The trajectory file as plain records: one vocabulary for JSON, JSON Lines and CSV."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any, cast, get_args

from siamcli.boxes import Box
from siamcli.frames import SourceInfo
from siamcli.trajectory import PointSource, TrackHeader, TrackPoint, TrackState

__all__ = [
    "COLUMNS",
    "COLUMNS_1",
    "SCHEMA",
    "header_record",
    "mot_line",
    "parse_header",
    "parse_label",
    "parse_point",
    "point_record",
]

SCHEMA = "siamtrack-trajectory/2"
READ = ("siamtrack-trajectory/1", SCHEMA)
BOXES = "x, y, w, h in pixels after rotation, 0-based and continuous: (x, y) is the top-left corner"
COLUMNS_1 = ("frame", "time", "target", "x", "y", "w", "h", "score", "state")
COLUMNS = (*COLUMNS_1, "label", "raw_score", "source")
STATES = frozenset(get_args(TrackState))
POINT_SOURCES = frozenset(get_args(PointSource))

Record = dict[str, Any]


def _rounded(value: float | None, digits: int) -> float | None:
    """A thousandth of a pixel and a microsecond are enough; what is not a number becomes null."""
    return None if value is None or not math.isfinite(value) else round(float(value), digits)


def point_record(point: TrackPoint, labels: Sequence[str | None] = ()) -> Record:
    """One point under the names of COLUMNS; `labels` of the targets in order."""
    x, y, w, h = (_rounded(v, 3) for v in point.box)
    return {
        "frame": point.index,
        "time": _rounded(point.time, 6),
        "target": point.target,
        **{"x": x, "y": y, "w": w, "h": h},
        "score": _rounded(point.score, 4),
        "state": point.state,
        "label": labels[point.target - 1] if point.target <= len(labels) else None,
        "raw_score": _rounded(point.raw_score, 4),
        "source": point.source,
    }


def mot_line(record: Mapping[str, Any], *, drop_lost: bool) -> str:
    """A `point_record` as a line of MOTChallenge results, empty where the target is absent or dropped.

    frame,id,left,top,width,height,confidence,-1,-1,-1; frames, ids and pixels count from 1.
    """
    left, top, w, h = (record[key] for key in "xywh")
    left_out = ("lost", "absent") if drop_lost else ("absent",)
    if record["state"] in left_out or None in (left, top, w, h):
        return ""
    place = f"{left + 1:.3f},{top + 1:.3f},{w:.3f},{h:.3f}"
    return f"{record['frame'] + 1},{record['target']},{place},{record['score']},-1,-1,-1\n"


def parse_point(record: Mapping[str, Any]) -> TrackPoint:
    """The inverse of `point_record`, also for text values; raises ValueError or KeyError.

    A record of version 1 has no `raw_score`, as its `score` was that, and no `source`: only the given
    boxes were not tracked forward.
    """

    def number(key: str) -> float:
        value = record[key]
        return math.nan if value is None or value == "" else float(value)

    state = record["state"]
    if state not in STATES:
        raise ValueError(f"state {state!r}")
    source = record.get("source") or ("human" if state == "init" else "forward")
    if source not in POINT_SOURCES:
        raise ValueError(f"source {source!r}")
    time = number("time")
    raw_score = number("raw_score" if "raw_score" in record else "score")
    return TrackPoint(
        index=int(record["frame"]),
        time=None if math.isnan(time) else time,
        box=Box(number("x"), number("y"), number("w"), number("h")),
        score=number("score"),
        state=cast("TrackState", state),
        target=int(record["target"]),
        raw_score=None if math.isnan(raw_score) else raw_score,
        source=cast("PointSource", source),
    )


def header_record(header: TrackHeader) -> Record:
    """Everything of a trajectory but its points and its end."""
    source = header.source
    return {
        "schema": SCHEMA,
        "source": {
            "name": source.name,
            "width": source.size[0] if source.size else None,
            "height": source.size[1] if source.size else None,
            "fps": f"{source.fps.numerator}/{source.fps.denominator}" if source.fps else None,
            "count": source.count,
            "rotation": source.rotation,
            **({"files": list(source.files)} if source.files else {}),
        },
        "model": header.model,
        "weights_sha256": header.weights_sha256,
        "version": header.version,
        "params": dict(header.params),
        "labels": list(header.labels),
        "boxes": BOXES,
    }


def parse_label(value: str | None) -> str | None:
    """`value`; raises ValueError for half a character, which no UTF-8 file can hold."""
    if any("\ud800" <= c <= "\udfff" for c in value or ""):
        raise ValueError(f"label {value!a} is not valid UTF-8")
    return value


def _file(value: str) -> str:
    """`value`; raises ValueError for what is no path below a folder: outputs are named after it."""
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts or not path.name or "\0" in value:
        raise ValueError(f"{value!a} is no name of a file in a folder")
    return value


def parse_header(record: Mapping[str, Any]) -> TrackHeader:
    """The inverse of `header_record`; raises ValueError, TypeError or KeyError."""
    if record["schema"] not in READ:
        raise ValueError(f"schema {record['schema']!r}, not {' or '.join(READ)}")
    source = record["source"]
    size = (source["width"], source["height"])
    return TrackHeader(
        source=SourceInfo(
            name=source["name"],
            size=None if None in size else (int(size[0]), int(size[1])),
            fps=Fraction(source["fps"]) if source["fps"] else None,
            count=source["count"],
            rotation=source["rotation"],
            files=tuple(map(_file, source.get("files", ()))),
        ),
        model=record["model"],
        weights_sha256=record["weights_sha256"],
        version=record["version"],
        params=record["params"],
        labels=tuple(parse_label(label) for label in record["labels"]),
    )
