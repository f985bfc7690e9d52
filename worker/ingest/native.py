"""Files, and every address that libav opens by itself (http, rtmp, rtsp, udp, rtp, tcp): one container, to its end."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import av.error
import av.logging

from contracts.errors import IngestError, SourceStalled, SourceUndecodable, SourceUnreachable
from contracts.urls import is_url, redact
from detectors.events import Damage, Event
from worker.ingest.burst import LIVE, WHOLE, Burst
from worker.ingest.decode import TrackDecoder, language_of, tracks_of
from worker.ingest.options import IngestOptions
from worker.ingest.reading import About
from worker.ingest.timeline import NS, Timeline

if TYPE_CHECKING:
    from worker.ingest.reach import Reach  # loads the HTTP client, which few addresses need

av.logging.set_level(None)  # its hooks into Python's logging have hung programs

# Containers that declare how long they are, so that an early end can be told.
_DECLARE_DURATION = ("mov,mp4", "matroska", "asf", "avi")
# Text, and text art that libav recognises by a file's suffix alone.
_NOT_MEDIA = (
    "bin",
    "xbin",
    "adf",
    "idf",
    "tty",
    "srt",
    "ass",
    "webvtt",
    "subviewer",
    "microdvd",
    "mpl2",
    "jacosub",
    "ttml",
)
_DAMAGE_REPORT_EVERY = 1000
WHOLE_SKEW_NS = 500_000_000 + WHOLE.sound_ns  # how far one track of a file may lag behind the others


class PlaylistFound(Exception):
    """The address turned out to be an HLS playlist: libav's own client hides faults, so ours takes over."""


class NativeReading:
    """Reads one container with libav. `live` inputs are joined in the middle and never end by themselves."""

    def __init__(
        self,
        url: str,
        options: IngestOptions,
        *,
        live: bool = False,
        timeline: Timeline | None = None,
        reach: Reach | None = None,
    ) -> None:
        """`timeline`: go on with this one, after the source was lost. `reach` is asked before anything is opened."""
        self.about = About()
        # Sound may be handed out so much later than the pictures beside it, and the other way round.
        self.timeline = timeline or (Timeline() if live else Timeline(skew_ns=WHOLE_SKEW_NS))
        self._url, self._options, self._live = url, options, live
        self._reach = reach
        self._container: Any = None

    def checkpoint(self) -> dict[str, Any]:
        """Nothing: such an input can only be joined where it stands."""
        return {}

    def close(self) -> None:
        """Close the container; without this its memory stays."""
        if self._container is not None:
            self._container.close()
            self._container = None

    def events(self) -> Iterator[Event | None]:
        """Demux and decode to the end of the input."""
        container = self._container = self._open()
        self.about.container = container.format.name
        timeline = self.timeline
        timeline.wraps = "mpegts" in container.format.name
        if container.format.name == "hls":
            raise PlaylistFound(self._url)
        found = tracks_of(container)
        if not found or any(container.format.name == n for n in _NOT_MEDIA):
            raise SourceUndecodable(
                f"{self._named()} holds no picture and no sound that can be decoded "
                f"(read as {container.format.long_name or container.format.name}).",
                cause="no_tracks",
            )
        decoders: dict[int, TrackDecoder] = {}
        for track, kind, stream in found:
            decoder = TrackDecoder(track, kind, timeline, joined_live=self._live)
            decoder.language = language_of(stream)
            yield from decoder.attach(stream)
            decoders[stream.index] = decoder
        self._declare_start(container, timeline, [s for _, _, s in found])
        if container.duration:
            self.about.duration_s = container.duration / 1e6
        yield from self._demux(container, [s for _, _, s in found], decoders, timeline)
        self._describe(decoders)
        yield from timeline.tick_to(timeline.reached_ns)
        self._judge_end(container, decoders, timeline)

    def _open(self) -> Any:
        timeout = (self._options.open_timeout_s, self._options.read_timeout_s)
        options = {"correct_ts_overflow": "0"}
        url = self._url
        if not is_url(url):
            _check_file(url)
        else:
            options.update(self._network_options())
            if self._reach is not None:
                url = self._reach.settle(url)
        try:
            return av.open(url, options=options, timeout=timeout if is_url(self._url) else None)
        except DECODER_MISSING as error:
            raise SourceUndecodable(
                f"{self._named()} is coded in a way this build cannot decode ({_strerror(error)}).",
                cause="no_decoder",
            ) from error
        except (OSError, av.error.FFmpegError) as error:
            if not is_url(self._url) and _begins_as_playlist(self._url):
                raise PlaylistFound(self._url) from error
            raise _translate(error, self._named(), network=is_url(self._url)) from error

    def _network_options(self) -> dict[str, str]:
        scheme = self._url.partition("://")[0].lower()
        options = {"rw_timeout": str(int(self._options.read_timeout_s * 1e6))}
        if scheme in ("http", "https"):
            headers = dict(self._options.request_headers())
            options["user_agent"] = headers.pop("User-Agent")
            if self._reach is not None:
                options["max_redirects"] = "0"
            if headers:
                options["headers"] = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        elif scheme == "rtsp":
            options = {"rtsp_transport": "tcp", "timeout": str(int(self._options.read_timeout_s * 1e6))}
        elif scheme in ("udp", "rtp"):
            options = {"fifo_size": "100000", "overrun_nonfatal": "1"}
        return options

    def _declare_start(self, container: Any, timeline: Timeline, streams: list[Any]) -> None:
        starts = [
            s.start_time * s.time_base.numerator * NS // s.time_base.denominator
            for s in streams
            if s.start_time is not None and s.time_base
        ]
        if starts and not self._live:
            timeline.start(min(starts))

    def _demux(
        self, container: Any, streams: list[Any], decoders: dict[int, TrackDecoder], timeline: Timeline
    ) -> Iterator[Event | None]:
        packets = container.demux(streams)
        burst = Burst(timeline, LIVE if self._live else WHOLE)
        errors = 0
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                break
            except EOFError:
                break
            except av.error.InvalidDataError as error:
                yield from burst.hand_out()
                errors += 1
                yield Damage(
                    timeline.reached_ns,
                    next(iter(decoders.values())).track,
                    1,
                    f"container: {_strerror(error)}",
                )
                if errors >= _DAMAGE_REPORT_EVERY:
                    self.about.incomplete = "The container is damaged beyond what can be read on."
                    break
                packets = container.demux(streams)
                continue
            except (OSError, av.error.FFmpegError) as error:
                yield from burst.hand_out()
                raise _translate(error, self._named(), network=is_url(self._url), opened=True) from error
            decoder = decoders.get(packet.stream_index)
            if decoder is None or packet.size == 0:
                if decoder is not None and packet.pts is not None and container.format.name == "ogg":
                    decoder.distrust_times()
                continue
            yield from burst.take(decoder, packet)
            if decoder.described is not None and decoder.track not in self.about.tracks:
                self._describe(decoders)
        yield from burst.hand_out()
        for decoder in decoders.values():
            yield from decoder.flush()

    def _describe(self, decoders: dict[int, TrackDecoder]) -> None:
        self.about.tracks = {d.track: d.described for d in decoders.values() if d.described is not None}

    def _judge_end(self, container: Any, decoders: dict[int, TrackDecoder], timeline: Timeline) -> None:
        if not any(d.decoded for d in decoders.values()):
            raise SourceUndecodable(
                f"{self._named()}: not one picture or sample could be decoded from its "
                f"{len(decoders)} track(s).",
                "Play it with another player; if that works, it uses a coding this build lacks.",
                cause="nothing_decoded",
            )
        declared = self.about.duration_s
        reached = timeline.reached_ns / NS
        early = declared is not None and reached < declared - max(1.0, 0.05 * declared)
        if early and any(name in container.format.name for name in _DECLARE_DURATION):
            self.about.incomplete = (
                f"It ends after {reached:.1f} of the {declared:.1f} s that its header declares: truncated."
            )

    def _named(self) -> str:
        return redact(self._url)


