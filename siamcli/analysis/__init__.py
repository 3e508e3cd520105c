"""Trajectories in, numbers and plots out."""
