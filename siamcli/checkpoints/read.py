"""Reads a weights file of any family."""

from __future__ import annotations

from pathlib import Path

from siamcli.checkpoints.convert import convert
from siamcli.checkpoints.mmtracking import mmtracking_name
from siamcli.checkpoints.native import Checkpoint, read_native
from siamcli.checkpoints.pysot import pysot_name
from siamcli.checkpoints.torchfile import load_state
from siamcli.errors import WeightsError

__all__ = ["read_checkpoint"]

TORCH_MAGIC = (b"PK", b"\x80\x02")
"""torch.save's zip archives, and the bare pickles from before them."""

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


def read_checkpoint(path: Path, model: str | None = None) -> Checkpoint:
    """The checkpoint in a native, PySOT or mmtracking file; the family follows from the content.

    `model` names the architecture of a PySOT or mmtracking file where names and shapes are
    not to decide.  Raises WeightsError.
    """
    try:
        with path.open("rb") as file:
            start = file.read(512)
    except OSError as error:
        raise WeightsError(
            f"cannot read {path}: {error.strerror}", hint="`siamtrack weights list` shows what there is"
        ) from error
    if start.startswith(TORCH_MAGIC):
        state = load_state(path)
        if any(name.startswith("head.cls_heads.") for name in state):
            return convert(state, path, "mmtracking", mmtracking_name, model)
        return convert(state, path, "pysot", pysot_name, model)
    if start[8:9] == b"{":
        return read_native(path)
    raise WeightsError(
        f"{path}: {_what_it_is(start)}", hint="native .safetensors, PySOT and mmtracking .pth files are read"
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
