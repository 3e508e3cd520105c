"""Numbers that define a model and its tracking step.  Plain data: no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from siamcli.schema import FileName, NotNegative, Positive, Range, Share, check_ranges

__all__ = [
    "MMTRACKING_ANCHORS",
    "PYSOT_ANCHORS",
    "SPECS",
    "ModelSpec",
    "TrackerParams",
    "default_params",
]

PYSOT_ANCHORS = ((104.0, 32.0), (88.0, 40.0), (64.0, 64.0), (40.0, 80.0), (32.0, 96.0))
MMTRACKING_ANCHORS = ((104.0, 32.0), (88.0, 40.0), (64.0, 64.0), (40.0, 88.0), (32.0, 104.0))

Side = Annotated[float, Range(0, 4096, "low")]


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Architecture: whatever changes the shape or the meaning of a weight.

    `downsample` is the kernel of the ResNet shortcuts: 3 as in PySOT, 1 as in the plain ResNet; `width`
    is what a ResNet's channels are multiplied by.
    `levels` are the backbone stages whose features are used (paper section 3.2).  `channels` is the
    neck's output per level; empty means no neck.  `weighted` levels are summed with learned
    softmax weights, others averaged.  `anchors` are (w, h) in search-region pixels, `crop` the
    rounding rule of the crops the weights were trained on.

    `correlation` is how template and search region are compared (paper section 3.3, figure 4): per
    channel (SiamRPN++), by a bank of kernels per output (SiamRPN), or over all channels at once
    (SiamFC).  The last has one anchor, which stands for the target's own box, and refines nothing.
    ValueError names a value that no network can have.
    """

    name: FileName
    backbone: Literal["resnet50", "resnet18", "resnet10", "alexnet", "mobilenetv2"] = "resnet50"
    downsample: Literal[1, 3] = 3
    levels: tuple[Annotated[int, Range(1, 8)], ...] = (2, 3, 4)
    channels: tuple[Annotated[int, Range(1, 4096)], ...] = (256, 256, 256)
    weighted: bool = True
    template_cells: Annotated[int, Range(1, 127)] = 7
    exemplar_size: Annotated[int, Range(16, 1023)] = 127
    search_size: Annotated[int, Range(16, 2047)] = 255
    stride: Annotated[int, Range(1, 64)] = 8
    base_size: Annotated[int, Range(0, 64)] = 8
    anchors: tuple[tuple[Side, Side], ...] = PYSOT_ANCHORS
    crop: Literal["pysot", "mmtracking", "exact"] = "pysot"
    correlation: Literal["depthwise", "up-channel", "plain"] = "depthwise"
    width: Annotated[float, Range(0.125, 4)] = 1.0

    def __post_init__(self) -> None:
        check_ranges(self)

    def score_size(self, search_size: int | None = None) -> int:
        """Side of the score map of a search region.

        >>> ModelSpec("r50").score_size(), ModelSpec("r50").score_size(831)
        (25, 97)
        """
        side = self.search_size if search_size is None else search_size
        return (side - self.exemplar_size) // self.stride + 1 + self.base_size


