"""Measurements of a trajectory as CSV, as JSON with units, and as a summary table."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from siamcli.analysis.motion import Motion, measure_motion
from siamcli.analysis.plane import Plane
from siamcli.analysis.smooth import METHOD
from siamcli.analysis.zones import Zone, stay
from siamcli.sheets import csv_text
from siamcli.trajectory import Trajectory

__all__ = ["Measurement", "measure"]

SCHEMA = "siamtrack-measurement/1"
_LENGTHS = ("x", "y", "x_raw", "y_raw", "distance", "distance_raw")
_SPEEDS = ("speed", "speed_raw")


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """The motions of all targets of the source `name`, smoothed over `window` seconds."""

    name: str
    plane: Plane
    window: float
    motions: tuple[Motion, ...]
    zones: tuple[Zone, ...]

    @property
    def units(self) -> dict[str, str]:
        """Name of a value -> its unit."""
        unit = self.plane.unit
        return {
            "time": "s",
            **dict.fromkeys(_LENGTHS, unit),
            **dict.fromkeys(_SPEEDS, f"{unit}/s"),
            "heading": "deg",
        }

    @property
    def sum_units(self) -> dict[str, str]:
        """Name of a sum -> its unit."""
        unit = self.plane.unit
        return {
            **dict.fromkeys(("located", "lost", "absent", "at_rest"), "s"),
            **dict.fromkeys(("distance", "distance_raw", "displacement"), unit),
            **dict.fromkeys(("speed_mean", "speed_max", "rest_below"), f"{unit}/s"),
        }

    def csv(self) -> str:
        """A row per target and frame; the unit of a column follows its name: `speed_mm_per_s`."""
        units = {name: f"{name}_{unit.replace('/', '_per_')}" for name, unit in self.units.items()}
        rows = list(self._rows())
        head = [[units.get(name, name) for name in row] for row in rows[:1]]
        return csv_text([*head, *(row.values() for row in rows)])

    def json(self) -> str:
        """How it was measured, the units, the sums and a list of values per target and frame."""
        document = {
            "schema": SCHEMA,
            "source": self.name,
            "units": {**self.units, **self.sum_units},
            "axes": {"origin": self.plane.origin, "heading": "from the x axis towards the y axis"},
            "smoothing": {"method": METHOD, "window": self.window},
            "summary": self.summary(),
            "points": list(self._rows()),
        }
        return json.dumps(document, indent=1) + "\n"

    def summary(self) -> list[dict[str, Any]]:
        """One record per target; a zone has `seconds`, `visits` and the time of the `first` one."""
        return [self._sums(motion) for motion in self.motions]

    def table(self) -> list[list[str]]:
        """The sums as cells, the names of the columns, with units, first."""
        units = self.sum_units
        rows: list[list[str]] = []
        for motion, sums in zip(self.motions, self.summary(), strict=True):
            cells = [(f"{key} {units[key]}", sums[key]) for key in units if key in sums]
            for name, one in sums["zones"].items():  # which may be called like a sum
                cells += [(f"{name} s", one["seconds"]), (f"{name} visits", one["visits"])]
            rows = rows or [["target", *(name for name, _ in cells)]]
            rows.append([motion.name, *(_cell(value) for _, value in cells)])
        return rows

    def _sums(self, motion: Motion) -> dict[str, Any]:
        located, lasts = motion.located, motion.lasts
        where = motion.smooth[located]
        seconds = float(lasts[located].sum())
        known = np.isfinite(motion.speed)
        moving = motion.speed[known]
        zones = {
            zone.name: stay(zone.holds(motion.pixels) & located, located, motion.times, lasts)
            for zone in self.zones
        }
        return {
            "target": motion.target,
            "label": motion.label,
            "located": _rounded(seconds),
            **{
                state: _rounded(float(lasts[[one == state for one in motion.states]].sum()))
                for state in ("lost", "absent")
            },
            "at_rest": _rounded(float(lasts[motion.at_rest].sum())),
            "rest_below": _rounded(motion.rest_below),
            "distance": _rounded(float(np.nanmax(motion.distance))) if located.any() else 0.0,
            "distance_raw": _rounded(float(np.nanmax(motion.raw_distance))) if located.any() else 0.0,
            "displacement": _rounded(math.dist(where[0], where[-1])) if len(where) else None,
            "speed_mean": _rounded(float(np.average(moving, weights=lasts[known]))) if known.any() else None,
            "speed_max": _rounded(float(moving.max())) if known.any() else None,
            "zones": {
                name: {"seconds": _rounded(s.seconds), "visits": s.visits, "first": _rounded(s.first)}
                for name, s in zones.items()
            },
        }

    def _rows(self) -> Iterator[dict[str, Any]]:
        for motion in self.motions:
            inside = {zone.name: zone.holds(motion.pixels) for zone in self.zones}
            for i in range(len(motion.frames)):
                located = bool(motion.located[i])
                values = {
                    "time": motion.times[i],
                    "x": motion.smooth[i, 0],
                    "y": motion.smooth[i, 1],
                    "x_raw": motion.raw[i, 0],
                    "y_raw": motion.raw[i, 1],
                    "speed": motion.speed[i],
                    "speed_raw": motion.raw_speed[i],
                    "distance": motion.distance[i],
                    "distance_raw": motion.raw_distance[i],
                    "heading": motion.heading[i],
                }
                yield {
                    "target": motion.target,
                    "label": motion.label,
                    "frame": int(motion.frames[i]),
                    "state": motion.states[i],
                    **{key: _rounded(float(value)) for key, value in values.items()},
                    "at_rest": int(motion.at_rest[i]) if located else None,
                    **({"zone": _where(inside, i) if located else None} if self.zones else {}),
                }


def measure(
    trajectory: Trajectory,
    plane: Plane,
    *,
    window: float = 0.5,
    rest: float | None = None,
    zones: Sequence[Zone] = (),
) -> Measurement:
    """The motion of every target of a trajectory; raises InputError where it has no times."""
    targets = sorted({point.target for point in trajectory.points})
    motions = tuple(measure_motion(trajectory, target, plane, window, rest) for target in targets)
    return Measurement(trajectory.header.source.name, plane, window, motions, tuple(zones))


def _where(inside: dict[str, Any], row: int) -> str:
    return " ".join(name for name, flags in inside.items() if flags[row])


def _rounded(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 6)


def _cell(value: float | None) -> str:
    return "-" if value is None else str(value) if isinstance(value, int) else f"{value:.2f}"
