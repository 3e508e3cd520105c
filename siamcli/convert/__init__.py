"""Trajectories in the formats of other programs."""
