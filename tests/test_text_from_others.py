"""What stands in files, names and addresses: it steers no terminal, opens nothing, and lets nobody in."""

from __future__ import annotations

import json
import sys

import clips
import pytest

from siamcli.boxes import Box
from siamcli.cli import console
from siamcli.errors import InputError, WeightsError
from siamcli.formats.files import write_trajectory
from siamcli.frames import SourceInfo
from siamcli.media.kinds import source_name
from siamcli.media.playlists import check_playlist, protocol_options
from siamcli.media.sources import open_source
from siamcli.targets import parse_absent, parse_target
from siamcli.trajectory import TrackHeader, TrackPoint, Trajectory

BOX = "10,10,20,20"
ESCAPES = "\x1b]0;owned\x07\x1b[31;1mRED\x9b\u2028\u202e"
SAFE = r"\x1b]0;owned\x07\x1b[31;1mRED\x9b\u2028\u202e"


@pytest.mark.parametrize("say", [console.info, console.prompt, console.error])
def test_messages_hold_no_command(say, capfd):
    say(f"a {ESCAPES} b\nc {'x' * 5000}")
    said = capfd.readouterr().err
    assert f"a {SAFE} b\\nc xxx" in said and len(said) < 500 and said.count("\n") == 1


def test_rows_hints_tables_and_bars_hold_no_command(capfd, monkeypatch):
    console.print_rows([(f"{ESCAPES}.mp4", ESCAPES)])
    console.error("wrong", hint=ESCAPES)
    console.print_table(f"a\t{ESCAPES}\nb\n")
    monkeypatch.setattr(console, "SAID_EVERY", 0.0)
    with console.progress(f"[bold]{ESCAPES}", 3) as update:
        update(1, ESCAPES)
    out, err = capfd.readouterr()
    assert "\x1b" not in out + err and "\x07" not in out + err and out == f"a\t{SAFE}\nb\n"
    assert err.count(SAFE) == 5 and f"[bold]{SAFE}: 1 of 3" in err


def test_paths_hold_no_command_on_a_terminal_alone(capfd, monkeypatch):
    console.print_path(f"{ESCAPES}\udcff")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    console.print_path(ESCAPES)
    assert capfd.readouterr().out.count(SAFE) == 1


def test_wrong_usage_holds_no_command(siamtrack):
    for words in ([ESCAPES], ["run", f"--{ESCAPES}"], ["convert", "a.json", "--to", ESCAPES]):
        done = siamtrack(*words)
        assert done.code == 2 and r"\x1b" in done.err and "\x1b" not in done.err


@pytest.mark.parametrize("label", ["a\nb", "a\x1b[31m", "a\x85b", "a\u2028b", "a\0"])
@pytest.mark.parametrize("read", [lambda label: parse_target(f"{label}=1,2,3,4"), parse_absent])
def test_a_label_is_one_line_of_text(read, label):
    with pytest.raises(InputError, match="not a label"):
        read(f"{label}=1f-2f" if read is parse_absent else label)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.mp4", "ffconcat version 1.0\nfile other.mkv\n"),
        ("list.txt", "\ufeff\n ffconcat version 1.0\nfile ../other.mkv\n"),
        ("playlist.mp4", "#EXTM3U\n#EXTINF:1.0,\nother.mkv\n"),
        ("a.m3u8", "#EXTM3U\n#EXTINF:1.0,\nhttp://127.0.0.1:9/other.ts\n"),
        ("a.m3u8", "#EXTM3U\n#EXTINF:1.0,\n../other.ts\n"),
        ("a.m3u8", "#EXTM3U\n#EXTINF:1.0,\n/etc/other.ts\n"),
        ("a.m3u8", '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="file:/etc/key"\n#EXTINF:1.0,\nother.ts\n'),
        ("a.m3u8", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nbelow/up.m3u8\n"),
        ("a.m3u8", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na.m3u8\n"),
        ("dash.mpd", '<?xml version="1.0"?>\n<MPD><BaseURL>http://h/a.mp4</BaseURL></MPD>'),
        ("stream.sdp", "v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n"),
    ],
)
def test_a_playlist_opens_nothing_of_its_own_choice(tmp_path, name, text):
    (tmp_path / "below").mkdir()
    (tmp_path / "below/up.m3u8").write_text("#EXTM3U\n#EXTINF:1.0,\n../other.ts\n")
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=r"are not opened|lie beside or below|another playlist"):
        open_source(str(tmp_path / name))


