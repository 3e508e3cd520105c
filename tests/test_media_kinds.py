"""What a source's text names: decided in one place for run, batch, pick and the outputs' names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from siamcli.batch.clips import Clip, Shard
from siamcli.batch.manifest import Boxes, Manifest
from siamcli.batch.plan import plan
from siamcli.batch.settings import Settings
from siamcli.cli.source import named_source
from siamcli.errors import InputError
from siamcli.media.kinds import source_name
from siamcli.media.sources import open_source
from siamcli.targets import parse_target


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for folder in ("7", "img", "sub"):
        Path(folder).mkdir()
    for file in ("a.mp4", "8", "img/1.jpg", "photo.PNG", "odd[1].mp4", "sub/c.mp4"):
        Path(file).write_bytes(b"x")
    os.mkfifo("pipe")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "kind", "stem"),
    [
        ("-", "stdin", "stdin"),
        ("0", "camera", "camera0"),
        ("7", "folder", "7"),
        ("8", "file", "8"),
        ("²", "missing", "²"),
        ("a.mp4", "file", "a"),
        ("pipe", "file", "pipe"),
        ("photo.PNG", "image", "photo"),
        ("img", "folder", "img"),
        ("img/*.jpg", "pattern", "img"),
        ("odd[1].mp4", "file", "odd[1]"),
        ("gone.mp4", "missing", "gone"),
        ("http://host:80/clips/day%201.mp4?token=a/b", "address", "day 1"),
        ("RTSP://host:554", "address", "host_554"),
        ("udp://127.0.0.1:9000?timeout=2", "address", "127.0.0.1_9000"),
        ("file:///a.mp4%00/b.mp4", "address", "b"),  # no name of a file has a NUL
        ("rtsp://10.0.0.7/cam.1/live.sdp", "address", "live"),
    ],
)
def test_kind_and_stem(places: Path, text: str, kind: str, stem: str) -> None:
    name = source_name(text)
    assert (name.kind, name.stem) == (kind, stem)


def test_two_spellings_have_one_key(places: Path) -> None:
    assert (
        source_name("a.mp4").key
        == source_name("./sub/../a.mp4").key
        == source_name(str(places / "a.mp4")).key
    )
    assert source_name("http://h/a.mp4").key == "http://h/a.mp4"
    assert source_name("0").key == "0" and source_name("-").key == "-"


def test_a_list_names_sources_from_its_own_folder(places: Path) -> None:
    inside = Path("sub")
    assert source_name("c.mp4").within(inside).text == "sub/c.mp4"
    assert source_name("a.mp4").within(inside).kind == "missing"
    assert source_name("0").within(inside) == source_name("0")
    assert source_name("http://h/a.mp4").within(inside).text == "http://h/a.mp4"


def test_sound_is_read_again_only_from_a_regular_file(places: Path) -> None:
    assert [n for n in ("a.mp4", "pipe", "-", "0", "img", "gone.mp4") if source_name(n).has_sound] == [
        "a.mp4"
    ]


def test_fingerprint_changes_with_the_content(places: Path) -> None:
    before = source_name("a.mp4").fingerprint()
    Path("a.mp4").write_bytes(b"longer")
    assert source_name("a.mp4").fingerprint() != before
    assert source_name("img").fingerprint() != source_name("sub").fingerprint()


def test_a_camera_is_not_skipped_as_finished_the_next_time(places: Path) -> None:
    boxes = Boxes(Manifest((), {}, {}), (parse_target("1,2,30,40"),), "xywh")
    settings = Settings((".json",), "", {})

    def key(source: str) -> str:
        (task,) = plan([Clip(source, "x")], [source], boxes, settings, places, {}, Shard(1, 1))
        return task.key

    assert key("a.mp4") == key("a.mp4")
    assert key("0") != key("0")


def test_the_working_directory_has_a_sidecar_beside_it(places: Path, monkeypatch) -> None:
    (places / "frames").mkdir()
    (places / "frames.box").write_text("ball=1,2,30,40")
    monkeypatch.chdir(places / "frames")
    assert [target.label for target in Boxes(Manifest(), (), "xywh").of(".")] == ["ball"]
    assert not Boxes(Manifest(), (), "xywh").has("/")
    assert source_name("").kind == "missing"


def test_an_address_is_known_again_where_its_secrets_were_left_out() -> None:
    """A table names it without them; beside the whole address its rows count."""
    whole = source_name("http://me:pw@host/a.mp4?token=b")
    written = source_name(whole.relative_to(Path()))
    assert written.key == whole.key == written.text and "token" not in written.text
    assert written.relative_to(Path()) == written.text
    assert source_name("http://host/a.mp4?token=c").key != whole.key
    assert source_name("http://host/a.mp4").key == "http://host/a.mp4"
    with pytest.raises(InputError, match="was left out"):
        open_source(written.text)


def test_a_long_address_is_not_looked_up_as_a_path() -> None:
    address = "http://host/a.mp4?key=" + "k" * 5000
    assert named_source([address], join=False) == address
