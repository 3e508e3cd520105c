"""A training run, described in one TOML file.  Unknown keys are errors."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from siamcli.errors import InputError
from siamcli.model.spec import SPECS, ModelSpec
from siamcli.schema import Count, NotNegative, Range, Share, check_ranges, from_toml, to_toml
from siamcli.train.losses import LossConfig
from siamcli.train.pairs import PairConfig
from siamcli.train.schedule import PhaseConfig
from siamcli.train.targets import TargetConfig

__all__ = ["DataConfig", "DistillConfig", "GrowConfig", "TrainConfig", "dump_config", "load_config"]


CONFIGS = Path(__file__).parent / "configs"


@dataclass(frozen=True, slots=True)
class DataConfig:
    """One data set.  `share` is its weight in the draw of pairs, `include` a pattern of sequence names,
    `exclude` patterns of those held back, `stride` keeps every n-th frame: all three are of folders and
    videos alone.  Boxes below `min_side` pixels or above `max_area` of the image are left out: their search
    regions would be noise or fill.  `loose` boxes teach where their object is, not how far it reaches."""

    path: str
    format: Literal["jsonl", "coco", "voc", "yolo", "folders", "videos"]
    share: NotNegative = 1.0
    include: str = "*"
    exclude: tuple[str, ...] = ()
    stride: Count = 1
    min_side: NotNegative = 10.0
    max_area: Share = 0.3
    loose: bool = False

    def __post_init__(self) -> None:
        check_ranges(self)
        chosen = self.include != "*" or self.exclude or self.stride > 1
        if chosen and self.format not in ("folders", "videos"):
            raise ValueError(f"include, exclude and stride choose from sequences: {self.format} has none")


@dataclass(frozen=True, slots=True)
class DistillConfig:
    """The first phase: learn a teacher's features.  Without a teacher it is left out.  For the share
    `forced` of the steps a student of the teacher's shape learns block by block, then as a whole."""

    teacher: str = ""
    forced: Share = 0.45
    sizes: tuple[Annotated[int, Range(64, 1023)], ...] = (127, 159, 191, 223)
    phase: PhaseConfig = field(
        default_factory=lambda: PhaseConfig(steps=10_000, optimizer="adamw", rate=2e-3)
    )

    def __post_init__(self) -> None:
        check_ranges(self)
        if not self.sizes:
            raise ValueError("sizes must name at least one")


@dataclass(frozen=True, slots=True)
class GrowConfig:
    """Begin as a smaller trained tracker (`source`, a name or a file) in the larger network's place.

    What does not fit exactly, stage 1, then imitates the source's: for the share `near` of the steps its
    own output, after that also the neck's.  Without a source it is left out.
    """

    source: str = ""
    near: Share = 0.4
    sizes: tuple[Annotated[int, Range(64, 1023)], ...] = (127, 159, 191, 223)
    phase: PhaseConfig = field(
        default_factory=lambda: PhaseConfig(
            steps=3000, batch=16, optimizer="adamw", rate=1e-3, final=0.005, decay="cosine", clip=1.0
        )
    )

    def __post_init__(self) -> None:
        check_ranges(self)
        if not self.sizes:
            raise ValueError("sizes must name at least one")


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Everything that decides the outcome.  `output` is the folder for checkpoints, log and weights."""

    model: str
    output: str
    data: tuple[DataConfig, ...]
    seed: Annotated[int, Range(0, 2**32 - 1)] = 0
    precision: Literal["bf16", "float32"] = "bf16"
    save_every: Count = 500
    export: Literal["float32", "float16", "int8"] = "int8"
    pairs: PairConfig = field(default_factory=PairConfig)
    targets: TargetConfig = field(default_factory=TargetConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    distill: DistillConfig = field(default_factory=DistillConfig)
    grow: GrowConfig = field(default_factory=GrowConfig)
    track: PhaseConfig = field(default_factory=PhaseConfig)

    def __post_init__(self) -> None:
        check_ranges(self)
        if not self.output:
            raise ValueError("output must name a folder")
        if "\0" in self.output or max(len(part.encode()) for part in self.output.split("/")) > 255:
            raise ValueError(f"no file can be called {self.output[:60]!r}")
        if not any(data.share for data in self.data):
            raise ValueError("data must name a data set with a share above 0")
        if self.grow.source and self.distill.teacher:
            raise ValueError("grow.source and distill.teacher exclude each other: leave one away")
        side = self.spec.search_size / 2 if self.model in SPECS else math.inf
        if self.pairs.search_shift > side:
            raise ValueError(f"pairs: search_shift leaves the search region: at most {side}")

    @property
    def spec(self) -> ModelSpec:
        """The architecture to train."""
        return SPECS[self.model]


def load_config(name: str) -> TrainConfig:
    """Read and check a config: a file, or the name of one that comes with siamtrack.

    Relative paths in it start at the working directory.  Raises InputError.
    """
    path = CONFIGS / f"{name}.toml"
    if not path.is_file():
        path = Path(name)
    try:
        config = from_toml(TrainConfig, path.read_bytes())
    except OSError as error:
        names = ", ".join(sorted(p.stem for p in CONFIGS.glob("*.toml")))
        raise InputError(
            f"cannot read {path}: {error.strerror}", hint=f"name a config file, or one of: {names}"
        ) from error
    except ValueError as error:
        raise InputError(f"{path}: {error}", hint="see siamtrack train --print-config") from None
    if config.model not in SPECS:
        raise InputError(f"{path}: unknown model {config.model!r}", hint=f"one of: {', '.join(SPECS)}")
    return config


def dump_config(config: TrainConfig) -> str:
    """The config as TOML, complete with every default."""
    return to_toml(config)
