"""One contract for every kind of source, and what is particular to each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import clips
import cv2
import numpy as np
import pytest

from siamcli.errors import InputError
from siamcli.frames import Frame, FrameSource, SourceInfo
from siamcli.media.prefetch import prefetch
from siamcli.media.sources import expected_count, open_source
from siamcli.times import FrameRange, TimePoint, parse_rate, parse_time

SHARED = Path(__file__).parents[2] / "shared"
KINDS = [
    "mp4",
    "mkv",
    "avi",
    "webm",
    "ts",
    "odd",
    "portrait",
    "variable",
    "folder",
    "pattern",
    "stdin",
    "http",
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What to hand to open_source, by kind."""
    root = tmp_path_factory.mktemp("clips")
    paths = {
        "mp4": clips.constant(root / "a.mp4", sound=True),
        "mkv": clips.constant(root / "a.mkv"),
        "avi": clips.constant(root / "a.avi", "-c:v", "mpeg4", "-q:v", "3"),
        "webm": clips.constant(root / "a.webm", "-c:v", "libvpx", "-b:v", "500k"),
        "ts": clips.constant(root / "a.ts"),
        "odd": clips.odd(root / "odd.mp4"),
        "portrait": clips.portrait(root / "portrait.mp4"),
        "variable": clips.variable(root / "variable.mp4"),
        "folder": clips.folder(root / "some images", 30),
        "pattern": root / "some images" / "f*.png",
    }
    return {kind: str(path) for kind, path in paths.items()} | {"stdin": "-"}


@pytest.fixture(params=KINDS)
def opened(
    request: pytest.FixtureRequest, made: dict[str, str]
) -> Iterator[tuple[str, Callable[..., FrameSource]]]:
    """The kind, and open_source with that kind filled in."""
    kind = request.param
    if kind == "stdin":
        kept = os.dup(0)
        with Path(made["mkv"]).open("rb") as file:
            os.dup2(file.fileno(), 0)
            yield kind, partial(open_source, "-")
        os.dup2(kept, 0)
        os.close(kept)
    elif kind == "http":

        class Quiet(SimpleHTTPRequestHandler):
            def log_message(self, *arguments: object) -> None:
                """Nothing on stderr."""

        server = ThreadingHTTPServer(
            ("127.0.0.1", 0), partial(Quiet, directory=str(Path(made["mp4"]).parent))
        )
        Thread(target=server.serve_forever, daemon=True).start()
        yield kind, partial(open_source, f"http://127.0.0.1:{server.server_port}/a.mp4")
        server.shutdown()
    else:
        yield kind, partial(open_source, made[kind])


def read(source: FrameSource) -> tuple[SourceInfo, list[Frame]]:
    with source:
        return source.info, list(source)


def shown(frame: Frame, kind: str) -> int:
    return clips.number(np.rot90(frame.image, -1) if kind == "portrait" else frame.image)


def test_every_source_keeps_the_contract(opened: tuple[str, Callable[..., FrameSource]]) -> None:
    """Every frame once, in order, in the promised form."""
    kind, open_it = opened
    info, frames = read(open_it())
    assert [frame.index for frame in frames] == list(range(30))
    assert [shown(frame, kind) for frame in frames] == list(range(30))
    for frame in frames:
        assert frame.image.dtype == np.uint8
        assert frame.image.flags["C_CONTIGUOUS"]
        assert info.size is not None
        assert frame.image.shape == (info.size[1], info.size[0], 3)
    times = [frame.time for frame in frames]
    if kind in ("folder", "pattern"):
        assert times == [None] * 30
        assert info.fps is None
        assert info.count == 30
    else:
        assert times[0] == pytest.approx(0, abs=0.05)
        assert times == sorted(set(times))
        assert info.fps is not None
        assert kind == "stdin" or info.count == pytest.approx(30, abs=2) or kind == "variable"


def test_images_keep_their_names(made: dict[str, str], tmp_path: Path) -> None:
    for source in (made["folder"], made["pattern"]):
        info, _ = read(open_source(source))
        assert info.files == tuple(f"f{number}.png" for number in range(1, 31))
    for place in ("b/1.png", "a/sub/2.png", "a/10.png"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / place), clips.image(0))
    assert read(open_source(f"{tmp_path}/**/*.png"))[0].files == ("a/10.png", "a/sub/2.png", "b/1.png")
    assert read(open_source(f"{tmp_path}/a/10.png"))[0].files == ("10.png",)
    assert read(open_source(made["mp4"]))[0].files == ()


