"""One contract for every trajectory format: exact round trips, whole files or none."""

from __future__ import annotations

import csv
import json
import math
import os
import resource
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import started

from siamcli.boxes import Box
from siamcli.errors import InputError, OutputError
from siamcli.formats.files import convert, read_trajectory
from siamcli.formats.kinds import read_suffixes
from siamcli.formats.names import source_stem
from siamcli.frames import SourceInfo
from siamcli.session.textfile import open_text
from siamcli.trajectory import CorrectedWith, TrackHeader, TrackPoint, Trajectory

SUFFIXES = read_suffixes()
numbers = st.floats(-1e6, 1e6).map(lambda v: round(v, 3))
points = st.builds(
    TrackPoint,
    index=st.just(0),
    time=st.none() | st.floats(0, 1e6).map(lambda v: round(v, 6)),
    box=st.builds(Box, numbers, numbers, numbers, numbers),
    score=st.floats(0, 1).map(lambda v: round(v, 4)),
    state=st.sampled_from(["init", "tracked", "lost", "found"]),
    raw_score=st.none() | st.floats(0, 1).map(lambda v: round(v, 4)),
    source=st.sampled_from(["human", "forward", "backward", "interpolated"]),
    agreement=st.none() | st.floats(0, 1).map(lambda v: round(v, 4)),
    at=st.none() | st.floats(0, 4e9).map(lambda v: round(v, 6)),
    latency=st.none() | st.floats(0, 60).map(lambda v: round(v, 6)),
)
headers = st.builds(
    TrackHeader,
    source=st.builds(
        SourceInfo,
        name=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=10),
        size=st.none() | st.tuples(st.integers(1, 9999), st.integers(1, 9999)),
        fps=st.none() | st.fractions(Fraction(1, 10), 1000, max_denominator=10**9),
        count=st.none() | st.integers(0, 10**6),
        rotation=st.sampled_from([0, 90, 180, 270]),
        mirrored=st.booleans(),
        pixel_aspect=st.fractions(Fraction(1, 65535), 65535, max_denominator=65535),
        files=st.sampled_from(
            [(), ("img_1000.png", 'a "b", c\n.png', "sub/x.png", "a\udcff.png", "..a.png", "ü.png")]
        ),
    ),
    model=st.text(max_size=10),
    weights_sha256=st.text("0123456789abcdef", max_size=64),
    version=st.just("1.2.3"),
    params=st.dictionaries(st.text(max_size=5), st.none() | st.integers() | st.text(max_size=5), max_size=3),
    labels=st.just((None, 'a "name", with a comma & a tag <b>')),
    checked=st.booleans(),
    live=st.booleans(),
    corrected_with=st.sampled_from([(), (CorrectedWith("m", "ab", {"lr": 0.2, "scales": [0.9]}),)]),
)


def header(targets: int = 1) -> TrackHeader:
    source = SourceInfo("clip", (96, 64), Fraction(30000, 1001), 30)
    return TrackHeader(source, "model", "ab" * 32, "0.1.0", {"lr": 0.38}, (None,) * targets)


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_labels_that_are_left_out_are_none(tmp_path: Path, suffix: str) -> None:
    """As other programs write it: the page of `review` showed nothing, and `fix` found no target."""
    path, head = tmp_path / f"a{suffix}", replace(header(), labels=("bug",))
    with open_text(str(path), head, overwrite=False) as writer:
        writer.write([point(0), point(0, target=3)])
    assert read_trajectory(path).header.labels == ("bug", None, None)


def point(index: int, state: str = "tracked", target: int = 1) -> TrackPoint:
    return TrackPoint(index, index / 25, Box(index, 2.5, 10, 20), 0.75, state, target)  # type: ignore[arg-type]


def held(point: TrackPoint, head: TrackHeader, suffix: str) -> TrackPoint:
    """What the format holds of a point: a table has columns for what the header names alone."""
    there = {"agreement": head.checked, "at": head.live, "latency": head.live}
    left_out = [name for name, is_there in there.items() if not is_there and suffix == ".csv"]
    return replace(point, **dict.fromkeys(left_out))


@pytest.fixture(params=SUFFIXES)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / f"out{request.param}"


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(deadline=None, max_examples=60)  # a busy disk is no failure
@given(head=headers, rows=st.lists(st.tuples(points, points), max_size=6), complete=st.booleans())
def test_round_trip(
    tmp_path_factory: pytest.TempPathFactory,
    suffix: str,
    head: TrackHeader,
    rows: list[tuple[TrackPoint, TrackPoint]],
    complete: bool,
) -> None:
    """What was written is read again, value by value; CSV carries the points and their labels."""
    path = tmp_path_factory.mktemp("trip") / f"a{suffix}"
    frames = [
        [replace(a, index=i, target=1), replace(b, index=i, time=a.time, target=2)]
        for i, (a, b) in enumerate(rows)
    ]
    frames = [[held(p, head, suffix) for p in frame] for frame in frames]
    writer = open_text(str(path), head, overwrite=False)
    for frame in frames:
        writer.write(frame)
    writer.close(complete)
    back = read_trajectory(path)
    flat = tuple(p for frame in frames for p in frame)
    if suffix == ".csv":
        assert back.points == flat
        assert not rows or back.header.labels == head.labels
    else:
        assert back == Trajectory(head, flat, complete)


