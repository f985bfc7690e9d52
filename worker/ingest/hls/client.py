"""The HLS client: one address in, segments and events out, in the order of media time."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.cookiejar import CookieJar
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

from contracts.clock import Clock, SystemClock
from contracts.errors import IngestError, SourceForbidden, SourceStalled, SourceUndecodable, SourceUnreachable
from contracts.urls import is_url
from detectors.events import BlindCode, Fetch, Source
from worker.ingest.hls.fetch import Access, Fetched, Fetcher, backoff_s, carry, resolve
from worker.ingest.hls.follow import FINAL, Follower
from worker.ingest.hls.items import Checkpoint, Rendition, Segment
from worker.ingest.hls.join import Joiner, Lane, Sight
from worker.ingest.hls.net import Stopped
from worker.ingest.hls.playlist import MediaPlaylist, Playlist, parse
from worker.ingest.hls.sequence import Start, Tracker
from worker.ingest.hls.steps import Getter, Step, Trouble, failed, told
from worker.ingest.hls.variants import select, single
from worker.ingest.options import IngestOptions

Item = Segment | Fetch | Source | None

IDLE_S = 0.25
CLOSE_S = 0.9
_PLAYLIST_TYPES = ("mpegurl",)
_ERRORS: dict[str, type[IngestError]] = {
    "source_unreachable": SourceUnreachable,
    "source_stalled": SourceStalled,
    "source_undecodable": SourceUndecodable,
    "source_forbidden": SourceForbidden,
}


def is_hls(url: str, *, first_bytes: bytes = b"", content_type: str = "") -> bool:
    """Whether `url` is for this client: by what is known of its content, else by its ending.

    Only files, http and https; `first_bytes` and `content_type` may be left out.
    """
    if is_url(url) and urlsplit(url).scheme.lower() not in ("http", "https"):
        return False
    if first_bytes:
        return first_bytes.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"#EXTM3U")
    if any(word in content_type.lower() for word in _PLAYLIST_TYPES):
        return True
    path = urlsplit(url).path if is_url(url) else url
    return path.lower().endswith((".m3u8", ".m3u"))


@dataclass(frozen=True, slots=True)
class _Master:
    """What the input's own address turned out to name."""

    renditions: tuple[Rendition, ...]
    query: str


