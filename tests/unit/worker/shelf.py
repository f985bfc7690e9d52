"""A live channel that is stepped by hand, and watches of it one after the other: what one leaves, the next is given."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from contracts.clock import ManualClock, SystemClock
from contracts.findings import Edge
from detectors.events import Event, Fetch
from glitchwatch.origin.channel import Channel, ChannelSpec
from glitchwatch.origin.faults import KINDS, Fault, Schedule
from worker.child import Child
from worker.frames import Message, Unpacker
from worker.frames import edge as edge_of

SEGMENT_S = 2
PATIENCE_S = 30.0
QUIET_S = 0.2  # nothing but playlists for so long: all that there is has been handed out
LISTED = 12  # segments


class Shelf:
    """Serves the first `made` segments of a channel: all of them, or the last LISTED once `window` is set."""

    def __init__(self, *faults: Fault, muxed: bool, clock_start_s: float = 3600.0) -> None:
        self.window = False
        self.made = 0
        self._media: dict[str, bytes] = {}
        self._lost: set[str] = set()
        self.load(*faults, muxed=muxed, clock_start_s=clock_start_s)

    def load(self, *faults: Fault, muxed: bool, clock_start_s: float = 3600.0) -> None:
        """Another channel at the same address, numbered from 0, as an origin that was started anew has."""
        spec = ChannelSpec(
            "x", seed=3, width=160, height=96, muxed=muxed, clock_start_s=clock_start_s, kept=64, listed=64
        )
        self._channel = Channel(spec, Schedule(faults), ManualClock())

    def make(self, seconds: float) -> None:
        """Media up to there is on the shelf; `made` says how much of it is listed."""
        while self._channel.made * SEGMENT_S < seconds:
            self._channel.step()
            number = self._channel.made - 1
            for name, window in self._channel.windows.items():
                segment = window.find(window.uri(number))
                assert segment is not None
                self._media[window.uri(number)] = segment.data
                if segment.init is not None:
                    self._media[segment.init] = window.init(segment.init) or b""
                if name == "picture" and self._channel.segment_fault(segment) is not None:
                    self._lost.add(window.uri(number))

    def answer(self, path: str) -> bytes | None:
        """What lies at that path; None is a 404."""
        stem, _, suffix = path.rpartition(".")
        if path == "master.m3u8":
            return self._channel.master.encode()
        if suffix == "m3u8":
            return self._playlist(stem).encode()
        return None if path in self._lost else self._media.get(path)

    def _playlist(self, name: str) -> str:
        """The channel's own, cut to what is listed now."""
        head, *entries = self._channel.windows[name].text.split("#EXT-X-PROGRAM-DATE-TIME")
        lines = head.splitlines()
        # Tags that belong to a segment stand before its date.
        tags: list[list[str]] = [[]]
        first = next((i for i, line in enumerate(lines) if line.startswith("#EXT-X-MAP")), len(lines))
        tags[0] = lines[first:]
        lines = lines[:first]
        bodies = []
        for entry in entries:
            rows = entry.splitlines()
            bodies.append(["#EXT-X-PROGRAM-DATE-TIME" + rows[0], *rows[1:3]])
            tags.append(rows[3:])
        begin = max(0, self.made - LISTED) if self.window else 0
        gone = sum("#EXT-X-DISCONTINUITY" in t for t in tags[:begin])
        maps = [t for group in tags[: begin + 1] for t in group if t.startswith("#EXT-X-MAP")]
        out = [line for line in lines if "SEQUENCE" not in line]
        out += [f"#EXT-X-MEDIA-SEQUENCE:{begin}", f"#EXT-X-DISCONTINUITY-SEQUENCE:{gone}", *maps[-1:]]
        for number in range(begin, self.made):
            group = tags[number]
            out += [t for t in group if number > begin or not t.startswith("#EXT-X-MAP")] + bodies[number]
        return "\n".join(out) + "\n"

    @property
    def renditions(self) -> tuple[str, ...]:
        """As the reading names them."""
        return ("main-96p-2500000",) if self._channel.spec.muxed else ("main-96p-2500000", "audio-sound-en")

    def close(self) -> None:
        """Let the encoders go."""
        self._channel.close()


