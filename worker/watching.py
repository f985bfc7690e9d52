"""One lease being watched: its process as the supervisor sees it, and what becomes of what the process says."""

from __future__ import annotations

import random
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import structlog

from contracts.clock import Clock
from contracts.errors import ConfigError
from contracts.findings import Measurement
from contracts.fleet import (
    CHECKPOINT_BYTES,
    Body,
    Checkpoint,
    CoverageBody,
    EdgeBody,
    SourceBody,
    WatchStatus,
)
from store.series import Downsampler
from worker.frames import Message, Unpacker, edge, finding, plain
from worker.headroom import STEPS
from worker.inherited import opened_edge, with_closed
from worker.lease import Granted

log = structlog.get_logger()

NS = 1_000_000_000
SETTLED_S = 60.0  # a process that lived so long starts again without delay
LONGEST_BACKOFF_S = 30.0
PLACES_KEPT = 64
Phase = Literal["waiting", "starting", "running", "ending", "ended"]


@dataclass(slots=True)
class Coverage:
    """What one detector saw of this lease in all, in media milliseconds."""

    watched: int = 0
    degraded: int = 0
    blind: int = 0
    cpu_ms_per_s: float = 0.0
    fault: str | None = None


class Watching:
    """One lease. `put` takes what was found and gives its number."""

    def __init__(
        self,
        granted: Granted,
        clock: Clock,
        put: Callable[[str, int, Body], int],
        *,
        base: Message | None = None,
        secrets_dir: Path | None = None,
        rng: random.Random | None = None,
    ) -> None:
        """`base`: what every watch of this worker is configured with."""
        lease, spec = granted.grant.lease, granted.grant.stream.spec
        self.id, self.epoch, self.assignment = lease.assignment.id, lease.epoch, lease.assignment
        self._granted, self._clock, self._put = granted, clock, put
        self._series = Downsampler()
        self.edges_told = self.edges_kept = 0
        self.ending_s = 0.0
        self._base, self._rng = dict(base or {}), rng or random.Random()
        self.patience_s = 2.0 * max(spec.source.read_timeout_s, spec.source.open_timeout_s)
        self.phase: Phase = "waiting"
        self.why_ending = ""
        self.began_s = self.due_s = clock.monotonic()
        self.number: int | None = None
        self.pid: int | None = None
        self.connection: socket.socket | None = None
        self.started_s = self.ticked_s = self.frame_s = clock.monotonic()
        self.restarts = self._failures = 0
        self.frames = self._frames_before = 0
        self.media_ns = 0
        self.lag_s = 0.0
        self.step = 0
        self.rss = self.pss = self.first_rss = 0
        self.blind: dict[str | None, tuple[str, str]] = {}
        self.coverage: dict[str, Coverage] = {}
        self.refused = granted.refused
        self._unpacker = Unpacker()
        self._seen: dict[str, tuple[int, int, int]] = {}
        # How far coverage has been told, by track and as a whole (no name): a process that is killed takes the rest
        # with it.
        self._covered_ns: dict[str, int] = {"": 0}
        self._since = clock.now()
        self._told_state = ""
        self._fetches: tuple[str, ...] = ()
        self._decoder: tuple[str, ...] = ()
        self._tracks: tuple[str, ...] = ()
        self._places: deque[tuple[int, Message, dict[str, int]]] = deque(maxlen=PLACES_KEPT)
        self._place: Message = {}
        self._open: list[Message] = []
        self._began: dict[tuple[tuple[str, str | None, str | None], int], datetime] = {}
        self._inherit()
        try:
            self._headers = headers_of(granted, secrets_dir)
        except ConfigError as error:
            self.refused = error.explain()

    def _inherit(self) -> None:
        """Take over from the holder before."""
        checkpoint = self._granted.grant.checkpoint
        if checkpoint is not None:
            self._place = dict(checkpoint.baselines.get("watch") or {})
            self.media_ns = checkpoint.last_at_ns or 0
            self._covered_ns = {**self._place.pop("covered", {}), "": self.media_ns}
            grant = self._granted.grant
            self._place = with_closed(self._place, grant.closed, grant.unconfirmed)
        for defect in self._granted.grant.unconfirmed:
            body = defect.body
            inherited = opened_edge(body, known=bool(self._place))
            self._open.append(plain(inherited))
            self._began[inherited.key, inherited.at_ns] = body.started_at

    # --- its process ---------------------------------------------------------------------------------------------

    def config(self) -> Message:
        """What the process is told before anything else."""
        spec = self._granted.grant.stream.spec
        profile = self._granted.profile
        return {
            **self._base,
            "url": spec.source.url,
            "source": {
                "headers": self._headers,
                "carry_query": spec.source.carry_query,
                "open_timeout_s": spec.source.open_timeout_s,
                "read_timeout_s": spec.source.read_timeout_s,
            },
            "rendition": self.assignment.rendition,
            "group": {"families": self._granted.group.families, "detectors": self._granted.group.detectors},
            "profile": profile.model_dump(mode="json") if profile is not None else None,
            "checkpoint": self._place,
            "covered_ns": self._covered_ns if self._place else {},
            "open": self._open,
        }

    def launched(self, number: int, connection: socket.socket) -> None:
        """A process was asked for."""
        connection.setblocking(False)
        self.phase, self.number, self.connection = "starting", number, connection
        self.started_s = self.ticked_s = self._clock.monotonic()
        self.pid = None
        self.rss = self.pss = self.first_rss = self.frames = self._frames_before = 0
        self._unpacker = Unpacker()
        self._seen = {}

    def hear(self) -> bool:
        """Take in what the process says; False when it has closed its end."""
        while self.connection is not None:
            try:
                data = self.connection.recv(1 << 18)
            except BlockingIOError:
                return True
            except OSError:
                data = b""
            if not data:
                self.connection.close()
                self.connection = None
                return False
            try:
                for message in self._unpacker.feed(data):
                    self._take(message)
            except (KeyError, TypeError, ValueError) as error:
                # Nothing that one process says may end the others: this one starts afresh.
                log.exception("watch_not_understood", assignment=self.id, error=str(error)[:200])
                self.connection.close()
                self.connection = None
        return False

    def exited(self, status: int) -> None:
        """The process ended by itself or was killed: when the next one is due."""
        self.hear()
        if self.connection is not None:
            self.connection.close()
            self.connection = None
        self.pid = self.number = None
        if self.phase == "ending":
            self.phase = "ended"
            return
        now = self._clock.monotonic()
        self.phase = "waiting"
        self.restarts += 1
        self._failures = 0 if now - self.started_s >= SETTLED_S else self._failures + 1
        delay = 0.0 if self._failures <= 1 else min(LONGEST_BACKOFF_S, 0.5 * 2.0 ** (self._failures - 2))
        self.due_s = now + delay * self._rng.uniform(0.5, 1.0)
        if status == 0 and self._failures <= 1:
            self._failures = 0  # it was recycled

    @property
    def hung(self) -> bool:
        """Whether its loop has not ticked for too long."""
        running = self.phase in ("running", "starting", "ending")
        return running and self._clock.monotonic() - self.ticked_s > self.patience_s

    @property
    def young(self) -> bool:
        """Whether its cost cannot be known yet."""
        return self._clock.monotonic() - self.started_s < 6.0

    # --- what it says --------------------------------------------------------------------------------------------

    def _take(self, message: Message) -> None:
        now = self._clock.monotonic()
        self.ticked_s = now
        if "refused" in message:
            self.refused = str(message["refused"])
            return
        if self.phase == "starting":
            self.phase = "running"
        if message["frames"] > self.frames:
            self.frames, self.frame_s = message["frames"], now
        self.media_ns = max(self.media_ns, int(message["media_ns"]))
        self.lag_s, self.step = float(message["lag_s"]), int(message["step"])
        self._place, self._open = message["checkpoint"], message["open"]
        zero_at = self._place.get("zero_at")
        zero = datetime.fromisoformat(zero_at) if zero_at else None
        last = 0
        for data in message["edges"]:
            last = self._put(self.id, self.epoch, self._edge(data, zero))
            self.edges_told += 1
        last = self._sight(message["blind"]) or last
        for data in message["measured"]:
            item = finding(data)
            if isinstance(item, Measurement):
                self._series.add(item, self._wall(zero, item.at_ns))
        if "coverage" in message:
            self._cover(message["coverage"])
            self._covered_ns = {**self._covered_ns, **message["ends_ns"]}
            self._fetches, self._decoder = tuple(message["fetches"]), tuple(message["decoder"])
            self._tracks = tuple(message.get("tracks", self._tracks))
        before = self._places[-1][0] if self._places else 0
        number = max(last, before)
        if self._places and self._places[-1][0] == number:
            self._places.pop()
        self._places.append((number, self._place, self._covered_ns))

    def _edge(self, data: Message, zero: datetime | None) -> EdgeBody:
        fields = dict(data)
        family, mode, start_ns = fields.pop("family"), fields.pop("mode"), int(fields.pop("start_ns"))
        told = edge(fields)
        began = self._began.get((told.key, start_ns)) or self._wall(zero, start_ns)
        return EdgeBody.of(
            told,
            family=family,
            mode=mode,
            start_ns=start_ns,
            started_at=began,
            at=self._wall(zero, told.at_ns),
        )

    def _wall(self, zero: datetime | None, at_ns: int) -> datetime:
        return self._clock.now() if zero is None else zero + timedelta(microseconds=at_ns // 1000)

    def _sight(self, rows: list[list[Any]]) -> int:
        """Tell what changed in what can be seen; the number of the last finding put, or 0."""
        now = {track: (str(code), str(reason)) for track, code, reason in rows}
        last = 0
        for track in {*now, *self.blind}:
            code, reason = now.get(track, (None, ""))
            if code != self.blind.get(track, (None, ""))[0]:
                body = SourceBody(blind=code, reason=reason[:500], track=track, at=self._clock.now())
                last = self._put(self.id, self.epoch, body)
        self.blind = now
        return last

    def _cover(self, rows: list[Message]) -> None:
        """Add what grew since the last beat; media that an earlier process had counted already counts once."""
        sums: dict[str, tuple[int, int, int]] = {}
        for row in rows:
            name = row["detector"]
            before = sums.get(name, (0, 0, 0))
            watched = max(0, row["watched_ms"] - row["again_ms"])
            values = (watched, min(row["degraded_ms"], watched), row["blind_ms"])
            sums[name] = (max(before[0], values[0]), max(before[1], values[1]), max(before[2], values[2]))
            total = self.coverage.setdefault(name, Coverage())
            total.cpu_ms_per_s, total.fault = row["cpu_ms_per_s"], row["fault"]
        added: dict[str, tuple[int, int, int]] = {}
        for name, now in sums.items():
            before = self._seen.get(name, (0, 0, 0))
            self._seen[name] = now
            watched, degraded, blind = (max(0, now[i] - before[i]) for i in range(3))
            if watched or degraded or blind:
                added[name] = (watched, degraded, blind)
                total = self.coverage.setdefault(name, Coverage())
                total.watched += watched
                total.degraded += degraded
                total.blind += blind
        if added:
            self._put(self.id, self.epoch, CoverageBody(added=added))

    def flush_series(self, now: datetime | None) -> None:
        """Put the slots of measurements that are over by `now`; without it, whatever there is."""
        for body in self._series.take(now):
            self._put(self.id, self.epoch, body)

    # --- what it leaves ------------------------------------------------------------------------------------------

    def checkpoint(self, done: int) -> Checkpoint | None:
        """Where another worker may go on: the latest place all of whose findings, up to number `done`, were judged."""
        best: tuple[int, Message, dict[str, int]] | None = None
        while self._places and self._places[0][0] <= done:
            best = self._places.popleft()
        if best is None:
            return None
        self._places.appendleft(best)
        place = best[1]
        if not place.get("reading"):
            return None
        marks = (place["reading"].get("renditions") or {}).values()
        zero_at = place.get("zero_at")
        made = Checkpoint(
            media_sequence=max((int(m[0]) for m in marks), default=None),
            last_at_ns=best[2][""],
            wall_at_last=datetime.fromisoformat(zero_at) + timedelta(microseconds=best[2][""] // 1000)
            if zero_at
            else None,
            baselines={"watch": {**place, "covered": best[2]}},
        )
        if len(made.model_dump_json()) <= CHECKPOINT_BYTES:
            return made
        less = {**place, "covered": best[2], "said": {}, "reading": {**place["reading"], "places": {}}}
        return made.model_copy(update={"baselines": {"watch": less}})

    def status(self) -> WatchStatus:
        """How it does, for people."""
        state: Literal["starting", "watching", "degraded", "blind", "backing_off"]
        cause = reason = None
        if self.refused:
            state, cause, reason = "backing_off", "config", self.refused
        elif self.phase == "waiting" and self.restarts:
            state, reason = "backing_off", f"Its process ended {self.restarts} times."
        elif self.blind.get(None):
            state, (cause, reason) = "blind", self.blind[None]
        elif not self.frames and not self.coverage:
            state = "starting"
        else:
            state = "degraded" if self.step else "watching"
        if state != self._told_state:
            self._told_state, self._since = state, self._clock.now()
        return WatchStatus(
            state=state,
            since=self._since,
            cause=cause,
            reason=reason[:500] if reason else None,
            lag_s=round(self.lag_s, 2),
            steps=STEPS[: self.step],
            fetches=self._fetches[-5:],
            decoder=self._decoder,
            tracks=self._tracks,
            restarts=self.restarts,
        )


def headers_of(granted: Granted, secrets_dir: Path | None) -> dict[str, str]:
    """A source's headers, those named elsewhere read from files in `secrets_dir`."""
    source = granted.grant.stream.spec.source
    headers = dict(source.headers)
    for name, reference in source.header_refs.items():
        if secrets_dir is None:
            raise ConfigError(
                f"Header {name!r} is kept elsewhere.", "Set WORKER_SECRETS_DIR to the folder it is in."
            )
        if not reference or reference.startswith(".") or "/" in reference or "\x00" in reference:
            raise ConfigError(f"Header {name!r}: {reference!r} is no file name.")
        try:
            headers[name] = (secrets_dir / reference).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"Header {name!r}: the secret {reference!r} cannot be read.") from error
    return headers
