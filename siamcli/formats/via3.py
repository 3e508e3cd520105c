"""VGG Image Annotator 3 (project): rectangles in frames of videos and in images.

Source: https://www.robots.ox.ac.uk/~vgg/software/via/docs/user_guide.html (VIA 3: the project file)
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from siamcli.boxes import Box
from siamcli.formats.tracks import TrackBox, Tracks

__all__ = ["ID_NAMES", "LABEL_NAMES", "clips", "is_project"]

ID_NAMES = ("track_id", "track", "id", "object_id")
LABEL_NAMES = ("label", "name", "class", "type", "category")
_SHAPES = {1: "point", 2: "rectangle", 3: "circle", 4: "ellipse", 5: "line", 6: "polyline", 7: "polygon"}
_IMAGE, _VIDEO = 2, 4
_OPTIONS = (2, 3, 4)  # check boxes, radio buttons, a list: the value is the key of an option
_OF_REGIONS = ("FILE1_Z0_XY1", "FILE1_Z1_XY1")


def is_project(document: Mapping[str, Any]) -> bool:
    """True for the keys of a project of VIA 3."""
    return {"metadata", "attribute", "file", "view"} <= set(document)


@dataclass(frozen=True, slots=True)
class _Attributes:
    """The attributes of regions: those that tell objects apart, and those that name them, the best first."""

    ids: tuple[str, ...]
    labels: tuple[str, ...]
    options: Mapping[str, Mapping[str, str]]

    def text(self, keys: tuple[str, ...], values: Mapping[str, Any]) -> str:
        """The first value that is there of the attributes `keys`, as it is shown."""
        for key in keys:
            value = str(values.get(key, ""))
            options = self.options.get(key)
            if options is not None:
                value = ", ".join(options[one] for one in value.split(",") if one in options)
            if value:
                return value
        return ""


def _attributes(document: Mapping[str, Any]) -> _Attributes:
    """Known names go first, then the attribute that VIA shows as a region's label, then one that is alone."""
    every = {k: a for k, a in document["attribute"].items() if a.get("anchor_id") in _OF_REGIONS}
    names = {key: str(attribute["aname"]).lower() for key, attribute in every.items()}
    ids = tuple(key for known in ID_NAMES for key, name in names.items() if name == known)
    labels = [key for known in LABEL_NAMES for key, name in names.items() if name == known]
    shown = str(document.get("config", {}).get("ui", {}).get("spatial_region_label_attribute_id", ""))
    labels += [key for key in every if key == shown]
    others = [key for key in every if key not in ids]
    labels += others if len(others) == 1 else []
    options = {key: every[key]["options"] for key in every if every[key].get("type") in _OPTIONS}
    return _Attributes(ids, tuple(labels), options)


def clips(document: Mapping[str, Any]) -> list[Tracks]:
    """The rectangles of every video, at times in seconds, and those of all images, which are frames in the
    order of the project.

    What tells objects apart is an attribute of ID_NAMES, else their label and, of several with one label at
    one moment, their order.  Raises ValueError, KeyError, TypeError.
    """
    attributes = _attributes(document)
    order = [str(view) for view in document.get("project", {}).get("vid_list", document["view"])]
    files = {view: document["file"][str(document["view"][view]["fid_list"][0])] for view in order}
    images = {view: i for i, view in enumerate(v for v in order if files[v]["type"] == _IMAGE)}
    found: dict[str, list[TrackBox]] = defaultdict(list)
    seen: Counter[tuple[str, float, str]] = Counter()
    others: dict[str, Counter[str]] = defaultdict(Counter)
    drawn = [region for region in document["metadata"].values() if region.get("xy")]  # the rest are stretches
    for region in sorted(drawn, key=lambda region: region["z"]):
        view, values = str(region["vid"]), region.get("av") or {}
        clip, shape = "" if view in images else view, _SHAPES.get(region["xy"][0], "other")
        if shape != "rectangle":
            others[clip][shape] += 1
            continue
        if view not in images and not region["z"]:
            raise ValueError(f"a region of {files[view]['fname']} has no time")
        label = attributes.text(attributes.labels, values)
        seconds = None if view in images else float(region["z"][0])
        moment = (view, seconds or 0.0, label)
        seen[moment] += 1
        track = attributes.text(attributes.ids, values) or f"{label} {seen[moment]}"
        box = TrackBox(
            images.get(view, 0), track, label, Box(*map(float, region["xy"][1:5])), seconds=seconds
        )
        found[clip].append(box)
    names = tuple(str(files[view]["fname"]) for view in images)
    still = [Tracks(found[""], name="images", files=names, others=others[""])] if images else []
    videos = [view for view in order if files[view]["type"] == _VIDEO]
    of_videos = [
        Tracks(found[view], name=_stem(files[view]["fname"]), others=others[view]) for view in videos
    ]
    return [*still, *of_videos]


def _stem(name: str) -> str:
    return PurePosixPath(str(name).split("?")[0]).stem
