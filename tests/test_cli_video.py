"""`siamtrack run` and `batch` on clips as cameras, phones and browsers record them."""

from __future__ import annotations

import clips
import pytest


@pytest.fixture
def run(siamtrack, weights):
    """`siamtrack run` with one target."""
    return lambda source, *more: siamtrack("run", source, "--weights", weights, *more)


def test_tone_mapping_is_said_to_those_who_ask(run, tmp_path):
    tags = "setparams=color_primaries=bt2020:color_trc=arib-std-b67:colorspace=bt2020nc"
    clip = clips.constant(tmp_path / "phone.mp4", "-vf", tags, "-c:v", "libx265", frames=3)
    done = run(clip, "--box", "10,10,20,20", "-o", "a.json", "-v")
    assert f"{clip}: HDR (HLG), tone-mapped to BT.709" in done.err
    assert "HDR" not in run(clip, "--box", "10,10,20,20", "-o", "b.json").err


def test_a_sound_that_nobody_decodes_costs_one_line(run, tmp_path):
    clip = clips.two_sounds(tmp_path / "phone.mp4", 0, unknown=2)
    done = run(clip, "--box", "10,10,20,20", "-o", "a.mp4", "-o", "a.json")
    assert done.code == 0
    assert done.err.count("a.mp4 has no sound: apple_apac of ") == 1
    assert "wrote a.mp4, a.json" in done.err and "incomplete" not in done.err


def test_a_full_disk_leaves_whole_what_is_whole(run, tmp_path):
    clip = clips.constant(tmp_path / "clip.mp4", sound=True, frames=3)
    (tmp_path / "a.mp4.siamtrack.part.audio").symlink_to("/dev/full")
    done = run(clip, "--box", "10,10,20,20", "-o", "a.mp4", "-o", "a.json")
    assert done.code == 8 and "is there space on the disk?" in done.err
    assert "wrote a.json" in done.err and "kept, incomplete: a.mp4" in done.err