@settings(deadline=None, max_examples=40)
@given(
    head=headers,
    rows=st.lists(st.tuples(points, points), max_size=2),
    complete=st.booleans(),
    suffix=st.sampled_from(SUFFIXES),
)
def test_convert_writes_what_was_read(
    tmp_path_factory: pytest.TempPathFactory,
    suffix: str,
    head: TrackHeader,
    rows: list[tuple[TrackPoint, TrackPoint]],
    complete: bool,
) -> None:
    """Every format that is read is written by `convert` too, with the same text as while tracking."""
    path = tmp_path_factory.mktemp("trip") / f"a{suffix}"
    flat = tuple(
        held(replace(p, index=i, target=t), head, suffix)
        for i, row in enumerate(rows)
        for t, p in enumerate(row, 1)
    )
    trajectory = Trajectory(head, flat, complete, frames=len(rows) + 1)  # the first without a point
    (text,) = convert(trajectory, suffix.lstrip(".")).values()
    path.write_text(text, newline="")
    back = read_trajectory(path)
    assert back.points == flat
    if suffix != ".csv":
        assert back == trajectory and back.frames == len(rows) + 1
        assert convert(back, suffix.lstrip(".")) == {f"{source_stem(head.source.name)}{suffix}": text}


def test_version_1_is_read(tmp_path: Path) -> None:
    """Its score was the raw one; only the given boxes did not come from tracking forward."""
    point = {"frame": 0, "time": None, "target": 1, "x": 1.0, "y": 2.0, "w": 3.0, "h": 4.0, "score": 1.0}
    rows = [{**point, "state": "init"}, {**point, "frame": 1, "score": 0.5, "state": "lost"}]
    source = {"name": "clip", "width": 96, "height": 64, "fps": "25/1", "count": 2, "rotation": 0}
    head = {"model": "m", "weights_sha256": "", "version": "0.1.0", "params": {}, "labels": ["cat"]}
    document = {
        "schema": "siamtrack-trajectory/1",
        "source": source,
        **head,
        "points": rows,
        "complete": True,
    }
    (tmp_path / "a.json").write_text(json.dumps(document))
    table = [list(rows[0]), *(["" if v is None else str(v) for v in row.values()] for row in rows)]
    (tmp_path / "a.csv").write_text("".join(",".join(row) + "\n" for row in table))
    expected = tuple(
        TrackPoint(i, None, Box(1, 2, 3, 4), score, state, raw_score=score, source=source)  # type: ignore[arg-type]
        for i, score, state, source in ((0, 1.0, "init", "human"), (1, 0.5, "lost", "forward"))
    )
    assert read_trajectory(tmp_path / "a.json").points == expected
    assert read_trajectory(tmp_path / "a.csv").points == expected


def test_what_is_not_a_number_stays_so(path: Path) -> None:
    with open_text(str(path), header(), overwrite=False) as writer:
        writer.write([TrackPoint(0, None, Box(math.nan, math.nan, math.inf, 1), 0.0, "absent")])
    assert "NaN" not in path.read_text()
    (back,) = read_trajectory(path).points
    assert all(math.isnan(v) for v in back.box[:3])
    assert back.time is None


def test_documents_are_plain(tmp_path: Path) -> None:
    """Other programs need no code of ours: a JSON document, JSON lines, a table."""
    for suffix in SUFFIXES:
        with open_text(str(tmp_path / f"a{suffix}"), header(2), overwrite=False) as writer:
            for i, state in enumerate(["init", "tracked", "lost", "lost", "found", "lost"]):
                writer.write([point(i, state), point(i, target=2)])
            writer.lost = {1: [(2, 3), (5, 5)], 2: []}
    document = json.loads((tmp_path / "a.json").read_text())
    assert document["schema"] == "siamtrack-trajectory/2"
    assert document["source"]["fps"] == "30000/1001"
    assert document["lost"] == {"1": [[2, 3], [5, 5]], "2": []}
    assert document["complete"] is True
    assert document["frames"] == 6
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [line["type"] for line in lines] == ["header", *["point"] * 12, "summary"]
    assert lines[-1]["lost"] == document["lost"]
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    first = ["frame", "time", "target", "x", "y", "w", "h", "score", "state"]
    assert list(rows[0]) == [*first, "label", "raw_score", "source"]
    assert rows[4] == {
        **{"frame": "2", "time": "0.08", "target": "1", "x": "2.0", "y": "2.5", "w": "10.0", "h": "20.0"},
        **{"score": "0.75", "state": "lost", "label": "", "raw_score": "", "source": "forward"},
    }