def test_a_rate_gives_images_their_times(made: dict[str, str]) -> None:
    for source in (made["folder"], made["pattern"]):
        info, frames = read(open_source(source, fps=Fraction(30000, 1001), stride=10))
        assert info.fps == Fraction(30000, 1001)
        assert [frame.time for frame in frames] == pytest.approx([0, 10.01 / 30, 20.02 / 30])
    part = open_source(
        made["folder"], fps=Fraction(10), start=TimePoint(seconds=0.5), end=TimePoint(seconds=0.8)
    )
    assert [(frame.index, frame.time) for frame in read(part)[1]] == [(5, 0.5), (6, 0.6), (7, 0.7)]


def test_a_rate_gives_raw_streams_their_times(tmp_path: Path) -> None:
    for name, codec in (("a.h264", ()), ("a.mjpeg", ("-c:v", "mjpeg", "-q:v", "2"))):
        source = str(clips.constant(tmp_path / name, *codec))
        info, frames = read(open_source(source, fps=Fraction(1, 60)))
        assert info.fps == Fraction(1, 60) and [clips.number(frame.image) for frame in frames] == list(
            range(30)
        )
        assert [frame.time for frame in frames] == pytest.approx([60 * n for n in range(30)])


def test_a_rate_is_refused_where_times_are_known(opened: tuple[str, Callable[..., FrameSource]]) -> None:
    """As ffmpeg refuses -framerate for what is no raw stream."""
    kind, open_it = opened
    if kind not in ("folder", "pattern"):
        with pytest.raises(InputError, match="has frame times of its own"):
            open_it(fps=Fraction(25))
    with pytest.raises(InputError, match="camera 7 has frame times of its own"):
        open_source("7", fps=Fraction(25))


@pytest.mark.parametrize("text", ["", "fast", "0", "-25", "1/0", "1001", "1/10001", "nan", "1e999"])
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(InputError, match="not a frame rate"):
        parse_rate(text)


def test_a_cut_keeps_indices_and_pictures(opened: tuple[str, Callable[..., FrameSource]]) -> None:
    """A stretch keeps the indices and the pictures of the whole source."""
    kind, open_it = opened
    _, frames = read(open_it(start=TimePoint(frame=4), end=TimePoint(frame=20), stride=5))
    assert [frame.index for frame in frames] == [4, 9, 14, 19]
    assert [shown(frame, kind) for frame in frames] == [4, 9, 14, 19]


def test_a_prefetched_source_ends_at_once(opened: tuple[str, Callable[..., FrameSource]]) -> None:
    """Left in the middle, a source and its thread end at once; closing twice is no error."""
    kind, open_it = opened
    source = open_it()
    with prefetch(source, depth=2) as ahead:
        numbers = [shown(frame, kind) for frame, _ in zip(ahead, range(3), strict=False)]
    source.__exit__(None, None, None)
    assert numbers == [0, 1, 2]


@pytest.mark.parametrize(
    ("name", "frame", "hint"),
    [("start", 99, "choose an earlier --start"), ("end", 0, "choose a later --end")],
)
def test_a_cut_without_a_frame(
    opened: tuple[str, Callable[..., FrameSource]], name: str, frame: int, hint: str
) -> None:
    _, open_it = opened
    with pytest.raises(InputError, match="no frame between") as refused:
        read(open_it(**{name: TimePoint(frame=frame)}))
    assert refused.value.hint == hint


def test_exact_rate_and_container_times(made: dict[str, str]) -> None:
    info, frames = read(open_source(made["mp4"]))
    assert info.fps == Fraction(30000, 1001)
    assert [frame.time for frame in frames] == pytest.approx([i * 1001 / 30000 for i in range(30)])


def test_variable_rate_keeps_its_times(made: dict[str, str]) -> None:
    _, frames = read(open_source(made["variable"]))
    expected = [(i if i < 10 else 10 + 3 * (i - 10)) / 30 for i in range(30)]
    assert [frame.time for frame in frames] == pytest.approx(expected, abs=0.002)


