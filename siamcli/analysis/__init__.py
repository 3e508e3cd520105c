"""Analysis of trajectories: measurements, plots, and crops that follow a target."""
