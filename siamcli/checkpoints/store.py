"""Finds weights on this machine: bundled with the package, or in the user's cache."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from siamcli.checkpoints.catalog import catalog
from siamcli.checkpoints.header import sha256_of
from siamcli.errors import WeightsError, unread_as

__all__ = [
    "ROLES",
    "available",
    "bundled_folder",
    "cache_folder",
    "find",
    "find_again",
    "offline",
    "role_of",
]

ROLES = {"light": "siamrpnpp-r10", "fast": "siamrpnpp-r18", "accurate": "siamrpnpp-r50"}
"""What users may call a model instead of its name: fast is the default on CPUs, accurate on CUDA GPUs."""
SUFFIX = ".safetensors"


def bundled_folder() -> Path:
    """The weights that came with siamtrack: in an installed package, else beside it in a checkout."""
    package = Path(__file__).parents[1]
    checkout = package.parent
    return checkout / "weights" if (checkout / "pyproject.toml").is_file() else package / "weights"


def cache_folder() -> Path:
    """Where fetched weights go: $SIAMTRACK_CACHE, else siamtrack in the user's XDG cache."""
    if folder := os.environ.get("SIAMTRACK_CACHE"):
        return Path(folder)
    # The XDG specification says to ignore a relative path.
    xdg = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (xdg if xdg.is_absolute() else Path.home() / ".cache") / "siamtrack"


def offline() -> bool:
    """True when $SIAMTRACK_OFFLINE forbids the network: set, and not 0."""
    return os.environ.get("SIAMTRACK_OFFLINE", "0") not in ("", "0")


def available() -> dict[str, Path]:
    """Name -> file of all weights that are here; bundled ones first.

    A file that is called as a role goes by its path: the role stays the model that came along.
    """
    here = {path.stem: path for path in _native(bundled_folder())}
    for path in _native(cache_folder()):
        here.setdefault(str(path) if path.stem in ROLES else path.stem, path)
    for entry in catalog():
        path = cache_folder() / entry.file
        if path.is_file():
            here.setdefault(entry.name, path)
    return here


def find(name: str) -> Path:
    """The file of the weights called `name` (or by their role), or `name` itself where that is a file.

    Raises WeightsError that lists what is here and says how to get more.
    """
    here = available()
    if found := here.get(ROLES.get(name, name)):
        return found
    with unread_as(WeightsError, name):
        if Path(name).is_file():
            return Path(name)
    if any(entry.name == name for entry in catalog()):
        raise WeightsError(f"weights {name!r} are not here yet", hint=f"`siamtrack weights fetch {name}`")
    raise WeightsError(
        f"no weights {name!r}",
        hint=f"here: {', '.join([*ROLES, *here])}; `siamtrack weights list` shows what can be fetched, "
        "and any weights file can be given by its path",
    )


def find_again(name: str, sha256: str) -> Path | None:
    """The file of the weights called `name`, where it still has that SHA-256."""
    file = available().get(name)
    return file if file is not None and sha256_of(file) == sha256 else None


def role_of(name: str) -> str:
    """The role that weights of that name have, "" for none."""
    return next((role for role, model in ROLES.items() if model == name), "")


def _native(folder: Path) -> Iterator[Path]:
    return iter(sorted(folder.glob("*" + SUFFIX)))
