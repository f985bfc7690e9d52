"""Watches of live sources in a thread, and what they say; shared by the tests that watch something live."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Self
from zlib import crc32

from contracts.clock import ManualClock, SystemClock
from contracts.findings import DefectEdge, Edge, Finding
from contracts.profile import DetectorChoice, Profile
from contracts.report import Defect, Report
from detectors.catalogue import Seat
from detectors.events import Source
from glitchwatch import profiles
from glitchwatch.origin.channel import Channel, ChannelSpec
from glitchwatch.origin.faults import KINDS, Fault, Schedule
from glitchwatch.origin.picture import MovingPicture
from glitchwatch.origin.server import Origin
from glitchwatch.origin.sound import ProgrammeSound
from tests.e2e.hostile_origin import HostileOrigin
from tests.media import FPS, Audio, Video, ts_segments, write
from worker.ingest.options import IngestOptions
from worker.watch import Listener, Watch

QUICK = IngestOptions(
    open_timeout_s=0.6, read_timeout_s=0.6, retries=1, backoff_first_s=0.05, backoff_most_s=0.3
)
PATIENCE_S = 60.0  # only against a hang; no test waits for it. Below the time limit of a test, which ends the whole run


def seats(*only: str, **params: dict[str, Any]) -> list[Seat]:
    """The default profile's detectors, or those named; `params` by detector."""
    chosen = {name: DetectorChoice(params=values) for name, values in params.items()}
    return profiles.seats(Profile(detectors=chosen), only)


class Live:
    """A watch that runs in a thread until `end` is called. Use it as a context manager."""

    def __init__(self, url: str, options: IngestOptions = QUICK, which: Sequence[Seat] | None = None) -> None:
        self.edges: list[DefectEdge] = []
        self.sources: list[Source] = []
        self.watch = Watch(
            url,
            seats() if which is None else which,
            version="test",
            options=options,
            clock=SystemClock(),
            live=True,
            listener=Listener(finding=self._found, source=self.sources.append),
        )
        self._report: Report | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.watch.stop("the test is over")
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()

    def _found(self, finding: Finding) -> None:
        if isinstance(finding, DefectEdge):
            self.edges.append(finding)

    def _run(self) -> None:
        try:
            self._report = self.watch.run()
        except BaseException as error:  # noqa: BLE001 - raised again in the test
            self._error = error

    def opened(self, defect: str) -> bool:
        """Whether `defect` has been told as opened."""
        return any(e.defect == defect and e.edge is Edge.OPENED for e in list(self.edges))

    def closed(self, defect: str) -> bool:
        """Whether `defect` has been told as closed."""
        return any(e.defect == defect and e.edge is Edge.CLOSED for e in list(self.edges))

    @property
    def reached_s(self) -> float:
        """How far the media has been analysed."""
        return self.watch.progress.media_s

    @property
    def blind(self) -> Source | None:
        """Why nothing of the input can be seen, while that is so."""
        return self.watch.progress.blind

    def until(self, happened: Callable[[], object], what: str = "it") -> None:
        """Wait for something the watch should do."""
        deadline = time.monotonic() + PATIENCE_S
        while not happened():
            if self._error is not None:
                raise self._error
            said = [(e.edge.value, e.defect, e.track, e.at_ns / 1e9) for e in self.edges[-12:]]
            assert self._thread.is_alive(), f"the watch ended before {what}: {said}"
            assert time.monotonic() < deadline, f"never came: {what}; said {said}, {self.sources[-2:]}"
            time.sleep(0.01)

    def until_watched(self, seconds: float) -> None:
        """Wait until that many seconds of media (from now on) have been analysed."""
        aim = self.watch.progress.watched_s + seconds
        self.until(lambda: self.watch.progress.watched_s >= aim, f"{seconds} s more media")

    def finished(self) -> Report:
        """The report of a watch that ends by itself."""
        self._thread.join(PATIENCE_S)
        assert not self.watch.stopped
        return self.end()

    def end(self, within_s: float = PATIENCE_S) -> Report:
        """Stop the watch; its report."""
        self.watch.stop("interrupted")
        self._thread.join(within_s)
        if self._error is not None:
            raise self._error
        assert self._report is not None, f"the watch did not end within {within_s} s"
        return self._report


def told(report: Report, defect: str | None = None) -> list[Defect]:
    """The defects that count as something seen: not suppressed, above `info`; of one kind if named."""
    return [
        d
        for d in report.defects
        if d.suppressed_by is None and d.severity.value != "info" and defect in (None, d.defect)
    ]


def names(report: Report) -> list[str]:
    """The names of `told`, in order."""
    return sorted(d.defect for d in told(report))


def fault(kind: str, start_s: float, length_s: float = 0.0, draw: float = 0.1) -> Fault:
    """A fault of our channels at a chosen time."""
    return Fault(KINDS[kind], start_s, start_s + length_s, draw)


def spec(name: str = "a", **more: Any) -> ChannelSpec:
    """A small channel with segments of a second, three times as fast as life."""
    small = {"width": 320, "height": 180, "segment_s": 1, "speed": 3.0, "listed": 20, "kept": 30}
    return ChannelSpec(name, **(small | {"preroll": 6} | more))


