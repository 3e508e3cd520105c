"""Header, points and summary of a trajectory as plain records, for JSON, JSON Lines and CSV."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

from siamcli.boxes import Box
from siamcli.errors import InputError, why_wrong
from siamcli.frames import Chapter, SourceInfo
from siamcli.schema import FileBelow, Natural, Number, Range, Rule, can_be_named, from_record
from siamcli.targets import one_line
from siamcli.trajectory import CorrectedWith, PointSource, TrackHeader, TrackPoint, TrackState

__all__ = [
    "COLUMNS",
    "COLUMNS_1",
    "FARTHEST",
    "LIVE_COLUMNS",
    "SCHEMA",
    "bad_line",
    "header_record",
    "parse_frames",
    "parse_header",
    "parse_points",
    "point_record",
]

SCHEMA = "siamtrack-trajectory/2"
BOXES = "x, y, w, h in pixels after rotation, 0-based and continuous: (x, y) is the top-left corner"
LONGEST_NAME = 1000  # characters: longer than any file system takes
FARTHEST = 10**9  # pixels: of 1e200 no square could be taken
COLUMNS_1 = ("frame", "time", "target", "x", "y", "w", "h", "score", "state")
COLUMNS = (*COLUMNS_1, "label", "raw_score", "source")
LIVE_COLUMNS = ("at", "latency")

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
        **({} if point.agreement is None else {"agreement": _rounded(point.agreement, 4)}),
        **({} if point.at is None else {"at": _rounded(point.at, 6)}),
        **({} if point.latency is None else {"latency": _rounded(point.latency, 6)}),
    }


def _parse_point(record: Mapping[str, Any]) -> TrackPoint:
    """The inverse of `point_record`, also for text values; raises ValueError.

    A record of version 1 has no `raw_score`, as its `score` was that, and no `source`: only the given
    boxes were not tracked forward.
    """
    point = from_record(_Point, record)
    needed = () if point.state == "absent" else ("score", "x", "y", "w", "h")
    if missing := [name for name in needed if math.isnan(getattr(point, name))]:
        raise ValueError(f"{missing[0]} is missing")
    raw_score = point.raw_score if "raw_score" in record else point.score
    return TrackPoint(
        index=point.frame,
        time=point.time,
        box=Box(point.x, point.y, point.w, point.h),
        score=point.score,
        state=point.state,
        target=point.target,
        raw_score=None if math.isnan(raw_score) else raw_score,
        source=point.source or ("human" if point.state == "init" else "forward"),
        agreement=None if math.isnan(point.agreement) else point.agreement,
        at=None if math.isnan(point.at) else point.at,
        latency=None if math.isnan(point.latency) else point.latency,
    )


def parse_points(path: Path, records: Iterable[tuple[int, Mapping[str, Any]]]) -> tuple[TrackPoint, ...]:
    """The points of the records, each with its line in `path`.

    Raises InputError for a record that is no point, and for a target that is twice in a frame.
    """
    points: dict[tuple[int, int], TrackPoint] = {}
    for line, record in records:
        try:
            point = _parse_point(record)
        except ValueError as error:
            raise bad_line(path, line, error) from None
        if points.setdefault((point.index, point.target), point) is not point:
            raise bad_line(path, line, ValueError(f"target {point.target} was in frame {point.index} before"))
    return tuple(points.values())


def with_all_targets(header: TrackHeader, points: Iterable[TrackPoint]) -> TrackHeader:
    """The header with a place for every target of the points; other programs leave out what is null."""
    unnamed = max((point.target for point in points), default=0) - len(header.labels)
    return replace(header, labels=(*header.labels, *[None] * unnamed))


def bad_line(path: Path, line: int, error: Exception) -> InputError:
    """What is wrong in one line of a file."""
    return InputError(
        f"{path}, line {line}: {why_wrong(error)}", hint="is it a trajectory that siamtrack wrote?"
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
            **({} if source.announced is None else {"announced": source.announced}),
            "rotation": source.rotation,
            **({"mirrored": True} if source.mirrored else {}),
            **({} if source.pixel_aspect == 1 else {"pixel_aspect": str(source.pixel_aspect)}),
            **({"files": list(source.files)} if source.files else {}),
            **({"chapters": [_chapter_record(c) for c in source.chapters]} if source.chapters else {}),
        },
        "model": header.model,
        "weights_sha256": header.weights_sha256,
        "version": header.version,
        "params": dict(header.params),
        "labels": list(header.labels),
        **({"checked": True} if header.checked else {}),
        **({"live": True} if header.live else {}),
        **({"corrected_with": [asdict(c) for c in header.corrected_with]} if header.corrected_with else {}),
        **({} if header.region is None else {"region": list(header.region)}),
        **({"mask": header.mask, "mask_sha256": header.mask_sha256} if header.mask else {}),
        "boxes": BOXES,
    }


def _chapter_record(chapter: Chapter) -> Record:
    """The name of a file of a joined recording, and where it begins."""
    return {"name": chapter.name, "frame": chapter.frame, "time": _rounded(chapter.time, 6)}


def parse_header(record: Mapping[str, Any]) -> TrackHeader:
    """The inverse of `header_record`; raises ValueError."""
    header = from_record(_Header, record)
    source = header.source
    return TrackHeader(
        source=SourceInfo(
            name=source.name,
            size=None if source.width is None or source.height is None else (source.width, source.height),
            fps=None if source.fps is None else Fraction(source.fps),
            count=source.count,
            rotation=source.rotation,
            files=source.files,
            mirrored=source.mirrored,
            pixel_aspect=Fraction(source.pixel_aspect),
            announced=source.announced,
            chapters=tuple(Chapter(c.name, c.frame, c.time) for c in source.chapters),
        ),
        model=header.model,
        weights_sha256=header.weights_sha256,
        version=header.version,
        params=header.params,
        labels=header.labels,
        checked=header.checked,
        live=header.live,
        region=None if header.region is None else Box(*header.region),
        mask=header.mask,
        mask_sha256=header.mask_sha256,
        corrected_with=header.corrected_with,
    )


def parse_frames(record: Mapping[str, Any]) -> int | None:
    """How many frames a summary counts, None when it does not say.  Raises ValueError."""
    return from_record(_Summary, record).frames


def _is_rate(value: str | float) -> bool:
    try:  # of a text such as 1e999999999 Fraction would make a number of so many digits
        return re.fullmatch(r"[\d./]{1,40}", str(value)) is not None and 0 < Fraction(value) <= 10**6
    except (ValueError, ArithmeticError):
        return False


def _is_aspect(value: str) -> bool:
    return re.fullmatch(r"[1-9]\d{0,9}(/[1-9]\d{0,9})?", value) is not None


def _is_label(value: str) -> bool:
    return one_line(value) == value


def _is_name(value: str) -> bool:
    return can_be_named(value) and len(value) <= LONGEST_NAME


Rate = Annotated[str | float, Rule("frames per second, such as 30000/1001", _is_rate)]
Aspect = Annotated[str, Rule("the width of a pixel by its height, such as 16/11", _is_aspect)]
Name = Annotated[str, Rule(f"a name of at most {LONGEST_NAME} characters that a file can have", _is_name)]
Label = Annotated[str, Rule("one line of valid UTF-8", _is_label)]
Side = Annotated[int, Range(1, 2**16)]
Pixels = Annotated[
    float,
    Rule(f"at least -{FARTHEST} and at most {FARTHEST}", lambda v: not abs(v) > FARTHEST, null=math.nan),
]
Length = Annotated[float, Range(0, 2**16)]


@dataclass(frozen=True, slots=True)
class _Point:
    """A line of a file."""

    frame: Natural
    time: Annotated[float, Range(-(10**9), 10**9)] | None
    target: Annotated[int, Range(1, 10**6)]
    x: Pixels
    y: Pixels
    w: Pixels
    h: Pixels
    score: Number
    state: TrackState
    label: Label | None = None
    raw_score: Number = math.nan
    source: PointSource | None = None
    agreement: Number = math.nan
    at: Number = math.nan
    latency: Number = math.nan


@dataclass(frozen=True, slots=True)
class _Chapter:
    name: FileBelow
    frame: Natural | None = None
    time: Annotated[float, Range(0, 10**9)] | None = None


@dataclass(frozen=True, slots=True)
class _Source:
    name: Name
    width: Side | None
    height: Side | None
    fps: Rate | None
    count: Natural | None
    rotation: int
    files: tuple[FileBelow, ...] = ()
    mirrored: bool = False
    pixel_aspect: Aspect = "1"
    announced: Natural | None = None
    chapters: tuple[_Chapter, ...] = ()


@dataclass(frozen=True, slots=True)
class _Header:
    schema: Literal["siamtrack-trajectory/1", "siamtrack-trajectory/2"]
    source: _Source
    model: str
    weights_sha256: str
    version: str
    params: Mapping[str, Any]
    labels: tuple[Label | None, ...]
    checked: bool = False
    live: bool = False
    region: tuple[Length, Length, Length, Length] | None = None
    mask: Name | None = None
    mask_sha256: str = ""
    corrected_with: tuple[CorrectedWith, ...] = ()


@dataclass(frozen=True, slots=True)
class _Summary:
    frames: Natural | None = None
