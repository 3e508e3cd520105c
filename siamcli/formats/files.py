"""Every format by name: from a trajectory to the files that another program reads."""

from __future__ import annotations

from pathlib import Path

from siamcli.errors import InputError, OutputError
from siamcli.formats.annotations import coco, labelstudio, yolo
from siamcli.formats.benchmarks import results_of, vot
from siamcli.formats.cvat import cvat
from siamcli.formats.select import Converter
from siamcli.formats.text import mot, webvtt
from siamcli.parts import write_text

__all__ = ["FORMATS", "placed", "write_files"]


FORMATS: dict[str, Converter] = {
    "mot": mot,
    "coco": coco,
    "cvat": cvat,
    "labelstudio": labelstudio,
    "yolo": yolo,
    "otb": results_of("otb2015"),
    "got10k": results_of("got10k-test"),
    "vot": vot,
    "lasot": results_of("lasot"),
    "trackingnet": results_of("trackingnet"),
    "webvtt": webvtt,
}


def placed(files: dict[str, str], *, file: Path | None, folder: Path) -> dict[Path, str]:
    """Path -> text, below `folder`, or as `file`, which holds one: else raises InputError."""
    if file is not None and len(files) > 1:
        raise InputError(f"{len(files)} files do not fit into {file}", hint="name a folder: -o FOLDER/")
    return {folder / name if file is None else file: content for name, content in files.items()}


def write_files(texts: dict[Path, str], *, overwrite: bool) -> None:
    """Write every text to its path; raises OutputError before the first one when a file exists."""
    there = next((path for path in texts if path.exists()), None)
    if there is not None and not overwrite:
        raise OutputError(f"{there} exists", hint="-y replaces it")
    for path, content in texts.items():
        write_text(path, content, overwrite=overwrite)
