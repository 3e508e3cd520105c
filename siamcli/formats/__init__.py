"""Trajectory files: siamtrack's own formats and those of other programs."""
