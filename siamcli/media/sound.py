"""The sound of a source: its streams, in the order in which players choose one."""

from __future__ import annotations

from siamcli.media.streams import SoundStream, list_streams

__all__ = ["sound_options", "sounds_of"]

MP4_AUDIO = frozenset({"aac", "ac3", "alac", "eac3", "mp3"})  # other codecs do not play in every MP4 player


def sounds_of(source: str) -> list[SoundStream]:
    """The sound streams of a file: those that are marked as the default first, which players play."""
    return sorted(list_streams(f"file:{source}").sounds, key=lambda sound: not sound.default)


def sound_options(sound: SoundStream) -> tuple[str, ...]:
    """The options that take a sound from ffmpeg's second input into a video."""
    encoder = "copy" if sound.codec in MP4_AUDIO else "aac"
    return ("-map", f"1:a:{sound.number}", "-c:a", encoder)
