"""Looks at the beginning of a weights file: what it is, in words, where it is none."""

from __future__ import annotations

from pathlib import Path

from siamcli.errors import WeightsError

__all__ = ["check_native", "first_bytes"]

_OTHERS = {
    b"version https://git-lfs": "a Git LFS pointer: the file itself was not fetched (`git lfs pull`)",
    b"/annex/objects/": "a git-annex pointer: the file itself was not fetched (`git annex get`)",
    b"<?xml": "an answer of a server (XML), not weights",
    b"<": "a web page, not weights",
    b"{": "JSON, not weights",
    b"\x80": "a pickle, not a file of torch.save",
    b"\x1f\x8b": "compressed with gzip: unpack it",
    b"\x89HDF": "an HDF5 file",
}
"""How files begin that are taken for weights."""


def first_bytes(path: Path) -> bytes:
    """The first 512 bytes of a file.  Raises WeightsError."""
    try:
        with path.open("rb") as file:
            return file.read(512)
    except OSError as error:
        raise WeightsError(
            f"cannot read {path}: {error.strerror}", hint="`siamtrack weights list` shows what there is"
        ) from error


def check_native(path: Path) -> None:
    """Raises WeightsError, which says what it is, for a file that does not begin as safetensors do."""
    start = first_bytes(path)
    if start[8:9] != b"{":
        raise WeightsError(
            f"{path}: {_what_it_is(start)}",
            hint="native .safetensors, PySOT and mmtracking .pth files are read",
        )


def _what_it_is(start: bytes) -> str:
    """In words, what file has these first 512 bytes."""
    if not start:
        return "an empty file"
    if start[257:262] == b"ustar":
        return "a tar archive: unpack it"
    if start[0] == 8 and start[2:3] in (b"\x12", b"\x1a", b"\x3a", b"\x42"):  # ir_version, then another field
        return "an ONNX model, not weights"
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    matches = (what for magic, what in _OTHERS.items() if text.startswith(magic))
    return next(matches, "no weights file that siamtrack knows")
