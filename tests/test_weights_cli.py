"""siamtrack weights, from the command line to files and exit codes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

import siamcli.checkpoints.catalog as catalog_module
from siamcli.checkpoints import store
from siamcli.checkpoints.catalog import catalog
from siamcli.checkpoints.header import read_header, sha256_of
from siamcli.checkpoints.native import Checkpoint, write_native
from siamcli.checkpoints.store import ROLES, available, bundled_folder, cache_folder, find, role_of
from siamcli.cli.app import main
from siamcli.cli.network import chosen_network
from siamcli.cli.options import TrackerOptions
from siamcli.errors import WeightsError
from siamcli.load import load_tracker
from siamcli.model.siamrpn import SiamRPN
from siamcli.model.spec import ModelSpec, TrackerParams

SPEC = ModelSpec("tiny", backbone="alexnet", levels=(5,), channels=(4,), template_cells=6, base_size=0)


class Said(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def siamtrack(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    def run(*args: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["siamtrack", "weights", *map(str, args)])
        with pytest.raises(SystemExit) as done:
            main()
        return Said(int(done.value.code or 0), *capsys.readouterr())

    return run


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SIAMTRACK_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SIAMTRACK_OFFLINE", raising=False)
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "ours.safetensors"
    weights = SiamRPN(SPEC).state_dict()
    write_native(Checkpoint(SPEC, TrackerParams(lr=0.3), weights, "ours", "3.1", "Apache-2.0"), path)
    return path


@pytest.fixture
def ours(native: Path, cache: Path) -> Path:
    """A small native checkpoint in the cache."""
    return Path(shutil.copy(native, cache))


def test_list_shows_what_is_here_and_what_is_published(siamtrack: Callable[..., Said], ours: Path) -> None:
    said = siamtrack("list", "--json")
    rows = {row["name"]: row for row in json.loads(said.out)["weights"]}
    assert (said.code, said.err) == (0, "")
    assert rows["ours"]["path"] == str(ours)
    assert (rows["ours"]["model"], rows["ours"]["license"]) == ("tiny", "Apache-2.0")
    assert {entry.name for entry in catalog()} < set(rows)
    assert rows["mmtracking_lasot"]["path"] is None
    assert rows["mmtracking_lasot"]["scores"]["LaSOT"]["S"] == 50.4
    text = siamtrack("list").out
    assert any(line.startswith("ours ") and " here " in line for line in text.splitlines())
    assert "VOT2018 EAO 0.415 A 0.601 R 0.234" in text


def test_listing_needs_no_torch(ours: Path) -> None:
    code = (
        "import sys; sys.argv[1:] = ['weights', 'list']\n"
        "from siamcli.cli.app import main\n"
        "try: main()\n"
        "except SystemExit as done: print(done.code, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 False"


def test_list_survives_a_damaged_file(siamtrack: Callable[..., Said], cache: Path) -> None:
    (cache / "bad.safetensors").write_bytes(b"rubbish")
    said = siamtrack("list")
    assert said.code == 0
    assert "damaged" in said.out


def test_info_of_file_name_and_catalog_entry(
    siamtrack: Callable[..., Said], ours: Path, native: Path
) -> None:
    for what in ("ours", native):
        told = json.loads(siamtrack("info", what, "--json").out)
        assert (told["name"], told["version"], told["precision"]) == ("ours", "3.1", "float32")
        assert (told["spec"]["backbone"], told["params"]["lr"]) == ("alexnet", 0.3)
        assert told["sha256"] == sha256_of(native)
    assert "spec.backbone: alexnet" in siamtrack("info", "ours").out
    assert "dd0f151e" in siamtrack("info", "mmtracking_lasot").out


def test_path_and_unknown_names(siamtrack: Callable[..., Said], ours: Path) -> None:
    assert siamtrack("path", "ours") == Said(0, f"{ours}\n", "")
    said = siamtrack("path", "nothing")
    assert (said.code, said.out) == (4, "")
    assert "here: " in said.err
    assert "ours" in said.err
    assert "siamtrack weights fetch mmtracking_lasot" in siamtrack("path", "mmtracking_lasot").err
    assert siamtrack("info", "nothing").code == 4


@pytest.mark.parametrize("role", ROLES)
def test_a_role_finds_the_bundled_model(siamtrack: Callable[..., Said], role: str) -> None:
    assert find(role) == bundled_folder() / f"{ROLES[role]}.safetensors"
    assert role_of(ROLES[role]) == role and role_of(role) == ""
    rows = json.loads(siamtrack("list", "--json").out)["weights"]
    assert [row["name"] for row in rows if row["role"] == role] == [ROLES[role]]
    assert f"--model {role}" in siamtrack("list").out


def test_an_empty_name_is_not_the_default() -> None:
    """As of a shell's variable that is not set."""
    with pytest.raises(WeightsError, match="no weights ''"):
        load_tracker("")
    with pytest.raises(WeightsError, match="no weights ''"):
        TrackerOptions(model="").file()
    with pytest.raises(WeightsError, match="no weights ''"):
        chosen_network("", None, None, "cpu")


