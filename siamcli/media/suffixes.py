"""The suffixes that name an output's format."""

from __future__ import annotations

from pathlib import Path

__all__ = ["OUTPUT_SUFFIXES", "TRACK_SUFFIXES", "VIDEO_SUFFIXES", "is_video"]

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv")
TRACK_SUFFIXES = (".json", ".jsonl", ".csv", ".txt")
OUTPUT_SUFFIXES = (*VIDEO_SUFFIXES, *TRACK_SUFFIXES)


def is_video(path: str | Path) -> bool:
    """Whether an output of that name is an annotated video."""
    return Path(path).suffix.lower() in VIDEO_SUFFIXES
