"""The config is strict, complete when shown, and those that ship can be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from siamcli.errors import InputError
from siamcli.train.config import CONFIGS, dump_config, load_config

MINIMAL = 'model = "siamrpnpp-r18"\noutput = "out"\n[[data]]\npath = "a"\nformat = "voc"\n'


@pytest.mark.parametrize("name", sorted(p.stem for p in CONFIGS.glob("*.toml")))
def test_shipped_configs_survive_being_shown(name: str, tmp_path: Path) -> None:
    config = load_config(name)
    (tmp_path / "shown.toml").write_text(dump_config(config))
    assert load_config(str(tmp_path / "shown.toml")) == config
    assert config.spec.name == name


@pytest.mark.parametrize("twin", ["siamrpn-alexnet", "siamfc-alexnet"])
def test_twins_differ_in_a_name(twin: str, tmp_path: Path) -> None:
    """What the README's sed makes of the shipped recipe: the first hit of every line."""
    lines = dump_config(load_config("siamrpnpp-alexnet")).splitlines()
    (tmp_path / "twin.toml").write_text("\n".join(n.replace("siamrpnpp-alexnet", twin, 1) for n in lines))
    config = load_config(str(tmp_path / "twin.toml"))
    assert (config.spec.name, config.output) == (twin, f"work/{twin}")
    assert config.track == load_config("siamrpnpp-alexnet").track


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("[track]\nstep = 3", "unknown key 'step'"),
        ("speed = 1", "unknown key 'speed'"),
        ('[track]\nsteps = "many"', "steps must be int"),
        ("[track]\nrate = true", "rate must be float"),
        ('[track]\ndecay = "linear"', "decay must be 'log' or 'cosine'"),
        ("[[data]]\npath = 'b'", "'format' is missing"),
        ("track = 3", "track must be a table"),
        ("[distill]\nsizes = 3", "sizes must be"),
        ("[track", "is not TOML"),
        ("save_every = 0", "save_every must be at least 1 and at most 2147483647, not 0"),
        ("seed = -1", "seed must be"),
        ("[track]\nsteps = -1", "track: steps must be"),
        ("[track]\nbatch = 0", "batch must be"),
        ("[track]\nrate = nan", "rate must be above 0 and at most 1000000, not nan"),
        ("[track]\nrate = 0.0", "rate must be"),
        ("[track]\nclip = inf", "clip must be"),
        ("[track]\nwarmup = 1.5", "warmup must be at least 0 and at most 1, not 1.5"),
        ("[distill]\nforced = -0.1", "forced must be"),
        ("[distill]\nsizes = [127, 3]", "sizes must be"),
        ("[distill]\nsizes = []", "sizes must name"),
        ("[distill.phase]\nmomentum = 2", "distill: phase: momentum must be"),
        ("[pairs]\nreach = -1", "reach must be"),
        ("[pairs]\nnegatives = 2", "negatives must be"),
        ("[pairs]\nsearch_shift = 128", "search_shift leaves the search region"),
        ("[pairs.color]\nblur_cells = 1", "blur_cells must be"),
        ("[targets]\npositives = 0", "positives must be"),
        ("[loss]\nloc_weight = -1", "loc_weight must be"),
        ("[[data]]\npath = 'b'\nformat = 'voc'\nstride = 0", "stride must be"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, more: str, said: str) -> None:
    path = tmp_path / "mine.toml"
    top = more if "=" in more and not more.startswith("[") else ""
    path.write_text(f"{top}\n{MINIMAL}{'' if top else more}")
    with pytest.raises(InputError, match=said) as caught:
        load_config(str(path))
    assert caught.value.hint


def test_an_output_without_a_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINIMAL.replace('"out"', '""'))
    with pytest.raises(InputError, match="output must name a folder"):
        load_config(str(path))


def test_unknown_model_and_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINIMAL.replace("siamrpnpp-r18", "vgg"))
    with pytest.raises(InputError, match="unknown model 'vgg'"):
        load_config(str(path))
    with pytest.raises(InputError, match="cannot read") as caught:
        load_config("nowhere")
    assert "siamrpnpp-r18" in str(caught.value.hint)
