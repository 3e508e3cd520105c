"""Tracks many clips unattended."""