def test_an_odd_rotation_leaves_the_times_alone(tmp_path: Path) -> None:
    plain = clips.constant(tmp_path / "a.mp4")
    clips.ffmpeg("-display_rotation", "45", "-i", str(plain), "-c", "copy", str(tmp_path / "b.mp4"))
    (before, frames), (after, turned) = (
        read(open_source(str(plain))),
        read(open_source(str(tmp_path / "b.mp4"))),
    )
    assert after.fps == before.fps and [f.time for f in turned] == [f.time for f in frames]


def test_rotation_is_applied_once(made: dict[str, str]) -> None:
    info, frames = read(open_source(made["portrait"]))
    assert info.size == (clips.SIZE[1], clips.SIZE[0])
    assert info.rotation == 270  # the file says 90 degrees counter-clockwise
    assert frames[5].image.shape == (clips.SIZE[0], clips.SIZE[1], 3)


def test_a_stream_that_changes_its_size_keeps_the_first(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The others are scaled into it with their shape, and one line says so."""
    parts = [
        clips.constant(tmp_path / f"{n}.h264", size=size)
        for n, size in enumerate([(96, 64), (144, 96), (64, 96)])
    ]
    (tmp_path / "all.h264").write_bytes(b"".join(part.read_bytes() for part in parts))
    _, frames = read(open_source(str(tmp_path / "all.h264")))
    assert {frame.image.shape for frame in frames} == {(64, 96, 3)}
    assert [clips.number(frame.image) for frame in frames[:60]] == [*range(30), *range(30)]
    upright = [frame.image[:, 27:69] for frame in frames[60:]]
    assert [clips.number(image) for image in upright] == list(range(30))
    assert max(frame.image[:, :26].max() for frame in frames[60:]) < 3
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.endswith(
        "all.h264 is 144x96 from frame 30 on, not 96x64 as before: scaled into it, its shape is kept"
    )


def test_same_bytes_as_opencv(made: dict[str, str]) -> None:
    """Published numbers were made with OpenCV's decoder."""
    _, frames = read(open_source(made["avi"]))
    capture = cv2.VideoCapture(made["avi"])
    for frame in frames:
        ok, image = capture.read()
        assert ok
        np.testing.assert_array_equal(frame.image, image)


def test_cut_in_seconds_and_timecode(made: dict[str, str]) -> None:
    _, frames = read(open_source(made["mp4"], start=parse_time("0.5"), end=parse_time("00:00:00.9")))
    assert [frame.index for frame in frames] == list(range(15, 27))


def test_seconds_in_a_folder_are_refused(made: dict[str, str]) -> None:
    with pytest.raises(InputError, match="no timestamps"):
        read(open_source(made["folder"], start=parse_time("0.5")))


@pytest.mark.parametrize("container", ["a.mp4", "a.mkv", "a.avi", "a.webm", "a.ts", "a.nut"])
def test_truncated_yields_what_decodes_then_raises(tmp_path: Path, container: str) -> None:
    codec = {"avi": "mpeg4", "nut": "mpeg4", "webm": "libvpx"}.get(container[2:])
    whole = clips.constant(tmp_path / container, *(("-c:v", codec) if codec else ()), frames=90)
    frames: list[Frame] = []
    with open_source(str(clips.damaged(whole, 0.6))) as source:
        try:
            frames.extend(source)
        except InputError as error:
            assert "damaged or cut short" in str(error)
            assert error.hint
        else:
            assert container == "a.ts"  # a stream of packets without a promised length
    assert 30 < len(frames) < 90
    assert [clips.number(frame.image) for frame in frames[:-1]] == list(range(len(frames) - 1))


@pytest.mark.parametrize(("container", "codec"), [("a.nut", "mpeg4"), ("a.mpg", "mpeg2video")])
def test_cut_within_the_first_frame(tmp_path: Path, container: str, codec: str) -> None:
    """Half a picture came as a whole clip of one frame."""
    whole, frames = tmp_path / container, list[Frame]()
    demo = Path(__file__).parent / "data" / "demo.mp4"  # whose pictures are larger than what is read ahead
    clips.ffmpeg("-i", str(demo), "-frames:v", "2", "-c:v", codec, "-g", "1", str(whole))
    with (
        open_source(str(clips.damaged(whole, 0.3))) as source,
        pytest.raises(InputError, match=r"is damaged or cut short: .* \(1 frame decoded\)"),
    ):
        frames.extend(source)
    assert len(frames) == 1
    with open_source(str(whole)) as source:
        assert len(list(source)) == 2


@pytest.mark.parametrize("container", ["a.mkv", "a.mov", "a.nut"])
def test_a_file_that_ends_before_its_first_frame_is_said_to_end(tmp_path: Path, container: str) -> None:
    """Not what ffmpeg makes of it alone."""
    cut = clips.damaged(clips.constant(tmp_path / container), 0.2)
    with pytest.raises(InputError, match=rf"cannot read .*cut_{container}: it ends too early \(") as caught:
        open_source(str(cut))
    assert caught.value.hint == "was it recorded or copied to its end?"


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.gif"])
@pytest.mark.parametrize("data", [b"hello world\n" * 300, bytes(5000)])
def test_a_whole_file_that_is_no_video_does_not_end_too_early(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match="cannot read ") as caught:
        open_source(str(tmp_path / name))
    assert "too early" not in str(caught.value)
    assert caught.value.hint == "is it a whole video file that ffmpeg can read?"


def test_damage_in_the_middle(tmp_path: Path) -> None:
    path = clips.constant(tmp_path / "a.mp4", frames=90)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = b"\x55" * 400
    path.write_bytes(data)
    frames: list[Frame] = []
    with (
        pytest.raises(InputError, match="damaged"),
        open_source(str(path)) as source,
        prefetch(source) as ahead,
    ):
        frames.extend(ahead)
    assert len(frames) > 60


def test_unreadable_image_is_left_out_and_reported(tmp_path: Path) -> None:
    images = clips.folder(tmp_path / "images", 5)
    (images / "f3.png").write_bytes(b"not a picture")
    frames: list[Frame] = []
    with pytest.raises(InputError, match=r"f3\.png"), open_source(str(images)) as source:
        frames.extend(source)
    assert [frame.index for frame in frames] == [0, 1, 3, 4]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.mp4", None, "no such file"),
        ("text.mp4", b"this is not a video", "cannot read"),
        ("empty.mp4", b"", "cannot read"),
        ("empty folder", "folder", "no images"),
        ("*.png", None, "no image matches"),
        ("sound.wav", "sound", "it has no video"),
    ],
)
def test_what_cannot_be_opened(tmp_path: Path, name: str, content: bytes | str | None, message: str) -> None:
    path = tmp_path / name
    if content == "folder":
        path.mkdir()
    elif content == "sound":
        clips.ffmpeg("-f", "lavfi", "-t", "1", "-i", "sine", str(path))
    elif isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        open_source(str(path))
    assert caught.value.hint