def test_nothing_under_the_final_name_before_the_end(path: Path) -> None:
    with open_text(str(path), header(), overwrite=False) as writer:
        writer.write([point(0)])
        assert not path.exists()
        assert path.with_name(path.name + ".siamtrack.part").exists()
    assert os.listdir(path.parent) == [path.name]  # noqa: PTH208


@pytest.mark.parametrize("stop", [KeyboardInterrupt, InputError("torn"), BrokenPipeError])
def test_an_interrupted_file_is_finished_and_says_so(path: Path, stop: BaseException) -> None:
    with (
        pytest.raises((KeyboardInterrupt, InputError, BrokenPipeError)),
        open_text(str(path), header(), overwrite=False) as writer,
    ):
        writer.write([point(0)])
        raise stop
    back = read_trajectory(path)
    assert len(back.points) == 1
    assert back.complete == (path.suffix == ".csv")


def test_nothing_is_left_of_a_file_without_a_frame(path: Path) -> None:
    with pytest.raises(InputError), open_text(str(path), header(), overwrite=False):
        raise InputError("no such box")
    assert list(path.parent.iterdir()) == []


def test_refuses_to_overwrite(path: Path) -> None:
    path.write_text("precious")
    with pytest.raises(OutputError, match="exists") as caught:
        open_text(str(path), header(), overwrite=False)
    assert "-y" in str(caught.value.hint)
    assert path.read_text() == "precious"
    with open_text(str(path), header(), overwrite=True) as writer:
        writer.write([point(0)])
        assert path.read_text() == "precious"
    assert len(read_trajectory(path).points) == 1


