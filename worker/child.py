"""One watch in a process of its own: reads one rendition, runs one group of detectors, tells its supervisor.

Edges are told at once, measurements and a beat once a second; every message carries the place where another watch goes
on. The process never closes what is open when it ends: that is for the next watch to judge.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from contracts.addresses import AddressPolicy
from contracts.clock import Clock, SystemClock
from contracts.errors import ConfigError, DetectorFault, IngestError
from contracts.findings import DefectEdge, Finding
from contracts.profile import Profile
from detectors.catalogue import Seat, bind, load
from detectors.events import BlindCode, Damage, Event, Fetch, Source, Tick
from detectors.frame import Block, Frame
from worker.again import Again
from worker.blindness import Blindness
from worker.frames import Message, Unpacker, pack, plain, receive
from worker.handover import Handover
from worker.ingest import opening
from worker.ingest.opening import AnyReading
from worker.ingest.options import IngestOptions, VariantPolicy
from worker.pipeline import Pipeline
from worker.warm import give_back

NS = 1_000_000_000
BEAT_S = 1.0
STUCK_S = 5  # a detector may take so long over one event, no longer
END_S = 0.35  # after SIGTERM
THREAD_STACK = 512 * 1024
LEAD_NS = 9 * NS  # of media that is shown once more to detectors that have no past
THINNED = 0.4  # of a detector's own rate, when less is to be done
LAST_FETCHES = 5
LONGEST_WAIT_S = 15.0
EXIT_CONFIG = 2
IDLE_S = 0.25


def run(connection: socket.socket) -> int:
    """The process's whole life; its exit status: 0 told to end, 2 what it was given is wrong."""
    threading.stack_size(THREAD_STACK)
    config = receive(connection, Unpacker())
    if config is None:
        return 0
    limit_memory(int(config.get("memory_bytes", 0)))
    os.nice(int(config.get("nice", 0)))
    try:
        child = Child(config, connection, SystemClock())
    except (ConfigError, ValueError) as error:
        words = error.explain() if isinstance(error, ConfigError) else str(error)
        connection.sendall(pack({"refused": words[:500]}))
        return EXIT_CONFIG
    signal.signal(signal.SIGTERM, child.on_term)
    signal.signal(signal.SIGALRM, child.on_alarm)
    signal.setitimer(signal.ITIMER_REAL, 1.0, 1.0)
    return child.run()