DECODER_MISSING = (av.error.DecoderNotFoundError,)


def _check_file(name: str) -> None:
    try:
        about = Path(name.removeprefix("file://")).stat()
    except (OSError, ValueError) as error:
        if isinstance(error, PermissionError):
            raise SourceUnreachable(f"{name} may not be read.", cause="permission") from error
        raise SourceUnreachable(f"{name} does not exist.", cause="missing") from error
    if stat.S_ISDIR(about.st_mode):
        raise SourceUnreachable(f"{name} is a directory; name the media files in it.", cause="directory")
    if stat.S_ISREG(about.st_mode) and not about.st_size:
        raise SourceUndecodable(f"{name} is empty.", cause="empty")


def _begins_as_playlist(name: str) -> bool:
    """Whether a file that libav refused is a playlist all the same: it goes by suffix."""
    try:
        with Path(name.removeprefix("file://")).open("rb") as file:
            return file.read(10).removeprefix(b"\xef\xbb\xbf").startswith(b"#EXTM3U")
    except OSError:
        return False


def _strerror(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error)


def _translate(error: Exception, named: str, *, network: bool, opened: bool = False) -> IngestError:
    words = _strerror(error)
    if isinstance(error, PermissionError):
        return SourceUnreachable(f"{named} may not be read ({words}).", cause="permission")
    if isinstance(error, av.error.ExitError | TimeoutError):
        if opened:
            return SourceStalled(f"{named} sent no byte within the read time-out.", cause="timeout")
        return SourceUnreachable(f"{named} did not answer within the time-out.", cause="timeout")
    if isinstance(error, av.error.HTTPError):
        return SourceUnreachable(f"{named}: the server answers {words}.", cause="http")
    if isinstance(error, ConnectionError):
        return SourceUnreachable(f"{named}: {words}.", cause="refused")
    if isinstance(error, EOFError):
        return SourceUndecodable(f"{named} ends before any picture or sound was found in it.", cause="ended")
    if isinstance(error, av.error.InvalidDataError):
        return SourceUndecodable(
            f"{named} is not media that libav can read ({words}): text, damaged, or cut off before its index.",
            cause="invalid",
        )
    if network:
        return SourceUnreachable(f"{named}: {words}.", cause="network")
    return SourceUndecodable(f"{named}: {words}.", cause="invalid")
