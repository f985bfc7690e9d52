"""One channel is dead while another plays.

Measures  channel_level    dBFS, once a second for each channel: its loudest 10 ms (root mean square).
Defect    channel_silence  a channel stays at or below `max_dbfs` while another plays `margin_db` above that for
          `min_seconds` in all (`never_seconds` where it has not been heard lately, `other_seconds` for centre and
          surrounds). Dated to 10 ms at the later of the channel's last sound and the other's first; it ends with
          the channel's return, or where the others end for `rest_seconds`.
Blind to  the LFE channel, and centre or surround channels that were never heard: they are legitimately quiet. A dead
          channel that hums above `max_dbfs`; one channel copied over another; mono tracks; hard-panned passages
          shorter than `min_seconds`.
Source    EBU QC 0078B, asked of each channel; the times are practice: hard-panned openings last a second or two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import Field

from contracts.findings import DefectEdge, Finding, Measurement, Severity
from detectors.detector import Detector, Params, Scope
from detectors.frame import SoundView
from detectors.hold import Hold
from detectors.sound._runs import runs
from detectors.sound_features import FRONT, LEVELS, LFE, decibels

SECOND = 1_000_000_000
LATELY_NS = 30 * SECOND  # a channel heard within this time is known to carry sound
KNOWN_NS = SECOND  # of sound makes a channel known
CLICK_NS = 20_000_000
HOLE_NS = 500_000_000


class ChannelSilenceParams(Params):
    """How quiet, for how long, and how loud the others must be."""

    max_dbfs: float = Field(default=-60.0, ge=-100, le=-20, description="dBFS, root mean square over 10 ms")
    margin_db: float = Field(
        default=20.0, ge=0, le=60, description="dB above max_dbfs at which another channel plays"
    )
    min_seconds: float = Field(
        default=3.0,
        ge=0.5,
        le=600,
        description="seconds of the others' sound, for left or right that was heard",
    )
    never_seconds: float = Field(
        default=8.0,
        ge=0.5,
        le=600,
        description="seconds of the others' sound, for left or right not heard lately",
    )
    other_seconds: float = Field(
        default=20.0, ge=0.5, le=3600, description="seconds of the others' sound, for centre and surrounds"
    )
    rest_seconds: float = Field(
        default=5.0, ge=0.5, le=60, description="seconds in which no channel plays that end it"
    )


@dataclass(slots=True)
class _Channel:
    """What is known of one channel."""

    hold: Hold
    front: bool
    dead_ns: int | None = None  # since when it has been dead while another played
    played_ns: int = 0  # how long another has played since
    heard_ns: int = 0  # how long it was heard, up to what makes it known
    last_heard_ns: int | None = None
    lapse_ns: int = 0
    loudest: float = 0.0


class ChannelSilence(Detector[ChannelSilenceParams]):
    """The channels of one track against each other."""

    id = "channel_silence"
    scope = Scope.AUDIO
    needs = (LEVELS,)
    suppressed_by = ("silence",)
    Params = ChannelSilenceParams

    def __init__(self, params: ChannelSilenceParams, track: str | None) -> None:
        super().__init__(params, track)
        self._ceiling = 10 ** (params.max_dbfs / 10)
        self._playing = 10 ** ((params.max_dbfs + params.margin_db) / 10)
        self._channels: dict[str, _Channel] = {}
        self._layout: tuple[str, ...] = ()
        self._end_ns = 0
        self._rest_since_ns: int | None = None  # since when nobody has played
        self._blocks = 0
        self._adopted: set[str] = set()

    def adopt(self, edge: DefectEdge) -> None:
        """That channel was known to carry sound."""
        self._adopted |= {edge.channel} if edge.channel else set()

    def sound(self, view: SoundView) -> Iterator[Finding]:
        if view.channels != self._layout or abs(view.at_ns - self._end_ns) > HOLE_NS:
            yield from self._restart(view.channels, view.at_ns)
        self._end_ns = view.end_ns
        self._blocks += 1
        if not self._channels:
            return
        powers: list[list[float]] = view[
            LEVELS
        ].mean_square.tolist()  # so few are looked at sooner one by one
        loudest = [max(step) for step in zip(*powers, strict=True)]
        playing = sum(loudest) / len(loudest) > self._playing
        if playing:
            self._rest_since_ns = None
        elif self._rest_since_ns is None:
            self._rest_since_ns = view.at_ns
        for row, name in enumerate(view.channels):
            channel = self._channels.get(name)
            if channel is None:
                continue
            own = powers[row]
            channel.loudest = max(channel.loudest, *own)
            for start, end, first, last, dead in runs(
                [power <= self._ceiling for power in own], view.at_ns, view.end_ns
            ):
                if not dead:
                    yield from self._heard(channel, start, end)
                elif playing:
                    over = next((n for n in range(first, last) if loudest[n] > self._playing), first) - first
                    begun = start + (end - start) * over // (last - first)
                    yield from self._dead(channel, begun, start, end, max(own[first:last]))
            yield from self._rested(channel, view.end_ns)
            if self._blocks % 10 == 0:
                level = decibels(channel.loudest)
                yield Measurement("channel_level", level, "dBFS", view.end_ns, self.track, name)
                channel.loudest = 0.0

    def _restart(self, layout: tuple[str, ...], at_ns: int) -> Iterator[Finding]:
        for channel in self._channels.values():
            yield from channel.hold.reset(self._end_ns)
        known = self._channels if layout == self._layout else {}
        self._layout, self._rest_since_ns = layout, None
        watched = [c for c in layout if c not in LFE] if len(layout) > 1 else []
        self._channels = {
            name: _Channel(
                Hold(
                    self,
                    value="channel_level",
                    unit="dBFS",
                    threshold=self.params.max_dbfs,
                    open_ns=0,
                    severity=Severity.ERROR,
                    worst="min",
                    channel=name,
                ),
                front=name in FRONT or len(layout) == 2,
            )
            for name in watched
        }
        for name, before in known.items():  # sound that was lost for a while is the same programme's
            self._channels[name].heard_ns = before.heard_ns
            self._channels[name].last_heard_ns = before.last_heard_ns
        for name in self._adopted & self._channels.keys():
            self._channels[name].heard_ns, self._channels[name].last_heard_ns = KNOWN_NS, at_ns
        self._adopted.clear()

    def _heard(self, channel: _Channel, start: int, end: int) -> Iterator[Finding]:
        channel.lapse_ns += end - start
        if channel.lapse_ns <= CLICK_NS:
            return
        channel.heard_ns = min(KNOWN_NS, channel.heard_ns + end - start)
        channel.last_heard_ns = end
        if channel.dead_ns is not None:
            yield from channel.hold.reset(max(start, channel.hold.since_ns or start))
            channel.dead_ns, channel.played_ns = None, 0

    def _dead(self, channel: _Channel, begun: int, start: int, end: int, power: float) -> Iterator[Finding]:
        channel.lapse_ns = 0
        if channel.dead_ns is None:
            channel.dead_ns, channel.played_ns = begun, 0
        channel.played_ns += end - start
        needed = self._needed_seconds(channel, end)
        if needed is not None and (channel.hold.is_open or channel.played_ns >= needed * SECOND):
            yield from channel.hold.update(channel.dead_ns, True, decibels(power), end_ns=end)

    def _needed_seconds(self, channel: _Channel, at_ns: int) -> float | None:
        """How long the others must play before this channel is called dead; None when it may be quiet for good."""
        known = channel.heard_ns >= KNOWN_NS
        if not channel.front:
            return self.params.other_seconds if known else None
        lately = channel.last_heard_ns is not None and at_ns - channel.last_heard_ns <= LATELY_NS
        return self.params.min_seconds if known and lately else self.params.never_seconds

    def _rested(self, channel: _Channel, at_ns: int) -> Iterator[Finding]:
        """Nobody has played for long: the passage is over, and a new one must prove itself again."""
        since = self._rest_since_ns
        if since is None or at_ns - since < self.params.rest_seconds * SECOND or channel.dead_ns is None:
            return
        yield from channel.hold.update(max(since, channel.dead_ns), False, 0.0, end_ns=at_ns)
        channel.dead_ns, channel.played_ns = None, 0


DETECTOR = ChannelSilence
