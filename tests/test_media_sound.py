"""Which sounds of a source are kept in an annotated video."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import clips
import numpy as np
import pytest
from servers import answering

from siamcli.errors import InputError
from siamcli.media.ffmpeg import ffmpeg_exe
from siamcli.media.soundtrack import soundtrack
from siamcli.media.sources import open_source
from siamcli.media.streams import list_streams
from siamcli.media.video import VideoWriter
from siamcli.times import TimePoint

ONE_SOUND = (".avi", ".flv")  # that ffmpeg writes into such a container
BOX = ("--box", "40,20,20,20")


def pitches(path: Path) -> list[float]:
    """The loudest frequency of every sound of a file in Hz."""
    found = []
    for sound in list_streams(f"file:{path}").sounds:
        alone = path.with_name(f"{path.stem}-{sound.number}.mkv")
        clips.ffmpeg("-i", str(path), "-map", f"0:a:{sound.number}", "-c", "copy", str(alone))
        found.append(round(clips.pitch(alone), -1))
    return found


@pytest.fixture
def run(siamtrack, weights, tmp_path: Path):
    """Track the film with options; returns the pitches in the video."""

    def track(*options: str, film: str = "film.mp4", out: str = "out.mp4") -> list[float]:
        done = siamtrack("run", film, *BOX, *options, "--weights", weights, "-o", out, "-y")
        assert done.code == 0, done.err
        return pitches(tmp_path / out)

    return track


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".avi"])
def test_one_sound_or_all_from_any_container(run, tmp_path: Path, suffix: str) -> None:
    film = clips.two_sounds(tmp_path / "two.mp4", default=1)  # 440 Hz, and 880 Hz, which players play
    codec = ("-c:a", "mp3") if suffix == ".avi" else ()
    clips.ffmpeg("-i", str(film), "-map", "0", "-c:v", "copy", *codec, str(tmp_path / f"film{suffix}"))
    for wanted, expected in {"2": [880], "all": [440, 880]}.items():
        assert run("--audio", wanted, film=f"film{suffix}") == expected, wanted
    if suffix == ".mp4":
        assert run() == [880]
        assert run("--audio", "1") == [440]


def test_the_sound_of_an_address_is_left_out_with_a_message(siamtrack, weights, tmp_path: Path) -> None:
    """Where a video is written, and there is a sound to miss."""
    data = clips.constant(tmp_path / "film.ts", sound=True, frames=5).read_bytes()
    with answering(lambda c: (c.recv(4096), c.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + data))) as port:
        address = f"http://127.0.0.1:{port}/film.ts"
        for output, lines in (("a.mp4", 1), ("a.json", 0)):
            done = siamtrack("run", address, *BOX, "--weights", weights, "-o", output)
            assert done.code == 0, done.err
            assert done.err.count(f"{address}: its sound is left out") == lines


def test_all_sounds_begin_with_their_pictures(run, tmp_path: Path) -> None:
    """A click in the sound of picture 15 is in that of picture 5 if the video begins with picture 10."""
    film = clips.constant(tmp_path / "silent.mp4")
    click = "aevalsrc=if(between(t\\,0.5005\\,0.52)\\,0.9\\,0):s=48000:d=1"
    clips.ffmpeg(
        *("-i", str(film), "-f", "lavfi", "-i", click, "-f", "lavfi", "-i", click),
        *("-map", "0:v", "-map", "1", "-map", "2", "-c:v", "copy", "-c:a", "aac", str(tmp_path / "film.mp4")),
    )
    run("--start", "10f", "--audio", "all")
    for number in (0, 1):
        wave = heard(tmp_path / "out.mp4", number)
        begins = np.argmax(wave > wave.max() / 2) / 48000
        assert begins == pytest.approx(5 * 1001 / 30000, abs=0.025)


@pytest.fixture(scope="module", params=[".ts", ".mpg", ".ogv", ".mkv", ".flv", ".avi"])
def clicking(request, tmp_path_factory) -> Path:
    """60 pictures, which begin 0.3 s after the first sound; a second one begins 0.6 s after them.  In both, a
    click comes with picture 45."""
    path = tmp_path_factory.mktemp("clicking") / f"film{request.param}"
    flat = clips.constant(path.with_name("flat.mp4"), frames=60)
    at = 45 * 1001 / 30000
    click, late = (
        f"aevalsrc='0.9*between(t,{at + begins:.4f},{at + begins + 0.02:.4f})*sin(5655*t)':s=44100:d={long}"
        for begins, long in ((0.3, 2.3), (-0.6, 1.4))
    )
    codecs = {".ogv": ("theora", "vorbis"), ".mpg": ("mpeg2video", "mp2"), ".avi": ("mpeg4", "mp3")}
    video, sound = codecs.get(path.suffix, ("h264", "aac"))
    alone = path.suffix in ONE_SOUND
    second = () if alone else ("-itsoffset", "0.9", "-f", "lavfi", "-i", late)
    clips.ffmpeg(
        *("-itsoffset", "0.3", "-i", str(flat), "-f", "lavfi", "-i", click, *second),
        *("-map", "0:v", "-map", "1", *(() if alone else ("-map", "2")), "-q:v", "4"),
        *("-c:v", {"h264": "libx264", "theora": "libtheora"}.get(video, video)),
        *("-c:a", {"vorbis": "libvorbis"}.get(sound, sound), str(path)),
    )
    return path


@pytest.mark.parametrize("wanted", ["all", 2])
@pytest.mark.parametrize("cut", [(0, 60), (10, 56), (30, 56)])
def test_a_stretch_of_each_sound_is_as_long_and_stays_with_its_pictures(
    clicking, tmp_path, cut, wanted
) -> None:
    """Wherever the streams of a file begin: a second sound of a transport stream came too late, a late one of
    Ogg too early, and the sound of a stretch of AVI and FLV went on after its pictures."""
    if wanted == 2 and clicking.suffix in ONE_SOUND:
        wanted = 1
    frames = open_source(str(clicking), start=TimePoint(frame=cut[0]), end=TimePoint(frame=cut[1]))
    out, audio = tmp_path / "out.mp4", soundtrack(str(clicking), wanted)
    with frames, VideoWriter(str(out), frames.info, overwrite=False, audio=audio) as video:
        for frame in frames:
            video.write(frame.image, frame.time)
    numbers = [clips.number(frame.image) for frame in open_source(str(out))]
    shown = [frame.time for frame in open_source(str(out))]
    assert audio is not None and 45 in numbers
    for number in range(len(audio.sounds)):
        wave = heard(out, number)
        begins = np.argmax(wave > wave.max() / 2) / 48000
        assert begins == pytest.approx(shown[numbers.index(45)], abs=0.03), number
        assert len(wave) / 48000 == pytest.approx(shown[-1] + 1001 / 30000, abs=0.06), number


def heard(path: Path, number: int) -> np.ndarray:
    """The loudness of one sound of a file from its time 0 on, 48000 a second."""
    command = [ffmpeg_exe(), "-v", "error", "-copyts", "-i", str(path), "-map", f"0:a:{number}"]
    raw = ("-af", "aresample=48000:async=1:first_pts=0", "-f", "s16le", "-ac", "1", "-")
    done = subprocess.run([*command, *raw], capture_output=True, check=True)
    return np.abs(np.frombuffer(done.stdout, "<i2").astype(int))


def test_a_sound_that_cannot_be_decoded_costs_no_other(siamtrack, weights, tmp_path: Path) -> None:
    clips.two_sounds(tmp_path / "film.mp4", default=0, unknown=1)
    done = siamtrack("run", "film.mp4", *BOX, "--audio", "all", "--weights", weights, "-o", "out.mp4")
    assert done.code == 0, done.err
    assert "out.mp4 lacks a sound" in done.err
    assert len(pitches(tmp_path / "out.mp4")) == 1


def test_render_fix_and_batch_keep_the_sound_that_is_wanted(siamtrack, weights, tmp_path: Path) -> None:
    clips.two_sounds(tmp_path / "film.mp4", default=0)
    to = ("--audio", "2", "-y")
    for command, out in (
        (("run", "film.mp4", *BOX, "-o", "film.json", "--weights", weights), None),
        (("render", "film.mp4", "film.json", "-o", "drawn.mp4", *to), "drawn.mp4"),
        (
            (
                "fix",
                "film.mp4",
                "film.json",
                "--box-at",
                "3f=40,20,20,20",
                "-o",
                "fixed.mp4",
                *to,
                "--weights",
                weights,
            ),
            "fixed.mp4",
        ),
        (("batch", "film.mp4", *BOX, "--weights", weights), "tracked/film.tracked.mp4"),
        (("batch", "film.mp4", *BOX, "--audio", "2", "--weights", weights), "tracked/film.tracked.mp4"),
    ):
        done = siamtrack(*command)
        assert done.code == 0, done.err
        if out:
            expected = 880 if "--audio" in command else 440
            assert pitches(tmp_path / out) == [expected], command


def test_a_sound_that_is_not_there(siamtrack, weights, tmp_path: Path) -> None:
    clips.two_sounds(tmp_path / "film.mp4", default=0)
    clips.constant(tmp_path / "silent.mp4", frames=3)
    clips.folder(tmp_path / "images", frames=3)
    shutil.copy(tmp_path / "film.mp4", tmp_path / "other.mp4")
    cases = (
        (("film.mp4", "--audio", "3"), 3, "film.mp4 has no sound 3", "it has 1: aac, 2: aac"),
        (("silent.mp4", "--audio", "1"), 3, "silent.mp4 has no sound 1", "it has none at all"),
        (("images", "--audio", "1"), 3, "images: --audio is for video files", "record it"),
        (("film.mp4", "--audio", "0"), 2, "--audio takes the number of a sound, from 1, or all, not '0'", ""),
        (("film.mp4", "--audio", "x"), 2, "--audio takes the number of a sound", ""),
        (("film.mp4", "--audio", "1", "--no-video"), 2, "--audio needs a video among the outputs", ""),
    )
    for options, code, message, hint in cases:
        done = siamtrack("run", *options, *BOX, "--weights", weights)
        assert (done.code, done.err.count("error:")) == (code, 1), done.err
        assert message in done.err and hint in done.err
        assert "loading" not in done.err and not list(tmp_path.glob("*.tracked.*"))
    with pytest.raises(InputError, match="-: --audio is for video files"):
        soundtrack("-", 1)
    assert soundtrack(str(tmp_path / "images"), "all") is None