def test_names_that_look_like_something_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    clips.constant(tmp_path / "plain.mp4", frames=3)
    for name in ("-y.mp4", "a:b.mp4", "[x] 100%d.mp4", "7"):
        (tmp_path / name).write_bytes((tmp_path / "plain.mp4").read_bytes())
        assert len(read(open_source(name))[1]) == 3, name


def test_a_rate_that_nobody_states_is_unknown(tmp_path: Path) -> None:
    """As browsers record calls: the clock ticks 1000 times a second, the frames do not."""
    times = "settb=1/1000,setpts='floor(N*1000/30+mod(N*7\\,5)*3+mod(N*3\\,7))':strip_fps=1"
    options = ("-vf", times, "-fps_mode", "passthrough", "-enc_time_base", "1/1000", "-c:v", "libvpx")
    info, frames = read(open_source(str(clips.constant(tmp_path / "call.webm", *options))))
    assert info.fps is None
    assert len(frames) == 30
    assert frames[6].time == pytest.approx(0.210)


@pytest.mark.parametrize("suffix", [".webm", ".mkv"])
def test_joined_recordings_follow_one_another(tmp_path: Path, suffix: str, caplog) -> None:
    """As recorders leave them that were restarted: two files in one, the second clock begins at 0."""
    codec = ("-c:v", "libvpx", "-b:v", "500k") if suffix == ".webm" else ()
    part = clips.constant(tmp_path / f"part{suffix}", *codec).read_bytes()
    joined = tmp_path / f"joined{suffix}"
    joined.write_bytes(part + part)
    _, frames = read(open_source(str(joined)))
    assert [clips.number(frame.image) for frame in frames] == [*range(30), *range(30)]
    assert [frame.time for frame in frames] == pytest.approx([n * 1001 / 30000 for n in range(60)], abs=0.035)
    assert (np.diff([frame.time for frame in frames]) > 0.03).all()
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith(f"{joined}: its clock goes back after 0.97 s")


