"""A start in the middle: decoded from the key frame before it, with the same frames as from the beginning."""

from __future__ import annotations

from pathlib import Path

import clips
import numpy as np
import pytest

from siamcli.frames import Frame
from siamcli.media import files
from siamcli.media.packets import KeyFrame, key_frame_before
from siamcli.media.sources import open_source
from siamcli.media.streams import choose_video, list_streams
from siamcli.times import TimePoint

STARTS = [
    *(TimePoint(frame=n) for n in (1, 9, 10, 29)),
    *(TimePoint(seconds=t) for t in (0.34, 0.9)),
]
TIMES = "settb=1/600,setpts=if(lt(N\\,10)\\,N\\,10+(N-10)*3)/(30*TB)"
X264 = ("-c:v", "libx264", "-g", "10")
CLIPS = {
    "key frames": ("a.mp4", X264, True),
    "B-frames": ("a.mp4", (*X264, "-bf", "3"), True),
    "open groups": ("a.mkv", (*X264, "-bf", "3", "-x264-params", "open-gop=1"), True),
    "key frames in Matroska": ("a.mkv", X264, True),
    "variable rate": ("a.mp4", (*X264, "-vf", TIMES, "-fps_mode", "vfr", "-enc_time_base", "1/600"), True),
    "every frame is a key": ("a.mov", ("-c:v", "mjpeg", "-q:v", "2"), True),
    "one key frame": ("a.mp4", ("-c:v", "libx264", "-g", "99", "-x264-params", "scenecut=0"), False),
    "hidden frames": ("a.webm", ("-c:v", "libvpx", "-g", "10"), False),
    "fields": ("a.mp4", (*X264, "-flags", "+ilme+ildct", "-vf", "setfield=tff"), False),
    "no times": ("a.h264", X264, False),
    "a stream": ("a.ts", X264, False),
    "AVI": ("a.avi", ("-c:v", "mpeg4", "-g", "10"), False),
}


def read(path: Path, start: TimePoint | None = None) -> list[Frame]:
    with open_source(str(path), start=start) as source:
        return list(source)


def key_frame(path: Path, start: TimePoint) -> KeyFrame | None:
    streams = list_streams(f"file:{path}")
    video = choose_video(streams.videos)
    assert video
    return key_frame_before(f"file:{path}", streams, video, start)


@pytest.mark.parametrize("kind", CLIPS)
def test_the_same_frames_as_from_the_beginning(kind: str, tmp_path: Path) -> None:
    name, options, seeks = CLIPS[kind]
    path = clips.constant(
        tmp_path / name, *options, "-pix_fmt", "yuvj420p" if "mjpeg" in options else "yuv420p"
    )
    whole = read(path)
    assert (key_frame(path, TimePoint(frame=29)) is not None) == seeks
    for start in STARTS:
        expected = [frame for frame in whole if start.is_reached(frame.index, frame.time)]
        got = read(path, start)
        assert [(frame.index, frame.time) for frame in got] == [(f.index, f.time) for f in expected]
        assert all(np.array_equal(a.image, b.image) for a, b in zip(got, expected, strict=True))


def test_where_to_begin(tmp_path: Path) -> None:
    options = (*X264, "-x264-params", "scenecut=0", "-bf", "2", "-pix_fmt", "yuv420p")
    path = clips.constant(tmp_path / "a.mp4", *options)
    begin = {n: key_frame(path, TimePoint(frame=n)) for n in (5, 9, 10, 19, 20, 29, 99)}
    assert {n: key and key.index for n, key in begin.items()} == {
        5: None, 9: None, 10: 10, 19: 10, 20: 20, 29: 20, 99: 20,
    }  # fmt: skip
    late = key_frame(path, TimePoint(seconds=20 * 1001 / 30000))
    assert late is not None and late.index == 20
    assert late.time == pytest.approx(20 * 1001 / 30000)


def test_packets_that_are_not_to_be_trusted(tmp_path: Path) -> None:
    """A clock that goes back, frames that an edit list leaves out, a file that was cut short."""
    part = clips.constant(tmp_path / "part.mkv", *X264, "-pix_fmt", "yuv420p")
    joined = tmp_path / "joined.mkv"
    joined.write_bytes(part.read_bytes() * 2)
    assert key_frame(joined, TimePoint(seconds=0.8))
    assert key_frame(joined, TimePoint(frame=55)) is None
    edited = tmp_path / "edited.mp4"
    clips.ffmpeg("-ss", "0.2", "-i", str(part), "-c", "copy", str(edited))
    for path in (joined, edited):
        whole = read(path)
        for n in (12, len(whole) - 2):
            got = read(path, TimePoint(frame=n))
            assert [(f.index, f.time) for f in got] == [(f.index, f.time) for f in whole[n:]]
    atomic_file = clips.constant(tmp_path / "whole.mp4", frames=90)
    assert key_frame(clips.damaged(atomic_file, 0.5), TimePoint(frame=85)) is None


def test_a_key_frame_that_does_not_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is decoded from the first frame then."""
    path = clips.constant(tmp_path / "a.mp4")
    expected = read(path, TimePoint(frame=20))
    for wrong in (KeyFrame(7, 0.25), KeyFrame(7, 12.0)):
        monkeypatch.setattr(files, "key_frame_before", lambda *_, key=wrong: key)
        got = read(path, TimePoint(frame=20))
        assert [(f.index, f.time) for f in got] == [(f.index, f.time) for f in expected]
