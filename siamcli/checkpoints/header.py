"""Reads the header of a native weights file, without torch and without trusting its content."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError, safe_open

from siamcli.checkpoints.begin import check_native
from siamcli.errors import WeightsError
from siamcli.model.spec import ModelSpec, TrackerParams
from siamcli.schema import FileName, Line, check_ranges, from_json

__all__ = ["FORMAT", "KEY", "Header", "Precision", "damaged", "read_header", "sha256_of"]

Precision = Literal["float32", "float16", "int8"]

KEY = "siamtrack"
FORMAT: Literal[2] = 2


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says about itself; what format 1 does not say of spec and params is their default.

    `provenance` holds how the weights came to be, as plain values; `data_sha256` is the hash of
    the bytes after the header, so that a damaged file shows.
    """

    format: Literal[1, 2]
    precision: Precision
    name: FileName
    version: Line
    license: Line
    spec: ModelSpec
    params: TrackerParams
    provenance: dict[str, Any]
    data_sha256: str

    def __post_init__(self) -> None:
        check_ranges(self)
        json.dumps(self.provenance, allow_nan=False)  # else it could not be written, nor shown as JSON


def read_header(path: Path) -> Header:
    """What the file says about itself, without its weights.  Raises WeightsError."""
    check_native(path)
    try:
        with safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get(KEY)
    except (SafetensorError, OSError) as error:
        raise damaged(path, error) from error
    if text is None:
        raise WeightsError(
            f"{path}: not a siamtrack weights file, but a safetensors file of another program",
            hint="its header has no 'siamtrack' entry",
        )
    try:
        return from_json(Header, text)
    except ValueError as error:
        raise WeightsError(
            f"{path}: {error}", hint="damaged, or written by another version of siamtrack"
        ) from None


def sha256_of(path: Path) -> str:
    """The file's SHA-256 in hex.  Raises WeightsError."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror}", hint="may you read it?") from error
    return digest.hexdigest()


def damaged(path: Path, error: object) -> WeightsError:
    """What to raise about a file that is not whole."""
    return WeightsError(f"{path}: damaged or cut short ({error})", hint="fetch or import the file again")
