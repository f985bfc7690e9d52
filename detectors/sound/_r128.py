"""The loudness meter of EBU R128 over a stream without end: windows, gates and range in bounded memory."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Real = npt.NDArray[np.float64]

STEPS = 10  # of 10 ms, in a block of 100 ms
MOMENTARY_STEPS, SHORT_TERM_STEPS = 40, 300
ABSOLUTE_GATE_LUFS = -70.0
LEAST_LUFS = -120.0
_TOP_LUFS, _BINS_A_LU = 20.0, 50
_BINS = int((_TOP_LUFS - ABSOLUTE_GATE_LUFS) * _BINS_A_LU)


def lufs(energy: float) -> float:
    """The loudness of a weighted sum of mean squares (ITU-R BS.1770-5), not below `LEAST_LUFS`."""
    return max(LEAST_LUFS, -0.691 + 10.0 * math.log10(energy)) if energy > 0.0 else LEAST_LUFS


class _Gated:
    """Energies above the absolute gate: how many and how much in bins of 0.02 LU."""

    def __init__(self) -> None:
        self.counts = np.zeros(_BINS, np.int64)
        self.energies = np.zeros(_BINS)

    def add(self, energy: float) -> None:
        position = (lufs(energy) - ABSOLUTE_GATE_LUFS) * _BINS_A_LU
        if position > 0.0:
            index = min(int(position), _BINS - 1)
            self.counts[index] += 1
            self.energies[index] += energy

    def above(self, relative_lu: float) -> int | None:
        """The first bin above the gate that lies `relative_lu` from the mean of all, or None without any."""
        total = int(self.counts.sum())
        if not total:
            return None
        gate = lufs(float(self.energies.sum()) / total) + relative_lu
        return max(0, round((gate - ABSOLUTE_GATE_LUFS) * _BINS_A_LU))


class Meter:
    """Momentary (400 ms), short-term (3 s) and gated integrated loudness, and loudness range.

    Fed with K-weighted energies of 10 ms. The windows slide by 10 ms, the gating blocks by 100 ms (75 % overlap).
    """

    def __init__(self) -> None:
        self._gating = _Gated()
        self._range = _Gated()
        self.momentary_max = self.short_term_max = LEAST_LUFS
        self.restart()

    def restart(self) -> None:
        """The sound does not join on: no window may reach across. What was gated stays."""
        self._recent: Real = np.zeros(0)
        self.momentary: float | None = None
        self.short_term: float | None = None

    def feed(self, energy: Real) -> None:
        """The next steps of 10 ms: whole blocks of ten, or what is left of one, which no gate counts."""
        joined = np.concatenate([self._recent, energy])
        sums = np.concatenate([[0.0], np.cumsum(joined)])
        fresh, steps = len(energy), len(joined)
        for length in (MOMENTARY_STEPS, SHORT_TERM_STEPS):
            if steps < length:
                continue
            # Windows that end with one of the fresh steps; the last is the current one.
            first = max(length, steps - fresh + 1)
            means = np.maximum(sums[first:] - sums[first - length : -length], 0.0) / length
            highest, current = lufs(float(means.max())), lufs(float(means[-1]))
            if length == MOMENTARY_STEPS:
                self.momentary, self.momentary_max = current, max(self.momentary_max, highest)
                gate = self._gating
            else:
                self.short_term, self.short_term_max = current, max(self.short_term_max, highest)
                gate = self._range
            if fresh % STEPS == 0:
                for mean in means[::-STEPS][::-1].tolist():
                    gate.add(mean)
        self._recent = joined[-(SHORT_TERM_STEPS + STEPS) :]

    @property
    def gated_s(self) -> float:
        """Seconds of sound above the absolute gate."""
        return float(self._gating.counts.sum()) / 10.0

    def integrated(self) -> float | None:
        """LUFS over all that was fed: gated at -70 LUFS, then at 10 LU below what remains; None without any."""
        first = self._gating.above(-10.0)
        if first is None:
            return None
        count = int(self._gating.counts[first:].sum())
        return lufs(float(self._gating.energies[first:].sum()) / count) if count else None

    def range(self) -> float | None:
        """Loudness range in LU (EBU Tech 3342): 10th to 95th percentile of the short-term, gated at -20 LU."""
        first = self._range.above(-20.0)
        if first is None:
            return None
        below = np.cumsum(self._range.counts[first:])
        if not below[-1]:
            return None
        low, high = (int(np.searchsorted(below, round(p * (below[-1] - 1)) + 1)) for p in (0.10, 0.95))
        return (high - low) / _BINS_A_LU
