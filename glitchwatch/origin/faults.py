"""Faults that a channel can be given, what each should be reported as, and the schedule that places them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import numpy as np

from glitchwatch.origin.picture import MovingPicture, Picture
from glitchwatch.origin.sound import Sound
from glitchwatch.origin.studio import SharedPicture


class Layer(StrEnum):
    """Where a fault is applied."""

    PICTURE = "picture"  # pictures before coding
    SOUND = "sound"  # samples before coding
    STREAM = "stream"  # clocks, formats and marks at the beginning of a segment
    SEGMENT = "segment"  # the delivery of one segment
    ORIGIN = "origin"  # the delivery of everything


@dataclass(frozen=True, slots=True)
class Kind:
    """A way to break a channel.

    `expects` are the defects any one of which reports it; empty means that nothing may be reported. `also` are
    defects that it truly causes besides. An `optional` kind is no miss when nobody reports it. A length
    of 0 is a moment; None is one segment. `tolerance_s` is for the onset.
    """

    name: str
    layer: Layer
    expects: frozenset[str]
    lengths_s: tuple[float, float] | None
    also: frozenset[str] = frozenset()
    tolerance_s: float = 1.0
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault in media seconds from the channel's beginning; `draw` is in 0..1 and varies it."""

    kind: Kind
    start_s: float
    end_s: float
    draw: float = 0.5


@dataclass(frozen=True, slots=True)
class Truth:
    """A fault as injected, on the wall clock that the playlist tells (EXT-X-PROGRAM-DATE-TIME)."""

    name: str
    expects: frozenset[str]
    also: frozenset[str]
    start: datetime
    end: datetime
    tolerance_s: float
    optional: bool = False

    @classmethod
    def of(cls, fault: Fault, epoch: datetime) -> Truth:
        """`fault` on a channel that began at `epoch`."""
        return cls(
            name=fault.kind.name,
            expects=fault.kind.expects,
            also=fault.kind.also,
            start=epoch + timedelta(seconds=fault.start_s),
            end=epoch + timedelta(seconds=fault.end_s),
            tolerance_s=fault.kind.tolerance_s,
            optional=fault.kind.optional,
        )


def _kind(
    name: str,
    layer: Layer,
    expects: str,
    lengths_s: tuple[float, float] | None,
    also: str = "",
    tolerance_s: float = 1.0,
    optional: bool = False,
) -> Kind:
    return Kind(
        name, layer, frozenset(expects.split()), lengths_s, frozenset(also.split()), tolerance_s, optional
    )


_MOVING_S = 1.2
_BURST_S, _BURST_EVERY_S = 0.12, 0.8
_LOST = "picture_missing sound_missing timestamp_drift playlist_stale segment_slow freeze"
_P, _S, _T, _G, _O = Layer.PICTURE, Layer.SOUND, Layer.STREAM, Layer.SEGMENT, Layer.ORIGIN

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        _kind("black", _P, "black", (3, 8), "freeze solid_color chroma_loss black_bars"),
        _kind("freeze", _P, "freeze", (3, 8), "stutter"),
        _kind("solid_color", _P, "solid_color", (3, 8), "freeze chroma_loss levels"),
        _kind("picture_missing", _P, "picture_missing", (3, 8), "timestamp_drift freeze stutter"),
        _kind("silence", _S, "silence", (3, 8), "channel_silence loudness audio_dropout"),
        # It is told after three seconds in which the other channel plays, and programme has pauses.
        _kind("channel_silence", _S, "channel_silence", (4, 8), "loudness"),
        _kind("clipping", _S, "clipping", (3, 6), "loudness true_peak audio_noise click"),
        _kind("loudness", _S, "loudness", (5, 8), "true_peak clipping", tolerance_s=3.0),
        _kind("true_peak", _S, "true_peak clipping", (3, 6), "loudness test_tone click audio_noise"),
        _kind("sound_missing", _S, "sound_missing", (3, 8), "timestamp_drift silence audio_dropout"),
        _kind("sound_gap", _S, "timestamp_drift sound_missing audio_dropout", (0.5, 1.2), "silence click"),
        _kind("clock_jump", _T, "timestamp_drift discontinuity_unsignalled", (0, 0), "segment_duration"),
        _kind("signalled_jump", _T, "", (0, 0)),
        _kind("resolution_change", _T, "format_change", (0, 0), "blur"),
        _kind("segment_lost", _G, "segment_missing", None, "picture_missing timestamp_drift freeze", 3.0),
        _kind("segment_slow", _G, "segment_slow source_stalled", None, _LOST, 6.0, optional=True),
        _kind("playlist_stall", _O, "source_stalled playlist_stale", (14, 17), _LOST, 10.0),
        _kind("origin_away", _O, "source_unreachable source_stalled", (14, 17), _LOST, 10.0),
        _kind("origin_resets", _O, "source_unreachable source_stalled", (14, 17), _LOST, 10.0),
    )
}

PICTURE_KINDS = ("black", "freeze", "solid_color", "picture_missing")
SOUND_KINDS = ("silence", "channel_silence", "clipping", "loudness", "true_peak")
ALL_KINDS = tuple(KINDS)


