"""Reads sources (videos, images, cameras, streams) and writes videos."""