def test_a_playlist_of_files_beside_it_is_read(tmp_path):
    clips.constant(tmp_path / "b.ts", "-c:v", "libx264", "-pix_fmt", "yuv420p", frames=10)
    (tmp_path / "a.m3u8").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.3,\nb.ts\n#EXT-X-ENDLIST\n")
    with open_source(str(tmp_path / "a.m3u8")) as frames:
        assert sum(1 for _ in frames) == 10
    check_playlist(tmp_path / "b.ts")
    check_playlist(tmp_path / "gone.mp4")


@pytest.mark.parametrize(
    ("scheme", "forbidden"),
    [(None, "http"), ("http", "file"), ("https", "file"), ("rtsp", "file"), ("x", "file")],
)
def test_what_a_source_may_open(scheme, forbidden):
    option, allowed = protocol_options(scheme)
    assert option == "-protocol_whitelist" and forbidden not in allowed.split(",")
    assert (scheme or "file") in allowed.split(",")


SECRETS = [
    "http://user:SECRET@127.0.0.1:9/a.mp4?X-Signature=SECRET&b=SECRET#SECRET",
    "rtsp://admin:SECRET@127.0.0.1:9",
    "rtsp://ad:SE@CRET@127.0.0.1:9/cam",
]


@pytest.mark.parametrize("address", SECRETS)
def test_no_password_is_kept_or_shown(siamtrack, weights, tmp_path, address):
    (tmp_path / "m.json").write_text(json.dumps([{"clip": address, "box": [1, 2, 3, 4]}]))
    named = ("--weights", weights, "--json")
    done = siamtrack("batch", "--boxes", "m.json", "-f", "json", *named, "--output-dir", "out")
    kept = "".join(path.read_text() for path in (tmp_path / "out").iterdir())
    assert done.code == 7 and "127.0.0.1:9" in kept
    plan = siamtrack("batch", "--boxes", "m.json", "-f", "json", *named, "--dry-run")
    run = siamtrack("run", address, "--box", BOX, "-o", "o.json", *named)
    assert run.code == 3
    said = "".join(d.out + d.err for d in (done, plan, run)) + kept
    assert "SECRET" not in said and "CRET" not in said and "SE@" not in said


def test_addresses_are_told_apart_by_what_is_not_shown(tmp_path):
    names = [source_name(text).relative_to(tmp_path) for text in (*SECRETS, SECRETS[0] + "2", "http://h/a")]
    assert len(set(names)) == 5 and names[4] == "http://h/a"
    assert all("SE" not in source_name(text).stem for text in SECRETS)
    assert source_name(SECRETS[0]).within(tmp_path).text == SECRETS[0]


def test_links_to_help_are_kept(tmp_path):
    address = "https://drive.google.com/uc?id=1"
    assert address in str(WeightsError(f"fetch it from {address}"))


@pytest.mark.parametrize(
    "words",
    [
        ("run", "a.mkv", "--box", BOX, "-o", "loop/x.csv"),
        ("batch", "a.mkv", "--box", BOX, "-f", "csv", "--output-dir", "loop"),
        ("convert", "t.json", "--to", "mot", "-o", "loop/"),
        ("convert", "t.json", "--to", "yolo", "-o", "loop/"),
        ("render", "a.mkv", "t.json", "-o", "loop/x.mp4"),
        ("merge", "loop", "-o", "loop/x"),
        ("score", "otb2015", "loop", "--root", "loop"),
    ],
    ids=lambda words: words[0],
)
def test_a_link_to_itself(siamtrack, weights, tmp_path, words):
    clips.constant(tmp_path / "a.mkv", frames=3)
    (tmp_path / "loop").symlink_to("loop")
    header = TrackHeader(SourceInfo("a", clips.SIZE), "m", "", "1", labels=(None,))
    point = TrackPoint(0, 0.0, Box(1, 2, 3, 4), 0.9, "init")
    write_trajectory(Trajectory(header, (point,), complete=True), tmp_path / "t.json")
    more = ("--weights", weights) if words[0] in ("run", "batch") else ()
    done = siamtrack(*words, *more)
    assert done.code in (3, 5, 8) and "loop" in done.err and "Traceback" not in done.err


@pytest.mark.parametrize(
    "words",
    [
        ("run", "a.mkv", "--box", BOX, "-o", "/nowhere/a.json"),
        ("batch", "a.mkv", "--box", BOX),
        ("pick", "a.mkv"),
        ("export", "--to", "onnx", "-o", "/nowhere/graphs"),
        ("doctor",),
    ],
)
def test_a_working_folder_that_is_gone(siamtrack, monkeypatch, tmp_path, words):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    done = siamtrack(*words)
    assert (done.code, done.out) == (8, "")
    assert done.err == "error: the working folder is gone\nhint:  change into one that is there\n"
    monkeypatch.chdir(tmp_path)
