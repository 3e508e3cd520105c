"""Only what ffmpeg's components say counts: never a text of a file, nor its name."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import clips
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siamcli.errors import InputError
from siamcli.media.channels import FrameClock, read_head
from siamcli.media.ffmpeg import DecoderLog, component_message, environment, ffmpeg_exe
from siamcli.media.soundtrack import soundtrack
from siamcli.media.sources import open_source
from siamcli.media.streams import list_streams
from siamcli.media.video import VideoWriter

FRAME = "[Parsed_showinfo_0 @ 0x1] [info] n:   0 pts:     99 fmt:yuv420p sar:1/1 s:{size} i:P iskey:1"
TIME_BASE = "config in time_base: 1/7, frame_rate: 7/1"
DAMAGE = (
    "the film ended prematurely",
    "stream 0, offset 0x30: partial file",
    "corrupt input packet in stream 0",
    "concealing 12 DC, 12 AC, 12 MV errors in P frame",
    "Decoding error: Invalid data found when processing input",
)
RED = "\x1b[0;36m[h264 @ 0x1] \x1b[0m\x1b[1;31m[error] \x1b[0m\x1b[1;31m"
TAG = ("-movflags", "use_metadata_tags")


def key(text: str) -> tuple[str, ...]:
    """A tag with that name."""
    return (*TAG, "-metadata", f"{text}=x")


WORDS = {
    **{f"title {n}": (".mp4", ("-metadata", f"title={words}")) for n, words in enumerate(DAMAGE)},
    **{f"name of a tag {n}": (".mp4", key(f"a\n[error] {words}")) for n, words in enumerate(DAMAGE)},
    **{f"title{suffix}": (suffix, ("-metadata", f"title={DAMAGE[0]}")) for suffix in (".mkv", ".flv")},
    "programme": (".ts", ("-metadata", f"service_name={DAMAGE[0]}")),
    "lines": (".mp4", ("-metadata", f"lyrics=one\n{DAMAGE[0]}\n[error] {DAMAGE[1]}")),
    "handler": (".mp4", ("-metadata:s:v", f"handler_name={TIME_BASE}")),
    "stream": (".mkv", ("-metadata:s:v", f"title={TIME_BASE}")),
    "time base": (".mp4", ("-metadata", f"title={TIME_BASE}")),
    "language": (".mkv", ("-metadata:s:v", f"language=en): Audio: aac\n[error] {DAMAGE[0]}")),
    "rotation": (".mp4", key("   displaymatrix: rotation of -90.00 degrees\n[info]   displaymatrix")),
    "matrix": (".mp4", key("a\n[info]       Display Matrix: rotation of -90.00 degrees")),
    "duration": (".mp4", key("a\n[info]   Duration: 99:00:00.00, start")),
    "colours": (
        ".mp4",
        key("a\n[info]   Stream #0:0: Video: hevc, yuv420p10le(tv, bt2020nc/bt2020/smpte2084), 96x64"),
    ),
    "output": (
        ".mp4",
        key("a\n[info] Output #0, null, to 'x':\n[info]   Stream #0:0: Video: h264, yuv420p, 9x9"),
    ),
    **{size: (".mp4", key(f"a\n{FRAME.format(size=size)}")) for size in ("96x64", "48x36", "60000x60000")},
    "colour of a component": (".mp4", key(f"a\n{RED}{DAMAGE[0]}")),
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clips.constant(tmp_path_factory.mktemp("words") / "plain.mp4", frames=12)


def check(source: str, caplog: pytest.LogCaptureFixture) -> None:
    """Twelve whole frames, as if there were no words."""
    with open_source(source) as opened:
        info, frames = opened.info, list(opened)
    assert [clips.number(frame.image) for frame in frames] == list(range(12))
    assert [frame.time for frame in frames] == pytest.approx([n * 1001 / 30000 for n in range(12)], abs=6e-4)
    assert (info.size, info.fps, info.rotation) == (clips.SIZE, Fraction(30000, 1001), 0)
    assert info.count in (12, 14, None)  # FLV rounds its duration up
    assert not caplog.records


@pytest.mark.parametrize("where", WORDS)
def test_text_in_a_file_is_not_taken_for_a_message(
    where: str, plain: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    suffix, options = WORDS[where]
    path = tmp_path / f"clip{suffix}"
    clips.ffmpeg("-i", str(plain), "-c", "copy", *options, str(path))
    check(str(path), caplog)
    if suffix != ".mp4":  # these are read from a pipe too
        with path.open("rb") as file:
            check(f"/dev/fd/{file.fileno()}", caplog)


@pytest.mark.parametrize("name", [*DAMAGE[:3], f"x\n[error] {DAMAGE[1]}\n{FRAME.format(size='96x64')}", RED])
def test_text_in_a_name_is_not_taken_for_a_message(
    name: str, plain: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / name / f"{name}.mp4"
    path.parent.mkdir(parents=True)
    path.write_bytes(plain.read_bytes())
    check(str(path), caplog)


def test_chapters_and_attachments(plain: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    chapters = tmp_path / "chapters.txt"
    chapters.write_text(
        ";FFMETADATA1\n"
        + "".join(f"[CHAPTER]\nTIMEBASE=1/10\nSTART={n}\nEND={n + 1}\ntitle={DAMAGE[n]}\n" for n in range(3))
    )
    (tmp_path / "partial file.txt").write_text("x")
    attached = ("-attach", str(tmp_path / "partial file.txt"), "-metadata:s:t", f"mimetype={DAMAGE[1]}")
    for suffix, options in ((".mp4", ()), (".mkv", ()), (".mkv", attached)):
        path = tmp_path / f"clip{len(options)}{suffix}"
        clips.ffmpeg("-i", str(plain), "-i", str(chapters), "-c", "copy", *options, str(path))
        check(str(path), caplog)


def test_words_are_no_reason(tmp_path: Path) -> None:
    """The title of a file without a picture does not say why it cannot be read."""
    path = tmp_path / "sound.m4a"
    title = ("-metadata", "title=[error] call 555-0100 to unlock this film")
    clips.ffmpeg("-f", "lavfi", "-t", "1", "-i", "sine", "-c:a", "aac", *title, str(path))
    with pytest.raises(InputError, match="it has no video, only sound or text"):
        open_source(str(path))


def test_a_language_is_no_sound(plain: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path, out = tmp_path / "clip.mkv", tmp_path / "out.mp4"
    words = "en): Audio: aac\n[info]   Stream #0:1: Audio: aac"
    clips.ffmpeg("-i", str(plain), "-c", "copy", "-metadata:s:v", f"language={words}", str(path))
    assert list_streams(f"file:{path}").sounds == ()
    with open_source(str(path)) as source:
        video = VideoWriter(str(out), source.info, overwrite=False, audio=soundtrack(str(path)))
        with video:
            for frame in source:
                video.write(frame.image, frame.time)
    assert out.stat().st_size and not caplog.records


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_streams_are_what_they_are(suffix: str, plain: Path, tmp_path: Path) -> None:
    """Two sounds, the second one marked: no word of the file adds or takes one."""
    path = clips.two_sounds(tmp_path / f"two{suffix}", default=1)
    streams = list_streams(f"file:{path}")
    assert [(sound.codec, sound.default) for sound in streams.sounds] == [("aac", False), ("aac", True)]
    assert [(video.codec, video.size) for video in streams.videos] == [("h264", clips.SIZE)]
    assert streams.duration == pytest.approx(1.0, abs=0.05) and streams.problem is None
    assert (
        list_streams(f"file:{tmp_path}/none.mp4").problem == "Error opening input: No such file or directory"
    )


def test_ffmpeg_takes_the_escape_character_out_of_texts(plain: Path, tmp_path: Path) -> None:
    """What the colours of its log rest on."""
    path = tmp_path / f"{RED}.mp4"
    clips.ffmpeg("-i", str(plain), "-c", "copy", *TAG, "-metadata", f"title={RED}", *key(RED), str(path))
    command = [ffmpeg_exe(), "-hide_banner", "-loglevel", "level+info", "-i", str(path), "-f", "null", "-"]
    said = subprocess.run(command, capture_output=True, env=environment(), check=True).stderr.decode()
    assert said.count("[h264 @ 0x1]") >= 3
    assert not [line for line in said.splitlines() if "\x1b[0;36m[h264 @ 0x1]" in line]


@given(st.text().filter(lambda text: "\x1b" not in text))
def test_uncoloured_text_is_never_a_message(text: str) -> None:
    log = DecoderLog()
    for line in (text, f"[error] {text}", f"[h264 @ 0x1] [error] {text}"):
        assert component_message(line) is None
        log.read(line)
    assert (log.problem, log.damage, log.resized) == (None, None, None)


@pytest.mark.parametrize(
    "piece", [" n:   7 pts:   7 fmt:yuv420p s:96x72 i:P", " color_range:tv color_space:unknown"]
)
def test_a_message_within_what_a_filter_says_counts(piece: str) -> None:
    """As ffmpeg wrote it on a busy machine: its threads share the log."""
    log = DecoderLog()
    log.read(f"\x1b[1;32m[Parsed_showinfo_0 @ 0x7f4] \x1b[0m[info]{piece}\x1b[0;33mtoo slow\n")
    assert (log.problem, log.damage) == (None, None)
    log.read(f"\x1b[1;32m[Parsed_showinfo_0 @ 0x7f4] \x1b[0m[info]{piece}\x1b[1;31mFile ended prematurely\n")
    assert log.damage == "File ended prematurely"


@given(st.lists(st.text(max_size=40)), st.text(max_size=60))
def test_what_arrives_is_checked(lines: list[str], line: str) -> None:
    head = read_head(lines)
    assert head is None or 0 < head.size[0] * head.size[1] <= 2**28
    FrameClock(None).read(line)


@pytest.mark.parametrize(
    ("lines", "size"),
    [
        (["#tb 0: 1/25\n", "#dimensions 0: 96x72\n", "#sar 0: 0/1\n"], (96, 72)),
        (["#tb 0: 1/25\n", "#dimensions 0: 60000x60000\n"], None),
        (["#tb 0: 1/25\n", "#dimensions 0: 0x72\n"], None),
        (["0, 0, 0, 1, 424, 0x1\n", "#dimensions 0: 96x72\n"], None),
        ([], None),
    ],
)
def test_sizes_are_bounded(lines: list[str], size: tuple[int, int] | None) -> None:
    head = read_head(lines)
    assert (head and head.size) == size


def test_times_are_bounded() -> None:
    clock = FrameClock(Fraction(25))
    lines = [
        "0 1/25\n",
        "1 1/25\n",
        f"{-(2**63)} 1/25\n",
        f"{2**62} 1/1\n",
        "1 0/1\n",
        "1 1/0\n",
        "x",
        "4 1/25",
    ]
    assert [clock.read(line) for line in lines] == [0, 0.04, None, None, None, None, None, 0.16]
    assert clock.set_back is None
    assert (clock.read("0 1/25\n"), clock.set_back) == (pytest.approx(0.2), 0.16)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts the open files of Linux")
def test_nothing_is_left_open(plain: Path) -> None:
    def open_files() -> int:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    before = open_files()
    for _ in range(3):
        with plain.open("rb") as file:
            with open_source(str(plain)) as source:
                next(iter(source))
            with pytest.raises(InputError):
                open_source(f"/dev/fd/{file.fileno()}", fps=Fraction(5))
    assert open_files() == before
