"""After Effects: key frames to paste into a layer.

The text that After Effects itself copies: "Adobe After Effects 8.0 Keyframe Data", fields between tabs.  The
same is read by https://github.com/baku89/ae-keyframes.
"""

from __future__ import annotations

from siamcli.formats.names import file_stems, source_stem
from siamcli.formats.select import frame_rate, frame_size, seen_by_editors
from siamcli.labels import target_name
from siamcli.trajectory import NO_BOX, Trajectory

__all__ = ["files"]


def files(trajectory: Trajectory, *, drop_lost: bool = False) -> dict[str, str]:
    """NAME_TARGET.aftereffects.txt per target: the centre as position, and the size as scale.

    Frames count from 0, pixels from the top left; they are as wide as those of the source.  Scale is in
    percent of the first box.
    """
    width, height = frame_size(trajectory)
    rate = round(float(frame_rate(trajectory)), 3)
    wide = f"{float(trajectory.header.source.pixel_aspect):.4g}"
    head = [
        *("Adobe After Effects 8.0 Keyframe Data", "", f"\tUnits Per Second\t{rate:g}"),
        *(f"\tSource Width\t{width}", f"\tSource Height\t{height}"),
        *(f"\tSource Pixel Aspect Ratio\t{wide}", f"\tComp Pixel Aspect Ratio\t{wide}", ""),
    ]
    stem, texts = source_stem(trajectory.header.source.name), {}
    seen = seen_by_editors(trajectory, drop_lost=drop_lost)
    names = file_stems([target_name(trajectory.header.labels, target) for target in seen])
    for name, points in zip(names, seen.values(), strict=True):
        boxes = {frame: point.box for frame, point in points.items()}
        first = next(iter(boxes.values()), NO_BOX)
        places = [f"\t{n}\t{box.center[0]:.3f}\t{box.center[1]:.3f}\t0\t" for n, box in boxes.items()]
        sides = {n: (100 * box.w / first.w, 100 * box.h / first.h) for n, box in boxes.items()}
        scales = [f"\t{n}\t{w:.3f}\t{h:.3f}\t100\t" for n, (w, h) in sides.items()]
        lines = [
            *(*head, "Transform\tPosition", "\tFrame\tX pixels\tY pixels\tZ pixels\t", *places, ""),
            *("Transform\tScale", "\tFrame\tX percent\tY percent\tZ percent\t", *scales, ""),
            *("", "End of Keyframe Data", ""),
        ]
        texts[f"{stem}_{name}.aftereffects.txt"] = "\n".join(lines)
    return texts