class HlsClient:
    """Follows an HLS stream, live or on demand, from the network or from files.

    Iterating yields segments in media order, Fetch and Source events as they happen, and None when nothing
    came for 250 ms. It ends with the playlist (EXT-X-ENDLIST) or after `close()`. It raises SourceForbidden
    when the address itself is refused by `allow` (asked with the URL at every hop) or `allow_address` (asked
    with the IP before each connection), SourceUnreachable when a local file is missing, and, with `give_up_s`,
    the error of a blindness of the whole input that lasts longer than that. With `resume`, media of `lead_ns` before
    it comes once more, as far as it is still listed, and the `quiet_s` for which the earlier client had waited for
    media count as waited. A source that is made up of other playlists than `resume` knows is begun afresh.

    `position_ns` gives the media time delivered so far on the consumer's timeline: blindness is dated from
    there. Without it the client's estimate from playlist durations is used. Fetch events are dated by that
    estimate always. `Fetch.track` and `Source.track` are None with a single rendition, else its name.
    """

    def __init__(
        self,
        url: str,
        options: IngestOptions | None = None,
        *,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        allow: Callable[[str], None] | None = None,
        allow_address: Callable[[str], None] | None = None,
        position_ns: Callable[[], int] | None = None,
        resume: Checkpoint | None = None,
        give_up_s: float | None = None,
        lead_ns: int = 0,
        quiet_s: float = 0.0,
    ) -> None:
        self._url = unquote(url[7:]) if url.startswith("file://") else url
        self._options = options or IngestOptions()
        self._clock = clock or SystemClock()
        self._rng = rng or random.Random()
        self._access = Access(self._url, allow, allow_address)
        self._resume = resume or Checkpoint()
        self._give_up_s, self._lead_ns, self._quiet_s = give_up_s, lead_ns, quiet_s
        self._stop = threading.Event()
        self._cookies = CookieJar()
        self._joiner = Joiner(self._stop)
        self._root = Lane("")
        self._sight = Sight(self._clock, position_ns or self._reached_ns)
        self._start = Start()
        self._threads: list[threading.Thread] = []
        self.renditions: tuple[Rendition, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def live(self) -> bool | None:
        """Whether the playlist had no end when it was joined; None while that is unknown."""
        return self._start.live if self._start.known else None

    def checkpoint(self) -> Checkpoint:
        """Where a later client goes on: behind the segments handed over so far."""
        marks = dict(self._resume.marks)
        marks.update({lane.name: lane.mark for lane in self._joiner.lanes if lane.mark is not None})
        return Checkpoint(marks)

    def close(self) -> None:
        """End all threads and connections; at once, but for a name that is just being looked up."""
        self._stop.set()
        self._joiner.wake()
        until_s = self._clock.monotonic() + CLOSE_S
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, until_s - self._clock.monotonic()))

    def __iter__(self) -> Iterator[Item]:
        if self._threads or self._stop.is_set():
            raise RuntimeError("An HlsClient is iterated once; make another one with `resume`.")
        self._joiner.add(self._root)
        self._launch("hls-master", self._root, self._open_master)
        try:
            while not self._stop.is_set():
                taken = self._joiner.take(IDLE_S)
                if taken is not None:
                    yield from self._hand(*taken)
                elif self._joiner.finished:
                    return
                else:
                    yield None
                yield from self._sight.due(self._joiner.lanes[1:])
                self._give_up()
        finally:
            self.close()

    def _hand(self, lane: Lane, step: Step) -> Iterator[Item]:
        item = step.item
        if isinstance(item, Trouble):
            yield from self._sight.learn(lane, item, self._joiner.lanes[1:])
            return
        if isinstance(item, Segment) and self._root.blind:
            self._root.blind = False
            yield from self._sight.learn(self._root, Trouble(None), self._joiner.lanes[1:])
        yield item

    def _give_up(self) -> None:
        total = self._sight.total
        if self._give_up_s is not None and total is not None and total[1] >= self._give_up_s:
            trouble = total[0]
            assert trouble.code is not None
            raise _ERRORS[trouble.code](f"Gave up: {self._sight.explain(trouble)}.", cause=trouble.cause)

    def _reached_ns(self) -> int:
        return max((lane.reached_ns for lane in self._joiner.lanes), default=0)

    def _wait(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Stopped

    def _launch(self, name: str, lane: Lane, run: Callable[[Fetcher, Lane], None]) -> None:
        def body() -> None:
            fetcher = Fetcher(self._options, self._access, self._clock, self._stop, self._cookies)
            error: BaseException | None = None
            try:
                run(fetcher, lane)
            except Stopped:
                error = None
            except Exception as fault:  # noqa: BLE001 - raised again in the thread that iterates
                error = fault
            finally:
                fetcher.close()
                self._joiner.finish(lane, error)

        thread = threading.Thread(target=body, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _open_master(self, fetcher: Fetcher, lane: Lane) -> None:
        """Until the input's address answers with a playlist; then one thread for each rendition."""
        began_s = self._clock.monotonic() - self._quiet_s
        attempt, dark = 0, ""
        while True:
            answer = fetcher.get("playlist", self._url)
            answer, master = self._read_master(answer)
            self._joiner.put(lane, Step(told(answer, self._reached_ns(), None, None)))
            if master is not None:
                break
            assert answer.cause is not None
            final = answer.cause in FINAL
            waited_s = self._clock.monotonic() - began_s
            if (final or waited_s >= self._options.read_timeout_s) and dark != answer.cause:
                dark = answer.cause
                code = _code(dark)
                words = f"without a playlist; {answer.shown}: {dark}, {answer.detail}"
                self._joiner.put(lane, Step(Trouble(code, words, began_s, cause=dark)))
            if final:
                raise _ERRORS[_code(dark)](f"{answer.shown}: {answer.detail}.", cause=dark)
            self._wait(backoff_s(self._options, attempt, self._rng))
            attempt += 1
        self.renditions = master.renditions
        self._follow(master)

    def _read_master(self, answer: Fetched) -> tuple[Fetched, _Master | None]:
        if answer.cause is not None:
            return answer, None
        query = ""
        if self._options.carry_query and is_url(self._url):
            query = urlsplit(answer.url).query or urlsplit(self._url).query
        try:
            playlist = _parse(answer, query)
        except IngestError as error:
            return failed(answer, error.cause, str(error)), None
        if isinstance(playlist, MediaPlaylist):
            return answer, _Master(single(self._url), query)
        return answer, _Master(select(playlist, self._options), query)

    def _follow(self, master: _Master) -> None:
        alone = len(master.renditions) == 1
        marks = self._resume.marks
        resumed_ns = min((mark.end_ns for mark in marks.values()), default=0)
        if any(rendition.name not in marks for rendition in master.renditions):
            self._resume, marks = Checkpoint(), {}  # one alone would go on far before the others
        lanes = []
        for rendition in master.renditions:
            mark = marks.get(rendition.name)
            reached_ns = mark.end_ns if mark else resumed_ns
            begin_ns = max(0, reached_ns - self._lead_ns)
            lanes.append(Lane(rendition.name, None if alone else rendition.name, begin_ns, mark))
        self._joiner.add(*lanes)
        for index, (rendition, lane) in enumerate(zip(master.renditions, lanes, strict=True)):
            tracker = Tracker(self._options.live_start_targets, self._start, leads=index == 0)
            if lane.mark is not None:
                tracker.resume(lane.mark, self._lead_ns)
            else:
                tracker.end_ns = lane.reached_ns
            self._launch(
                f"hls-{rendition.name}", lane, self._runner(rendition, tracker, master.query, bool(marks))
            )

    def _runner(
        self, rendition: Rendition, tracker: Tracker, query: str, resumed: bool
    ) -> Callable[[Fetcher, Lane], None]:
        rng = random.Random(self._rng.random())

        def run(fetcher: Fetcher, lane: Lane) -> None:
            follower = Follower(
                rendition,
                fetcher,
                self._options,
                self._clock,
                rng,
                self._wait,
                tracker,
                track=lane.track,
                query=query,
                renew=lambda getter: self._renewed(rendition, getter),
                quiet_s=self._quiet_s,
            )
            until_s = self._clock.monotonic() + self._options.read_timeout_s
            while not (tracker.leads or resumed or self._start.known or self._clock.monotonic() > until_s):
                self._wait(0.02)
            for step in follower.steps():
                self._joiner.put(lane, step)

        return run

    def _renewed(self, rendition: Rendition, getter: Getter) -> tuple[Fetched, str | None]:
        answer, master = self._read_master(getter.get("playlist", self._url))
        found = (r.url for r in master.renditions if r.name == rendition.name) if master else iter(())
        return answer, next(found, None)


def _parse(answer: Fetched, query: str) -> Playlist:
    return parse(
        answer.body.decode("utf-8", "replace"),
        answer.url,
        lambda base, reference: carry(resolve(base, reference), query),
    )


def _code(cause: str) -> BlindCode:
    if cause == "forbidden":
        return "source_forbidden"
    return "source_undecodable" if cause == "too_large" else "source_unreachable"