def test_no_file_of_the_user_takes_a_role(siamtrack: Callable[..., Said], native: Path, cache: Path) -> None:
    """It goes by its path, wherever it lies; what a role means stays the same everywhere."""
    own = Path(shutil.copy(native, cache / "light.safetensors"))
    bundled = bundled_folder() / f"{ROLES['light']}.safetensors"
    assert find("light") == bundled and find(str(own)) == own
    assert "light" not in available() and available()[str(own)] == own
    assert str(own) in siamtrack("list").out
    fetched = siamtrack("fetch", "light")
    assert (fetched.code, fetched.out) == (0, f"{bundled}\n")


def test_import_writes_once_and_small(siamtrack: Callable[..., Said], native: Path, tmp_path: Path) -> None:
    out = tmp_path / "small.safetensors"
    said = siamtrack("import", native, "-o", out, "--precision", "int8")
    assert (said.code, said.out) == (0, f"{out}\n")
    assert read_header(out).precision == "int8"
    assert out.stat().st_size < native.stat().st_size / 3
    before = out.read_bytes()
    assert siamtrack("import", native, "-o", out).code == 8
    assert out.read_bytes() == before
    assert siamtrack("import", native, "-o", out, "-y").code == 0
    assert read_header(out).precision == "float32"
    assert siamtrack("import", native, "-o", out, "--precision", "int4").code == 2
    assert siamtrack("import", tmp_path / "no.pth", "-o", tmp_path / "x").code == 4
    assert siamtrack("import", native, "-o", tmp_path / "no" / "x").code == 8


def test_verify_tells_which(siamtrack: Callable[..., Said], ours: Path, cache: Path) -> None:
    said = siamtrack("verify", "ours")
    assert said.code == 0
    assert said.out.startswith(f"ours: ok, tiny, sha256 {sha256_of(ours)[:8]}")
    data = bytearray(ours.read_bytes())
    data[-1] ^= 1
    (cache / "worn.safetensors").write_bytes(data)
    said = siamtrack("verify", "ours", "worn")
    assert said.code == 7
    assert "worn: " in said.out
    assert "hash" in said.out
    said = siamtrack("verify", "worn", "worn")
    assert (said.code, said.out.count("worn: ")) == (4, 1)
    assert "error: 1 of 1 weights failed the check: worn" in said.err
    assert f"remove {cache / 'worn.safetensors'}, then fetch" in said.err


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "an empty file"),
        (b"<html>", "a web page, not weights"),
        (b"\x08\0\0\0\0\0\0\0{       ", "damaged or cut short"),
        (b"\x08\0\0", "no weights file that siamtrack knows"),
    ],
)
def test_list_and_verify_say_the_same_of_a_file_that_is_no_weights(
    siamtrack: Callable[..., Said], cache: Path, content: bytes, says: str
) -> None:
    file = cache / "bad.safetensors"
    cache.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    rows = json.loads(siamtrack("list", "--json").out)["weights"]
    (note,) = (row["note"] for row in rows if row["name"] == "bad")
    assert note.startswith(f"{file}: {says}")
    assert siamtrack("verify", "bad").out == f"bad: {note}\n"


