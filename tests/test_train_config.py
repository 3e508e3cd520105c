"""The config is strict, complete when shown, and those that ship can be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siamcli.errors import DatasetError, InputError
from siamcli.train.config import CONFIGS, dump_config, load_config
from siamcli.train.data import load_footage

MINIMAL = 'model = "siamrpnpp-r18"\noutput = "out"\n[[data]]\npath = "a"\nformat = "voc"\n'


@pytest.mark.parametrize("name", sorted(p.stem for p in CONFIGS.glob("*.toml")))
def test_shipped_configs_survive_being_shown(name: str, tmp_path: Path) -> None:
    config = load_config(name)
    (tmp_path / "shown.toml").write_text(dump_config(config))
    assert load_config(str(tmp_path / "shown.toml")) == config
    assert config.spec.name == name


@pytest.mark.parametrize("twin", ["siamrpn-alexnet", "siamfc-alexnet"])
def test_twins_differ_in_a_name(twin: str, tmp_path: Path) -> None:
    """What the sed of weights/README.md makes of the shipped recipe: the first hit of every line."""
    lines = dump_config(load_config("siamrpnpp-alexnet")).splitlines()
    (tmp_path / "twin.toml").write_text("\n".join(n.replace("siamrpnpp-alexnet", twin, 1) for n in lines))
    config = load_config(str(tmp_path / "twin.toml"))
    assert (config.spec.name, config.output) == (twin, f"work/{twin}")
    assert config.track == load_config("siamrpnpp-alexnet").track


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("[track]\nstep = 3", r"unknown key track.step \(known: steps, batch"),
        ("speed = 1", r"unknown key speed \(known: model, output"),
        ('[track]\nsteps = "many"', "track.steps must be a whole number, not 'many'"),
        ("[track]\nrate = true", "track.rate must be a number, not True"),
        ('[track]\ndecay = "linear"', "decay must be 'log' or 'cosine'"),
        ("[[data]]\npath = 'b'", r"data\[1\].format is missing"),
        ("track = 3", "track must be a table"),
        ("[distill]\nsizes = 3", "sizes must be"),
        ("[track", "not TOML"),
        ("save_every = 0", "save_every must be at least 1 and at most 2147483647, not 0"),
        ("seed = -1", "seed must be"),
        ("[track]\nsteps = -1", "track.steps must be"),
        ("[track]\nbatch = 0", "batch must be"),
        ("[track]\nrate = nan", "rate must be above 0 and at most 1000000, not nan"),
        ("[track]\nrate = 0.0", "rate must be"),
        ("[track]\nclip = inf", "clip must be"),
        ("[track]\nwarmup = 1.5", "warmup must be at least 0 and at most 1, not 1.5"),
        ("[distill]\nforced = -0.1", "forced must be"),
        ("[distill]\nsizes = [127, 3]", r"distill.sizes\[1\] must be at least 64"),
        ("[distill]\nsizes = []", "sizes must name"),
        ("[distill.phase]\nmomentum = 2", "distill.phase.momentum must be"),
        ("[pairs]\nreach = -1", "reach must be"),
        ("[pairs]\nnegatives = 2", "negatives must be"),
        ("[pairs]\nsearch_shift = 128", "search_shift leaves the search region"),
        ("[pairs.color]\nblur_cells = 1", "blur_cells must be"),
        ("[targets]\npositives = 0", "positives must be"),
        ("[loss]\nloc_weight = -1", "loc_weight must be"),
        ("[[data]]\npath = 'b'\nformat = 'voc'\nstride = 0", "stride must be"),
        ("[[data]]\npath = 'b'\nformat = 'coco'\nexclude = ['a']", "choose from sequences: coco has none"),
        ("[track]\nfinal = 0.0", "final is 0, to which no logarithmic line leads"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, more: str, said: str) -> None:
    path = tmp_path / "mine.toml"
    top = more if "=" in more and not more.startswith("[") else ""
    path.write_text(f"{top}\n{MINIMAL}{'' if top else more}")
    with pytest.raises(InputError, match=said) as caught:
        load_config(str(path))
    assert caught.value.hint


@pytest.mark.parametrize("data", ["", "{ path = 'a', format = 'voc', share = 0.0 }"])
def test_a_config_without_data_is_refused(tmp_path: Path, data: str) -> None:
    """Before an output folder is made and data are read."""
    path = tmp_path / "mine.toml"
    path.write_text(f'model = "siamrpnpp-r10"\noutput = "o"\ndata = [{data}]\n')
    with pytest.raises(InputError, match="data must name a data set with a share above 0"):
        load_config(str(path))


def test_an_output_without_a_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINIMAL.replace('"out"', '""'))
    with pytest.raises(InputError, match="output must name a folder"):
        load_config(str(path))


@pytest.mark.parametrize("path", ["n" * 5000, "a/" + "é" * 200, r"a\u0000b"])
def test_a_path_that_no_system_has_is_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / "mine.toml").write_text(MINIMAL.replace('"out"', f'"{path}"'))
    with pytest.raises(InputError, match="no file can be called"):
        load_config(str(tmp_path / "mine.toml"))
    (tmp_path / "mine.toml").write_text(MINIMAL.replace('"a"', f'"{path}"'))
    with pytest.raises(DatasetError, match=r"File name too long|does not exist"):
        load_footage(load_config(str(tmp_path / "mine.toml")).data)


def test_unknown_model_and_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINIMAL.replace("siamrpnpp-r18", "vgg"))
    with pytest.raises(InputError, match="unknown model 'vgg'"):
        load_config(str(path))
    with pytest.raises(InputError, match="cannot read") as caught:
        load_config("nowhere")
    assert "siamrpnpp-r18" in str(caught.value.hint)


def test_every_wrong_key_is_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f'speed = 1\nseed = "a"\n{MINIMAL}[pairs]\nmirror = 2\n[track]\nstep = 3\nrate = "fast"')
    with pytest.raises(InputError) as caught:
        load_config(str(path))
    said = str(caught.value)
    assert all(key in said for key in ("key speed", "seed", "pairs.mirror", "key track.step", "track.rate"))
    assert "\n" not in said


def test_control_characters_survive_being_shown(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(MINIMAL.replace('"a"', r'"a\nb\u0007\"\\"'))
    config = load_config(str(tmp_path / "a.toml"))
    assert config.data[0].path == 'a\nb\x07"\\'
    (tmp_path / "b.toml").write_text(dump_config(config))
    assert load_config(str(tmp_path / "b.toml")) == config


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    for encoding in ("utf-8-sig", "utf-16"):
        (tmp_path / "a.toml").write_bytes(MINIMAL.encode(encoding))
        assert load_config(str(tmp_path / "a.toml")).output == "out"


LINES = dump_config(load_config("siamrpnpp-r18")).splitlines()
ODD = [
    *(
        "nan",
        "-inf",
        "0",
        "-1",
        "1e999",
        "9" * 400,
        "9" * 5000,
        "0x" + "f" * 5000,
        "[" * 3000,
        "true",
        "[]",
        "{}",
    ),
    *("[{}]", "[1, [2]]", "07:32:00", "1979-05-27", "''", r'"\u001b[31m"', "1 = 1", "{a.b = 1}", '"x"'),
]


@settings(deadline=None)
@given(at=st.integers(0, len(LINES) - 1), value=st.sampled_from(ODD) | st.text(max_size=5), key=st.booleans())
def test_no_config_breaks_the_reader(
    at: int, value: str, key: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """One line spoiled, its value or all of it: read, or refused in one line."""
    path = tmp_path_factory.getbasetemp() / "spoiled.toml"
    name = "" if key else LINES[at].partition("=")[0] + "= "
    lines = [*LINES[:at], name + value, *LINES[at + 1 :]]
    path.write_bytes("\n".join(lines).encode(errors="surrogatepass"))
    try:
        load_config(str(path))
    except InputError as error:
        assert str(error).isprintable()
        assert len(str(error)) < 4000
