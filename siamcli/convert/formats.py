"""Every format by name: from a trajectory to the files that another program reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from siamcli.convert.annotations import coco, cvat, labelstudio, yolo
from siamcli.convert.benchmarks import results_of, vot
from siamcli.convert.text import mot, webvtt
from siamcli.errors import InputError, OutputError
from siamcli.parts import write_text
from siamcli.trajectory import Trajectory

__all__ = ["FORMATS", "Converter", "write_files"]

Converter = Callable[[Trajectory], dict[str, str]]
"""Trajectory -> file name (with / for folders) -> text.  Raises InputError for what it cannot say."""

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


def write_files(files: dict[str, str], *, file: Path | None, folder: Path, overwrite: bool) -> list[Path]:
    """Write every text below `folder`, or the only one as `file`; returns the paths.

    Raises OutputError before the first file is written when one exists, InputError when `file` is
    asked to hold several.
    """
    if file is not None and len(files) > 1:
        raise InputError(f"{len(files)} files do not fit into {file}", hint="name a folder: -o FOLDER/")
    paths = {folder / name if file is None else file: content for name, content in files.items()}
    there = next((path for path in paths if path.exists()), None)
    if there is not None and not overwrite:
        raise OutputError(f"{there} exists", hint="-y replaces it")
    for path, content in paths.items():
        write_text(path, content, overwrite=overwrite)
    return list(paths)
