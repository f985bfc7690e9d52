"""One media playlist over time: reload, fetch what is new, say what happened and when nothing comes any more."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

from contracts.clock import Clock
from contracts.errors import SourceUndecodable
from contracts.urls import redact
from detectors.events import BlindCode, Fetch
from worker.ingest.hls.cadence import Cadence
from worker.ingest.hls.crypto import KeyRing, decrypt, undecodable
from worker.ingest.hls.fetch import Fetched, What, backoff_s, carry, resolve
from worker.ingest.hls.items import Rendition, Segment
from worker.ingest.hls.playlist import NS, ByteRange, Entry, Key, Map, MediaPlaylist, parse
from worker.ingest.hls.sequence import Note, Tracker
from worker.ingest.hls.steps import Getter, Step, Steps, Trouble, failed, file_of, opened, told
from worker.ingest.options import IngestOptions

FINAL = frozenset(
    {"forbidden", "too_large", "invalid_url", "missing", "unreadable"}
)  # asking again is in vain
SHORTEST_RELOAD_S = 0.05


@dataclass(slots=True)
class Follower:
    """Follows one rendition; iterate `steps()` in a thread of its own.

    `wait(seconds)` waits or raises net.Stopped. `renew(getter)` asks the multivariant playlist again and gives
    this rendition's present address. `track` is what Fetch events carry.
    """

    rendition: Rendition
    getter: Getter
    options: IngestOptions
    clock: Clock
    rng: random.Random
    wait: Callable[[float], None]
    tracker: Tracker
    track: str | None = None
    query: str = ""
    renew: Callable[[Getter], tuple[Fetched, str | None]] | None = None
    quiet_s: float = 0.0  # for so long an earlier reading had waited for media already
    _url: str = ""
    _target_s: float = 0.0
    _playlist: MediaPlaylist | None = None
    _read: tuple[str, bytes] | None = None  # where and what that was read from
    _media_s: float = 0.0  # monotonic time of the last media, or of the beginning
    _held_s: float = 0.0  # spent waiting for whoever consumes, since the last reload
    _failures: int = 0  # of the playlist, in a row
    _playlist_fault: Fetched | None = None
    _media_fault: Fetched | None = None
    _blind: tuple[BlindCode, str | None] | None = None
    _renew_from_s: float = float("-inf")
    _moved_to: dict[int, Entry] = field(default_factory=dict)  # by media sequence, after a renewal
    _keys: KeyRing = field(init=False)
    _init: tuple[Map, bytes] | None = None
    _init_given: bytes | None = None
    _cadence: Cadence = field(default_factory=Cadence)

    def __post_init__(self) -> None:
        self._url = self.rendition.url
        self._keys = KeyRing(lambda url: self.getter.get("key", url))

    def steps(self) -> Steps:
        """Until the playlist's end (EXT-X-ENDLIST); forever for a live one.

        Time in which the consumer keeps us waiting is not held against the source.
        """
        self._media_s = self.clock.monotonic() - self.quiet_s
        for step in self._run():
            before_s = self.clock.monotonic()
            yield step
            after_s = self.clock.monotonic()
            self._held_s += after_s - before_s
            self._media_s = after_s if isinstance(step.item, Segment) else self._media_s + after_s - before_s

    def _run(self) -> Steps:
        while True:
            began_s = self.clock.monotonic()
            playlist = yield from self._reload()
            if playlist is None:
                yield from self._judge()
                longest = max(1.0, self._target_s or self.options.backoff_most_s)
                self.wait(min(longest, backoff_s(self.options, self._failures - 1, self.rng)))
                continue
            held, self._held_s = self._held_s > self._target_s, 0.0
            changed = self.tracker.changed(playlist)
            entries, note = self.tracker.fresh(playlist, self.clock.monotonic(), held=held)
            if note is not None:
                yield from self._tell(note)
            self._moved_to = {}
            for entry in entries:
                yield from self._entry(self._moved_to.get(entry.sequence, entry))
            if playlist.ended:
                return
            yield from self._judge()
            next_s = self._cadence.next_s(began_s, playlist, changed=changed)
            self.wait(max(SHORTEST_RELOAD_S, next_s - self.clock.monotonic()))

    def _event(self, answer: Fetched, at_ns: int, sequence: int | None, lost_ns: int = 0) -> Step:
        return Step(told(answer, at_ns, self.track, sequence, lost_ns))

    def _reload(self) -> Generator[Step, None, MediaPlaylist | None]:
        answer = self.getter.get("playlist", self._url)
        vanished = self._failures >= 2 and answer.status in (404, 410)
        if (answer.denied or vanished) and (yield from self._renew_address()):
            answer = self.getter.get("playlist", self._url)
        playlist: MediaPlaylist | None = None
        if answer.cause is None:
            answer, playlist = self._parse(answer)
        sequence = playlist.media_sequence if playlist else None
        yield self._event(answer, self.tracker.end_ns, sequence)
        if playlist is None:
            self._failures += 1
            self._playlist_fault = answer
        else:
            self._failures, self._playlist_fault = 0, None
            self._target_s, self._playlist = playlist.target_s, playlist
        return playlist

    def _parse(self, answer: Fetched) -> tuple[Fetched, MediaPlaylist | None]:
        if self._playlist is not None and self._read == (answer.url, answer.body):
            return answer, self._playlist  # a long playlist takes a while to read
        try:
            playlist = parse(
                answer.body.decode("utf-8", "replace"),
                answer.url,
                lambda base, reference: carry(resolve(base, reference), self.query),
            )
        except SourceUndecodable as error:
            return failed(answer, error.cause, str(error)), None
        if not isinstance(playlist, MediaPlaylist):
            return failed(answer, "invalid", "it lists variants where segments should be"), None
        self._read = (answer.url, answer.body)
        return answer, playlist

    def _renew_address(self) -> Generator[Step, None, bool]:
        """After a refusal: ask the multivariant playlist for fresh addresses. Once; again only much later,
        or when media came meanwhile.
        """
        now_s = self.clock.monotonic()
        if self.renew is None or now_s < self._renew_from_s:
            return False
        self._renew_from_s = now_s + self.options.backoff_most_s
        answer, url = self.renew(self.getter)
        yield self._event(answer, self.tracker.end_ns, None)
        self._url = url or self._url
        return url is not None

    def _tell(self, note: Note) -> Steps:
        lost = note.duration_ns > 0
        at_ns = self.tracker.end_ns - note.duration_ns
        what: What = "segment" if lost else "playlist"
        yield Step(
            Fetch(
                at_ns,
                self.track,
                what,
                redact(self._url),
                note.sequence,
                None if lost else 200,
                0,
                0.0,
                note.cause,
                note.duration_ns,
                given_up=lost,
            )
        )

    def _entry(self, entry: Entry) -> Steps:
        if entry.gap:
            answer = Fetched("segment", entry.url, None, b"", 0.0, "gap", "the playlist declares a gap")
            yield from self._lost(entry, answer)
            return
        requested_s = self.clock.monotonic()
        locked = undecodable(entry.key)
        init: bytes | None = None
        if entry.map is not None and locked is None:
            answer = yield from self._initialization(entry)
            if answer.cause is not None:
                yield from self._lost(entry, answer)
                return
            init = answer.body
        answer = yield from self._obtain("segment", entry, entry.range)
        if answer.cause is None and entry.key is not None and locked is None:
            answer = yield from self._open(answer, entry, entry.key)
        if answer.cause is not None:
            yield from self._lost(entry, answer)
            return
        self._media_fault, self._renew_from_s = None, float("-inf")
        at_ns, new_clock, mark = self.tracker.take(entry, lost=locked is not None)
        yield Step(self._event(answer, at_ns, entry.sequence).item, mark if locked else None)
        if locked is not None:
            yield from self._locked(locked)
            return
        if self._blind is not None:
            self._blind = None
            yield Step(Trouble(None))
        segment = Segment(
            self.rendition.name,
            self.rendition.kind,
            entry.sequence,
            answer.body,
            entry.duration_ns,
            at_ns,
            answer.shown,
            discontinuity=new_clock,
            init=init,
            init_changed=init != self._init_given,
            language=self.rendition.language,
            program_date_time=entry.program_date_time,
            requested_s=requested_s,
            fetched_s=self.clock.monotonic(),
            encrypted_method=entry.key.method if entry.key else None,
        )
        self._init_given = init
        yield Step(segment, mark)

    def _lost(self, entry: Entry, answer: Fetched) -> Steps:
        """It will not be asked for again; go on with the next one."""
        at_ns, _, mark = self.tracker.take(entry, lost=True)
        self._media_fault = answer
        event = self._event(answer, at_ns, entry.sequence, max(1, entry.duration_ns))
        yield Step(event.item, mark)
        yield from self._judge()

    def _locked(self, words: str) -> Steps:
        """Media comes and cannot be decoded: blind at once, while its delivery is still watched."""
        if self._blind != ("source_undecodable", words):
            self._blind = ("source_undecodable", words)
            yield Step(Trouble("source_undecodable", words, self._media_s, counted=False, cause="encrypted"))

    def _initialization(self, entry: Entry) -> Generator[Step, None, Fetched]:
        assert entry.map is not None
        if self._init is not None and self._init[0] == entry.map:
            return Fetched("init", entry.map.url, None, self._init[1], 0.0)
        answer = yield from self._obtain("init", entry, entry.map.range)
        if answer.cause is None and entry.map.key is not None:
            answer = yield from self._open(answer, entry, entry.map.key)
        if answer.cause is None:
            yield self._event(answer, self.tracker.end_ns, entry.sequence)
            self._init = (entry.map, answer.body)
        return answer

    def _open(self, answer: Fetched, entry: Entry, key: Key) -> Generator[Step, None, Fetched]:
        """Decrypt; a key that does not fit is asked for once more."""
        assert key.url is not None
        for attempt in range(1 + self.options.retries):
            secret, asked = self._keys.key(key.url)
            if asked is not None and secret is not None:
                yield self._event(asked, self.tracker.end_ns, entry.sequence)
            if secret is not None:
                plain = decrypt(answer.body, secret, key.iv, entry.sequence)
                if plain is not None:
                    return opened(answer, plain)
                if asked is not None or attempt:
                    return failed(answer, "undecryptable", "it does not decrypt: the wrong key, or cut off")
                self._keys.forget(key.url)
                continue
            assert asked is not None
            if asked.cause in FINAL or attempt == self.options.retries:
                cause = asked.cause or "invalid"
                return failed(asked, cause, asked.detail or "the key is not 16 bytes long")
            self.wait(backoff_s(self.options, attempt, self.rng))
        return failed(answer, "undecryptable", "no key fits")

    def _obtain(
        self, what: What, entry: Entry, byte_range: ByteRange | None
    ) -> Generator[Step, None, Fetched]:
        """A resource after bounded retries, as long as the playlist's window allows."""
        url = entry.map.url if what == "init" and entry.map is not None else entry.url
        seconds = entry.duration_ns / NS
        within_s = self.options.open_timeout_s + max(self.options.read_timeout_s, 3 * seconds)
        until_s = self.clock.monotonic() + self._window_s(entry)
        attempt = 0
        while True:
            answer = self.getter.get(what, url, byte_range=byte_range, within_s=within_s)
            if answer.cause is None or answer.cause in FINAL:
                return answer
            if answer.denied and (yield from self._renew_address()):
                url = (yield from self._moved(what, entry)) or url
                continue
            delay = backoff_s(self.options, attempt, self.rng)
            attempt += 1
            if self.clock.monotonic() + delay > until_s:
                return answer
            refused = answer.status is not None and answer.status < 500
            if attempt > self.options.retries and (refused or (yield from self._reload()) is not None):
                return answer  # this one resource is at fault; an origin that is away may still have it
            yield from self._judge()
            self.wait(delay)

    def _window_s(self, entry: Entry) -> float:
        """How long the origin still owes us this segment: until what precedes it has left the playlist, too."""
        if self._playlist is None or self._playlist.ended:
            return float("inf")
        before = sum(e.duration_ns for e in self._playlist.entries if e.sequence <= entry.sequence)
        return max(self._target_s, before / NS)

    def _moved(self, what: What, entry: Entry) -> Generator[Step, None, str | None]:
        """The address of the same resource in the renewed playlist, whose other addresses hold from now on, too."""
        playlist = yield from self._reload()
        if playlist is not None and (playlist.numbered or playlist.ended):
            self._moved_to = {listed.sequence: listed for listed in playlist.entries}
        now = self._moved_to.get(entry.sequence)
        if now is None:
            return None
        return now.map.url if what == "init" and now.map else now.url

    def _judge(self) -> Steps:
        """Blind when no media came for longer than three target durations and the read time-out."""
        silent_s = self.clock.monotonic() - self._media_s
        if silent_s < max(3 * self._target_s, self.options.read_timeout_s):
            return
        if self._blind is not None and self._blind[0] == "source_undecodable":
            return
        fault = self._playlist_fault or self._media_fault
        code: BlindCode
        if fault is None:
            newest = self._playlist.media_sequence if self._playlist else 0
            code, cause = "source_stalled", None
            words = f"without a new segment; origin answered 200 with media sequence {newest}"
        else:
            code, cause = ("source_unreachable", fault.cause)
            if cause == "forbidden":
                code = "source_forbidden"
            words = f"without media; {file_of(fault)}: {cause}, {fault.detail}"
        if self._blind != (code, cause):
            self._blind = (code, cause)
            yield Step(Trouble(code, words, self._media_s, cause=cause or "stalled"))