@contextmanager
def served(shelf: Shelf) -> Iterator[str]:
    """Its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else each answer waits 40 ms for the acknowledgement of its head

        def log_message(self, *args: Any) -> None:
            """Nothing is logged."""

        def do_GET(self) -> None:
            body = shelf.answer(self.path.lstrip("/"))
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
        shelf.close()


class _Once(Child):
    """Ends when it has read all that there is, of each of the stages."""

    def arrange(self, shelf: Shelf, stages: Sequence[int]) -> None:
        """Only the last segment's numbers count: a lost one is done with, too."""
        self._shelf, self._stages = shelf, list(stages)
        self._wanted = len(shelf.renditions) if self._url.endswith("master.m3u8") else 1
        self._until_s = self._clock.monotonic() + PATIENCE_S
        self._quiet_s = 0.0
        self._next()

    def _next(self) -> None:
        self._shelf.made = self._stages.pop(0)

    def _turn(self, event: Event | None) -> None:
        super()._turn(event)
        now_s = self._clock.monotonic()
        self._tell()
        assert now_s < self._until_s, "it never came to the end"
        if not (event is None or (isinstance(event, Fetch) and event.what == "playlist")):
            self._quiet_s = now_s  # playlists come so often that there need be no idle moment at all
        if now_s - self._quiet_s < QUIET_S or self._reading is None:
            return
        marks = (self._reading.checkpoint() or {}).get("renditions", {})
        read = [mark[0] for mark in marks.values()]
        if len(read) >= self._wanted and all(number == self._shelf.made - 1 for number in read):
            if self._stages:
                self._next()
            else:
                self._stopping_s = now_s


@dataclass(frozen=True, slots=True)
class Story:
    """All that one watch said, message by message."""

    messages: list[Message]

    @property
    def left(self) -> Message:
        """What the next watch is given, as it comes out of the store."""
        last = self.messages[-1]
        return dict(json.loads(json.dumps({"checkpoint": last["checkpoint"], "open": last["open"]})))


def watch(
    url: str, shelf: Shelf, *stages: int, left: Message | None = None, detectors: Sequence[str] = (),
    playlist: str = "master",
) -> Story:  # fmt: skip
    """One watch: reads on until it has come to the end of what is listed once so many segments were made, in turn.

    Without `left` it begins with the first segment.
    """
    ours, theirs = socket.socketpair()
    unpacker, heard = Unpacker(), list[Message]()

    def hear() -> None:
        while data := ours.recv(1 << 20):
            heard.extend(unpacker.feed(data))

    listening = threading.Thread(target=hear, daemon=True)
    listening.start()
    names = shelf.renditions if playlist == "master" else ("main",)
    marks = {name: [-1, 0, 0] for name in names}
    first: Message = {"checkpoint": {"reading": {"renditions": marks, "position_ns": 0, "same_since_ns": 0}}}
    config = {
        "url": f"{url}/{playlist}.m3u8", "allow_private": True, "group": {"detectors": list(detectors)},
        **(left or first),
    }  # fmt: skip
    child = _Once(config, theirs, SystemClock())
    child.arrange(shelf, stages)
    try:
        child.run()
    finally:
        if child._reading is not None:
            child._reading.close()
        theirs.close()
        listening.join(5)
        ours.close()
    return Story(heard)


def told(*stories: Story) -> list[tuple[str, str | None, float, float | None]]:
    """Defects as somebody who listened to all has them: (defect, track, start, end), in media seconds.

    Consequences of others and blindness are left out; a defect told twice, or ended without a beginning, fails.
    """
    opened: dict[Any, list[Any]] = {}
    found = []
    for data in (edge for story in stories for message in story.messages for edge in message["edges"]):
        said = edge_of({k: v for k, v in data.items() if k not in ("family", "mode", "start_ns")})
        if said.edge is Edge.OPENED:
            assert said.key not in opened, f"{said.key} was opened twice"
            opened[said.key] = [said.defect, said.track, round(said.at_ns / 1e9, 1), None, None]
            found.append(opened[said.key])
        row = opened[said.key]
        row[4] = said.suppressed_by
        if said.edge is Edge.CLOSED:
            row[3] = round(said.at_ns / 1e9, 1)
            del opened[said.key]
    return [tuple(row[:4]) for row in found if row[4] is None and not row[0].startswith("source_")]


def fault(name: str, start_s: float, end_s: float, draw: float = 0.3) -> Fault:
    """One fault at media seconds of its channel."""
    return Fault(KINDS[name], start_s, end_s, draw)
