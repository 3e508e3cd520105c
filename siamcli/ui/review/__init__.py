"""The web page for reviewing and correcting trajectories, and the report."""
