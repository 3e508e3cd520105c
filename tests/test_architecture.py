"""The shape of the package, as a table that is also a test."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# who imports whom; every name on the right stands above on the left, so there are no cycles
MAY_IMPORT = {
    "addresses": "",
    "errors": "addresses",
    "version": "",
    "schema": "errors",
    "extras": "",
    "cores": "",
    "counts": "",
    "labels": "errors",
    "natural": "",
    "atomic": "errors",
    "boxes": "",
    "frames": "",
    "sheets": "",
    "tables": "sheets",
    "timecode": "errors",
    "times": "counts errors timecode",
    "targets": "errors labels schema boxes times",
    "trajectory": "counts boxes frames",
    "figures": "atomic",
    "model": "schema",
    "tracker": "errors cores boxes frames times trajectory model",
    "engines": "counts errors schema extras cores atomic boxes frames model tracker",
    "checkpoints": "errors schema atomic model",
    "load": "model tracker engines checkpoints",
    "drawing": "errors labels boxes frames trajectory",
    "analysis": "errors labels boxes counts frames sheets targets trajectory drawing",
    "media": "counts addresses errors natural cores atomic frames times",
    "evaluation": "counts errors schema atomic boxes frames tables times figures media",
    "formats": "counts errors labels natural schema atomic boxes frames sheets times targets trajectory"
    " evaluation",
    "session": "counts errors labels version extras cores atomic boxes frames times targets trajectory"
    " tracker load drawing analysis media formats",
    "train": "counts errors natural schema cores atomic boxes frames model engines checkpoints load media"
    " evaluation",
    "batch": "errors natural version schema extras cores atomic frames sheets times targets trajectory"
    " load drawing media formats session",
    "bench": "errors version cores boxes frames times targets trajectory model tracker engines load"
    " drawing media evaluation session",
    "__init__": "errors version boxes frames times targets trajectory tracker load media formats session",
    "ui": "errors labels atomic boxes frames sheets times targets trajectory tracker load drawing media"
    " formats session batch",
    "cli": "counts errors labels version schema extras cores atomic boxes frames tables times targets"
    " trajectory figures model tracker engines checkpoints load drawing analysis media evaluation"
    " formats session train batch bench ui",
    "__main__": "cli",
}
ONLY_IN = {
    "typer": {"cli"},
    "rich": {"cli"},
    "cv2": {"media", "drawing", "tracker", "train", "ui"},
    "torch": {"model", "tracker", "engines", "checkpoints", "train", "load", "bench", "cli"},
    "pydantic": {"schema"},
    "pydantic_core": {"schema"},
    "tomli_w": {"schema"},
    "starlette": {"ui"},
    "uvicorn": {"ui"},
    "websockets": {"session"},
}
LIGHT = ("torch", "cv2", "numpy", "psutil", "ssl")
MODULES = sorted((ROOT / "siamcli").rglob("*.py"))


def unit(path: Path) -> str:
    return path.relative_to(ROOT / "siamcli").parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Every module that a file names, `siamcli.__init__` for the package itself; also under TYPE_CHECKING."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {"siamcli.__init__" if a.name == "siamcli" else a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if node.module == "siamcli":
                units = {p.stem for p in (ROOT / "siamcli").iterdir()}
                names |= {f"siamcli.{a.name if a.name in units else '__init__'}" for a in node.names}
            else:
                names.add(node.module or "")
    return names


def test_table_has_no_cycles() -> None:
    seen: set[str] = set()
    for name, allowed in MAY_IMPORT.items():
        assert set(allowed.split()) <= seen, name
        seen.add(name)


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_room_imports_what_the_table_says(room: str) -> None:
    """Equality: an import without a right is a failure, and so is a right that no file uses."""
    files = [path for path in MODULES if unit(path) == room]
    used = {name.split(".")[1] for path in files for name in imports(path) if name.startswith("siamcli.")}
    assert files and used - {room} == set(MAY_IMPORT[room].split())


def test_every_module_is_in_the_table() -> None:
    assert {unit(path) for path in MODULES} == MAY_IMPORT.keys()


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_library_stays_in_its_room(path: Path) -> None:
    for name in imports(path):
        library = name.split(".")[0]
        assert unit(path) in ONLY_IN.get(library, {unit(path)}), f"{library} does not belong here"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_module_is_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 300


def test_functions_are_short() -> None:
    """At most 60 lines without the signature, which in a command is the list of its options."""
    too_long = {
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.body[0].lineno >= 60
    }
    assert not too_long


@pytest.mark.parametrize(
    ("args", "without"),
    [
        ("--help", LIGHT),
        ("run --help", LIGHT),
        ("run x.mp4 --box oops -o a.csv", LIGHT),
        ("run x.mp4 --box 1,2,3,4 -o a.xyz", LIGHT),
        ("convert gone.json --to mot", ("torch", "cv2")),
    ],
)
def test_front_door_is_light(args: str, without: tuple[str, ...]) -> None:
    """Help, wrong usage and text without pictures do not wait for what takes long to import."""
    code = (
        f"import sys; sys.argv[1:] = {args.split()!r}\n"
        "from siamcli.cli.app import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"print([m for m in {without!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stderr.splitlines()[-1] == "[]", done.stderr
