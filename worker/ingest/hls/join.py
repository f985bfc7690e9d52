"""Several renditions, each fetched ahead in its own thread, handed over as one flow ordered by media time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from contracts.clock import Clock
from detectors.events import Source
from worker.ingest.hls.items import Mark, Segment
from worker.ingest.hls.net import Stopped
from worker.ingest.hls.playlist import NS
from worker.ingest.hls.steps import Step, Trouble

MAX_SEGMENTS = 3
MAX_BYTES = 64 * 1024 * 1024
MAX_STEPS = 256
REPEAT_S = 1.0
PATIENCE = 0.25  # of the time that a lane alone was silent before it counted as blind
SETTLED_S = 3.0  # one blindness stays one: another cause is told once it has lasted so long


@dataclass(eq=False, slots=True)
class Lane:
    """What one rendition's thread has fetched ahead. `reached_ns` is where its handed-over media ends."""

    name: str
    track: str | None = None
    reached_ns: int = 0
    mark: Mark | None = None
    blind: bool = False
    done: bool = False
    error: BaseException | None = None
    steps: deque[Step] = field(default_factory=deque)
    segments: int = 0
    size: int = 0

    def full(self, more: int) -> bool:
        """Whether `more` bytes of media have to wait."""
        if not more:
            return len(self.steps) >= MAX_STEPS
        return self.segments >= MAX_SEGMENTS or (self.segments > 0 and self.size + more > MAX_BYTES)


class Joiner:
    """The lanes and their common lock."""

    def __init__(self, stop: threading.Event) -> None:
        self._changed = threading.Condition()
        self._stop = stop
        self.lanes: list[Lane] = []

    def add(self, *lanes: Lane) -> None:
        """New lanes take part from now on."""
        with self._changed:
            self.lanes.extend(lanes)
            self._changed.notify_all()

    def put(self, lane: Lane, step: Step) -> None:
        """Hand a step to the consumer; waits while the lane is full, raises Stopped at the end."""
        size = _size(step)
        with self._changed:
            while lane.full(size) and not self._stop.is_set():
                self._changed.wait()
            if self._stop.is_set():
                raise Stopped
            lane.steps.append(step)
            lane.size += size
            lane.segments += isinstance(step.item, Segment)
            self._changed.notify_all()

    def finish(self, lane: Lane, error: BaseException | None = None) -> None:
        """Nothing more will come in `lane`."""
        with self._changed:
            lane.done, lane.error = True, error
            self._changed.notify_all()

    def wake(self) -> None:
        """Make everyone look at the stop event."""
        with self._changed:
            self._changed.notify_all()

    def take(self, seconds: float) -> tuple[Lane, Step] | None:
        """The next step of all, or None when there is none within `seconds`. Raises what a thread died of."""
        with self._changed:
            lane = self._next()
            if lane is None and not self.finished:
                self._changed.wait(seconds)
                lane = self._next()
            if lane is None:
                return None
            step = lane.steps.popleft()
            lane.size -= _size(step)
            lane.segments -= isinstance(step.item, Segment)
            if step.mark is not None:
                lane.mark, lane.reached_ns = step.mark, step.mark.end_ns
            if isinstance(step.item, Trouble):
                lane.blind = step.item.code is not None
            self._changed.notify_all()
            return lane, step

    @property
    def finished(self) -> bool:
        """Whether all lanes have ended and been emptied."""
        return all(lane.done and not lane.steps for lane in self.lanes)

    def _next(self) -> Lane | None:
        for lane in self.lanes:
            if lane.error is not None and not lane.steps:
                raise lane.error
            if lane.steps and not isinstance(lane.steps[0].item, Segment):
                return lane
        return self._earliest()

    def _earliest(self) -> Lane | None:
        """The lane with the earliest segment, unless another one that still sees is due to bring an earlier."""
        heads = [(item.at_ns, i) for i, lane in enumerate(self.lanes) if (item := _head(lane)) is not None]
        if not heads:
            return None
        at_ns, index = min(heads)
        head = _head(self.lanes[index])
        assert head is not None
        for other in self.lanes:
            due = not other.steps and not other.done and not other.blind
            if due and other.reached_ns + head.duration_ns // 2 < at_ns:
                return None
        return self.lanes[index]


def _head(lane: Lane) -> Segment | None:
    item = lane.steps[0].item if lane.steps else None
    return item if isinstance(item, Segment) else None


def _size(step: Step) -> int:
    item = step.item
    return max(1, len(item.data) + len(item.init or b"")) if isinstance(item, Segment) else 0


