"""Audio noise: hiss that the sound did not have before, as a bad connection or a raised gain brings it.

Measures  noise_floor  dBFS, once a second when 8 s of sound are known: what the band from 6 to 11 kHz seldom falls
          below (its lowest tenth of 4 s, in steps of 20 ms).
Defect    audio_noise  warning: in the band from 6 to 11 kHz, or from 11 to 15 kHz where programme is louder below, the
          floor is steady as only noise is (for 4 s its lowest three tenths lie within `max_spread_db`, and a little
          more where it rose by more than it must) and above `min_dbfs`, it does not lean to low frequencies
          (`min_tilt_db`), has risen for `min_seconds`, and before it lay `min_rise_db` lower, in the band below a third
          as much. Dated to where the floor rose, and to where most of the rise is gone, mostly to 0.1 s.
Blind to  noise that is there from the beginning or comes slowly; noise that begins under music or applause that is
          louder up to 15 kHz, or in a scene that had more before; bursts; noise below 6 kHz; sound of less than 16,000
          samples a second. A recording with hiss that is cut to in quiet programme has hiss.
          On trial: it told a crowd's rustle four times in six hours of programme.
Source    EBU QC 0086B; minimum statistics (Martin, 2001). The spread is practice: 0.3 to 0.9 dB where noise is coded at
          96 kb/s, up to 1.2 dB where little of the rate is left for it, 1 dB and more in crowds, wind and engines.
          White noise is 2 dB stronger from 6 to 11 kHz than from 3 to 6, and 1 dB weaker from 11 to 15 (coded, up to
          3 dB); rain and thunder 5 dB weaker in each band than in the one below.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from pydantic import Field

from contracts.findings import Finding, Measurement, Severity
from detectors.detector import Detector, Params, Scope
from detectors.frame import Samples, SoundView
from detectors.hold import Hold
from detectors.sound_features import LEAST_DBFS, MIXED

Real = npt.NDArray[np.float64]

SECOND = 1_000_000_000
STEP_S = 0.02
EVERY_BLOCKS = 10  # they are looked at together
BANDS_HZ = ((3000.0, 6000.0), (6000.0, 11_000.0), (11_000.0, 15_000.0))
TILTS_MORE = (0.0, 0.0, 0.5)  # dB above `min_tilt_db` that a band must have against the one below
HIGHEST = 0.46  # of the sampling rate
LEAST_RATE_HZ = 16_000
WINDOW, BEFORE, KEPT = (
    200,
    150,
    1000,
)  # steps: that hold the floor, at least before it rose, and known at most
STEADY = 50  # steps without a fall that show where it began
LOWEST, LOW = 0.1, 0.3  # of the steps
BELOW_DB = 2.5
MARGIN = 0.6  # of the rise
SPREAD_MORE, AT_MOST_MORE = 0.04, 0.3  # dB for each dB that it rose by more, and at most: coarse coding
SELDOM = 0.05  # of the steps in noise lie below its floor by so much
BARE_DB, SELDOM_BARE = 2.0, 0.25  # around the floor; and of how often that is so in noise
GONE = 0.12  # and of those in programme without it, more


@lru_cache(maxsize=8)
def _window(size: int) -> Samples:
    return np.hanning(size).astype(np.float32)


@lru_cache(maxsize=8)
def _edges(size: int, rate_hz: int) -> tuple[tuple[int, int], ...]:
    bin_hz = rate_hz / size
    return tuple(
        (round(low / bin_hz), round(min(high, HIGHEST * rate_hz) / bin_hz)) for low, high in BANDS_HZ
    )


def bands(mixed: Samples, rate_hz: int) -> Real:
    """(bands, steps of 20 ms) dBFS; nothing where the sampling rate is too low."""
    size = round(STEP_S * rate_hz)
    steps = len(mixed) // size
    if rate_hz < LEAST_RATE_HZ or not steps:
        return np.zeros((len(BANDS_HZ), 0))
    spectrum = np.fft.rfft(mixed[: steps * size].reshape(steps, size) * _window(size), axis=1)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    # Hann's window lets through 3/8 of the power, and each line stands for two.
    sums = [power[:, low:high].sum(axis=1) for low, high in _edges(size, rate_hz)]
    return np.asarray(10 * np.log10(np.array(sums) * (16.0 / (3.0 * size * size)) + 10 ** (LEAST_DBFS / 10)))


class AudioNoiseParams(Params):
    """How much more, how loud, and how steady."""

    min_rise_db: float = Field(default=9.0, ge=3, le=60, description="dB above the floor before")
    min_dbfs: float = Field(default=-66.0, ge=-110, le=0, description="dBFS of the floor, in its band")
    max_spread_db: float = Field(
        default=0.9, ge=0.3, le=6, description="dB between the lowest and the third lowest tenth"
    )
    min_tilt_db: float = Field(default=-3.0, ge=-30, le=10, description="dB of a band against the one below")
    min_seconds: float = Field(default=4.0, ge=4, le=10, description="seconds of media time")


class AudioNoise(Detector[AudioNoiseParams]):
    """The mean of all channels of one track."""

    id = "audio_noise"
    trial = True
    scope = Scope.AUDIO
    needs = (MIXED,)
    suppressed_by = ("sound_missing", "silence", "test_tone")
    Params = AudioNoiseParams

    def __init__(self, params: AudioNoiseParams, track: str | None) -> None:
        super().__init__(params, track)
        self._hold = Hold(
            self,
            value="noise_floor",
            unit="dBFS",
            threshold=params.min_dbfs,
            open_ns=0,
            severity=Severity.WARNING,
        )
        self._restart()

    def _restart(self) -> None:
        self._levels: Real = np.zeros((len(BANDS_HZ), 0))
        self._band, self._fallen = 1, LEAST_DBFS  # while it is open: which does not fall below what
        self._fresh: list[Samples] = []  # blocks that were not looked at yet
        self._end_ns = 0

    @property
    def ready(self) -> bool:
        """Whether there is enough sound for a floor and one before."""
        return bool(self._levels.shape[1] >= WINDOW + BEFORE)

    def sound(self, view: SoundView) -> Iterator[Finding]:
        if not view.follows:
            yield from self._hold.reset(self._end_ns)
            self._restart()
        self._end_ns = view.end_ns
        self._fresh.append(view[MIXED])
        if len(self._fresh) < EVERY_BLOCKS:
            return
        fresh = bands(np.concatenate(self._fresh), view.rate_hz)
        self._fresh.clear()
        self._levels = np.concatenate([self._levels[:, -KEPT:], fresh], axis=1)
        if not self.ready:
            return
        lowest, low = np.quantile(self._levels[:, -WINDOW:], (LOWEST, LOW), axis=1)
        yield Measurement("noise_floor", float(lowest[1]), "dBFS", view.end_ns, self.track)
        if self._hold.is_open:
            yield from self._goes_on(float(lowest[self._band]))
            return
        for band in range(1, len(BANDS_HZ)):
            spread = low[band] - lowest[band]
            leans = lowest[band] - lowest[band - 1] < self.params.min_tilt_db + TILTS_MORE[band]
            if (
                lowest[band] >= self.params.min_dbfs
                and spread <= self.params.max_spread_db + AT_MOST_MORE
                and not leans
            ):
                yield from self._begins(band, float(lowest[band]), float(spread))

    def _begins(self, band: int, floor: float, spread: float) -> Iterator[Finding]:
        levels = self._levels[band]
        if self._hold.is_open or float((levels[-WINDOW:] < floor - BELOW_DB).mean()) > SELDOM:
            return
        rose = self._last(levels < floor - self._margin(self.params.min_rise_db))
        count = len(levels) - rose
        if rose < BEFORE or count * STEP_S < self.params.min_seconds:
            return
        # The sound around where it rose, not what was long ago.
        before = np.quantile(self._levels[:, max(0, rose - WINDOW) : rose], LOWEST, axis=1)
        since = np.quantile(self._levels[:, rose:], LOWEST, axis=1)
        rises = since - before
        if rises[band] < self.params.min_rise_db or rises[band - 1] < self.params.min_rise_db / 3:
            return
        more = min(AT_MOST_MORE, SPREAD_MORE * float(rises[band] - self.params.min_rise_db))
        if spread > self.params.max_spread_db + more:
            return
        self._band, self._fallen = band, floor - self._margin(float(rises[band]))
        count -= self._steady_from(levels[rose:] < floor - BELOW_DB)
        count -= self._bare_from(levels[len(levels) - count :] - floor)
        low, high = (edge / 1000 for edge in BANDS_HZ[band])
        detail = f"{rises[band]:.0f} dB more from {low:.0f} to {high:.0f} kHz than before"
        yield from self._hold.update(self._at(count), True, floor, end_ns=self._end_ns, detail=detail)

    def _goes_on(self, floor: float) -> Iterator[Finding]:
        below = self._levels[self._band, -WINDOW:] < self._fallen
        sums = np.cumsum(GONE - below)
        gone = len(sums) - 1 - int(sums.argmax())  # steps
        is_gone = gone * STEP_S >= 0.5 and float(below[len(below) - gone :].mean()) > 2 * GONE
        yield from self._hold.update(
            self._at(gone if is_gone else 0), not is_gone, floor, end_ns=self._end_ns
        )
        if is_gone:
            self._levels = self._levels[:, -gone:]

    @staticmethod
    def _margin(rise_db: float) -> float:
        """How far below its floor coding may press noise that rose so much, where other sound is strong, in dB."""
        return max(BELOW_DB, MARGIN * rise_db)

    @staticmethod
    def _last(below: npt.NDArray[np.bool_]) -> int:
        """The step from which on few lie below: until then the sum of what does more than it may rises."""
        sums = np.cumsum(below - GONE)
        return int(sums.argmax()) + 1

    @staticmethod
    def _steady_from(below: npt.NDArray[np.bool_]) -> int:
        """The first step from which on few lie below for a second: programme may have had some of the rise before."""
        sums = np.cumsum(np.r_[0, below])
        few = np.flatnonzero(sums[STEADY:] - sums[:-STEADY] <= GONE * STEADY)
        first = int(few[0]) if len(few) else 0
        return first + int((~below[first:]).argmax())

    @staticmethod
    def _bare_from(above: Real) -> int:
        """The step from which on the bare floor is heard (levels `above` it in dB), where it hardly was before.

        Programme whose treble is as loud hides where noise began; it seldom has just the level of the noise.
        """
        bare = (above > -BARE_DB) & (above < BARE_DB)
        usual = float(bare[-WINDOW:].mean())
        first = int(np.cumsum(np.r_[0.0, usual / 2 - bare]).argmax())
        hidden = first * STEP_S >= 1.0 and float(bare[:first].mean()) < usual * SELDOM_BARE
        return first if hidden else 0

    def _at(self, steps: int) -> int:
        """Media time so many steps ago."""
        return self._end_ns - round(steps * STEP_S * SECOND)


DETECTOR = AudioNoise
