"""Plots a trajectory.  Needs matplotlib, the extra `plots`."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from siamcli.analysis.motion import Motion, measure_motion
from siamcli.analysis.panels import PANELS
from siamcli.analysis.plane import Plane, flat_plane
from siamcli.drawing.colors import target_color
from siamcli.errors import InputError
from siamcli.frames import Image
from siamcli.trajectory import Trajectory

__all__ = ["plot"]

Array = NDArray[np.float64]

CELLS = 80  # of a heat map, along the longer side
SPREAD = 1.5  # cells: standard deviation of what one moment adds to a heat map


def plot(
    trajectory: Trajectory,
    panels: Sequence[str] = (),
    *,
    image: Image | None = None,
    plane: Plane | None = None,
    window: float = 0.5,
) -> Figure:
    """A figure of some of PANELS, by default all.

    `image` lies under path and heat map.  Speeds are in the unit of `plane`, smoothed over `window` seconds.
    Raises InputError where there is no point or no time, ValueError for an unknown panel.
    """
    if unknown := [name for name in panels if name not in PANELS]:
        raise ValueError(f"no panel {unknown[0]!r}; there are {', '.join(PANELS)}")
    chosen = list(panels or PANELS)
    targets = sorted({point.target for point in trajectory.points})
    if not targets:
        raise InputError(f"no point in the trajectory of {trajectory.header.source.name}")
    size = _size(trajectory, image)
    pixel_aspect = trajectory.header.source.pixel_aspect
    plane = plane or flat_plane(1, "px", size, "top-left", pixel_aspect)
    motions = [measure_motion(trajectory, target, plane, window) for target in targets]
    columns = 1 if len(chosen) == 1 else 2
    rows = -(-len(chosen) // columns)
    figure = Figure(figsize=(6.4 * columns, 4.2 * rows), layout="constrained")
    for number, name in enumerate(chosen, start=1):
        axes = figure.add_subplot(rows, columns, number)
        if name in ("path", "heat"):
            _frame(axes, size, image, pixel_aspect)
        {"path": _path, "heat": _heat, "speed": _speed, "score": _score}[name](
            axes, trajectory, motions, plane.unit
        )
        if len(motions) > 1 and name != "heat":
            axes.legend(fontsize="small")
    figure.suptitle(trajectory.header.source.name)
    return figure


def _size(trajectory: Trajectory, image: Image | None) -> tuple[int, int]:
    """(width, height) of the frames, or what the boxes reach where that is not known."""
    if image is not None:
        return image.shape[1], image.shape[0]
    edges = [(p.box.x + p.box.w, p.box.y + p.box.h) for p in trajectory.points if p.box.valid]
    reach = tuple(int(max(side)) + 1 for side in zip(*edges, strict=True)) if edges else (1, 1)
    return trajectory.header.source.size or (reach[0], reach[1])


def _color(motion: Motion) -> tuple[float, float, float]:
    blue, green, red = target_color(motion.target)
    return red / 255, green / 255, blue / 255


def _frame(axes: Axes, size: tuple[int, int], image: Image | None, pixel_aspect: Fraction) -> None:
    """Axes in pixels, as a picture has them."""
    if image is not None:
        axes.imshow(image[..., ::-1], extent=(0, size[0], size[1], 0), alpha=0.7)
    axes.set(xlim=(0, size[0]), ylim=(size[1], 0), xlabel="x, pixels", ylabel="y, pixels")
    axes.set_aspect(float(1 / pixel_aspect))


def _path(axes: Axes, trajectory: Trajectory, motions: Sequence[Motion], unit: str) -> None:
    """The smooth centres; dots across a loss, a circle at the start and a square at the end."""
    axes.set_title("path (circle: start; square: end; dots: not located)")
    for motion in motions:
        x, y = motion.pixels.T
        seen = motion.located
        if not seen.any():
            continue
        color = _color(motion)
        axes.plot(x[seen], y[seen], ":", color=color, linewidth=1)
        axes.plot(x, y, "-", color=color, linewidth=2, label=motion.name)
        for place, marker in ((0, "o"), (-1, "s")):
            axes.plot(
                x[seen][place], y[seen][place], marker, color=color, markersize=8, markeredgecolor="black"
            )


def _heat(axes: Axes, trajectory: Trajectory, motions: Sequence[Motion], unit: str) -> None:
    """Seconds per cell, over all targets."""
    axes.set_title("heat map: where the targets were for how long")
    width, height = axes.get_xlim()[1], axes.get_ylim()[0]
    cell = max(width, height) / CELLS
    shape = max(1, round(height / cell)), max(1, round(width / cell))
    counts = np.zeros(shape)
    for motion in motions:
        seen = motion.located
        x, y = motion.pixels[seen].T
        counts += np.histogram2d(
            y, x, bins=shape, range=((0, height), (0, width)), weights=motion.lasts[seen]
        )[0]
    counts = _spread(counts)
    visible = np.ma.masked_less(counts, 0.01 * max(float(counts.max()), 1e-9))
    extent, aspect = (0, width, height, 0), axes.get_aspect()
    shown = axes.imshow(visible, extent=extent, aspect=aspect, cmap="inferno", alpha=0.8)
    axes.figure.colorbar(shown, ax=axes, label="seconds", shrink=0.8)


def _spread(counts: Array) -> Array:
    """A Gaussian blur that keeps the sum, but for what leaves the picture."""
    offsets = np.arange(-int(3 * SPREAD), int(3 * SPREAD) + 1)
    kernel = np.exp(-0.5 * (offsets / SPREAD) ** 2)
    kernel /= kernel.sum()
    for axis in (0, 1):
        wide = [(0, 0), (0, 0)]
        wide[axis] = (len(offsets) // 2,) * 2
        padded = np.pad(counts, wide)
        counts = sum(
            weight * np.take(padded, np.arange(counts.shape[axis]) + i, axis)
            for i, weight in enumerate(kernel)
        )
    return counts


def _speed(axes: Axes, trajectory: Trajectory, motions: Sequence[Motion], unit: str) -> None:
    """Smooth speeds, and thin the raw ones."""
    for motion in motions:
        color = _color(motion)
        axes.plot(motion.times, motion.raw_speed, "-", color=color, linewidth=0.5, alpha=0.6)
        axes.plot(motion.times, motion.speed, "-", color=color, linewidth=2, label=motion.name)
    _over_time(axes, motions, "speed (thin: not smoothed; band: not located)", f"{unit}/s")


def _score(axes: Axes, trajectory: Trajectory, motions: Sequence[Motion], unit: str) -> None:
    for motion in motions:
        scores = [
            np.nan if point.state == "absent" else point.score
            for point in sorted(trajectory.points, key=lambda point: point.index)
            if point.target == motion.target
        ]
        axes.plot(motion.times, scores, "-", color=_color(motion), linewidth=1.5, label=motion.name)
    _over_time(axes, motions, "score (band: not located)", "expected overlap (IoU)")
    axes.set_ylim(0, 1.02)


def _over_time(axes: Axes, motions: Sequence[Motion], title: str, label: str) -> None:
    """Titles, and a band where a target is not located."""
    for motion in motions:
        missing = ~motion.located
        edges = np.flatnonzero(np.diff(np.concatenate([[False], missing, [False]]).astype(int)))
        for first, last in zip(edges[::2], edges[1::2], strict=True):
            end = motion.times[min(last, len(missing) - 1)]
            axes.axvspan(motion.times[first], end, color=_color(motion), alpha=0.25, linewidth=0)
    axes.set(title=title, xlabel="time, s", ylabel=label)
    axes.set_ylim(bottom=0)
    axes.grid(visible=True, linestyle=":")