@pytest.mark.parametrize(
    ("suffix", "parts", "unread"),
    [(".mkv", 3, 1), (".flv", 2, 1), (".flv", 1, 0), (".mp4", 3, 2), (".mov", 2, 1), (".mp4", 1, 0)],
)
def test_joined_recordings_that_are_not_read_are_told(
    tmp_path: Path, suffix: str, parts: int, unread: int
) -> None:
    """ffmpeg reads two of joined Matroska files, and one of joined FLV and MP4 files."""
    part = clips.constant(tmp_path / f"part{suffix}")
    joined = tmp_path / f"joined{suffix}"
    joined.write_bytes(part.read_bytes() * parts)
    frames: list[Frame] = []
    try:
        with open_source(str(joined)) as source:
            frames.extend(source)
    except InputError as error:
        assert f"joined recordings, the last {unread} of which cannot be read" in str(error)
    else:
        assert unread == 0
    assert len(frames) == 30 * (parts - unread)


def test_what_a_shell_hands_over(made: dict[str, str]) -> None:
    """`<(command)` names an open file by its number."""
    with Path(made["mkv"]).open("rb") as file:
        info, frames = read(open_source(f"/dev/fd/{file.fileno()}"))
        assert info.name == str(file.fileno())
    with pytest.raises(InputError, match="no such file or folder: /dev/fd/9999"):
        open_source("/dev/fd/9999")
    assert [clips.number(frame.image) for frame in frames] == list(range(30))


def test_a_named_pipe_is_opened_once(made: dict[str, str], tmp_path: Path) -> None:
    """It is opened once: who writes into it does not begin again."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    Thread(target=lambda: pipe.write_bytes(Path(made["mkv"]).read_bytes()), daemon=True).start()
    info, frames = read(open_source(str(pipe)))
    assert info.name == "pipe"
    assert [clips.number(frame.image) for frame in frames] == list(range(30))


def test_a_pipe_into_which_nothing_is_written_is_empty(tmp_path: Path) -> None:
    """As where the program before it failed; it was "Invalid data"."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    Thread(target=lambda: pipe.write_bytes(b""), daemon=True).start()
    with pytest.raises(InputError, match=r"cannot read .*pipe: it is empty"):
        open_source(str(pipe))


def test_an_address_of_a_file_manager(made: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "my clip.mp4"
    path.write_bytes(Path(made["mp4"]).read_bytes())
    info, frames = read(open_source(path.as_uri()))
    assert path.as_uri().endswith("my%20clip.mp4")
    assert (info.name, len(frames)) == ("my clip", 30)


def test_expected_count() -> None:
    info = SourceInfo("a", fps=Fraction(25), count=100)
    assert expected_count(info, FrameRange()) == 100
    assert expected_count(info, FrameRange(TimePoint(frame=10), TimePoint(seconds=2.0), 4)) == 10
    assert expected_count(SourceInfo("camera"), FrameRange()) is None
    assert expected_count(SourceInfo("camera"), FrameRange(end=TimePoint(frame=7))) == 7


@pytest.mark.skipif(not (SHARED / "data/clips").exists(), reason="needs the shared data")
def test_healthy_recordings_pass() -> None:
    """No false alarm on files that other programs wrote."""
    paths = [SHARED / "data/clips/bag.avi", *sorted((SHARED / "data/train_sequences").glob("*.mp4"))[:3]]
    for path in paths:
        info, frames = read(open_source(str(path)))
        assert info.count == pytest.approx(len(frames), abs=2), path