def origin(*channels: tuple[ChannelSpec, Sequence[Fault]]) -> Origin:
    """An origin that serves those channels with those faults."""
    return Origin([(s, Schedule(faults)) for s, faults in channels])


@dataclass(frozen=True, slots=True)
class Piece:
    """A media segment. `tags` are lines of the playlist that go before it."""

    data: bytes
    duration_s: float
    init: bytes | None = None
    tags: str = ""


class Replay:
    """A live playlist of pieces made before, on an origin that misbehaves; `pace` is media seconds a second.

    `ahead` pieces are there at once, the last `listed` are named.
    """

    def __init__(
        self,
        server: HostileOrigin,
        pieces: Sequence[Piece],
        path: str = "/live.m3u8",
        *,
        pace: float = 3.0,
        ahead: int = 8,
        listed: int = 40,
    ) -> None:
        self.server, self.pieces, self.path, self.pace = server, pieces, path, pace
        self.ahead, self.listed = ahead, listed
        self.query: Callable[[], str] = lambda: ""
        self._began_s = time.monotonic()
        self._frozen: int | None = None
        for number, piece in enumerate(pieces):
            server.put(self.name(number), piece.data)
            if piece.init is not None:
                server.put(self._init_name(piece.init), piece.init)
        server.put(path, self.playlist)

    def name(self, number: int) -> str:
        """The path of a piece."""
        return f"{self.path.rpartition('.')[0]}-{number:04d}.ts"

    def _init_name(self, init: bytes) -> str:
        return f"{self.path.rpartition('.')[0]}-init-{crc32(init):08x}.mp4"

    @property
    def newest(self) -> int:
        """The last piece that is named."""
        if self._frozen is not None:
            return self._frozen
        grown = (time.monotonic() - self._began_s) * self.pace / self.pieces[0].duration_s
        return min(len(self.pieces) - 1, self.ahead - 1 + int(grown))

    @property
    def edge_s(self) -> float:
        """Media time of the live edge."""
        return sum(p.duration_s for p in self.pieces[: self.newest + 1])

    def freeze(self) -> None:
        """The playlist stops growing."""
        self._frozen = self.newest

    def thaw(self) -> None:
        """It goes on where it stopped."""
        assert self._frozen is not None
        self.ahead, self._began_s, self._frozen = self._frozen + 1, time.monotonic(), None

    def playlist(self) -> bytes:
        newest = self.newest
        first = max(0, newest - self.listed + 1)
        target_s = max(p.duration_s for p in self.pieces)
        gone = sum("EXT-X-DISCONTINUITY" in p.tags for p in self.pieces[:first])
        lines = ["#EXTM3U", f"#EXT-X-TARGETDURATION:{target_s:g}", f"#EXT-X-MEDIA-SEQUENCE:{first}"]
        lines.append(f"#EXT-X-DISCONTINUITY-SEQUENCE:{gone}")
        query, init = self.query(), None
        for number in range(first, newest + 1):
            piece = self.pieces[number]
            lines += piece.tags.splitlines()
            if piece.init is not None and piece.init != init:
                init = piece.init
                lines.append(f'#EXT-X-MAP:URI="{self._init_name(init)}"')
            lines += [f"#EXTINF:{piece.duration_s:g},", self.name(number) + (f"?{query}" if query else "")]
        return "\n".join([*lines, ""]).encode()


PIECE_S = 0.4


@cache
def transport_stream(
    seconds: float, black: tuple[float, float] | None = None, size: tuple[int, int] = (320, 180)
) -> bytes:
    """A programme with picture and sound as MPEG-TS, with a key picture every 0.4 s; black for a while if asked."""
    moving = MovingPicture(5, width=size[0], height=size[1], fps=FPS)
    pictures = [moving(i) for i in range(round(seconds * FPS))]
    if black is not None:
        for picture in pictures[round(black[0] * FPS) : round(black[1] * FPS)]:
            picture[0][:], picture[1][:], picture[2][:] = 16, 128, 128
    options = (("preset", "ultrafast"), ("g", "10"), ("threads", "1"), ("x264-params", "scenecut=0"))
    memory = io.BytesIO()
    sound = ProgrammeSound(5)(0, round(seconds * 48_000))
    write(memory, video=Video(pictures, options=options), audio=Audio(sound), muxer="mpegts")
    return memory.getvalue()


@cache
def pieces(
    seconds: float = 24.0, black: tuple[float, float] | None = None, size: tuple[int, int] = (320, 180)
) -> tuple[Piece, ...]:
    """`transport_stream` cut into pieces of 0.4 s."""
    return tuple(Piece(p, PIECE_S) for p in ts_segments(transport_stream(seconds, black, size), PIECE_S))


@cache
def renditions(seconds: int = 24) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Picture and sound apart from each other, fragmented MP4 in pieces of 1 s."""
    channel = Channel(spec(kept=seconds), Schedule(), ManualClock())
    for _ in range(seconds):
        channel.step()
    channel.close()
    made = []
    for window, suffix in ((channel.windows["picture"], "m4s"), (channel.windows["sound"], "m4s")):
        found = [window.find(f"{window.name}-{n:06d}.{suffix}") for n in range(seconds)]
        made.append(tuple(Piece(s.data, s.duration_s, window.init(s.init or "")) for s in found if s))
    return made[0], made[1]