def limit_memory(more_bytes: int) -> None:
    """Let this process grow by so much and no more; beyond it an allocation fails, which a detector's fault then is."""
    if more_bytes > 0:
        most = _own_data_bytes() + more_bytes
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def warm_up() -> None:
    """Have done in the server what each watch would do first, so that its memory is shared."""
    opening.warm_up()
    pipeline = Pipeline(bind(load(), Profile()))
    luma, chroma = np.full((360, 640), 90, np.uint8), np.full((180, 320), 128, np.uint8)
    silence = np.zeros((2, 4800), np.float32)
    for number in range(12):
        at_ns = number * NS // 10
        picture = (luma + np.uint8(number), (chroma, chroma))
        pipeline.push(Frame("video:0", at_ns, NS // 10, *picture))
        pipeline.push(Block("audio:0", at_ns, NS // 10, silence, 48_000, ("L", "R")))
    pipeline.finish(NS)


class Child:
    """Reads, detects, tells."""

    def __init__(self, config: Message, connection: socket.socket, clock: Clock) -> None:
        self._connection, self._clock = connection, clock
        self._unpacker = Unpacker()
        self._options = options_of(config)
        self._policy = AddressPolicy(allow_private=bool(config.get("allow_private", False)))
        self._url = str(config["url"])
        self._events: Iterator[Event | None] = iter(())
        self._seats = seats_of(config)
        state: dict[str, Any] = config.get("checkpoint") or {}
        self._resume: dict[str, Any] | None = state.get("reading")
        zero = state.get("zero_at")
        self._zero_at: datetime | None = datetime.fromisoformat(zero) if zero else None
        self._reading: AnyReading | None = None
        position_ns = int((self._resume or {}).get("position_ns", 0))
        said = {**(state.get("said") or {}), "open": config.get("open", [])}
        self.handover = Handover(self._seats, said, position_ns, (self._resume or {}).get("ends_ns"))
        self.pipeline = Pipeline(self._seats, self.handover.open_defects, self.handover.before)
        self._lead_ns = LEAD_NS
        self._family = {s.detector.id: s.detector.family() for s in self._seats}
        self._mode = {s.detector.id: s.mode.value for s in self._seats}
        self._measured: list[Finding] = []
        self._fetches: list[str] = []
        self._decoder_words: list[str] = []
        self._blindness = Blindness(clock, state.get("blind") or (), position_ns)
        self._frames = self._loops = self._step = 0
        self._media_s = clock.monotonic() - float(
            (self._resume or {}).get("quiet_s", 0.0)
        )  # when it came last
        self._end_ns = int((self._resume or {}).get("position_ns", 0))
        self._ends_ns: dict[str, int] = {}
        self._again = Again(config.get("covered_ns") or {})
        self._beat_s = self._clock.monotonic()
        self._stopping_s: float | None = None
        self._runs = self._same = 0
        self._degraded: dict[tuple[str, str | None], float] = {}
        self._watched: dict[tuple[str, str | None], float] = {}

    def stopping(self) -> bool:
        """Whether SIGTERM came."""
        return self._stopping_s is not None

    def on_term(self, number: int, frame: Any) -> None:
        """SIGTERM: end at the next event, or shortly."""
        if self._stopping_s is None:
            self._stopping_s = self._clock.monotonic()
            signal.setitimer(signal.ITIMER_REAL, END_S, 0.1)

    def on_alarm(self, number: int, frame: Any) -> None:
        """Each second: end what does not end, and a detector that does not return."""
        if self._stopping_s is not None:
            if self._clock.monotonic() - self._stopping_s >= END_S:
                os._exit(0)  # what was told last is where the next one goes on
            return
        running, runs = self.pipeline.running, self.pipeline.runs
        self._same = self._same + 1 if running is not None and runs == self._runs else 0
        self._runs = runs
        if self._same >= STUCK_S:
            self._same = 0
            raise DetectorFault(f"{running} did not return within {STUCK_S} s")

    def run(self) -> int:
        """Until told to end. A source that ends or fails is opened again, after a while and for ever."""
        failures = 0
        told = [f for s in self._blindness.left() for f in self.handover.take(self.pipeline.push(s))]
        self._tell(self._edges(told))
        while not self.stopping():
            before = self._frames
            try:
                self._read()
                error: IngestError | None = None
            except IngestError as failure:
                error = failure
            if self.stopping():
                break
            failures = 0 if self._frames > before else failures + 1
            self._wait(error, failures)
        told = self.handover.take(self.pipeline.catch_up())
        self._tell(self._edges(told), last=True)
        return 0

    def _read(self) -> None:
        self._reading = reading = AnyReading(
            self._url, self._options, self._clock, live=True, resume=self._resume,
            allow=self._policy.check_url, allow_address=self._policy.check_address, lead_ns=self._lead_ns,
        )  # fmt: skip
        self._lead_ns = 0  # detectors that have run have their past
        self._policy.check_url(self._url)
        reading.skip_non_reference(self._step >= 2)
        self._events = reading.events()  # kept, so that ending in a hurry does not wait for its threads
        try:
            for event in self._events:
                self._turn(event)
                if self._stopping_s is not None:
                    return
        finally:
            self._resume = reading.checkpoint() or self._resume
            if self._stopping_s is None:
                reading.close()

    def _wait(self, error: IngestError | None, failures: int) -> None:
        """Blind, with a cause, until it is worth another try."""
        code: BlindCode = "source_stalled"
        reason = "The source has declared its end."
        if error is not None:
            code, reason = error.code, error.explain()  # type: ignore[assignment]  # a class variable of a bounded set
        began = told = self._clock.monotonic()
        until = began + min(LONGEST_WAIT_S, 0.5 * 2.0 ** min(failures, 16)) * random.uniform(0.5, 1.0)
        position = self._end_ns
        self._turn(Source(position, code, reason))
        while self._clock.monotonic() < until and self._stopping_s is None:
            self._clock.sleep(IDLE_S)
            now = self._clock.monotonic()
            if now - told >= 1.0:
                told = now
                self._turn(Source(position + int((now - began) * NS), code, reason))
            else:
                self._turn(None)

    def _turn(self, event: Event | None) -> None:
        """One round of the loop: show the event, tell what is new."""
        self._loops += 1
        told: list[Finding] = []
        if event is not None:
            for shown in self._blindness.see(event):
                self._note(shown)
                told += self.handover.take(self.pipeline.push(shown))
            if isinstance(event, Frame | Block):
                self._again.see(event, self.pipeline)
        if isinstance(event, Tick) and self.handover.unsettled:  # what is over has been closed by then
            told += self.handover.settle(self.pipeline, event.at_ns)
        edges = self._edges(told)
        if edges or isinstance(event, Source) or self._clock.monotonic() - self._beat_s >= BEAT_S:
            self._tell(edges)

    def _edges(self, told: list[Finding]) -> list[DefectEdge]:
        """What is to be told at once; the rest is put by for the next beat."""
        self._measured += [f for f in told if not isinstance(f, DefectEdge)]
        return [f for f in told if isinstance(f, DefectEdge)]

    def _note(self, event: Event) -> None:
        if isinstance(event, Frame | Block):
            self.handover.see(event)
            self._media_s = self._clock.monotonic()
            self._frames += isinstance(event, Frame)
            self._end_ns = max(self._end_ns, event.end_ns)
            self._ends_ns[event.track] = max(self._ends_ns.get(event.track, 0), event.end_ns)
        elif isinstance(event, Fetch) and (event.cause is not None or event.what == "segment"):
            word = event.cause or str(event.status)
            self._fetches = [
                *self._fetches[1 - LAST_FETCHES :],
                f"{event.what} {event.url}: {word} {event.seconds:.2f} s"[:160],
            ]
        elif isinstance(event, Damage):
            self._decoder_words = [*self._decoder_words[-2:], event.detail[:160]]

    def _zero(self) -> datetime | None:
        """The wall clock of media time 0: as the source says, else as this watch or the one before saw it."""
        about = self._reading.about if self._reading is not None else None
        said = (about.zero_at or about.started_at) if about is not None else None
        if said is not None:
            self._zero_at = said
        elif self._zero_at is None and self._frames:
            self._zero_at = datetime.fromtimestamp(
                self._clock.now().timestamp() - self._end_ns / NS, self._clock.now().tzinfo
            )
        return self._zero_at

    def _tell(self, edges: list[DefectEdge] | None = None, *, last: bool = False) -> None:
        reading = self._reading
        zero = self._zero()
        measured, self._measured = self._measured, []
        place = (reading.checkpoint() if reading is not None else self._resume) or None
        if place is not None:
            place = {**place, "quiet_s": round(self._clock.monotonic() - self._media_s, 1)}
        said = self.handover.state(int((place or {}).get("position_ns", 0)))
        message: Message = {
            "edges": [self._dress(edge) for edge in edges or []],
            "measured": [plain(item) for item in measured],
            "loops": self._loops,
            "frames": self._frames,
            "media_ns": self._end_ns,
            "ends_ns": {**self._ends_ns, "": self._end_ns},
            "lag_s": round(reading.lag_s, 3) if reading is not None else 0.0,
            "blind": self._blindness.rows,
            "step": self._step,
            "checkpoint": {
                "reading": place,
                "zero_at": zero.isoformat() if zero else None,
                "blind": self._blindness.state(),
                "said": {name: value for name, value in said.items() if name != "open"},
            },
            "open": said["open"],
            "last": last,
        }
        now = self._clock.monotonic()
        if last or now - self._beat_s >= BEAT_S or not self._loops:
            self._beat_s = now
            give_back()
            message["coverage"] = self._coverage()
            message["fetches"], message["decoder"] = self._fetches, self._decoder_words
            if reading is not None:
                message["tracks"] = [_describe(t.model_dump()) for t in reading.about.tracks.values()][:8]
        self._connection.sendall(pack(message))
        self._obey()

    def _dress(self, edge: DefectEdge) -> Message:
        """An edge with what only this process knows of it."""
        start = self.handover.began_ns(edge)
        family = self._family.get(edge.detector, "monitoring")
        return {
            **plain(edge),
            "family": family,
            "mode": self._mode.get(edge.detector, "check"),
            "start_ns": start,
        }

    def _coverage(self) -> list[Message]:
        """What each detector saw in this process's life, in media milliseconds."""
        rows = []
        for row in self.pipeline.coverage():
            key = (row.detector, row.track)
            grown = row.watched_s - self._watched.get(key, 0.0)
            self._watched[key] = row.watched_s
            if self._step >= 2 or (self._step == 1 and self._thinned(row.detector)):
                self._degraded[key] = self._degraded.get(key, 0.0) + grown
            rows.append(
                {
                    "detector": row.detector,
                    "track": row.track,
                    "watched_ms": round(row.watched_s * 1000),
                    "again_ms": self._again.milliseconds(row.track),
                    "degraded_ms": round(self._degraded.get(key, 0.0) * 1000),
                    "blind_ms": round(row.blind_s * 1000),
                    "cpu_ms_per_s": row.cpu_ms_per_s,
                    "fault": row.fault,
                }
            )
        return rows

    def _thinned(self, detector: str) -> bool:
        return any(s.detector.id == detector and s.detector.rate_hz is not None for s in self._seats)

    def _obey(self) -> None:
        """Take the supervisor's word, if there is one."""
        try:
            data = self._connection.recv(1 << 16, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if not data:
            os._exit(0)  # nobody is there to be told
        for message in self._unpacker.feed(data):
            self._step = int(message.get("step", self._step))
            self.pipeline.rate_factor = THINNED if self._step >= 1 else 1.0
            if self._reading is not None:
                self._reading.skip_non_reference(self._step >= 2)


def options_of(config: Message) -> IngestOptions:
    """How to read, as the stream's source and the assignment's rendition say."""
    source = config.get("source", {})
    options = IngestOptions(
        open_timeout_s=float(source.get("open_timeout_s", 10.0)),
        read_timeout_s=float(source.get("read_timeout_s", 10.0)),
        headers=dict(source.get("headers", {})),
        carry_query=bool(source.get("carry_query", False)),
    )
    rendition = str(config.get("rendition", VariantPolicy.HIGHEST.value))
    if rendition in (VariantPolicy.HIGHEST.value, VariantPolicy.LOWEST.value):
        return replace(options, variants=VariantPolicy(rendition))
    return replace(options, rendition=rendition)


def seats_of(config: Message) -> list[Seat]:
    """The detectors of the group, as the profile wants them; names and families may be given, none means all."""
    catalogue = load(str(config.get("catalogue", "detectors")))
    group = config.get("group", {})
    families, names = set(group.get("families", [])), set(group.get("detectors", []))
    profile = Profile.model_validate(config.get("profile") or {})
    if families or names:
        kept = {n: d for n, d in catalogue.items() if n in names or d.family() in families}
        profile = profile.model_copy(
            update={
                "detectors": {n: c for n, c in profile.detectors.items() if n in kept or n not in catalogue}
            }
        )
        return bind(kept, profile)
    return bind(catalogue, profile)


def _describe(track: Message) -> str:
    size = f"{track['width']}x{track['height']}" if track.get("width") else track.get("layout") or ""
    return " ".join(str(part) for part in (track["id"], track["codec"], size) if part)[:64]


def _own_data_bytes() -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    return 0
