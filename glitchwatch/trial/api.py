"""A user of the REST API: onboards streams, follows events, reads coverage. Comes again when the API was away."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from contracts.clock import Clock

READ_S = 25.0  # the API says something every ten seconds
AGAIN_S = 0.5
MOST_EVENTS = 20_000


@dataclass(frozen=True, slots=True)
class Heard:
    """An event, and when it reached us."""

    at: datetime
    data: dict[str, Any]


class Api:
    """One API at `base` (without a path); close it. Raises httpx.HTTPError where not said otherwise."""

    def __init__(self, base: str, key: str, clock: Clock) -> None:
        self.base, self._clock = base, clock
        headers = {"Authorization": f"Bearer {key}"}
        self._client = httpx.Client(base_url=base, headers=headers, timeout=10.0)
        self._events_client = httpx.Client(
            base_url=base, headers=headers, timeout=httpx.Timeout(5.0, read=READ_S)
        )
        self._ended = threading.Event()
        self._heard: queue.Queue[Heard] = queue.Queue(MOST_EVENTS)
        self._position: str | None = None
        self._following = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="events", daemon=True)
        self.interrupted = 0  # how often following had to begin again

    def onboard(self, name: str, url: str) -> str:
        """Make a stream; its id."""
        answer = self._client.post("/v1/streams", json={"name": name, "url": url})
        answer.raise_for_status()
        return str(answer.json()["id"])

    def follow(self, within_s: float = 10.0) -> bool:
        """Begin to follow events; whether the API has answered in time."""
        self._thread.start()
        return self._following.wait(within_s)

    def events(self, wait_s: float) -> Iterator[Heard]:
        """What came since the last call; waits so long for the first."""
        try:
            yield self._heard.get(timeout=wait_s)
            while True:
                yield self._heard.get_nowait()
        except queue.Empty:
            return

    def states(self) -> dict[str, str]:
        """The state of each stream by id."""
        answer = self._client.get("/v1/streams", params={"limit": 200})
        answer.raise_for_status()
        return {row["id"]: row["state"] for row in answer.json()["streams"]}

    def coverage(self, stream: str) -> dict[str, tuple[float, float]]:
        """Media seconds (watched, blind) by detector."""
        answer = self._client.get(f"/v1/streams/{stream}/coverage")
        answer.raise_for_status()
        return {row["detector"]: (row["watched_s"], row["blind_s"]) for row in answer.json()["coverage"]}

    def close(self) -> None:
        """Stop following."""
        self._ended.set()
        self._events_client.close()
        self._client.close()
        if self._thread.ident is not None:
            self._thread.join(2.0)

    def _follow(self) -> None:
        while not self._ended.is_set():
            try:
                self._listen()
            except (httpx.HTTPError, RuntimeError):  # httpx says RuntimeError once it is closed
                self.interrupted += 1
            self._ended.wait(AGAIN_S)

    def _listen(self) -> None:
        headers = {"Last-Event-ID": self._position} if self._position else {}
        with self._events_client.stream("GET", "/v1/events", headers=headers) as answer:
            answer.raise_for_status()
            with closing(answer):
                for line in answer.iter_lines():
                    if line.startswith("id: "):
                        self._position = line[4:]
                        self._following.set()
                    elif line.startswith("data: "):
                        self._heard.put(Heard(self._clock.now(), json.loads(line[6:])))
