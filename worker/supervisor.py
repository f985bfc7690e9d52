"""One worker: takes leases while it has room, keeps a process watching each, and answers for all of them.

The main thread starts, hears and ends processes; a second renews leases, a third offers findings, a fourth answers
health checks. None of them waits for another.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from contracts.clock import Clock
from contracts.errors import SinkError
from contracts.fleet import WorkerInfo
from store.leases import Released
from worker.frames import Message, pack
from worker.headroom import Degrader, Headroom, pss_bytes, rss_bytes
from worker.lease import Gone, Granted, Keeper
from worker.settings import WorkerSettings
from worker.sinks.store import StoreSink
from worker.warm import Ended, WarmServer
from worker.watching import Watching

log = structlog.get_logger()

HOUSE_S = 0.5  # how often processes are looked after
MEASURE_S = 1.0
END_S = 0.45  # watches have so long to say their last word
FLUSH_S = 0.5
LAST_WORD_S = 1.0  # an ending lease's findings have so long to leave
GROWTH_FROM_S = 60.0
SHARES_A_ROUND = 4  # processes whose share of memory is measured in one round
GROWTH = 0.5  # of what a watch may grow by, at which it is recycled in peace
STATUS_S = 1.0
SILENT_S = 2.5  # leases are renewed each second: a store that has not answered for so long is away


@dataclass(frozen=True, slots=True)
class WatchView:
    """One watch as it is shown to others."""

    assignment: str
    epoch: int
    phase: str
    pid: int | None
    frames: int
    frame_age_s: float
    tick_age_s: float
    lag_s: float
    step: int
    blind: str | None
    restarts: int
    rss: int
    pss: int
    coverage: dict[str, tuple[int, int, int, float, str | None]]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The worker at one moment, made whole and then never changed."""

    at_s: float = 0.0
    watches: tuple[WatchView, ...] = ()
    step: int = 0
    cores: float = 0.0
    bytes: int = 0
    room: int = 0
    store_away_s: float = 0.0
    held: int = 0
    counters: dict[str, int] = field(default_factory=dict)


