"""Plain data from elsewhere: what is valid comes back, anything else is refused in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siamcli.batch.manifest import read_manifest
from siamcli.batch.status import Entry, read_status
from siamcli.checkpoints.header import FORMAT, Header
from siamcli.checkpoints.params import read_params
from siamcli.errors import SiamtrackError
from siamcli.model.spec import ModelSpec, TrackerParams
from siamcli.schema import (
    Count,
    FileName,
    Share,
    from_json,
    from_record,
    from_toml,
    load_json,
    load_toml,
    to_toml,
)


@dataclass(frozen=True, slots=True)
class Part:
    share: Share = 0.5
    counts: tuple[Count, ...] = ()


@dataclass(frozen=True, slots=True)
class Whole:
    name: FileName
    text: str = ""
    pair: tuple[int, int] = (0, 0)
    part: Part = field(default_factory=Part)
    parts: tuple[Part, ...] = ()
    size: Count | None = None


def refusal(call: Callable[[], object]) -> str:
    """What a call says as it refuses, one printable line of bounded length; nothing if it does not."""
    try:
        call()
    except (ValueError, SiamtrackError) as error:
        said = str(error)
        assert said.isprintable() and 0 < len(said) < 4000, said
        return said
    return ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "name is missing"),
        (
            '{"name": 3, "pair": [1], "x": 1}',
            "name must be text, not 3; pair[1] is missing; unknown key x (known: name",
        ),
        ('{"name": "a", "pair": [1, 2, 3]}', "pair must be a shorter list, not [1, 2, 3]"),
        (
            '{"name": "a", "pair": [1.5, true]}',
            "pair[0] must be a whole number, not 1.5; pair[1] must be a whole",
        ),
        (
            '{"name": "a", "part": {"share": "1", "z": 0}}',
            "part.share must be a number, not '1'; unknown key part.z",
        ),
        ('{"name": "a", "parts": [{}, {"q": 1}]}', "unknown key parts[1].q (known: share, counts)"),
        ('{"name": "a", "parts": [{"counts": [0]}]}', "parts[0].counts[0] must be at least 1"),
        ('{"name": "a", "part": {"share": NaN}}', "part.share must be at least 0 and at most 1, not nan"),
        ('{"name": "a", "size": ' + "9" * 400 + "}", "size must be at least 1"),
        ('{"name": "a", "size": ' + "9" * 5000 + "}", "not JSON: number out of range"),
        ('{"name": "a", "part": null}', "part must be a table, not None"),
        ('{"name": "..", "text": ""}', "name must be a plain name, not '..'"),
        ('{"name": "a\\u001b[1m"}', r"name must be a plain name, not 'a\x1b[1m'"),
        ('{"a\\nb": 1, "name": "a"}', r"unknown key 'a\nb'"),
        ("[" * 20_000, "not JSON: recursion limit exceeded"),
        ("", "not JSON: "),
        ("[]", "must be a table"),
    ],
)
def test_json_is_refused_in_one_line(text: str, said: str) -> None:
    assert said in refusal(lambda: from_json(Whole, text))


def test_an_unknown_key_can_be_passed_over() -> None:
    assert from_record(Whole, {"name": "a", "new": 1, "size": "3", "part": {"newer": 2}}) == Whole(
        "a", size=3
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = " + "[" * 20_000, "nested too deep"),
        ("name = " + "9" * 5000, "too many digits"),
        ("size = 0x" + "f" * 5000, "too many digits"),
        ("name = 1979-05-27", "a date or a time"),
        ("name = '\x01'", "not TOML"),
        (b"\xe9", "not TOML: it is not text"),
        (b"", "name is missing"),
    ],
)
def test_toml_is_refused_in_one_line(text: str | bytes, said: str) -> None:
    assert said in refusal(lambda: from_toml(Whole, text))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_toml_is_read_with_every_mark(encoding: str) -> None:
    assert from_toml(Whole, 'name = "é"'.encode(encoding)) == Whole("é")


@given(
    text=st.text(st.characters(codec="utf-8")),
    size=st.none() | st.integers(1, 2**31 - 1),
    shares=st.lists(st.floats(0, 1)),
)
def test_toml_reads_back(text: str, size: int | None, shares: list[float]) -> None:
    record = Whole("a", text, parts=tuple(Part(share) for share in shares), size=size)
    assert from_toml(Whole, to_toml(record)) == record
    assert from_json(Whole, json.dumps(asdict(record))) == record


ODD = [
    *(None, True, -1, 0, 1.5, 10**30, 10**400, float("nan"), float("inf"), -float("inf"), 1e300),
    *(
        "",
        "..",
        "a/b",
        "\x1b[31m",
        "\n",
        "\0",
        "x" * 5000,
        [],
        {},
        [[]],
        [0] * 300,
        {"\n": 1},
        {"": {"": []}},
    ),
]
"""What no field expects."""


@st.composite
def spoiled(draw: st.DrawFn, plain: Any) -> str:
    """JSON of `plain` with a few places replaced, removed, added to, or with characters changed."""
    plain = json.loads(json.dumps(plain))
    for _ in range(draw(st.integers(1, 4))):
        inside: Any = plain
        while isinstance(inside, dict | list) and inside:
            key = draw(st.sampled_from(sorted(inside) if isinstance(inside, dict) else range(len(inside))))
            if not inside[key] or not isinstance(inside[key], dict | list) or draw(st.booleans()):
                inside[key] = deepcopy(draw(st.sampled_from(ODD)))
                break
            inside = inside[key]
        if isinstance(inside, dict) and draw(st.booleans()):
            inside[draw(st.text(max_size=5))] = None
            inside.pop(draw(st.sampled_from(sorted(inside))))
    text = json.dumps(plain)
    if draw(st.booleans()):
        at = draw(st.integers(0, len(text)))
        text = (
            text[:at] + draw(st.text(max_size=3) | st.just("[" * 5000) | st.just("9" * 5000)) + text[at + 1 :]
        )
    return text


HEADER = asdict(
    Header(FORMAT, "int8", "a", "1", "MIT", ModelSpec("a"), TrackerParams(), {"steps": [1, {}]}, "0")
)


@settings(deadline=None)
@given(spoiled(HEADER))
def test_no_header_breaks_the_reader(text: str) -> None:
    refusal(lambda: from_json(Header, text))


@settings(deadline=None)
@given(spoiled({"a": [1, {"b": None}], "c": "text"}))
def test_no_json_breaks_the_reader(text: str) -> None:
    refusal(lambda: load_json(text))


@settings(deadline=None)
@given(
    key=st.sampled_from([*TrackerParams.__dataclass_fields__, "other", "[a]\nb", '"\\u001b"', "", "[[a]]"]),
    value=st.sampled_from(
        ["nan", "-inf", "1e999", "0", "-1", "9" * 400, "9" * 5000, "0x" + "f" * 5000, "[" * 3000]
    )
    | st.sampled_from(["true", "[]", "{}", "[1, [2]]", "07:32:00", "1979-05-27", "''", '"\\u0000"', "1 = 1"])
    | st.text(max_size=5),
)
def test_no_parameters_break_the_reader(
    key: str, value: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "params.toml"
    path.write_bytes(f"{key} = {value}".encode(errors="surrogatepass"))
    refusal(lambda: read_params(path, TrackerParams()))


STATUS = Entry("a.mp4", "a.mp4", "k", "done", "2026-01-01", ("a.json",), 3, 1.5, 0)


@pytest.mark.parametrize(
    "line",
    [
        "[" * 20_000,
        '{"schema": "siamtrack-batch/2", "id": "b", "clip": "b", "key": "k", "state": "done", "at": "1"}',
        '{"id": ["b"], "clip": "b", "key": "k", "state": "done", "at": "1"}',
        '{"id": "b", "clip": "b", "key": "k", "state": "done", "at": 1}',
        '{"id": "b", "clip": "b", "key": "k", "state": "lost", "at": "1"}',
        '{"id": "b", "clip": "b", "key": "k", "state": "done", "at": "1", "outputs": "b.json"}',
        '{"id": "b", "clip": "b", "key": "k", "state": "done", "at": "1", "frames": ' + "9" * 5000 + "}",
        '{"id": "b", "clip": "b", "key": "k", "state": "done", "at": "1", "lost": ' + "9" * 400 + "}",
        '{"id": "b", "clip": "b", "key": "k", "state": "done", "at": "1", "outputs": ["../../b.json"]}',
        '{"id": "b", "clip": "b", "key": "k", "state": "done", "at": "1", "outputs": ["/etc/b.json"]}',
        "\x00\x1b[31m",
        "null",
        "{}",
    ],
    ids=range(13),
)
def test_a_status_line_that_is_none_is_passed_over(line: str, tmp_path: Path) -> None:
    (tmp_path / "batch.jsonl").write_text(f"{line}\n{STATUS.line()}")
    assert read_status(tmp_path / "batch.jsonl") == [STATUS]


def test_a_status_file_of_odd_lines_alone_is_refused(tmp_path: Path) -> None:
    odd = STATUS.line().replace('"done"', '"lost"')
    (tmp_path / "batch.jsonl").write_text(odd * 3)
    with pytest.raises(SiamtrackError, match="knows none of its lines"):
        read_status(tmp_path / "batch.jsonl")
    (tmp_path / "batch.jsonl").write_text("shopping\nlist\n")
    with pytest.raises(SiamtrackError, match="not a status file"):
        read_status(tmp_path / "batch.jsonl")


def test_a_status_line_of_a_name_that_is_not_utf_8_is_read(tmp_path: Path) -> None:
    entry = replace(STATUS, id="caf\udce9.mp4", outputs=("caf\udce9.json",))
    (tmp_path / "batch.jsonl").write_text(entry.line())
    assert read_status(tmp_path / "batch.jsonl") == [entry]


def test_a_status_line_of_a_newer_version_is_read(tmp_path: Path) -> None:
    (tmp_path / "batch.jsonl").write_text(STATUS.line().replace('"id"', '"host": "n1", "id"'))
    assert read_status(tmp_path / "batch.jsonl") == [STATUS]


MANIFEST = [
    {"clip": "a.mp4", "box": [1, 2, 3, 4], "time": "1s", "label": "x"},
    {"clip": "b.mp4", "box": "1,2,3,4"},
]


@settings(deadline=None)
@given(text=spoiled(MANIFEST))
def test_no_manifest_breaks_the_reader(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "manifest.json"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    refusal(lambda: read_manifest(path, "xywh"))


@settings(deadline=None)
@given(text=spoiled(json.loads(STATUS.line())))
def test_no_status_line_breaks_the_reader(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "batch.jsonl"
    path.write_text(f"{text}\n{STATUS.line()}", encoding="utf-8", errors="surrogatepass")
    assert read_status(path)[-1] == STATUS


def test_plain_toml_is_read_as_it_stands() -> None:
    assert load_toml("a = 1\n[b]\nc = [1.5, 'x']") == {"a": 1, "b": {"c": [1.5, "x"]}}
