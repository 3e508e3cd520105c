"""The shape of the package, as a table that is also a test."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# who may import whom; every name on the right stands above on the left, so there are no cycles
MAY_IMPORT = {
    "errors": "",
    "toml": "",
    "cores": "",
    "parts": "errors",
    "boxes": "",
    "frames": "",
    "ranges": "",
    "times": "errors",
    "targets": "errors boxes times",
    "trajectory": "boxes frames",
    "model": "ranges",
    "tracker": "errors boxes frames times model trajectory",
    "engines": "errors parts toml cores frames model tracker",
    "checkpoints": "errors parts toml model",
    "media": "errors parts cores boxes frames times trajectory",
    "load": "errors model tracker engines checkpoints",
    "bench": "errors parts toml boxes frames times trajectory tracker media",
    "convert": "errors parts boxes frames times trajectory media bench",
    "train": "errors parts toml cores boxes frames ranges trajectory model tracker engines checkpoints media"
    " bench load",
    "__init__": "errors boxes frames trajectory model tracker engines checkpoints media load",
    "batch": "errors parts cores boxes frames times targets trajectory tracker media load __init__",
    "speed": "errors parts cores boxes frames times trajectory model tracker engines media bench __init__",
    "cli": "errors parts toml cores boxes frames times targets trajectory model tracker engines checkpoints"
    " media load bench convert train batch speed __init__",
    "__main__": "cli",
}
ONLY_IN = {
    "typer": {"cli"},
    "rich": {"cli"},
    "cv2": {"media", "tracker", "train"},
    "torch": {"model", "tracker", "engines", "checkpoints", "train", "load", "speed", "cli"},
}
MODULES = sorted((ROOT / "siamcli").rglob("*.py"))


def unit(path: Path) -> str:
    return path.relative_to(ROOT / "siamcli").parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module or "")
            if node.module == "siamcli":
                units = {p.stem for p in (ROOT / "siamcli").iterdir()}
                names |= {f"siamcli.{a.name if a.name in units else '__init__'}" for a in node.names}
    return names


def test_table_has_no_cycles() -> None:
    seen: set[str] = set()
    for name, allowed in MAY_IMPORT.items():
        assert set(allowed.split()) <= seen, name
        seen.add(name)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_module_respects_layers(path: Path) -> None:
    here = unit(path)
    for name in imports(path):
        top, _, rest = name.partition(".")
        if top == "siamcli" and rest:
            there = rest.split(".")[0]
            assert there == here or there in MAY_IMPORT[here].split(), f"{here} may not import {there}"
        elif top in ONLY_IN:
            assert here in ONLY_IN[top], f"{top} does not belong in {here}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_module_is_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 300


@pytest.mark.parametrize(
    "args", ["--help", "run --help", "run x.mp4 --box oops -o a.csv", "run x.mp4 --box 1,2,3,4 -o a.xyz"]
)
def test_front_door_is_light(args: str) -> None:
    """Help and wrong usage answer without importing torch or cv2."""
    code = (
        f"import sys; sys.argv[1:] = {args.split()!r}\n"
        "from siamcli.cli.app import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([m for m in ('torch', 'cv2', 'numpy') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stderr.splitlines()[-1] == "[]", done.stderr