class Supervisor:
    """Runs until told to end."""

    def __init__(
        self, settings: WorkerSettings, warm: WarmServer, keeper: Keeper, sink: StoreSink, headroom: Headroom,
        clock: Clock, *, version: str, host: str,
    ) -> None:  # fmt: skip
        self._settings, self._warm, self._keeper, self._sink = settings, warm, keeper, sink
        self._headroom, self._clock = headroom, clock
        self._version, self._host = version, host
        self._started_at = clock.now()
        self._watches: dict[tuple[str, int], Watching] = {}
        self._asked: dict[int, Watching] = {}
        self._degrader = Degrader(settings.lag_s)
        self._poll = select.poll()
        self._by_fd: dict[int, Watching] = {}
        self._reads, self._wakes = os.pipe()
        os.set_blocking(self._reads, False)
        os.set_blocking(self._wakes, False)
        self._ending: str | None = None
        self._room = headroom.room(0, 0)
        self._house_s = self._measure_s = self._status_s = clock.monotonic()
        self._next_share = 0
        self._hung = self._recycled = self._handed_back = 0
        self.room_elsewhere: Callable[[], bool] = lambda: True
        self.snapshot = Snapshot(clock.monotonic())
        sink.on_fenced = keeper.fenced

    def wake(self) -> None:
        """Make the main thread look; safe from any thread and from a signal handler."""
        try:
            os.write(self._wakes, b"w")
        except BlockingIOError:
            return  # it is awake

    def end(self, reason: str) -> None:
        """Give all leases back and return from `run`; safe from a signal handler."""
        self._ending = self._ending or reason
        self.wake()

    def run(self) -> int:
        """The worker's life; its exit status: 0 told to end, 70 when the warm server died."""
        threads = [
            threading.Thread(
                target=self._keeper.run, args=(self._info, lambda: self._room), name="leases", daemon=True
            ),
            threading.Thread(target=self._sink.run, name="findings", daemon=True),
        ]
        for thread in threads:
            thread.start()
        self._poll.register(self._warm.fileno(), select.POLLIN)
        self._poll.register(self._reads, select.POLLIN)
        status = 0
        try:
            while self._ending is None:
                self._round(HOUSE_S / 2)
        except EOFError as error:
            log.exception("warm_server_died", error=str(error))
            status = 70
        self._finish(threads)
        return status

    # --- one round -----------------------------------------------------------------------------------------------

    def _round(self, wait_s: float) -> None:
        for fd, _ in self._poll.poll(wait_s * 1000):
            if fd == self._reads:
                self._drain()
            elif fd == self._warm.fileno():
                self._answered()
            else:
                self._heard(fd)
        while not self._keeper.events.empty():
            event = self._keeper.events.get_nowait()
            if isinstance(event, Gone):
                self._lost(event)
            else:
                self._take(event)
        now = self._clock.monotonic()
        if now - self._house_s >= HOUSE_S:
            self._house_s = now
            self._look_after(now)
        if now - self._measure_s >= MEASURE_S:
            self._measure_s = now
            self._measure(now)
        if now - self._status_s >= STATUS_S:
            self._status_s = now
            self._report()

    def _drain(self) -> None:
        try:
            os.read(self._reads, 4096)
        except BlockingIOError:
            return

    def _answered(self) -> None:
        answer = self._warm.read()
        if isinstance(answer, Ended):
            for watching in list(self._watches.values()):
                if watching.pid == answer.pid:
                    self._unhear(watching)
                    watching.exited(answer.status)
                    log.info("watch_ended", assignment=watching.id, pid=answer.pid, status=answer.status)
                    self._start_due()
                    return
            return
        asked = self._asked.pop(answer.number, None)
        if asked is None or asked.number != answer.number:
            _kill(answer.pid)  # nobody waits for it any more
            return
        asked.pid = answer.pid
        if asked.phase == "ending":
            _kill(answer.pid)
            return
        log.info(
            "watch_started", assignment=asked.id, epoch=asked.epoch, pid=answer.pid, restarts=asked.restarts
        )

    def _heard(self, fd: int) -> None:
        watching = self._by_fd.get(fd)
        if watching is None:
            return
        before = watching.phase
        if not watching.hear():
            self._forget_fd(fd)
        if before == "starting" and watching.phase == "running" and self._degrader.step:
            self._send(watching, {"step": self._degrader.step})

    def _take(self, granted: Granted) -> None:
        base = {
            "memory_bytes": self._settings.watch_memory_bytes,
            "nice": self._settings.nice,
            "allow_private": self._settings.allow_private,
            "catalogue": self._settings.catalogue,
        }
        watching = Watching(
            granted, self._clock, self._sink.put, base=base, secrets_dir=self._settings.secrets_dir
        )
        self._watches[watching.id, watching.epoch] = watching
        if watching.refused:
            log.warning("watch_refused", assignment=watching.id, reason=watching.refused)
        self._start_due()

    def _start_due(self) -> None:
        now = self._clock.monotonic()
        for watching in self._watches.values():
            if watching.phase != "waiting" or watching.due_s > now or watching.refused:
                continue
            number, connection = self._warm.start()
            connection.sendall(pack(watching.config()))
            watching.launched(number, connection)
            self._asked[number] = watching
            self._by_fd[connection.fileno()] = watching
            self._poll.register(connection.fileno(), select.POLLIN)

    def _send(self, watching: Watching, message: Message) -> None:
        if watching.connection is None:
            return
        try:
            watching.connection.send(pack(message))
        except OSError as error:
            log.info("watch_not_told", assignment=watching.id, error=str(error))

    def _unhear(self, watching: Watching) -> None:
        for fd, other in list(self._by_fd.items()):
            if other is watching:
                watching.hear()
                self._forget_fd(fd)

    def _forget_fd(self, fd: int) -> None:
        if self._by_fd.pop(fd, None) is not None:
            self._poll.unregister(fd)

    # --- leases that end -----------------------------------------------------------------------------------------

    def _lost(self, gone: Gone) -> None:
        watching = self._watches.get((gone.assignment, gone.epoch))
        if watching is None:
            return
        log.info("lease_gone", assignment=gone.assignment, epoch=gone.epoch, why=gone.why)
        if gone.why == "changed":
            self._stop(watching, "changed")
            return
        self._stop(watching, gone.why, at_once=True)
        if gone.why != "grace":
            self._sink.forget(watching.id, watching.epoch)

    def _stop(self, watching: Watching, why: str, *, at_once: bool = False) -> None:
        watching.why_ending = why
        watching.ending_s = self._clock.monotonic()
        if watching.phase in ("starting", "running"):
            watching.phase = "ending"
            if watching.pid is not None:
                _signal(watching.pid, signal.SIGKILL if at_once else signal.SIGTERM)
        elif watching.phase != "ending":
            watching.phase = "ended"

    def _hand_over(self, watching: Watching) -> bool:
        """An ended lease whose findings have left, or cannot: give it back; True when it is done with."""
        gives_back = watching.why_ending in ("changed", "behind")
        late = self._clock.monotonic() - watching.ending_s > LAST_WORD_S
        watching.flush_series(None)
        if gives_back and self._sink.waiting(watching.id, watching.epoch) and not late:
            self._sink.wake()
            return False
        if gives_back:
            self._keeper.release(self._settings.name, [self._released(watching)])
        self._sink.finished(watching.id, watching.epoch)
        return True

    def _released(self, watching: Watching) -> Released:
        place = watching.checkpoint(self._sink.done(watching.id, watching.epoch))
        return Released(watching.id, watching.epoch, place)

    # --- looking after -------------------------------------------------------------------------------------------

    def _look_after(self, now: float) -> None:
        for key, watching in list(self._watches.items()):
            if watching.phase == "ended":
                if self._hand_over(watching):
                    del self._watches[key]
                continue
            if watching.phase == "ending" and now - watching.ending_s > END_S and watching.pid is not None:
                _kill(watching.pid)
            elif watching.hung and watching.pid is not None:
                self._hung += 1
                log.warning("watch_hung", assignment=watching.id, seconds=round(now - watching.ticked_s, 1))
                _kill(watching.pid)
                watching.ticked_s = now
            elif watching.phase == "running" and watching.pid is not None:
                self._weigh(watching, now)
        self._start_due()

    def _weigh(self, watching: Watching, now: float) -> None:
        assert watching.pid is not None
        watching.rss = rss_bytes(watching.pid)
        if not watching.first_rss and now - watching.started_s >= GROWTH_FROM_S:
            watching.first_rss = watching.rss
        growth = watching.rss - watching.first_rss if watching.first_rss else 0
        if growth > GROWTH * self._settings.watch_memory_bytes:
            self._recycled += 1
            log.warning("watch_recycled", assignment=watching.id, rss=watching.rss, growth=growth)
            watching.first_rss = watching.rss
            _signal(watching.pid, signal.SIGTERM)

    def _measure(self, now: float) -> None:
        running = [w for w in self._watches.values() if w.pid is not None]
        for watching in _some(running, self._next_share, SHARES_A_ROUND):
            assert watching.pid is not None
            watching.pss = pss_bytes(watching.pid)
        self._next_share += SHARES_A_ROUND
        pids = [os.getpid(), self._warm.pid, *(w.pid for w in running if w.pid is not None)]
        known = [w.pss for w in running if w.pss]
        typical = sum(known) // len(known) if known else 0
        own = rss_bytes(os.getpid()) + rss_bytes(self._warm.pid)
        self._headroom.measure(now, pids, own + sum(w.pss or typical or w.rss for w in running))
        settled = [w for w in running if not w.young]
        if self._degrader.look(now, [w.lag_s for w in settled if not w.blind]):
            self._hand_back()
        if any(w.step != self._degrader.step for w in running):
            for watching in running:
                self._send(watching, {"step": self._degrader.step})
        young = sum(1 for w in self._watches.values() if w.young)
        behind = self._degrader.step > 0 or any(w.lag_s > self._settings.lag_s / 2 for w in settled)
        self._room = 0 if behind else self._headroom.room(len(self._watches), young)

    def _hand_back(self) -> None:
        """Nothing is left to leave out: somebody else shall have the newest watch.

        Where nobody has room for it, it stays: to be watched late is better than not at all.
        """
        live = [w for w in self._watches.values() if w.phase == "running"]
        if len(live) > 1 and self._somebody_has_room():
            newest = max(live, key=lambda w: w.began_s)
            self._handed_back += 1
            log.warning("watch_handed_back", assignment=newest.id, lag_s=newest.lag_s)
            self._stop(newest, "behind")

    def _somebody_has_room(self) -> bool:
        if self._keeper.away_s > SILENT_S:
            return False  # the store would only keep us waiting
        try:
            return self.room_elsewhere()
        except SinkError as error:
            log.warning("workers_not_known", error=str(error)[:200])
            return False

    def _report(self) -> None:
        """Tell the store, through the keeper, and whoever asks for health."""
        now = self._clock.monotonic()
        wall = self._clock.now()
        views = []
        for watching in self._watches.values():
            if watching.phase not in ("ending", "ended"):
                watching.flush_series(wall)
                place = watching.checkpoint(self._sink.done(watching.id, watching.epoch))
                urgent, watching.edges_kept = watching.edges_told != watching.edges_kept, watching.edges_told
                self._keeper.keep(watching.id, place, watching.status(), urgent=urgent)
            views.append(_view(watching, now))
        self.snapshot = Snapshot(
            at_s=now,
            watches=tuple(views),
            step=self._degrader.step,
            cores=self._headroom.cores,
            bytes=self._headroom.bytes,
            room=self._room,
            store_away_s=self._keeper.away_s,
            held=len(self._keeper.held),
            counters={
                "dropped": self._sink.dropped,
                "drawn_together": self._sink.drawn_together,
                "refused": self._sink.refused,
                "accepted": self._sink.accepted,
                "duplicates": self._sink.duplicates,
                "waiting": len(self._sink),
                "hung": self._hung,
                "recycled": self._recycled,
                "handed_back": self._handed_back,
                "round_trips": self._keeper.round_trips,
                "restarts": sum(w.restarts for w in self._watches.values()),
            },
        )

    def _info(self) -> WorkerInfo:
        held = len(self._keeper.held)
        return WorkerInfo(
            worker=self._settings.name,
            group=self._settings.group,
            version=self._version,
            host=self._host,
            started_at=self._started_at,
            capacity=self._settings.most_watches,
            held=held,
            headroom=self._room,
            cpu=round(self._headroom.cpu_use, 3),
            memory=round(self._headroom.memory_use, 3),
            lag_s=max((view.lag_s for view in self.snapshot.watches), default=None),
            draining=self._ending is not None,
        )

    # --- the end -------------------------------------------------------------------------------------------------

    def _finish(self, threads: Sequence[threading.Thread]) -> None:
        """Stop everything, let the last findings out, give the leases back: others have them within a second."""
        began = self._clock.monotonic()
        log.info("worker_ending", reason=self._ending, leases=len(self._watches))
        self._keeper.end()
        for watching in self._watches.values():
            self._stop(watching, "ending")
        while any(w.phase == "ending" for w in self._watches.values()):
            left = END_S - (self._clock.monotonic() - began)
            if left <= 0:
                break
            for fd, _ in self._poll.poll(left * 1000):
                try:
                    if fd == self._warm.fileno():
                        self._answered()
                    elif fd == self._reads:
                        self._drain()
                    else:
                        self._heard(fd)
                except EOFError:
                    left = 0.0
            if not left:
                break
        for watching in self._watches.values():
            if watching.phase == "ending" and watching.pid is not None:
                _kill(watching.pid)
            watching.hear()
            watching.flush_series(None)
        self._sink.end()
        for thread in threads:
            thread.join(FLUSH_S)
        self._sink.flush(FLUSH_S)
        self._keeper.release(self._settings.name, [self._released(w) for w in self._watches.values()])
        self._keeper.goodbye(self._settings.name)
        self._warm.close()
        log.info("worker_ended", seconds=round(self._clock.monotonic() - began, 2), waiting=len(self._sink))


def _view(watching: Watching, now: float) -> WatchView:
    blind = watching.blind.get(None)
    return WatchView(
        watching.id, watching.epoch, watching.phase, watching.pid, watching.frames,
        round(now - watching.frame_s, 2), round(now - watching.ticked_s, 2), watching.lag_s, watching.step,
        blind[0] if blind else None, watching.restarts, watching.rss, watching.pss,
        {n: (c.watched, c.degraded, c.blind, c.cpu_ms_per_s, c.fault) for n, c in watching.coverage.items()},
    )  # fmt: skip


def _some(items: Sequence[Any], start: int, count: int) -> list[Any]:
    return [items[(start + i) % len(items)] for i in range(min(count, len(items)))] if items else []


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return  # it ended by itself; we shall hear of it


def _kill(pid: int) -> None:
    _signal(pid, signal.SIGKILL)


def host_name() -> str:
    """The name of the machine as others see it."""
    return socket.gethostname()[:120]
