"""The settings that all clips of a batch share, and the key that tells if a finished clip is outdated."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from uuid import uuid4

from siamcli.drawing.style import Style
from siamcli.media.kinds import source_name
from siamcli.media.sound import AudioChoice
from siamcli.media.suffixes import is_video
from siamcli.targets import Target, TargetMark
from siamcli.version import __version__

__all__ = ["Settings", "StyleWatch", "clip_key", "style_key"]

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settings:
    """What all clips of a batch have in common; a change makes a finished clip outdated, but that of the
    wanted `suffixes`, and of the `style` and `audio` of its videos, which are then drawn again.

    `params` are those that replace the parameters of the weights.
    """

    suffixes: tuple[str, ...]
    weights_sha256: str
    params: Mapping[str, object]
    fps: Fraction | None = None
    stream: int | None = None
    deinterlace: bool = False
    region: Target | None = None
    mask: str | None = None
    audio: AudioChoice = None
    version: str = __version__
    style: Style = field(default_factory=Style)


def clip_key(content: object, targets: Sequence[TargetMark], settings: Settings) -> str:
    """One hash of everything that the trajectory depends on; of what never comes twice, such as a camera's
    pictures (`content` None), a new one every time."""
    content = uuid4().hex if content is None else content
    drawing = ("suffixes", "style", "audio")
    tracking = {name: value for name, value in asdict(settings).items() if name not in drawing}
    if settings.stream is None and not settings.deinterlace:  # the key of batches that could not say so
        del tracking["stream"], tracking["deinterlace"]
    if settings.region is None:  # and so these
        del tracking["region"]
    if settings.mask is None:
        del tracking["mask"]
    else:
        tracking["mask"] = source_name(settings.mask).fingerprint()
    return _hash([content, [asdict(target, dict_factory=_as_before) for target in targets], tracking])


def _as_before(items: list[tuple[str, object]]) -> dict[str, object]:
    """The fields of a target as batches had them that knew no timecode, where there is none; a batch tracks
    whole clips, to which `later` boxes of annotations say nothing."""
    return {name: value for name, value in items if name != "later" and (name, value) != ("timecode", None)}


def style_key(style: Style, audio: AudioChoice) -> str | None:
    """How a status file says in what style videos are drawn, and with which sound."""
    if audio is not None:
        return _hash([asdict(style), audio])
    return None if style == Style() else _hash(asdict(style))


class StyleWatch:
    """Says once that videos lose a style that was chosen: a target that was hidden may be seen again."""

    def __init__(self) -> None:
        self._told = False

    def redraws(self, clip: str, files: Sequence[str], before: str | None, now: str | None) -> None:
        """These files of `clip`, whose style key was `before`, are written again."""
        if before not in (None, now) and not self._told and any(map(is_video, files)):
            self._told = True
            _logger.warning(
                "%s: its video had other effects, drawing or sound, and is drawn again as this command says;"
                " so are those of further clips: give the options again to keep them",
                clip,
            )


def _hash(plain: object) -> str:
    return hashlib.sha256(json.dumps(plain, sort_keys=True, default=str).encode()).hexdigest()[:32]
