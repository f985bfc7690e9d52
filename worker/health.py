"""What a worker answers when asked how it does: /healthz for schedulers, /metrics for Prometheus.

Health is pictures decoded: a worker whose watches could see and decode nothing is ill, however well its loops turn.
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from contracts import metrics
from contracts.metrics import Metric
from worker.supervisor import Snapshot, WatchView

STALE_S = 10.0  # the main thread looks after everything twice a second
DECODED_S = 30.0  # a watch that can see brings a picture in this time
ILL_SHARE = 0.5  # of the watches that can see


def health(snapshot: Snapshot, now_s: float, beats_s: float) -> tuple[bool, dict[str, Any]]:
    """Whether the worker is well, and why: both threads alive, and pictures decoded by most watches that can see."""
    seeing = [w for w in snapshot.watches if w.blind is None and w.phase == "running"]
    dark = [w for w in seeing if w.frame_age_s > DECODED_S]
    ill = []
    if now_s - snapshot.at_s > STALE_S:
        ill.append(f"the main loop stands still for {now_s - snapshot.at_s:.0f} s")
    if now_s - beats_s > STALE_S:
        ill.append(f"no lease was renewed for {now_s - beats_s:.0f} s")
    if seeing and len(dark) > ILL_SHARE * len(seeing):
        ill.append(f"{len(dark)} of {len(seeing)} watches that can see decode nothing")
    return not ill, {
        "status": "ill" if ill else "well",
        "why": ill,
        "watches": len(snapshot.watches),
        "decoding": len(seeing) - len(dark),
        "blind": sum(1 for w in snapshot.watches if w.blind is not None),
        "step": snapshot.step,
        "store_away_s": round(snapshot.store_away_s, 1),
        "each": [
            {
                "assignment": w.assignment, "phase": w.phase, "frames": w.frames, "frame_age_s": w.frame_age_s,
                "tick_age_s": w.tick_age_s, "lag_s": w.lag_s, "blind": w.blind, "restarts": w.restarts, "pid": w.pid,
                "pss": w.pss,
            }
            for w in snapshot.watches
        ],
    }  # fmt: skip


def exposition(snapshot: Snapshot) -> str:
    """The metrics as Prometheus reads them (text format 0.0.4)."""
    lines: list[str] = []
    for metric, samples in _samples(snapshot):
        lines.append(f"# HELP {metric.name} {metric.meaning}")
        lines.append(f"# TYPE {metric.name} {metric.type}")
        for labels, value in samples:
            named = ",".join(f'{k}="{_escaped(v)}"' for k, v in zip(metric.labels, labels, strict=True))
            lines.append(f"{metric.name}{'{' + named + '}' if named else ''} {value:.12g}")
    return "\n".join(lines) + "\n"


Samples = list[tuple[tuple[str, ...], float]]


def _samples(snapshot: Snapshot) -> Iterator[tuple[Metric, Samples]]:
    watches, count = snapshot.watches, snapshot.counters
    sums: dict[str, dict[str, float]] = {
        key: defaultdict(float) for key in ("watched", "degraded", "cpu", "fault")
    }
    blind: dict[str, float] = defaultdict(float)
    for watch in watches:
        longest = 0
        for name, (watched, degraded, unseen, cpu_ms_per_s, fault) in watch.coverage.items():
            sums["watched"][name] += watched / 1000
            sums["degraded"][name] += degraded / 1000
            sums["cpu"][name] += watched / 1000 * cpu_ms_per_s / 1000
            sums["fault"][name] += fault is not None
            longest = max(longest, unseen) if fault is None else longest
        blind[watch.blind or "past"] += longest / 1000
    phases: dict[str, float] = defaultdict(float)
    for watch in watches:
        phases[watch.phase] += 1

    def by(values: dict[str, float]) -> Samples:
        return [((name,), value) for name, value in sorted(values.items())]

    yield metrics.DETECTOR_CPU, by(sums["cpu"])
    yield metrics.WATCHED, by(sums["watched"])
    yield metrics.DEGRADED, by(sums["degraded"])
    yield metrics.FAULTS, by(sums["fault"])
    yield metrics.BLIND, by(blind)
    yield metrics.WATCHES, by(phases)
    yield metrics.FINDINGS, by({k: float(count.get(k, 0)) for k in ("accepted", "duplicates", "refused")})
    for metric, value in (
        (metrics.FRAMES, sum(w.frames for w in watches)),
        (metrics.LAG, max((w.lag_s for w in watches), default=0.0)),
        (metrics.FRAME_AGE, max((_age(w) for w in watches), default=0.0)),
        (metrics.DEGRADATION, snapshot.step),
        (metrics.RESTARTS, count.get("restarts", 0)),
        (metrics.HUNG, count.get("hung", 0)),
        (metrics.RECYCLED, count.get("recycled", 0)),
        (metrics.HANDED_BACK, count.get("handed_back", 0)),
        (metrics.FINDINGS_DROPPED, count.get("dropped", 0)),
        (metrics.FINDINGS_WAITING, count.get("waiting", 0)),
        (metrics.STORE_AWAY, snapshot.store_away_s),
        (metrics.CORES, snapshot.cores),
        (metrics.MEMORY, snapshot.bytes),
        (metrics.ROOM, snapshot.room),
    ):
        yield metric, [((), float(value))]


def _age(watch: WatchView) -> float:
    return watch.frame_age_s if watch.blind is None else 0.0


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


class HealthServer:
    """Answers GET /healthz and /metrics until closed."""

    def __init__(
        self, host: str, port: int, snapshot: Callable[[], Snapshot], monotonic: Callable[[], float],
        beats_s: Callable[[], float],
    ) -> None:  # fmt: skip
        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                if path == "/healthz":
                    well, body = health(snapshot(), monotonic(), beats_s())
                    self._reply(200 if well else 503, "application/json", json.dumps(body))
                elif path == "/metrics":
                    self._reply(200, "text/plain; version=0.0.4; charset=utf-8", exposition(snapshot()))
                else:
                    self._reply(404, "text/plain", "Ask for /healthz or /metrics.\n")

            def _reply(self, status: int, kind: str, text: str) -> None:
                body = text.encode()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it
                """Nothing is printed."""

        self._server = ThreadingHTTPServer((host, port), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