def test_verify_leaves_files_of_the_user_alone(siamtrack: Callable[..., Said], tmp_path: Path) -> None:
    video, gone = tmp_path / "dog.mp4", tmp_path / "gone.mp4"
    shutil.copy(Path(__file__).parent / "data" / "demo.mp4", video)
    for file in (video, gone):
        said = siamtrack("verify", file)
        assert said.code == 4
        assert said.out.count(str(file)) == 1
        assert "remove" not in said.err
        assert "hint: " in said.err


def test_verify_compares_with_the_published_hash(siamtrack: Callable[..., Said], cache: Path) -> None:
    lasot = next(entry for entry in catalog() if entry.name == "mmtracking_lasot")
    (cache / lasot.file).write_bytes(b"not it")
    said = siamtrack("verify", "mmtracking_lasot")
    assert said.code == 4
    assert "not the published file" in said.out


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def test_fetch_brings_the_file_and_says_where(
    siamtrack: Callable[..., Said], native: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=native.parent)) as http:
        threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{http.server_port}/{native.name}"
        known = {"family": "pysot", "urls": [url], "license": "Apache-2.0", "model": "tiny"}
        good = {**known, "name": "far", "file": "far.pth", "sha256": sha256_of(native)[:8]}
        bad = {**known, "name": "liar", "file": "liar.pth", "sha256": "0" * 8}
        other = {**known, "name": "plain", "file": "plain.pth"}
        lines = (
            "[[checkpoint]]\n" + "\n".join(f"{key} = {json.dumps(value)}" for key, value in entry.items())
            for entry in (good, bad, other)
        )
        (tmp_path / "catalog.toml").write_text("\n".join(lines))
        monkeypatch.setattr(catalog_module, "CATALOG", tmp_path / "catalog.toml")
        said = siamtrack("fetch", "far")
        assert (said.code, said.out) == (0, f"{cache / 'far.pth'}\n")
        assert "Apache-2.0" in said.err
        assert (cache / "far.pth").read_bytes() == native.read_bytes()
        said = siamtrack("fetch", "liar")
        assert (said.code, said.out) == (4, "")
        assert "in a browser" in said.err
        said = siamtrack("fetch", "plain")
        assert sha256_of(native) in said.err
        http.shutdown()
    assert {path.name for path in cache.iterdir()} == {"far.pth", "plain.pth"}
    assert siamtrack("fetch", "far").code == 0
    assert siamtrack("verify", "far").out.startswith("far: ok, as published")


def test_fetch_of_what_is_here_or_nowhere(
    siamtrack: Callable[..., Said], ours: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert siamtrack("fetch", "ours").out == f"{ours}\n"
    assert siamtrack("fetch", "nothing").code == 4
    monkeypatch.setenv("SIAMTRACK_OFFLINE", "1")
    said = siamtrack("fetch", "mmtracking_lasot")
    assert said.code == 4
    assert "SIAMTRACK_OFFLINE" in said.err


def test_cache_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("SIAMTRACK_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "siamtrack"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for ignored in ("", "relative/path"):
        monkeypatch.setenv("XDG_CACHE_HOME", ignored)
        assert cache_folder() == tmp_path / "home" / ".cache" / "siamtrack"


def test_bundled_weights_are_found_installed_and_in_a_checkout(
    native: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "siamcli"
    for folder in (package / "weights", tmp_path / "site" / "weights"):
        folder.mkdir(parents=True)
        shutil.copy(native, folder)
    monkeypatch.setattr(store, "__file__", str(package / "checkpoints" / "store.py"))
    assert bundled_folder() == package / "weights"
    assert find("ours") == available()["ours"] == package / "weights" / "ours.safetensors"
    (tmp_path / "site" / "pyproject.toml").touch()
    assert bundled_folder() == tmp_path / "site" / "weights"
    assert find(str(native)) == native
    with pytest.raises(WeightsError, match="no weights 'x'"):
        find("x")


def test_a_torch_file_may_be_called_safetensors(siamtrack: Callable[..., Said], tmp_path: Path) -> None:
    file = tmp_path / "x.safetensors"
    torch.save({"a": torch.zeros(2)}, tmp_path / "x.pth")
    (tmp_path / "x.pth").rename(file)
    done = siamtrack("verify", file)
    assert done.code == 4 and str(file) in done.out and "Error" not in done.err, done
