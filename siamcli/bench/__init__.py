"""Measures speed and precision of engines."""
