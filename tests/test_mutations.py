"""Files from elsewhere with anything wrong in them: read, or refused in one line, never a traceback."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from siamcli.batch.clips import read_names
from siamcli.batch.manifest import read_manifest
from siamcli.batch.status import Entry, read_status
from siamcli.boxes import Box
from siamcli.checkpoints.header import FORMAT, Header
from siamcli.checkpoints.params import read_params
from siamcli.cli.harmless import harmless
from siamcli.errors import SiamtrackError
from siamcli.evaluation.scoring import read_scores
from siamcli.formats.files import convert, read_trajectory
from siamcli.formats.kinds import FORMATS
from siamcli.formats.starts import read_starts
from siamcli.frames import SourceInfo
from siamcli.model.spec import ModelSpec, TrackerParams
from siamcli.schema import from_json, to_toml
from siamcli.train.config import load_config
from siamcli.trajectory import TrackHeader, TrackPoint, Trajectory

HEADER = TrackHeader(SourceInfo("clip", (160, 120), Fraction(25)), "m", "ab", "1", labels=("ball", None))
POINTS = tuple(
    TrackPoint(n, n / 25, Box(10 + n, 20, 30, 40), 0.9, "init" if n == 0 else "tracked", target)
    for n in range(3)
    for target in (1, 2)
)
TRAJECTORY = Trajectory(HEADER, POINTS, complete=True)
STATUS = Entry("a.mp4", "a.mp4", "k", "done", "2026-01-01", ("a.json",), 3, 1.5, 0)
CONFIG = 'model = "siamrpnpp-r18"\noutput = "out"\n\n[[data]]\npath = "a"\nformat = "coco"\n'


def every_format(path: Path) -> None:
    """What is read is written in every format, and what says that it is JSON or XML is."""
    trajectory = read_trajectory(path)
    for name, kind in FORMATS.items():
        with suppress(SiamtrackError):
            for text in convert(trajectory, name).values():
                text.encode(errors="surrogateescape")
                if kind.suffix == ".json":
                    json.loads(text, parse_constant=pytest.fail)
                if kind.suffix == ".xml":
                    ElementTree.fromstring(text)


def read_header(path: Path) -> None:
    with suppress(ValueError):  # as it is documented
        from_json(Header, path.read_text(encoding="utf-8", errors="surrogateescape"))


def box_file(name: str) -> Callable[[Path], object]:
    return lambda path: read_starts(path, name, lambda: 3)


def written(name: str) -> str:
    """A trajectory in a format, its first file."""
    return next(iter(convert(TRAJECTORY, name).values()))


TABLE: dict[str, tuple[str, str, Callable[[Path], object]]] = {
    "json": ("t.json", written("json"), every_format),
    "jsonl": ("t.jsonl", written("jsonl"), every_format),
    "csv": ("t.csv", written("csv"), every_format),
    "manifest csv": (
        "m.csv",
        'clip,time,box,label\na.mp4,,"1,2,3,4",x\nb.mp4,1s-2s,absent,x\n',
        lambda path: read_manifest(path, "xywh"),
    ),
    "manifest tsv": (
        "m.tsv",
        "clip\tx\ty\tw\th\na.mp4\t1\t2\t3\t4\n",
        lambda path: read_manifest(path, "xyxy"),
    ),
    "manifest json": (
        "m.json",
        '[{"clip": "a.mp4", "box": [1, 2, 3, 4], "time": "1s", "label": "x"}]',
        lambda path: read_manifest(path, "xywh"),
    ),
    "manifest jsonl": (
        "m.jsonl",
        '{"clip": "a.mp4", "box": "1,2,3,4"}\n{"clip": "http://u:p@h/b.mp4?x=1", "box": "absent"}\n',
        lambda path: read_manifest(path, "xywh"),
    ),
    "status": ("batch.jsonl", STATUS.line() * 2, read_status),
    "header": (
        "header.json",
        json.dumps(
            asdict(Header(FORMAT, "int8", "a", "1", "MIT", ModelSpec("a"), TrackerParams(), {"s": [1]}, "0"))
        ),
        read_header,
    ),
    "parameters": (
        "p.toml",
        to_toml(TrackerParams()),
        lambda path: read_params(path, TrackerParams()),
    ),
    "training": ("train.toml", CONFIG, lambda path: load_config(str(path))),
    "scores": ("scores.json", '{"schema": 1, "dataset": "otb2015", "tracker": "t"}', read_scores),
    "names": ("list.txt", "a.mp4\n'b.mp4'\n\n", lambda path: read_names(path.read_text(errors="replace"))),
    "boxes": ("a.box", "# x\n1,2,3,4\nball=5 6 7 8\n2s=ball=1%,2,3,4\n1s-2s=absent\n", box_file("xywh")),
    "truth": ("gt.txt", "1,2,3,4\n1,2,3,4\nNaN,NaN,NaN,NaN\n", box_file("xywh")),
    **{name: (f"{name}.txt", written(name), box_file(name)) for name in ("mot", "coco", "cvat")},
    "yolo": ("clip_000002.txt", written("yolo"), box_file("yolo")),
    "vot": ("gt.txt", "1,2,3,2,3,4,1,4\n1,2,3,4,5,6,7,8\n", box_file("vot")),
}
WORDS = (
    *("", "\0", "\x1b[31m", "\n", "\r", "\x85", "\u2028", "\ufeff", "\ud800", "\udcff", "'", '"', ",", ";"),
    *("-1", "0", "1.5", "1e999", "-inf", "NaN", "Infinity", "9" * 400, "9" * 5000, "0x" + "f" * 500, "true"),
    *("null", "[", "]", "{", "}", "[" * 5000, '{"a":' * 300, "..", "/", "../../x", "=", "#", "%"),
    *("x" * 131_073, "absent", "1s", "99999999999999999999f", "<", "&#1;", "[[a]]", "a = 1"),
    "<!DOCTYPE a [<!ENTITY b 'c'>]>",
)


@st.composite
def spoiled(draw: st.DrawFn, text: str) -> bytes:
    """`text` with a few words replaced, left out, repeated or put in, sometimes with other bytes or cut."""
    for _ in range(draw(st.integers(1, 4))):
        at, after = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
        if draw(st.booleans()):
            after = min(after, at + draw(st.integers(0, 8)))
        word = draw(st.sampled_from(WORDS) | st.text(max_size=4) | st.just(text[at:after] * 2))
        text = text[:at] + word + text[after:]
    coding = draw(st.sampled_from(["utf-8"] * 6 + ["utf-8-sig", "utf-16", "utf-32"]))
    data = text.encode(coding, errors="surrogatepass")
    return data[: draw(st.integers(0, len(data)))] if draw(st.integers(0, 9)) == 0 else data


def check(kind: str, data: st.DataObject, folder: Path) -> None:
    """Read a spoiled file of that kind."""
    name, text, read = TABLE[kind]
    path = folder / name
    path.write_bytes(data.draw(spoiled(text)))
    try:
        read(path)
    except SiamtrackError as error:
        said = harmless(str(error))
        assert said and len(said) < 6000, said
        assert not {unicodedata.category(c) for c in said} & {"Cc", "Cs", "Zl", "Zp"}, said


@pytest.mark.parametrize("kind", TABLE)
def test_the_plain_file_is_read(kind: str, tmp_path: Path) -> None:
    name, text, read = TABLE[kind]
    (tmp_path / name).write_text(text, encoding="utf-8")
    if kind != "scores":
        read(tmp_path / name)


COMMON: dict[str, Any] = {"deadline": None, "suppress_health_check": list(HealthCheck)}


@pytest.mark.parametrize("kind", TABLE)
@settings(max_examples=60, **COMMON)
@given(data=st.data())
def test_no_file_breaks_its_reader(kind: str, data: st.DataObject, tmp_path_factory: Any) -> None:
    check(kind, data, tmp_path_factory.getbasetemp())


@pytest.mark.slow
@pytest.mark.parametrize("kind", TABLE)
@settings(max_examples=1000, **COMMON)
@given(data=st.data())
def test_no_file_of_a_thousand_breaks_its_reader(
    kind: str, data: st.DataObject, tmp_path_factory: Any
) -> None:
    check(kind, data, tmp_path_factory.getbasetemp())
