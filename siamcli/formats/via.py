"""VGG Image Annotator 2 (project or JSON export) and 3 (project): rectangles in images.

Source: https://www.robots.ox.ac.uk/~vgg/software/via/docs/user_guide.html
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from siamcli.boxes import Box
from siamcli.formats import via3
from siamcli.formats.tracks import TrackBox, Tracks
from siamcli.formats.via3 import ID_NAMES, LABEL_NAMES
from siamcli.natural import natural_key
from siamcli.schema import load_json

__all__ = ["tracks"]


def tracks(text: str) -> list[Tracks]:
    """Rectangles by image, in the order of their numbers; the images are the frames.

    What tells objects apart is a region attribute `track_id`, `track` or `id`, else their label and, of
    several with one label in an image, their order.  Raises ValueError, KeyError, TypeError.
    """
    document: Any = load_json(text)
    if via3.is_project(document):
        return via3.clips(document)
    images = list(document.get("_via_img_metadata", document).values())
    images.sort(key=lambda image: natural_key(image["filename"]))
    boxes = []
    others: Counter[str] = Counter()
    for frame, image in enumerate(images):
        seen: Counter[str] = Counter()
        regions = image["regions"]
        for region in regions.values() if isinstance(regions, dict) else regions:
            shape, attributes = region["shape_attributes"], region.get("region_attributes") or {}
            if shape.get("name") != "rect":
                others[str(shape.get("name"))] += 1
                continue
            label = next((str(attributes[key]) for key in LABEL_NAMES if attributes.get(key)), "")
            seen[label] += 1
            known = next(
                (str(attributes[key]) for key in ID_NAMES if attributes.get(key) not in (None, "")), ""
            )
            box = Box(*(float(shape[key]) for key in ("x", "y", "width", "height")))
            boxes.append(TrackBox(frame, known or f"{label} {seen[label]}", label, box))
    return [Tracks(boxes, files=tuple(image["filename"] for image in images), others=others)]
