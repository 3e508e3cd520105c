"""The suffixes that name an output's format."""

from __future__ import annotations

__all__ = ["TRACK_SUFFIXES", "VIDEO_SUFFIXES"]

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv")
TRACK_SUFFIXES = (".json", ".jsonl", ".csv", ".txt")
