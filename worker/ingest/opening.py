"""Choose how to read an input: libav by itself, or our own HLS client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from contracts.clock import Clock
from contracts.urls import is_url
from detectors.events import Event
from worker.ingest.native import NativeReading, PlaylistFound
from worker.ingest.options import IngestOptions
from worker.ingest.reading import About, Reading


class AnyReading:
    """Reads an input of any kind; playlists are noticed by name or by their content."""

    def __init__(
        self,
        url: str,
        options: IngestOptions,
        clock: Clock,
        *,
        live: bool,
        resume: dict[str, Any] | None = None,
        allow: Callable[[str], None] | None = None,
        allow_address: Callable[[str], None] | None = None,
        lead_ns: int = 0,
    ) -> None:
        """`live`: the input is watched as it comes, reconnecting when it goes away; else it is read to its end.

        `resume`: the checkpoint of an earlier reading; of a playlist, media of `lead_ns` before it comes once more.
        `allow` and `allow_address` are asked at every hop (see PlaylistReading and Reach); both or neither.
        """
        self._lead_ns = lead_ns
        self._url, self._options, self._clock, self._live = url, options, clock, live
        self._resume, self._allow, self._allow_address = resume, allow, allow_address
        self._skip_non_reference = False
        self._reading: Reading | None = None

    @property
    def about(self) -> About:
        """What is known of the input so far."""
        return self._reading.about if self._reading is not None else About()

    def checkpoint(self) -> dict[str, Any]:
        """Where another process can go on."""
        return self._reading.checkpoint() if self._reading is not None else (self._resume or {})

    @property
    def lag_s(self) -> float:
        """Our own delay, where it can be told from the source's."""
        return float(getattr(self._reading, "lag_s", 0.0))

    def skip_non_reference(self, skip: bool) -> None:
        """Leave out pictures that no other picture needs, where the way of reading can."""
        self._skip_non_reference = skip
        change = getattr(self._reading, "skip_non_reference", None)
        if change is not None:
            change(skip)

    def close(self) -> None:
        """Let go of everything."""
        if self._reading is not None:
            self._reading.close()

    def events(self) -> Iterator[Event | None]:
        """Everything that happens."""
        if looks_like_playlist(self._url):
            yield from self._playlist()
            return
        reach = None
        if self._allow is not None and self._allow_address is not None and is_url(self._url):
            from worker.ingest.reach import Reach

            reach = Reach(self._options, self._clock, self._allow, self._allow_address)
        if self._live and is_url(self._url):
            from worker.ingest.reconnect import PersistentReading

            resume = self._resume if self._resume and "position_ns" in self._resume else None
            self._reading = PersistentReading(
                self._url, self._options, self._clock, resume=resume, reach=reach
            )
        else:
            self._reading = NativeReading(self._url, self._options, reach=reach)
        try:
            yield from self._reading.events()
        except PlaylistFound:
            self._reading.close()
            yield from self._playlist()

    def _playlist(self) -> Iterator[Event | None]:
        from worker.ingest.playlists import PlaylistReading  # loads the HTTP client only where it is needed

        reading = PlaylistReading(
            self._url,
            self._options,
            self._clock,
            live=self._live,
            allow=self._allow,
            allow_address=self._allow_address,
            resume=self._resume if self._resume and "renditions" in self._resume else None,
            lead_ns=self._lead_ns,
        )
        reading.skip_non_reference(self._skip_non_reference)
        self._reading = reading
        yield from self._reading.events()


def warm_up() -> None:
    """Load and set up what the first reading would; a process that is forked afterwards shares it. Starts no thread."""
    import encodings.idna  # noqa: F401 - what the first look-up of a host's name would load

    import av
    import av.subtitles.stream

    import worker.ingest.playlists
    import worker.ingest.reach
    import worker.ingest.reconnect  # noqa: F401 - loaded for who is forked
    from worker.ingest.hls.net import tls

    tls()
    for name in ("h264", "hevc", "mpeg2video", "aac", "mp3", "ac3"):
        context: Any = av.CodecContext.create(name, "r")
        context.thread_count = 1


def looks_like_playlist(url: str) -> bool:
    """Whether the path of `url` ends as HLS playlists do."""
    return url.partition("?")[0].partition("#")[0].lower().endswith((".m3u8", ".m3u"))
