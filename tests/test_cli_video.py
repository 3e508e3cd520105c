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
