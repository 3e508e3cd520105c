"""Gives frames in reverse order: stretches are decoded forward and then reversed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from siamcli.frames import Frame, FrameSource
from siamcli.media.prefetch import prefetch
from siamcli.times import TimePoint

__all__ = ["MEMORY", "Reopen", "frames_at", "reversed_frames"]

Reopen = Callable[..., FrameSource]
"""Opens a source again from the frame at `start` up to `end`: `open_source` with its other options given."""

MEMORY = 512 * 2**20  # bytes of decoded frames that are held at once: 86 of 1920x1080, 21 of 3840x2160


def frames_at(reopen: Reopen, indices: Sequence[int]) -> Iterator[Frame]:
    """The frames of a file or of images at `indices`, which rise.

    Nothing after the last of them is read: damage behind it is not met.  Raises InputError.
    """
    wanted = set(indices)
    left = len(wanted)
    if not left:
        return
    begin, end = TimePoint(frame=indices[0]), TimePoint(frame=indices[-1] + 1)
    with prefetch(reopen(start=begin, end=end)) as frames:
        for frame in frames:
            if frame.index in wanted:
                yield frame
                left -= 1
                if not left:
                    return


def reversed_frames(
    reopen: Reopen, indices: Sequence[int], size: tuple[int, int], *, memory: int = MEMORY
) -> Iterator[Frame]:
    """The frames of `frames_at`, of `size` (width, height), the last one first.

    At most `memory` bytes of them are held, but always one frame.  Raises InputError.
    """
    at_once = max(1, memory // (3 * size[0] * size[1]))
    for end in range(len(indices), 0, -at_once):
        held = list(frames_at(reopen, indices[max(0, end - at_once) : end]))
        while held:
            yield held.pop()
