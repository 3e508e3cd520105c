"""The colours of a video stream: reads its tags, and chooses the filters that convert it to BT.709.

Picture and tracker get what a screen of standard dynamic range shows.  Reference white of HDR is
203 cd/m2 (ITU-R BT.2408), what is brighter is compressed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["StreamColors", "parse_colors"]

_STREAM = re.compile(r"Video: .*?, (\w+)(?:\(([^)]*)\))?, \d+x(\d+)")
_TAGS = re.compile(r"(?:^|, )(?:([\w-]+)/([\w-]+)/([\w-]+)|(bt709|bt470bg|smpte170m|smpte240m))(?=,|$)")
_YUV = re.compile(r"yuv|yuy|uyv|nv\d|p[024]\d\d|y2")

_HDR = {"arib-std-b67": "HLG", "smpte2084": "PQ"}
_WIDE = frozenset({"bt2020", "smpte431", "smpte432"})  # primaries; those of SD differ little from BT.709
_MATRICES = frozenset({"bt2020nc", "bt2020c", "bt709", "bt470bg", "smpte170m", "gbr", "unknown"})
_HD_LINES = 720

# light of 203 cd/m2 is 1 here; 0.7 to 4.93 (1000 cd/m2) is brought to 0.7 to 1, below nothing changes
_TONE_MAP = (
    "zscale=transfer=linear:primaries=bt709:npl=203:agamma=0,"
    "tonemap=mobius:param=0.7:peak=4.93:desat=0,zscale=transfer=bt709"
)
_GAMUT_MAP = "zscale=transfer=bt709:primaries=bt709:agamma=0"


@dataclass(frozen=True, slots=True)
class StreamColors:
    """The tags of a stream in ffmpeg's words, `unknown` where there is none; `lines` are its picture's."""

    pixel_format: str
    lines: int
    matrix: str = "unknown"
    primaries: str = "unknown"
    transfer: str = "unknown"

    @property
    def note(self) -> str | None:
        """A description of the filters; None where the picture is as it is stored."""
        if self._hdr:
            return f"HDR ({self._hdr}), tone-mapped to BT.709"
        return f"colours of {self.primaries}, converted to BT.709" if self._wide else None

    @property
    def filters(self) -> str:
        """ffmpeg's filter graph that brings decoded frames to BT.709; empty if it would change nothing."""
        if self._hdr:
            return self._mapped(_TONE_MAP, self.transfer)
        if self._wide:
            return self._mapped(_GAMUT_MAP, "bt709")
        if self.matrix == "unknown" and _YUV.match(self.pixel_format) and self.lines >= _HD_LINES:
            return "setparams=colorspace=bt709"  # ffmpeg's own default is BT.601
        return ""

    def _mapped(self, mapping: str, transfer: str) -> str:
        """`mapping` of every colour, computed once for a table of 64 x 64 x 64 of them.

        Three times as fast as to map each pixel.
        """
        matrix = "bt2020nc" if self.matrix == "unknown" else self.matrix
        primaries = "bt2020" if self.primaries == "unknown" else self.primaries
        tags = f"color_primaries={primaries}:color_trc={transfer}"
        return (
            f"setparams=colorspace={matrix}:{tags},zscale=matrix=gbr,format=gbrpf32le[pixels];"
            f"haldclutsrc=level=8:duration=0.04,format=gbrp16le,setparams=range=pc:colorspace=gbr:{tags},"
            f"format=gbrpf32le,{mapping},format=gbrpf32le[table];"
            "[pixels][table]haldclut=clut=first,zscale,format=gbrp"
        )

    @property
    def _hdr(self) -> str | None:
        return _HDR.get(self.transfer) if self.matrix in _MATRICES else None

    @property
    def _wide(self) -> bool:
        return self.primaries in _WIDE and self.matrix in _MATRICES


def parse_colors(line: str) -> StreamColors | None:
    """Read a line of ffmpeg's log that describes a video stream.

    >>> parse_colors("Stream #0:0: Video: h264 (High), yuv420p(tv, bt709, progressive), 1280x720, 25 fps")
    StreamColors(pixel_format='yuv420p', lines=720, matrix='bt709', primaries='bt709', transfer='bt709')
    """
    match = _STREAM.search(line)
    if match is None:
        return None
    pixel_format, details, lines = match[1], match[2] or "", int(match[3])
    tags = _TAGS.search(details)
    if tags is None:
        return StreamColors(pixel_format, lines)
    matrix, primaries, transfer = (tags[i] or tags[4] for i in (1, 2, 3))
    return StreamColors(pixel_format, lines, matrix, primaries, transfer)