def draw(
    seed: int,
    kinds: Sequence[str] = ALL_KINDS,
    *,
    fps: int,
    segment_s: int,
    first_s: float,
    gap_s: tuple[float, float] = (8.0, 12.0),
    longest_s: float = 17.0,
    programme: MovingPicture | None = None,
) -> Iterator[Fault]:
    """Faults without end, in order, `gap_s` apart; every kind comes once before any comes again.

    Faults of pictures and sound begin and end on a picture, the others on a segment. With its `programme`, a
    freeze begins at least a second after a cut: before that it is an ordinary still to every viewer.
    """
    rng = np.random.default_rng((seed, 20))
    at = first_s
    while True:
        for name in rng.permutation(list(kinds)):
            kind = KINDS[str(name)]
            low, high = kind.lengths_s or (segment_s, segment_s)
            length = rng.uniform(low, max(low, min(high, longest_s)))
            if kind.layer in (Layer.PICTURE, Layer.SOUND):
                first = round(at * fps)
                if programme is not None and kind.name == "freeze":
                    first = programme.settled(first, _MOVING_S)
                start = first / fps
                end = start + round(length * fps) / fps
            else:
                start = -(-at // segment_s) * segment_s
                end = start + length
            yield Fault(kind, start, end, draw=float(rng.uniform()))
            at = end + rng.uniform(*gap_s)


class Schedule:
    """The faults of one channel, taken from ordered sources only as far as media has been made.

    Any thread may ask.
    """

    def __init__(self, *sources: Iterable[Fault], remember: int = 1024) -> None:
        self._sources = [iter(source) for source in sources]
        self._ahead: list[Fault | None] = [next(source, None) for source in self._sources]
        self._known: deque[Fault] = deque(maxlen=remember)
        self._lock = threading.Lock()

    def overlapping(self, start_s: float, end_s: float) -> list[Fault]:
        """Faults with a part in that stretch; a moment belongs to the stretch it begins."""
        return [f for f in self._extended(end_s) if f.end_s > start_s or f.start_s >= start_s]

    def before(self, end_s: float) -> list[Fault]:
        """Faults that begin before `end_s`, oldest first, as far as they are remembered."""
        return sorted(self._extended(end_s), key=lambda f: f.start_s)

    def _extended(self, end_s: float) -> list[Fault]:
        with self._lock:
            for i, source in enumerate(self._sources):
                while (fault := self._ahead[i]) is not None and fault.start_s < end_s:
                    self._known.append(fault)
                    self._ahead[i] = next(source, None)
            return [f for f in self._known if f.start_s < end_s]


def break_picture(fault: Fault, picture: Picture, programme: MovingPicture | SharedPicture) -> Picture | None:
    """`picture` with a fault of the picture layer; None leaves it out."""
    name = fault.kind.name
    if name == "picture_missing":
        return None
    if name == "freeze":
        return programme(round(fault.start_s * programme.fps))
    y, cb, cr = picture
    if name == "black":
        values = (16, 128, 128)
    else:
        blue, green, grey = (41, 240, 110), (145, 54, 34), (126, 128, 128)
        values = (blue, green, grey)[min(2, int(fault.draw * 3))]
    y[:], cb[:], cr[:] = values
    return y, cb, cr


def drops_sound(fault: Fault) -> bool:
    """Whether the fault leaves coded sound out."""
    return fault.kind.name in ("sound_missing", "sound_gap")


def break_sound(fault: Fault, sound: Sound, start: int, rate_hz: int) -> None:
    """Change `sound`, which begins at sample `start`, where the fault is."""
    first = max(0, round(fault.start_s * rate_hz) - start)
    last = min(sound.shape[1], round(fault.end_s * rate_hz) - start)
    if last <= first or drops_sound(fault):
        return
    part = sound[:, first:last]
    match fault.kind.name:
        case "silence":
            part[:] = 0.0
        case "channel_silence":
            part[int(fault.draw * 2) % 2] = 0.0
        case "clipping":
            np.clip(part * (14.0 + 6.0 * fault.draw), -1.0, 1.0, out=part)
        case "loudness":
            # 19 dB more, less what a soft knee takes to keep it below 0.6: loudness is all that is wrong.
            part *= 9.0
            part[:] = 0.6 * np.tanh(part / 0.6)
        case "true_peak":
            age = start + first - round(fault.start_s * rate_hz)
            _overs(part, age, round((fault.end_s - fault.start_s) * rate_hz), rate_hz)


def _overs(part: Sound, age: int, length: int, rate_hz: int) -> None:
    """Bursts at a quarter of the sample rate, sampled beside their crests: 3 dB hide between the samples.

    `age` is how many samples the fault has lasted of its `length`; no burst is cut short.
    """
    n = np.arange(age, age + part.shape[1])
    place = (n / rate_hz) % _BURST_EVERY_S
    whole = n / rate_hz - place + _BURST_S <= length / rate_hz
    swell = np.where((place < _BURST_S) & whole, np.sin(np.pi * place / _BURST_S) ** 2, 0.0)
    crests = np.array([1.0, 1.0, -1.0, -1.0])[n % 4]
    part *= 1.0 - 0.5 * swell
    part += (0.95 * swell * crests).astype(np.float32)
