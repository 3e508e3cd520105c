"""The annotated video: it plays, it is whole or not there, and it keeps size, times and sound."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import time
from dataclasses import replace
from fractions import Fraction
from itertools import product
from pathlib import Path

import clips
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siamcli.atomic import Unfinished
from siamcli.boxes import Box
from siamcli.drawing.colors import COLORS
from siamcli.drawing.draw import draw
from siamcli.errors import InputError, OutputError
from siamcli.formats.records import header_record
from siamcli.frames import Frame, SourceInfo
from siamcli.media import encoders
from siamcli.media import video as video_module
from siamcli.media.encoders import VideoOptions
from siamcli.media.ffmpeg import ffmpeg_exe
from siamcli.media.sound import Soundtrack
from siamcli.media.soundtrack import soundtrack
from siamcli.media.sources import open_source
from siamcli.media.video import VideoWriter
from siamcli.session.outputs import Outputs
from siamcli.times import TimePoint
from siamcli.trajectory import TrackHeader, TrackPoint

INFO = SourceInfo("made", clips.SIZE, Fraction(30000, 1001))


def read(path: Path | str) -> tuple[SourceInfo, list[Frame]]:
    with open_source(str(path)) as source:
        return source.info, list(source)


def copy(source: Path, target: Path, start: int = 0, stride: int = 1) -> tuple[list[Frame], list[Frame]]:
    """The frames of a source and of its copy, with sound."""
    with open_source(str(source), start=TimePoint(frame=start), stride=stride) as frames:
        given = list(frames)
        with VideoWriter(str(target), frames.info, overwrite=False, audio=soundtrack(str(source))) as video:
            for frame in given:
                video.write(frame.image, frame.time)
    return given, read(target)[1]


def described(path: Path) -> str:
    command = [ffmpeg_exe(), "-hide_banner", "-i", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


def sound_seconds(path: Path) -> float:
    command = [
        ffmpeg_exe(),
        "-i",
        str(path),
        "-map",
        "0:a",
        "-f",
        "s16le",
        "-ac",
        "1",
        "-",
    ]
    return len(subprocess.run(command, capture_output=True, check=True).stdout) / 2 / 48000


def test_plays_everywhere(tmp_path: Path) -> None:
    """H.264, 4:2:0, index at the front, exact rate; every frame is there and shows the same."""
    given, back = copy(clips.constant(tmp_path / "a.mkv"), tmp_path / "out.mp4")
    assert [clips.number(frame.image) for frame in back] == list(range(30))
    assert read(tmp_path / "out.mp4")[0].fps == Fraction(30000, 1001)
    assert [frame.time for frame in back] == pytest.approx([i * 1001 / 30000 for i in range(30)], abs=1e-6)
    assert re.search(r"Video: h264 .*, yuv420p.*, 96x64", described(tmp_path / "out.mp4"))
    data = (tmp_path / "out.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    error = np.abs(given[7].image.astype(int) - back[7].image.astype(int))
    assert error.mean() < 4


def test_variable_rate_keeps_its_times(tmp_path: Path) -> None:
    given, back = copy(clips.variable(tmp_path / "a.mp4"), tmp_path / "out.mp4")
    assert [frame.time for frame in back] == pytest.approx([frame.time for frame in given], abs=0.001)
    assert "Duration: 00:00:02.27" in described(tmp_path / "out.mp4")  # the last frame, at 2.233, is seen too


@pytest.mark.parametrize(
    ("size", "rate"),
    [
        *product([(1280, 720), (1920, 1080)], [Fraction(25), Fraction(30), Fraction(30000, 1001)]),
        ((3840, 2160), Fraction(30000, 1001)),
    ],
)
@pytest.mark.parametrize("times", ["constant", "variable", "one frame"])
def test_level_and_rate_are_what_players_in_hardware_take(tmp_path, size, rate, times) -> None:
    """Also of frames so large that ffmpeg cannot guess the rate, and in Matroska, which states it."""
    level = {720: 31, 1080: 40, 2160: 51}[size[1]]
    path = tmp_path / ("out.mkv" if times == "variable" else "out.mp4")
    delays = {"constant": [0, 0, 0, 0], "variable": [0, 0.004, 0.011, 0.002], "one frame": [0]}[times]
    picture = np.full((size[1], size[0], 3), 90, np.uint8)
    with VideoWriter(str(path), SourceInfo("made", size, rate), overwrite=False) as video:
        for index, delay in enumerate(delays):
            video.write(picture, float(index / rate + delay))
    assert clips.header(path)["level_idc"] == level
    if times != "one frame":
        assert f" {float(rate):.5g} fps," in described(path)


@pytest.mark.parametrize("preset", ["slow", "veryslow"])
def test_slow_presets_keep_to_the_level(tmp_path, preset) -> None:
    picture = np.full((1080, 1920, 3), 90, np.uint8)
    options = VideoOptions(encoder="libx264", preset=preset)
    info = SourceInfo("made", (1920, 1080), Fraction(30))
    with VideoWriter(str(tmp_path / "out.mp4"), info, overwrite=False, options=options) as video:
        for index in range(3):
            video.write(picture, index / 30)
    assert clips.header(tmp_path / "out.mp4")["level_idc"] == 40


def test_odd_sizes_are_padded(tmp_path: Path) -> None:
    given, back = copy(clips.odd(tmp_path / "a.mp4"), tmp_path / "out.mp4")
    assert back[0].image.shape == (66, 98, 3)
    assert given[0].image.shape == (65, 97, 3)
    error = np.abs(given[9].image.astype(int) - back[9].image[:65, :97].astype(int))
    assert np.median(error) < 4


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize(("stored", "turned", "shown"), [("64/45", 0, "64:45"), ("4/3", 90, "3:4")])
def test_pixels_that_are_not_square_stay_so(tmp_path, suffix, stored, turned, shown) -> None:
    """As on a DVD, and as a phone held upright turns it; ffmpeg says how it will be shown."""
    clips.constant(tmp_path / "flat.mp4", "-vf", f"setsar={stored}", "-c:v", "libx264", sound=True)
    source = tmp_path / "a.mp4"
    turn = ("-display_rotation:v:0", str(turned))
    clips.ffmpeg(*turn, "-i", str(tmp_path / "flat.mp4"), "-c", "copy", str(source))
    given, back = copy(source, tmp_path / f"out{suffix}")
    assert f"[SAR {shown} DAR " in described(tmp_path / f"out{suffix}")
    width, height = clips.SIZE if turned == 0 else clips.SIZE[::-1]
    assert given[0].image.shape == back[0].image.shape == (height, width, 3)  # as stored, nothing scaled
    with open_source(str(source)) as frames:
        header = header_record(TrackHeader(frames.info, "", "", ""))
    assert header["source"]["pixel_aspect"] == shown.replace(":", "/")
    square = clips.constant(tmp_path / "square.mp4")
    copy(square, tmp_path / "copy.mp4")
    assert "SAR 1:1" in described(tmp_path / "copy.mp4")


def test_sound_is_carried_over(tmp_path: Path) -> None:
    _, back = copy(clips.portrait(tmp_path / "a.mp4"), tmp_path / "out.mp4")
    assert back[0].image.shape == (clips.SIZE[0], clips.SIZE[1], 3)
    assert "Audio: aac" in described(tmp_path / "out.mp4")
    assert "rotation" not in described(tmp_path / "out.mp4")
    assert sound_seconds(tmp_path / "out.mp4") == pytest.approx(30 * 1001 / 30000, abs=0.06)


@pytest.mark.parametrize("codec", ["pcm_s16le", "libvorbis"])
def test_other_sound_becomes_aac(tmp_path: Path, codec: str) -> None:
    source = clips.constant(tmp_path / "a.mkv", "-c:v", "libx264", "-c:a", codec, sound=True)
    copy(source, tmp_path / "out.mp4")
    assert "Audio: aac" in described(tmp_path / "out.mp4")


@pytest.mark.parametrize(("default", "unknown", "heard"), [(0, 0, 440), (1, 0, 880), (0, 1, 880)])
def test_the_sound_that_players_play(tmp_path: Path, default: int, unknown: int, heard: float) -> None:
    """The default one, unless nobody decodes it (as of spatial audio on phones)."""
    copy(clips.two_sounds(tmp_path / "a.mp4", default, unknown=unknown), tmp_path / "out.mp4")
    assert clips.pitch(tmp_path / "out.mp4") == pytest.approx(heard, abs=5)


def test_a_sound_that_nobody_decodes_is_left_out(tmp_path: Path, caplog) -> None:
    _, back = copy(clips.two_sounds(tmp_path / "a.mp4", 0, unknown=2), tmp_path / "out.mp4")
    assert len(back) == 30
    assert "Audio" not in described(tmp_path / "out.mp4")
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith(f"{tmp_path / 'out.mp4'} has no sound: apple_apac of {tmp_path / 'a.mp4'}: ")
    assert {path.name for path in tmp_path.iterdir()} == {"a.mp4", "out.mp4"}


def test_a_stretch_has_its_own_sound_and_begins_at_zero(tmp_path: Path) -> None:
    source = clips.constant(tmp_path / "a.mp4", sound=True)
    _, back = copy(source, tmp_path / "out.mp4", start=15, stride=3)
    assert [clips.number(frame.image) for frame in back] == [15, 18, 21, 24, 27]
    assert [frame.time for frame in back] == pytest.approx([i * 3003 / 30000 for i in range(5)], abs=1e-6)
    assert sound_seconds(tmp_path / "out.mp4") == pytest.approx(13 * 1001 / 30000, abs=0.06)


def test_frames_without_times_get_a_rate(tmp_path: Path) -> None:
    with VideoWriter(str(tmp_path / "out.mp4"), SourceInfo("folder"), overwrite=False) as video:
        for index in range(5):
            video.write(clips.image(index), None)
    info, back = read(tmp_path / "out.mp4")
    assert info.fps == 25
    assert [frame.time for frame in back] == pytest.approx([0, 0.04, 0.08, 0.12, 0.16])


@pytest.mark.parametrize("suffix", [".mkv", ".mov", ".m4v"])
def test_other_containers(tmp_path: Path, suffix: str) -> None:
    _, back = copy(clips.constant(tmp_path / "a.mp4", sound=True), tmp_path / f"out{suffix}")
    assert len(back) == 30


@pytest.mark.parametrize("stop", [KeyboardInterrupt, InputError("torn")])
def test_an_interrupted_video_plays(tmp_path: Path, stop: BaseException) -> None:
    path = tmp_path / "out.mp4"
    with (
        pytest.raises((KeyboardInterrupt, InputError)),
        VideoWriter(str(path), INFO, overwrite=False) as video,
    ):
        for index in range(7):
            video.write(clips.image(index), None)
        assert not path.exists()
        raise stop
    assert len(read(path)[1]) == 7
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.usefixtures("full_disk")
@pytest.mark.parametrize(
    ("unfinished", "kept"),
    [("removed", None), ("kept", "out.incomplete.mp4"), ("beside", "out.incomplete.mp4")],
)
def test_a_disk_that_is_full_when_the_sound_comes(
    tmp_path: Path, unfinished: Unfinished, kept: str | None
) -> None:
    whole = unfinished == "removed"
    path, source = tmp_path / "out.mp4", clips.constant(tmp_path / "a.mp4", sound=True)
    path.write_text("precious")
    with (
        pytest.raises(OutputError, match="cannot write" if whole else "has no sound") as caught,
        VideoWriter(
            str(path), INFO, overwrite=True, audio=soundtrack(str(source)), unfinished=unfinished
        ) as video,
    ):
        video.write(clips.image(0), None)
    assert "No space left" in str(caught.value)
    assert path.read_bytes() == b"precious"
    assert {p.name for p in tmp_path.iterdir()} == {"out.mp4", "a.mp4", *([kept] if kept else [])}
    assert kept is None or len(read(tmp_path / kept)[1]) == 1


def test_a_video_that_must_be_whole_is_stopped_at_its_end(tmp_path: Path, monkeypatch) -> None:
    def ctrl_c(*_: object) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "out.mp4"
    path.write_text("precious")
    monkeypatch.setattr(VideoWriter, "_add_audio", ctrl_c)
    with (
        pytest.raises(KeyboardInterrupt),
        VideoWriter(
            str(path), INFO, overwrite=True, audio=Soundtrack("a.mp4", ()), unfinished="removed"
        ) as video,
    ):
        video.write(clips.image(0), None)
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupt_at_the_last_moment_costs_nothing(tmp_path: Path, monkeypatch) -> None:
    """Ctrl-C while the files are finished is heard, after they are."""
    close = VideoWriter.close

    def interrupted(video: VideoWriter, complete: bool) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)
        close(video, complete)

    monkeypatch.setattr(VideoWriter, "close", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with (
            pytest.raises(KeyboardInterrupt),
            Outputs([str(tmp_path / "a.mp4")], TrackHeader(INFO, "", "", ""), overwrite=False) as sinks,
        ):
            for index in range(7):
                sinks.write(Frame(index, None, clips.image(index)), ())
    finally:
        signal.signal(signal.SIGINT, before)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
    assert len(read(tmp_path / "a.mp4")[1]) == 7


@pytest.mark.usefixtures("full_disk")
@pytest.mark.parametrize("names", [("a.mp4", "a.json"), ("a.json", "a.mp4")])
def test_what_is_whole_is_not_called_incomplete(tmp_path: Path, names: tuple[str, str]) -> None:
    """The disk is full when the sound comes: the video misses it, the trajectory misses nothing."""
    source = clips.constant(tmp_path / "source.mp4", sound=True)
    paths = [str(tmp_path / name) for name in names]
    header = TrackHeader(INFO, "", "", "")
    sinks = Outputs(paths, header, overwrite=False, audio=soundtrack(str(source)))
    with pytest.raises(OutputError, match="No space left"), sinks:
        sinks.write(Frame(0, None, clips.image(0)), [TrackPoint(0, None, Box(1, 2, 3, 4), 1.0, "init")])
    assert sinks.incomplete == [str(tmp_path / "a.mp4")]
    assert json.loads((tmp_path / "a.json").read_text())["complete"] is True


def test_an_encoder_that_fails_is_not_a_full_disk(tmp_path: Path, monkeypatch) -> None:
    broken = replace(encoders.X264, quality="-no_such_option")
    monkeypatch.setattr(video_module, "encoder_named", lambda name: broken)
    with (
        pytest.raises(OutputError, match="cannot write") as caught,
        VideoWriter(str(tmp_path / "out.mp4"), INFO, overwrite=False) as video,
    ):
        video.write(clips.image(0), None)
    assert "space" not in str(caught.value.hint)
    assert "doctor" in str(caught.value.hint)


def test_nothing_is_left_of_a_video_without_a_frame(tmp_path: Path) -> None:
    with pytest.raises(InputError), VideoWriter(str(tmp_path / "out.mp4"), INFO, overwrite=False):
        raise InputError("no such box")
    assert list(tmp_path.iterdir()) == []


def test_refuses_to_overwrite_and_unknown_suffixes(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_text("precious")
    with pytest.raises(OutputError, match="exists"):
        VideoWriter(str(path), INFO, overwrite=False)
    with pytest.raises(OutputError, match="unknown format"):
        VideoWriter(str(tmp_path / "out.gif"), INFO, overwrite=False)
    assert path.read_text() == "precious"


def test_a_frame_of_another_size(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match="a frame of 30x20 in a video of 96x64"),
        VideoWriter(str(tmp_path / "out.mp4"), INFO, overwrite=False) as video,
    ):
        video.write(clips.image(0), None)
        video.write(clips.image(1, (30, 20)), None)


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk."""
    noise = np.random.default_rng(0).integers(0, 255, (40, 240, 320, 3), np.uint8)
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, old[1]))
    try:
        with (
            pytest.raises(OutputError, match="cannot write") as caught,
            VideoWriter(str(tmp_path / "out.mp4"), INFO, overwrite=False) as video,
        ):
            for image in noise:
                video.write(image, None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert "`ulimit -f`" in str(caught.value.hint)
    assert list(tmp_path.iterdir()) == []


boxes = st.builds(Box, *[st.floats(-1e9, 1e9)] * 2, *[st.floats(-10, 1e9)] * 2)
states = st.sampled_from(["init", "tracked", "lost", "found", "absent"])


@settings(deadline=None)
@given(st.tuples(st.integers(1, 200), st.integers(1, 200)), st.lists(st.tuples(boxes, states), max_size=3))
def test_drawing_takes_any_box_on_any_picture(size: tuple[int, int], given: list[tuple[Box, str]]) -> None:
    image = np.full((size[1], size[0], 3), 128, np.uint8)
    kept = image.copy()
    points = [TrackPoint(9, None, box, 0.5, state, n) for n, (box, state) in enumerate(given, 1)]  # type: ignore[arg-type]
    drawn = draw(image, points, ("name",))
    assert drawn.shape == image.shape
    np.testing.assert_array_equal(image, kept)


@pytest.mark.parametrize("size", [(160, 90), (640, 360), (1920, 1080)])
def test_what_is_drawn(size: tuple[int, int]) -> None:
    """Edges in the target's colour, gaps where it is lost, lines that grow with the picture."""
    image = np.full((size[1], size[0], 3), 128, np.uint8)
    box = Box(size[0] * 0.4, size[1] * 0.4, size[0] * 0.3, size[1] * 0.3)

    def left_edge(state: str, target: int) -> np.ndarray:
        point = TrackPoint(3, None, box, 0.9, state, target)  # type: ignore[arg-type]
        column = draw(image, [point])[:, round(box.x)].astype(int)
        return column[round(box.y + box.h * 0.2) : round(box.y + box.h * 0.8)]

    assert (left_edge("tracked", 1) == COLORS[0]).all()
    assert (left_edge("tracked", 2) == COLORS[1]).all()
    lost = left_edge("lost", 1)
    assert (lost == 128).all(1).any()
    assert not (lost == COLORS[0]).all(1).any()
    assert (left_edge("absent", 1) == 128).all()
    row = draw(image, [TrackPoint(3, None, box, 0.9, "tracked")])[round(box.y + box.h / 2)]
    thickness = (row == COLORS[0]).all(1).sum() / 2
    assert thickness == pytest.approx(max(2, size[1] / 200), rel=0.5)


@pytest.mark.parametrize("frames", [1, 2])
def test_the_last_frame_of_a_short_video_lasts(tmp_path, frames):
    path = tmp_path / "short.mp4"
    with VideoWriter(str(path), SourceInfo("short", (64, 48), Fraction(25)), overwrite=False) as video:
        for i in range(frames):
            video.write(np.full((48, 64, 3), 40 * i, np.uint8), i / 25)
    said = subprocess.run([ffmpeg_exe(), "-i", path], capture_output=True, text=True, check=False).stderr
    assert f"Duration: 00:00:00.{4 * frames:02}" in said


@pytest.mark.parametrize(
    ("size", "box", "shown"),
    [
        ((640, 360), Box(300, 100, 50, 50), True),
        ((640, 360), Box(20, 300, 50, 59), False),
        ((64, 48), Box(40, 2, 10, 10), False),
    ],
)
def test_the_frame_number_covers_neither_box_nor_picture(size, box, shown) -> None:
    image = np.full((size[1], size[0], 3), 255, np.uint8)
    drawn = draw(image, [TrackPoint(3, None, box, 0.9, "tracked")])
    assert (drawn[-1, 0].max() < 30) == shown


@pytest.mark.parametrize(
    ("cores", "size", "threads"),
    [
        (1, (640, 360), "1"),
        (2, (640, 360), "1"),
        (2, (1280, 720), "2"),
        (1, (4096, 2160), "1"),
        (8, (64, 48), "7"),
    ],
)
def test_x264_leaves_a_core_to_the_network_of_small_pictures(monkeypatch, cores, size, threads) -> None:
    monkeypatch.setattr(encoders, "usable_cores", lambda: cores)
    options = encoders.X264.options("veryfast", 20, size)
    assert options[options.index("-threads") + 1] == threads


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".mpg", ".avi", ".flv"])
def test_sound_stays_with_the_picture(suffix: str, tmp_path: Path) -> None:
    """A click comes as long after the first picture as in the source, and nothing before it is lost."""
    click = "aevalsrc='0.9*between(t,0.5,0.51)*sin(2*PI*900*t)':s=48000:d=1"
    flat = clips.constant(tmp_path / "flat.mp4", "-c:v", "libx264", "-bf", "2", "-pix_fmt", "yuv420p")
    codec = ("-c:a", "mp2") if suffix == ".mpg" else ("-c:a", "aac") if suffix != ".avi" else ("-c:a", "mp3")
    video = ("-c:v", "mpeg2video", "-bf", "2") if suffix == ".mpg" else ("-c:v", "copy")
    source, out = tmp_path / f"source{suffix}", tmp_path / "out.mp4"
    rate = ("-ar", "44100") if suffix == ".flv" else ()
    clips.ffmpeg("-i", str(flat), "-f", "lavfi", "-i", click, *video, *codec, *rate, str(source))
    with (
        open_source(str(source)) as opened,
        VideoWriter(str(out), opened.info, overwrite=False, audio=soundtrack(str(source))) as writer,
    ):
        for frame in opened:
            writer.write(frame.image, frame.time)
    before, after = (click_after_picture(path) for path in (source, out))
    assert after == pytest.approx(before, abs=0.005)


def click_after_picture(path: Path) -> float:
    """Seconds from the first picture to the loudest sound, both by the container's clock."""
    command = [ffmpeg_exe(), "-hide_banner", "-copyts", "-i", str(path)]
    sound = [
        "-map",
        "0:a:0",
        "-af",
        "ashowinfo,aformat=s16:channel_layouts=mono",
        "-ar",
        "48000",
        "-f",
        "s16le",
        "-",
    ]
    heard = subprocess.run([*command, *sound], capture_output=True, check=True)
    shown = subprocess.run(
        [*command, "-map", "0:V:0", "-vf", "showinfo", "-f", "null", "-"], capture_output=True, check=True
    )
    begins = [float(re.search(rb"n: *0 pts:.*?pts_time:(\S+)", done.stderr)[1]) for done in (heard, shown)]
    wave = np.abs(np.frombuffer(heard.stdout, "<i2").astype(int))
    return begins[0] + int((wave > wave.max() / 2).argmax()) / 48000 - begins[1]