@dataclass(frozen=True, slots=True)
class TrackerParams:
    """Choices of the tracking step: tunable without new weights; the checkpoint brings its defaults.

    A target is lost when its score falls below `lost_below` and found when it rises above
    `found_above`.  With `lost_search_size` the tracker is PySOT's long-term variant: while the
    target is lost it searches a region of that size, and holds the box while the score is
    below `lost_below`.

    `scales` are the factors of the target's size that are tried on every frame beside 1, each with a
    search region of its own; their evidence counts `scale_penalty` times.  A network that refines
    boxes needs none.

    The rest is not in the reference; its neutral value is what the reference does.  `calibration` is
    (a, b): sigmoid(a * logit + b) is the overlap to expect of a box, and the score that is reported; without
    it that is the network's own.  With `lost_shares` (lost, found) a target is lost and found not by
    its score but by its logit, as shares of what is usual for this target, which counts as at most
    `usual_limit` (0: no limit).  A box whose raw score is below `hold_below` moves nothing.  A lost target
    is looked for in `look_around` further regions a frame.  `first_frame_bias` is the share taken back of
    what the network changes about the given box, `class_memory` that of later looks in the class kernels.

    ValueError names a value that no tracker can work with.
    """

    context: Annotated[float, Range(0, 2, "low")] = 0.5
    penalty_k: NotNegative = 0.05
    window_influence: Share = 0.42
    lr: Annotated[float, Range(0, 1, "low")] = 0.38
    min_size: Positive = 10.0
    lost_below: Share = 0.5
    found_above: Share = 0.8
    lost_search_size: Annotated[int, Range(127, 2047)] | None = None
    lost_window_influence: Share = 0.001
    scales: tuple[Annotated[float, Range(0.5, 2, "both")], ...] = ()
    scale_penalty: Annotated[float, Range(0, 1, "low")] = 1.0
    calibration: tuple[float, ...] = ()
    lost_shares: tuple[Share, ...] = ()
    usual_limit: NotNegative = 0.0
    hold_below: Share = 0.0
    first_frame_bias: Share = 0.0
    class_memory: Share = 0.0
    look_around: Annotated[int, Range(0, 64)] = 0

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.lost_below > self.found_above:
            raise ValueError(f"lost_below {self.lost_below} must not exceed found_above {self.found_above}")
        for name in ("calibration", "lost_shares"):
            if len(getattr(self, name)) not in (0, 2):
                raise ValueError(f"{name} must be two numbers, or none")
        if list(self.lost_shares) != sorted(self.lost_shares):
            raise ValueError(f"lost_shares {self.lost_shares}: the first must not exceed the second")

    def is_idle(self, name: str) -> bool:
        """True for a parameter that the others keep from having an effect."""
        if name == "lost_below":
            return bool(self.lost_shares) and self.lost_search_size is None
        return name == "found_above" and bool(self.lost_shares)


def default_params(spec: ModelSpec) -> TrackerParams:
    """What an architecture tracks with until it is tuned; without box refinement as SiamFC with 3 scales."""
    if spec.correlation == "plain":
        return TrackerParams(
            window_influence=0.176, lr=0.59, scales=(1 / 1.0375, 1.0375), scale_penalty=0.9745
        )
    return TrackerParams()


_R50 = ModelSpec("siamrpn_r50_l234_dwxcorr")
_OUR_R50 = replace(_R50, name="siamrpnpp-r50", downsample=1, crop="exact")
_ALEX = ModelSpec(
    "siamrpn_alex_dwxcorr",
    backbone="alexnet",
    levels=(5,),
    channels=(),
    weighted=False,
    template_cells=6,
    search_size=287,
    base_size=0,
)
_R18 = ModelSpec(
    "siamrpnpp-r18", backbone="resnet18", downsample=1, levels=(2, 3), channels=(128, 128), crop="exact"
)
_OUR_ALEX = replace(_ALEX, name="siamrpnpp-alexnet", crop="exact")

SPECS: dict[str, ModelSpec] = {
    spec.name: spec
    for spec in (
        _R50,
        replace(_R50, name="siamrpn_r50_l234_dwxcorr_otb", weighted=False),
        replace(_R50, name="siamrpn_r50_l234_dwxcorr_lt", channels=(128, 256, 512)),
        ModelSpec("siamrpn_mobilev2_l234_dwxcorr", backbone="mobilenetv2", levels=(3, 5, 7), weighted=False),
        _ALEX,
        replace(_R50, name="mmtracking_r50", anchors=MMTRACKING_ANCHORS, crop="mmtracking"),
        _OUR_R50,
        replace(_OUR_R50, name="siamrpn-r50", correlation="up-channel"),
        _R18,
        replace(_R18, name="siamrpnpp-r10", backbone="resnet10", width=0.5, channels=(64, 64)),
        _OUR_ALEX,
        replace(_OUR_ALEX, name="siamrpn-alexnet", correlation="up-channel"),
        replace(_OUR_ALEX, name="siamfc-alexnet", correlation="plain", anchors=((64.0, 64.0),)),
    )
}
"""Every architecture that siamtrack knows by name: the reference's, mmtracking's, our own."""
