"""Which picture of a file is tracked, and how it is turned, stretched and deinterlaced before."""

from __future__ import annotations

from pathlib import Path

import clips
import numpy as np
import pytest

from siamcli.errors import InputError
from siamcli.formats.records import header_record, parse_header
from siamcli.frames import Frame, SourceInfo
from siamcli.media.sources import open_source
from siamcli.trajectory import TrackHeader

SMALL = (48, 32)


def read(path: Path, **options: object) -> tuple[SourceInfo, list[Frame]]:
    with open_source(str(path), **options) as source:
        return source.info, list(source)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("parts")
    return {
        "film": clips.constant(root / "film.mp4", frames=12),
        "other": clips.constant(root / "other.mp4", frames=8, size=SMALL),
        "still": clips.constant(
            root / "still.mkv", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", frames=1, size=SMALL
        ),
    }


def joined(path: Path, parts: list[Path], *options: str) -> Path:
    inputs = [word for part in parts for word in ("-i", str(part))]
    maps = [word for number in range(len(parts)) for word in ("-map", str(number))]
    clips.ffmpeg(*inputs, *maps, "-c", "copy", *options, str(path))
    return path


@pytest.mark.parametrize(
    ("first", "second", "options", "suffix", "expected"),
    [
        ("still", "film", (), ".mkv", 1),
        ("still", "film", ("-disposition:v:0", "0", "-disposition:v:1", "default"), ".mp4", 1),
        ("still", "film", ("-disposition:v:0", "attached_pic"), ".mp4", None),
        ("film", "still", ("-disposition:v:1", "attached_pic"), ".mp4", None),
        ("other", "film", ("-disposition:v:0", "0", "-disposition:v:1", "default"), ".mp4", 1),
        ("other", "film", ("-disposition:v:0", "0", "-disposition:v:1", "default"), ".mkv", 1),
        ("film", "other", (), ".ts", 0),
    ],
)
def test_the_stream_that_players_show(
    first: str,
    second: str,
    options: tuple[str, ...],
    suffix: str,
    expected: int | None,
    parts: dict[str, Path],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = joined(tmp_path / f"a{suffix}", [parts[first], parts[second]], *options)
    info, frames = read(path)
    assert info.size == clips.SIZE
    assert [clips.number(frame.image) for frame in frames] == list(range(12))
    said = [record.getMessage() for record in caplog.records]
    words = f"stream {expected} is used; --stream chooses another one"
    assert [line.endswith(words) for line in said] == [True] * (expected is not None)


def test_a_stream_by_its_number(parts: dict[str, Path], tmp_path: Path, caplog) -> None:
    path = joined(tmp_path / "a.mkv", [parts["film"], parts["other"]])
    for number, size, count in ((0, clips.SIZE, 12), (1, SMALL, 8)):
        info, frames = read(path, stream=number)
        assert (info.size, len(frames)) == (size, count)
        with path.open("rb") as file:
            assert len(read(Path(f"/dev/fd/{file.fileno()}"), stream=number)[1]) == count
    assert not caplog.records
    with pytest.raises(InputError, match="has no video stream 2") as caught:
        read(path, stream=2)
    assert caught.value.hint == "it has 2, counted from 0"


def test_the_eight_orientations(parts: dict[str, Path], tmp_path: Path) -> None:
    """Mirrored, then turned: so the picture is made from the stored one, whatever the file says."""
    _, stored = read(parts["film"])
    seen = set()
    for turn in ("0", "90", "180", "270"):
        for flip in ((), ("-display_hflip",)):
            path = tmp_path / f"{turn}{len(flip)}.mp4"
            clips.ffmpeg("-display_rotation", turn, *flip, "-i", str(parts["film"]), "-c", "copy", str(path))
            info, frames = read(path)
            image = stored[5].image[:, ::-1] if info.mirrored else stored[5].image
            assert np.array_equal(frames[5].image, np.rot90(image, -info.rotation // 90))
            seen.add((info.rotation, info.mirrored))
    assert len(seen) == 8
    header = TrackHeader(info, "", "", "")
    assert parse_header(header_record(header)).source.mirrored
    assert "mirrored" not in header_record(TrackHeader(SourceInfo("plain"), "", "", ""))["source"]


def test_a_rotation_that_is_not_a_multiple_of_90_is_reported(
    parts: dict[str, Path], tmp_path: Path, caplog
) -> None:
    path = tmp_path / "a.mp4"
    clips.ffmpeg("-display_rotation", "45", "-i", str(parts["film"]), "-c", "copy", str(path))
    assert read(path)[0].rotation == 0
    assert "is rotated by 315 degrees, which is not a multiple of 90" in caplog.text


def test_an_encrypted_film_is_called_so(parts: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    key = "00112233445566778899aabbccddeeff"
    cenc = ("-encryption_scheme", "cenc-aes-ctr", "-encryption_key", key, "-encryption_kid", key)
    clips.ffmpeg("-i", str(parts["film"]), "-c", "copy", *cenc, str(path))
    with pytest.raises(InputError, match=r"a\.mp4 is encrypted$"):
        read(path)


@pytest.mark.parametrize("suffix", [".mp4", ".mpg"])
def test_interlaced_video(suffix: str, tmp_path: Path, caplog) -> None:
    """A bar moves by 8 pixels from field to field: combs, which the filter removes."""
    size, frames = (96, 64), []
    for index in range(12):
        picture = np.full((size[1], size[0], 3), 24, np.uint8)
        for field in (0, 1):
            picture[field::2, 8 * index % 80 + 4 * field :][:, :12] = 220
        frames.append(picture.tobytes())
    raw = ("-f", "rawvideo", "-pix_fmt", "bgr24", "-s", "96x64", "-r", "25", "-i", "pipe:0")
    fields = ("-vf", "setfield=tff", "-flags", "+ilme+ildct", "-top", "1")
    codec = ("-c:v", "libx264") if suffix == ".mp4" else ("-c:v", "mpeg2video", "-q:v", "2")
    path = tmp_path / f"a{suffix}"
    clips.ffmpeg(*raw, *codec, *fields[:4], "-pix_fmt", "yuv420p", str(path), data=b"".join(frames))

    def combs(frames: list[Frame]) -> float:
        rows = np.stack([frame.image.mean(2) for frame in frames])
        return float(np.abs(rows[:, 1:-1] - (rows[:, :-2] + rows[:, 2:]) / 2).mean())

    _, woven = read(path)
    assert "is interlaced: moving things have combs; --deinterlace removes them" in caplog.text
    caplog.clear()
    _, smooth = read(path, deinterlace=True)
    assert [f.time for f in smooth] == [f.time for f in woven] and not caplog.records
    assert combs(smooth) < combs(woven) / 3


@pytest.mark.parametrize(("pixels", "top"), [("gray16le", 65535), ("gray12le", 4095), ("rgb48le", 65535)])
def test_values_that_use_a_part_of_their_range(pixels: str, top: int, tmp_path: Path, caplog) -> None:
    """One range for all frames: a frame that is darker than the others stays so."""
    ramp = np.linspace(0.10, 0.14, 64, dtype=np.float64)
    frames = [np.broadcast_to(ramp * scale * top, (48, 64)) for scale in (1.0, 1.0, 0.8, 1.0)]
    data = np.stack(frames).round().astype("<u2")
    if pixels.startswith("rgb"):
        data = np.repeat(data[..., None], 3, axis=3)
    raw = ("-f", "rawvideo", "-pix_fmt", pixels, "-s", "64x48", "-r", "25", "-i", "pipe:0")
    clips.ffmpeg(*raw, "-c:v", "ffv1", str(tmp_path / "a.mkv"), data=data.tobytes())
    _, got = read(tmp_path / "a.mkv")
    assert got[0].image[..., 0].max() == 255 and got[2].image[..., 0].min() == 0
    assert got[0].image.mean() - got[2].image.mean() > 80
    (said,) = [record.getMessage() for record in caplog.records]
    assert "are shown as black to white in all frames" in said


def test_a_sound_that_is_announced_and_does_not_come(tmp_path: Path) -> None:
    clips.constant(tmp_path / "film.mp4", frames=4)
    sound = ("-f", "lavfi", "-i", "sine=duration=0.2", "-c:v", "copy", "-c:a", "aac")
    clips.ffmpeg("-i", str(tmp_path / "film.mp4"), *sound, str(tmp_path / "both.ts"))
    data = (tmp_path / "both.ts").read_bytes()
    packets = [data[begin : begin + 188] for begin in range(0, len(data), 188)]
    silent = tmp_path / "silent.ts"
    silent.write_bytes(b"".join(packet for packet in packets if packet[1] & 31 != 1 or packet[2] != 1))
    assert len(data) > silent.stat().st_size
    for path, sounds in ((tmp_path / "both.ts", 1), (silent, 0)):
        info, frames = read(path)
        assert (len(frames), info.sounds) == (4, sounds)
