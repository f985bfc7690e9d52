"""What a channel has published: a window of segments, and the playlists that name them (RFC 8216)."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Segment:
    """One media segment; times are media seconds from the channel's beginning."""

    sequence: int
    start_s: float
    duration_s: float
    data: bytes
    init: str | None = None  # name of its initialization section
    discontinuity: bool = False  # differs from the one before


class Window:
    """One rendition's segments: `listed` of them in the playlist, `kept` of them still to be fetched."""

    def __init__(
        self, name: str, suffix: str, *, target_s: int, epoch: datetime, listed: int, kept: int
    ) -> None:
        self.name, self.suffix, self.target_s = name, suffix, target_s
        self._epoch, self._listed, self._kept = epoch, listed, kept
        self._segments: deque[Segment] = deque()
        self._inits: dict[str, bytes] = {}
        self._discontinuities_gone = 0  # those that have left the playlist
        self.text = ""

    def add_init(self, name: str, data: bytes) -> None:
        """An initialization section that later segments name; sections nobody names any more go."""
        used = {segment.init for segment in self._segments}
        self._inits = {n: d for n, d in self._inits.items() if n in used} | {name: data}

    def publish(self, segment: Segment) -> None:
        """Append a segment, let the oldest go, and write the playlist anew."""
        self._segments.append(segment)
        if len(self._segments) > self._listed and self._segments[-self._listed - 1].discontinuity:
            self._discontinuities_gone += 1
        while len(self._segments) > self._kept:
            self._segments.popleft()
        self.text = self._playlist(list(self._segments)[-self._listed :])

    def uri(self, sequence: int) -> str:
        """A segment's address relative to the playlist."""
        return f"{self.name}-{sequence:06d}.{self.suffix}"

    def find(self, uri: str) -> Segment | None:
        """The segment of that address while it is kept."""
        return next((s for s in list(self._segments) if self.uri(s.sequence) == uri), None)

    def init(self, uri: str) -> bytes | None:
        """The initialization section of that address."""
        return self._inits.get(uri)

    @property
    def size(self) -> int:
        """Bytes kept."""
        return sum(len(s.data) for s in list(self._segments))

    def _playlist(self, segments: Sequence[Segment]) -> str:
        lines = [
            "#EXTM3U",
            "#EXT-X-VERSION:6",
            f"#EXT-X-TARGETDURATION:{self.target_s}",
            f"#EXT-X-MEDIA-SEQUENCE:{segments[0].sequence}",
            f"#EXT-X-DISCONTINUITY-SEQUENCE:{self._discontinuities_gone}",
            "#EXT-X-INDEPENDENT-SEGMENTS",
        ]
        init: str | None = None
        for segment in segments:
            if segment.discontinuity:
                lines.append("#EXT-X-DISCONTINUITY")
            if segment.init is not None and segment.init != init:
                init = segment.init
                lines.append(f'#EXT-X-MAP:URI="{init}"')
            at = self._epoch + timedelta(seconds=segment.start_s)
            lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{at.strftime('%Y-%m-%dT%H:%M:%S.%f')[:-3]}Z")
            lines.append(f"#EXTINF:{segment.duration_s:.6f},")
            lines.append(self.uri(segment.sequence))
        return "\n".join(lines) + "\n"


def master(*, codecs: str, width: int, height: int, fps: int, bandwidth: int, muxed: bool) -> str:
    """The playlist that names the renditions: one picture, and its sound where that is apart."""
    group = "" if muxed else ',AUDIO="sound"'
    lines = ["#EXTM3U", "#EXT-X-VERSION:6", "#EXT-X-INDEPENDENT-SEGMENTS"]
    if not muxed:
        lines.append(
            '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="main",LANGUAGE="en",DEFAULT=YES,'
            'AUTOSELECT=YES,CHANNELS="2",URI="sound.m3u8"'
        )
    lines.append(
        f'#EXT-X-STREAM-INF:BANDWIDTH={bandwidth},CODECS="{codecs}",RESOLUTION={width}x{height},'
        f"FRAME-RATE={fps:.3f}{group}"
    )
    lines.append("picture.m3u8")
    return "\n".join(lines) + "\n"