@pytest.mark.parametrize("name", ["missing/out.csv", "file/out.csv", "folder.csv", "out.xyz", "out"])
def test_what_cannot_be_written(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(OutputError) as caught:
        open_text(str(tmp_path / name), header(), overwrite=False)
    assert caught.value.hint


def test_a_full_disk_leaves_nothing(path: Path) -> None:
    """A limit on the size of files stands for the disk; Python reports both as OSError."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    writer = open_text(str(path), header(), overwrite=False)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, old[1]))
    try:
        with pytest.raises(OutputError, match="cannot write") as caught, writer:
            for i in range(1000):
                writer.write([point(i)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert "`ulimit -f`" in str(caught.value.hint)
    assert list(path.parent.iterdir()) == []


def test_lines_arrive_while_tracking() -> None:
    """On standard output a record is there as soon as its frame is, and a closed pipe is no crash."""
    code = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "from test_formats_streams import header, point\n"
        "from siamcli.session.textfile import open_text\n"
        "writer = open_text('-', header(), overwrite=False)\n"
        "writer.write([point(0)])\n"
        "input()\n"
        "try:\n"
        "    for i in range(9999): writer.write([point(i)])\n"
        "except BrokenPipeError: sys.stderr.write('pipe')\n"
    )
    command = [sys.executable, "-c", code]
    pipe = subprocess.PIPE
    with started(
        command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, cwd=Path(__file__).parents[1]
    ) as child:
        assert child.stdin and child.stdout and child.stderr
        assert json.loads(child.stdout.readline())["type"] == "header"
        assert json.loads(child.stdout.readline())["frame"] == 0
        child.stdout.close()
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.stderr.read(4) == "pipe"


@pytest.mark.parametrize(
    ("name", "text", "where"),
    [
        ("a.json", "{", "line 1"),
        ("a.json", '{"schema": "siamtrack-trajectory/9"}', "schema"),
        ("a.jsonl", '{"type": "header"}\n', "line 1"),
        ("a.jsonl", "", "no header"),
        ("a.csv", "a,b\n1,2\n", "line 1"),
        (
            "a.csv",
            "frame,time,target,x,y,w,h,score,state\n0,0,1,1,1,1,1,1,init\n1,0,1,oops,1,1,1,1,lost\n",
            "line 3",
        ),
        (
            "a.csv",
            "frame,time,target,x,y,w,h,score,state\n0,0,1,1,1,1,1,1,gone\n",
            "state must be .*, not 'gone'",
        ),
        ("a.txt", "", "not a trajectory"),
    ],
)
def test_reading_what_is_wrong(tmp_path: Path, name: str, text: str, where: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=where) as caught:
        read_trajectory(tmp_path / name)
    assert name in str(caught.value)


def test_a_wrong_point_is_named_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with open_text(str(path), header(), overwrite=False) as writer:
        writer.write([point(0)])
        writer.write([point(1)])
    lines = path.read_text().splitlines()
    number = next(n for n, line in enumerate(lines) if '"frame": 1' in line)
    lines[number] = lines[number].replace("0.75", '"high"')
    path.write_text("\n".join(lines))
    with pytest.raises(InputError, match=f"line {number + 1}"):
        read_trajectory(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("fps", "1/0"),
        ("fps", "1e999999999"),
        ("fps", "9" * 5000),
        ("fps", math.inf),
        ("width", 0),
        ("width", -160),
        ("width", 10**400),
        ("height", math.inf),
        ("count", -1),
        ("name", 5),
        ("name", None),
        ("labels", "ball"),
        ("labels", [{"a": 1}]),
        ("params", []),
        ("frame", -6),
        ("frame", math.inf),
        ("frame", 1.5),
        ("target", 0),
        ("target", -7),
        ("target", 200_000_000),
        ("time", 1e308),
        ("time", math.inf),
        ("x", math.inf),
        ("x", math.nan),
        ("x", 1e308),
        ("w", None),
        ("score", None),
        ("state", "gone"),
        ("source", "dreamt"),
    ],
)
@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_a_value_that_cannot_be_is_named(tmp_path: Path, suffix: str, field: str, value: object) -> None:
    path = tmp_path / f"a{suffix}"
    with open_text(str(path), header(), overwrite=False) as writer:
        writer.write([point(0)])
    lines = path.read_text().splitlines()
    records = [json.loads(line) for line in lines] if suffix == ".jsonl" else [json.loads(path.read_text())]
    points = records[1:2] if suffix == ".jsonl" else records[0]["points"]
    for place in (*points, records[0]["source"], records[0]):
        if field in place:
            place[field] = value
            break
    path.write_text("\n".join(map(json.dumps, records)))
    with pytest.raises(InputError, match=rf"a{suffix}, line \d+: .*{field}") as caught:
        read_trajectory(path)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_target_is_in_a_frame_once(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    with open_text(str(path), header(), overwrite=False) as writer:
        writer.write([point(0), point(0)])
    with pytest.raises(InputError, match="target 1 was in frame 0 before"):
        read_trajectory(path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_passed_over(path: Path, encoding: str) -> None:
    with open_text(str(path), header(), overwrite=False) as writer:
        writer.write([point(0)])
    before = read_trajectory(path)
    path.write_bytes(path.read_bytes().decode().encode(encoding))
    assert read_trajectory(path) == before


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", "[" * 20_000),
        ("a.jsonl", "[" * 20_000),
        ("a.json", '{"count": ' + "9" * 5000 + "}"),
        ("a.csv", "frame,time,target,x,y,w,h,score,state\n" + "9" * 200_000),
    ],
    ids=range(4),
)
def test_absurd_trajectories_end_in_one_line(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=f"{name}, line ") as caught:
        read_trajectory(tmp_path / name)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["../a.png", "/a.png", "a/../../b.png", "", "a\0.png", 5])
def test_a_file_name_that_leads_elsewhere(tmp_path: Path, name: object) -> None:
    path = tmp_path / "a.json"
    with open_text(str(path), header(), overwrite=False) as writer:
        writer.write([point(0)])
    document = json.loads(path.read_text())
    document["source"]["files"] = [name]
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match=r"a\.json, line 1"):
        read_trajectory(path)


def test_a_table_names_the_images(tmp_path: Path) -> None:
    source = SourceInfo("gap", (96, 64), count=2, files=("img 1.png", 'img "2", b.png'))
    with open_text(str(tmp_path / "a.csv"), replace(header(), source=source), overwrite=False) as writer:
        writer.write([point(1)])
    with (tmp_path / "a.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["frame"], row["state"], row["file"]) == ("1", "tracked", 'img "2", b.png')


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
@pytest.mark.parametrize("label", ["dog\udcff", "ball\nperson", "a\x01b", "a\u2028b", "a\uffffb"])
def test_a_label_that_not_every_format_can_hold(tmp_path: Path, suffix: str, label: str) -> None:
    """In a list of classes two lines are two classes, and XML holds no control characters; of bytes of an
    argument that are no UTF-8 Python makes half a character."""
    path = tmp_path / f"a{suffix}"
    named = replace(header(), labels=(label,))
    with open_text(str(path), named, overwrite=False) as writer:
        writer.write([point(0)])
    with pytest.raises(InputError, match=r"line 1: labels\[0\] must be one line of valid UTF-8") as caught:
        read_trajectory(path)
    assert ascii(label) in str(caught.value)
    assert str(path) in str(caught.value)


def test_killed_json_lines_count_as_incomplete(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with open_text(str(path), header(), overwrite=False) as writer:
        writer.write([point(0)])
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    assert not read_trajectory(path).complete
