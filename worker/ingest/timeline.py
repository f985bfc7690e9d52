"""One monotone timeline for all tracks of an input: clocks are unwrapped, jumps repaired, both reported.

Media time 0 is the first presented sample. Each track keeps an offset from its own clock to the timeline. When a
clock jumps, the track takes over the offset of another track that jumped before it if that fits (so sound and
picture stay as far apart as the source has them), else it goes on where it would have been.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from detectors.events import Break, Tick

NS = 1_000_000_000
MPEG_WRAP_NS = (1 << 33) * NS // 90_000  # 33 bits of a 90 kHz clock: 26.5 hours

JUMP_AHEAD_NS = 10 * NS  # farther ahead than this is another clock, not missing media
JUMP_BACK_NS = 500_000_000  # farther back than this is another clock, not a repeat
AWAY_NS = 120 * NS  # media that nobody read between two readings may be this long
AGAIN_NS = 60 * NS  # and so long what comes once more, where a rendition was behind
ALIGN_NS = 1_500_000_000  # an offset "fits" when it lands this close to where the track stood
TICK_NS = 100_000_000
EVEN_NS = 10_000_000  # time stamps are rounded to a millisecond or so
EPOCHS_REMEMBERED = 8


@dataclass(slots=True)
class TrackClock:
    """Where one track stands. All values in ns; None before its first sample."""

    track: str
    tolerance_ns: int  # a step that differs by less from the expected one is ordinary
    raw_ns: int | None = None  # last unwrapped source time
    offset_ns: int | None = None  # timeline = raw + offset
    end_ns: int | None = None  # timeline: where the next sample is due
    at_ns: int | None = None  # timeline: where the last sample began
    longest_ns: int = 0  # the longest ordinary step lately (a slide show's steps are long)
    step_ns: int = 0  # the last step, ordinary or not
    steady_ns: int = 0  # for how long steps have been even
    steady_needed_ns: int = 0  # only a clock that was even for so long can have a gap
    floor_ns: int | None = None  # where the track stood when its clock was replaced, until it is past that
    delivered_ns: int | None = None  # all media before this has been handed over, samples or not
    limit_ns: int | None = None  # by its playlist, no sample that comes now is later than this


@dataclass(slots=True)
class Placed:
    """Where a sample belongs. `keep` is False when its time was covered already."""

    at_ns: int
    keep: bool
    joins: bool  # it goes on directly from the sample before it
    breaks: list[Break] = field(default_factory=list)


def _steps_over(clock: TrackClock, step_ns: int, delta_ns: int, duration_ns: int) -> bool:
    """Whether the step to the next sample leaves a gap; learns the clock's cadence by the way."""
    steady = clock.steady_ns >= clock.steady_needed_ns
    even = 2 * step_ns <= 3 * duration_ns + EVEN_NS and 3 * step_ns >= duration_ns - EVEN_NS
    clock.steady_ns = clock.steady_ns + step_ns if even else 0
    gap = steady and delta_ns > max(clock.tolerance_ns, 3 * clock.longest_ns)
    if gap:
        clock.longest_ns = max(min(step_ns, clock.step_ns), clock.longest_ns)  # two in a row are a cadence
    else:
        clock.longest_ns = max(step_ns, clock.longest_ns * 31 // 32)
    clock.step_ns = step_ns
    return gap


class Timeline:
    """Places samples of several tracks on one monotone axis."""

    def __init__(self, *, wraps: bool = False, skew_ns: int = 1_500_000_000) -> None:
        """`wraps`: clocks have 33 bits. `skew_ns`: how far one track may lag before its absence is a fact."""
        self.wraps = wraps
        self.skew_ns = skew_ns
        self._clocks: dict[str, TrackClock] = {}
        self._origin_ns: int | None = None
        self._last_tick_ns = 0
        self._resumed_ns: int | None = None
        self._resumed_offset_ns: int | None = None
        self._rebase: dict[str, int] = {}  # track -> epoch whose offset it takes with its next sample
        self._anchors: dict[int, int] = {}  # epoch -> offset
        self._epochs = 0
        self._turn: int | None = None  # how often the clock has wrapped so far

    def clock(self, track: str, tolerance_ns: int, *, steady_needed_ns: int = 0) -> TrackClock:
        """The clock of `track`, made when it is new.

        A step that is longer than expected by more than `tolerance_ns` is a gap, once steps have been even for
        `steady_needed_ns`: pictures of a screen recording or slide show come as they please.
        """
        made = TrackClock(track, tolerance_ns, steady_needed_ns=steady_needed_ns)
        return self._clocks.setdefault(track, made)

    def start(self, raw_ns: int) -> None:
        """Declare which source time is 0; only the first call counts."""
        if self._origin_ns is None:
            self._origin_ns = raw_ns

    def resume(self, position_ns: int, offset_ns: int | None = None, lead_ns: int = 0) -> None:
        """Go on at `position_ns` of an earlier reading: its `offset_ns` is kept if it fits, else the clock is.

        Media of `lead_ns` before that may come once more.
        """
        self._last_tick_ns = position_ns - lead_ns
        self._resumed_ns = position_ns
        self._resumed_offset_ns = offset_ns

    def take_over(self, clock: TrackClock, end_ns: int, offset_ns: int, step_ns: int) -> None:
        """`clock` goes on as an earlier reading left it: up to `end_ns`, its last ordinary step `step_ns` long.

        The first step is no gap: that reading's decoder held its last pictures back, a new one leaves out its first.
        """
        clock.offset_ns, clock.end_ns, clock.at_ns = offset_ns, end_ns, end_ns - max(1, step_ns)
        clock.raw_ns = clock.at_ns - offset_ns
        clock.longest_ns = clock.step_ns = step_ns

    @property
    def offset_ns(self) -> int | None:
        """What leads from source time to the timeline now; None before the first sample."""
        return next((c.offset_ns for c in self._clocks.values() if c.offset_ns is not None), None)

    def rejoin(self) -> None:
        """The source was left and joined again: all clocks are new, and go on where the timeline stands."""
        self._epochs += 1
        self.discontinuity(list(self._clocks), -self._epochs)

    def discontinuity(self, tracks: list[str], epoch: int, at_ns: int = 0) -> None:
        """The source announced a new clock for `tracks`: their next samples go on at the end of these tracks, or at
        `at_ns`, where that is later: behind media that was lost.

        `epoch` counts announcements: tracks of another rendition that reach the same epoch take the same
        offset, so they stay as far apart as the source has them.
        """
        clocks = [self._clocks[t] for t in tracks if t in self._clocks]
        end = max((c.end_ns or 0 for c in clocks), default=0)
        end = max(end, at_ns)
        for clock in clocks:
            clock.end_ns = end
            self._rebase[clock.track] = epoch

    @property
    def reached_ns(self) -> int:
        """The end of the farthest track."""
        stood = max(self._last_tick_ns, self._resumed_ns or 0)
        return max((c.end_ns for c in self._clocks.values() if c.end_ns is not None), default=stood)

    def place(self, clock: TrackClock, raw_ns: int, duration_ns: int) -> Placed:
        """Where the sample with source time `raw_ns` lies."""
        breaks: list[Break] = []
        raw_ns = self._unwrap(clock, raw_ns, breaks)
        if clock.offset_ns is None or clock.track in self._rebase:
            self._take_offset(clock, raw_ns)
        assert clock.offset_ns is not None
        at = raw_ns + clock.offset_ns
        if clock.floor_ns is not None:
            # A new clock, announced, may put its first samples where the track has been: dropped, and no defect.
            if clock.floor_ns - JUMP_BACK_NS <= at <= clock.floor_ns:
                clock.raw_ns = raw_ns
                return Placed(at, keep=False, joins=False, breaks=breaks)
            if at < clock.floor_ns:
                clock.at_ns = clock.floor_ns
            clock.floor_ns = None
        joins = clock.at_ns is not None
        if clock.end_ns is not None and clock.at_ns is not None:
            delta = at - clock.end_ns
            back = at < clock.at_ns - JUMP_BACK_NS
            if back or self._strays(clock, at, delta):
                at = self._jump(clock, raw_ns, delta, breaks)
                delta = at - clock.end_ns
                joins = False
            if at <= clock.at_ns:
                clock.raw_ns = raw_ns
                breaks.append(Break(max(clock.end_ns, 0), clock.track, "overlap", delta))
                return Placed(at, keep=False, joins=True, breaks=breaks)
            if _steps_over(clock, at - clock.at_ns, delta, duration_ns):
                breaks.append(Break(max(clock.end_ns, 0), clock.track, "gap", delta))
                joins = False
        clock.raw_ns, clock.at_ns, clock.end_ns = raw_ns, at, at + duration_ns
        return Placed(at, keep=at + duration_ns > 0, joins=joins, breaks=breaks)

    def estimate(self, clock: TrackClock, raw_ns: int) -> int:
        """Where a sample with source time `raw_ns` lies if the clock goes on as it did, else where the clock stands."""
        offset = clock.offset_ns
        if offset is None and self._origin_ns is not None:
            offset = -self._origin_ns
        stands = clock.end_ns or 0
        if offset is None or not stands <= raw_ns + offset <= stands + JUMP_AHEAD_NS:
            return stands
        return raw_ns + offset

    def _strays(self, clock: TrackClock, at_ns: int, delta_ns: int) -> bool:
        """Whether a step ahead leads to where no track and no delivery has come near: then the clock has jumped."""
        if delta_ns <= ALIGN_NS:
            return False  # the track itself has come near
        due = max(clock.end_ns or 0, clock.delivered_ns or 0)
        if at_ns > due + ALIGN_NS and self._jumped_before(clock, at_ns - (clock.offset_ns or 0)) is not None:
            return True  # where the others stand now is by their new clocks
        known = [
            max(c.end_ns or 0, c.delivered_ns or 0) for c in self._clocks.values() if c.end_ns is not None
        ]
        if max(known) >= at_ns - ALIGN_NS:
            return False
        if clock.limit_ns is not None:
            return at_ns > clock.limit_ns
        return delta_ns > (ALIGN_NS if len(known) > 1 else JUMP_AHEAD_NS)

    def delivered(self, track: str, at_ns: int) -> None:
        """All media of `track` before `at_ns` has been handed over, whether it held samples or not."""
        clock = self._clocks.get(track)
        if clock is not None:
            clock.delivered_ns = max(clock.delivered_ns or 0, at_ns)

    def limit(self, track: str, at_ns: int | None) -> None:
        """No sample of `track` that comes now is due after `at_ns`: a later one has another clock. None: unknown."""
        clock = self._clocks.get(track)
        if clock is not None:
            clock.limit_ns = at_ns

    def ticks(self) -> list[Tick]:
        """The clock's ticks that have become due: see `Tick`."""
        least, most = -1, 0
        for clock in self._clocks.values():  # asked after each packet
            reached, delivered = clock.end_ns or 0, clock.delivered_ns
            if delivered is not None and delivered > reached:
                reached = delivered
            if least < 0 or reached < least:
                least = reached
            most = max(most, reached)
        return [] if least < 0 else self.tick_to(max(least, most - self.skew_ns))

    def tick_to(self, at_ns: int) -> list[Tick]:
        """One tick at `at_ns`, when at least a tick's length has passed since the last."""
        if at_ns - self._last_tick_ns < TICK_NS:
            return []
        self._last_tick_ns = at_ns
        return [Tick(at_ns)]

    def _unwrap(self, clock: TrackClock, raw_ns: int, breaks: list[Break]) -> int:
        if not self.wraps:
            return raw_ns
        near = clock.raw_ns
        if near is None:
            kept = self._resumed_offset_ns
            before = raw_ns if kept is None or self._resumed_ns is None else self._resumed_ns - kept
            near = next((c.raw_ns for c in self._clocks.values() if c.raw_ns is not None), before)
        unwrapped = raw_ns + round((near - raw_ns) / MPEG_WRAP_NS) * MPEG_WRAP_NS
        turn = unwrapped // MPEG_WRAP_NS
        if self._turn is not None and turn > self._turn:
            breaks.append(Break(max(clock.end_ns or 0, 0), clock.track, "wrap", -MPEG_WRAP_NS))
        self._turn = turn if self._turn is None else max(turn, self._turn)
        return unwrapped

    def _take_offset(self, clock: TrackClock, raw_ns: int) -> None:
        epoch = self._rebase.pop(clock.track, None)
        if epoch is not None:
            due = clock.end_ns or 0
            anchor = self._anchors.get(epoch)
            if anchor is None or not -JUMP_BACK_NS <= raw_ns + anchor - due <= JUMP_AHEAD_NS:
                anchor = due - raw_ns
                self._anchors[epoch] = anchor
                while len(self._anchors) > EPOCHS_REMEMBERED:
                    self._anchors.pop(next(iter(self._anchors)))
            clock.offset_ns = anchor
            if clock.at_ns is not None:
                clock.floor_ns = clock.at_ns
            clock.at_ns = None  # the sample before belongs to another clock
            return
        others = [c.offset_ns for c in self._clocks.values() if c.offset_ns is not None]
        if others:
            clock.offset_ns = others[-1]
        elif self._resumed_ns is not None:
            kept, due = self._resumed_offset_ns, max(self._resumed_ns, clock.delivered_ns or 0)
            lost, least, most = due - self._resumed_ns, AGAIN_NS, AWAY_NS
            if lost:  # then nothing comes once more, and it is known about how much was left out
                least, most = ALIGN_NS, max(ALIGN_NS, lost // 2)
            fits = kept is not None and -least <= raw_ns + kept - due <= most
            clock.offset_ns = kept if fits else due - raw_ns
        else:
            self.start(raw_ns)
            assert self._origin_ns is not None
            clock.offset_ns = -self._origin_ns

    def _jump(self, clock: TrackClock, raw_ns: int, delta_ns: int, breaks: list[Break]) -> int:
        assert clock.end_ns is not None
        due = max(clock.end_ns, clock.delivered_ns or 0)  # behind media that was lost
        delta_ns += clock.end_ns - due
        offset = self._jumped_before(clock, raw_ns)
        clock.offset_ns = due - raw_ns if offset is None else offset
        breaks.append(Break(max(due, 0), clock.track, "jump", delta_ns))
        return max(raw_ns + clock.offset_ns, (clock.at_ns or 0) + 1)

    def _jumped_before(self, clock: TrackClock, raw_ns: int) -> int | None:
        """The offset of another track, which has jumped, with which the sample at `raw_ns` goes on where it is due."""
        due = max(clock.end_ns or 0, clock.delivered_ns or 0)
        for other in self._clocks.values():
            if other.offset_ns is None or other.offset_ns == clock.offset_ns:
                continue  # it has not jumped
            if abs(raw_ns + other.offset_ns - due) <= ALIGN_NS:
                return other.offset_ns
        return None