@dataclass(slots=True)
class _Heard:
    """A lane's trouble, and from when on it is told for that lane alone."""

    track: str | None
    trouble: Trouble
    patience_s: float
    from_s: float


@dataclass(slots=True)
class _Dark:
    """One running blindness as it is told."""

    trouble: Trouble
    stop_ns: int
    since_s: float
    next_s: float
    other_s: float | None = None  # since when another cause is heard

    def cause(self, heard: Trouble, now_s: float) -> Trouble:
        """What it is told as: a source that comes back says much in its first moments."""
        if heard.code == self.trouble.code:
            self.other_s = None
            return heard
        self.other_s = now_s if self.other_s is None else self.other_s
        return heard if now_s - self.other_s >= SETTLED_S else self.trouble


class Sight:
    """Turns the lanes' troubles into Source events: at their beginning, each second, and at their end.

    They are dated where media stopped plus the wall time since. A cause that changes is told once the new one has
    lasted SETTLED_S. When all lanes are blind that is told once, without a track; a lane alone is told a little later,
    since the others often follow at once.
    """

    def __init__(self, clock: Clock, position_ns: Callable[[], int]) -> None:
        self._clock, self._position_ns = clock, position_ns
        self._heard: dict[str, _Heard] = {}
        self._dark: dict[str | None, _Dark] = {}

    def learn(self, lane: Lane, trouble: Trouble, lanes: list[Lane]) -> list[Source]:
        """`lane` became blind, is so for another reason, or sees again."""
        now_s = self._clock.monotonic()
        before = self._heard.pop(lane.name, None)
        if trouble.code is not None:
            patience_s = PATIENCE * (now_s - trouble.since_s)
            if before is None:
                before = _Heard(lane.track, trouble, patience_s, now_s + patience_s)
            before.trouble = trouble
            self._heard[lane.name] = before
        return self.due(lanes)

    def due(self, lanes: list[Lane]) -> list[Source]:
        """The events that are due now, with these lanes taking part."""
        now_s = self._clock.monotonic()
        wanted = self._wanted(lanes, now_s)
        events: list[Source] = []
        for track, trouble in wanted.items():
            dark = self._dark.get(track)
            if dark is None:
                dark = self._dark[track] = _Dark(trouble, self._position_ns(), trouble.since_s, now_s)
                events.append(Source(dark.stop_ns, trouble.code, self.explain(trouble), track))
            else:
                trouble = dark.cause(trouble, now_s)  # noqa: PLW2901
                if dark.trouble == trouble and now_s < dark.next_s:
                    continue
            dark.trouble, dark.next_s = trouble, now_s + REPEAT_S
            events.append(Source(self._at_ns(dark, now_s), trouble.code, self.explain(trouble), track))
        for track in [t for t in self._dark if t not in wanted]:
            dark = self._dark.pop(track)
            events.append(Source(self._at_ns(dark, now_s), None, track=track))
        return events

    @property
    def total(self) -> tuple[Trouble, float] | None:
        """The blindness of the input as a whole and its length in seconds, if there is one."""
        dark = self._dark.get(None)
        return (dark.trouble, self._clock.monotonic() - dark.since_s) if dark else None

    def explain(self, trouble: Trouble) -> str:
        """The trouble as a sentence."""
        seconds = self._clock.monotonic() - trouble.since_s
        return f"{seconds:.0f} s {trouble.words}" if trouble.counted else trouble.words

    def _wanted(self, lanes: list[Lane], now_s: float) -> dict[str | None, Trouble]:
        """What should be told: the input's blindness, or that of single lanes."""
        whole = [h.trouble for h in self._heard.values() if h.track is None]
        running = [lane.name for lane in lanes if not lane.done or lane.steps]
        if not whole and running and all(name in self._heard for name in running):
            since_s = max(self._heard[name].trouble.since_s for name in running)
            whole = [replace(self._heard[running[0]].trouble, since_s=since_s)]
        if not whole and None in self._dark:  # the first lane sees again: give the others their time
            for heard in self._heard.values():
                heard.from_s = now_s + heard.patience_s
        wanted: dict[str | None, Trouble] = {None: whole[-1]} if whole else {}
        for heard in self._heard.values():
            alone = not whole and now_s >= heard.from_s
            if heard.track is not None and (alone or heard.track in self._dark):
                wanted[heard.track] = heard.trouble
        return wanted

    def _at_ns(self, dark: _Dark, now_s: float) -> int:
        return dark.stop_ns + max(0, round((now_s - dark.since_s) * NS))
