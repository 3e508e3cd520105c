"""The data sets of a config, read into memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from siamcli.errors import DatasetError, unread_as
from siamcli.media.images import quiet_opencv
from siamcli.train.config import DataConfig
from siamcli.train.images import read_coco, read_jsonl, read_voc, read_yolo
from siamcli.train.pictures import Limits, load
from siamcli.train.sequences import read_folders, read_videos
from siamcli.train.store import AnnotatedImage, SkippedItem, TrainingImages, collect

__all__ = ["check_there", "load_footage"]

_IMAGE_SETS = {"jsonl": read_jsonl, "coco": read_coco, "voc": read_voc, "yolo": read_yolo}
_FILES = ("jsonl", "coco")


def check_there(data: Sequence[DataConfig], teacher: str = "") -> None:
    """Raises DatasetError that names every path of the data, and the teacher's, where nothing is.

    A teacher without a folder in its name may be weights that `siamtrack weights list` names.
    """
    paths = list(dict.fromkeys(d.path for d in data))
    gone = [path for path in paths if not _exists(path)]
    if "/" in teacher and not _exists(teacher):
        gone.append(f"the teacher {teacher}")
    if gone:
        raise DatasetError(
            f"{', '.join(gone)} {'does' if len(gone) == 1 else 'do'} not exist",
            hint="check the paths in the config; those of configs that come with siamtrack are examples, see"
            " Training in weights/README.md",
        )


def _exists(path: str) -> bool:
    with unread_as(DatasetError, Path(path)):
        return Path(path).exists()


def load_footage(data: Sequence[DataConfig]) -> TrainingImages:
    """Every data set, decoded.  Raises DatasetError for a missing path, a wrong one or nothing usable."""
    with quiet_opencv():  # it complains about every damaged image; they are counted and named here
        return collect([_read(d) for d in data])


def _read(data: DataConfig) -> Iterator[AnnotatedImage | SkippedItem]:
    check_there([data])
    path = Path(data.path)
    if path.is_file() != (data.format in _FILES) and data.format != "videos":
        kind = "the annotation file" if data.format in _FILES else "a folder"
        raise DatasetError(f"{path}: format {data.format!r} needs {kind}", hint="correct path or format")
    limits = Limits(data.min_side, data.max_area)
    if data.format == "videos":
        return read_videos(path, data.include, data.stride, limits, data.exclude)
    if data.format == "folders":
        return load(read_folders(path, data.include, data.stride, data.exclude), limits)
    return load(_IMAGE_SETS[data.format](path), limits)
