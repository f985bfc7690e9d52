"""The sound of a test channel: chords under a babble of syllables, in stereo, at -23 LUFS.

Every stretch follows from (seed, sample index) alone. Syllables and chords live in cells of two seconds; a
chord fades into the next one, so that nothing clicks where cells meet.
"""

from collections import OrderedDict

import numpy as np
import numpy.typing as npt

Sound = npt.NDArray[np.float32]  # (2, samples), full scale 1.0

CELL_S = 2.0
_FADE_S = 0.25
_SPEECH_LUFS = -23.9
_MUSIC_LUFS = -31.0
_FORMANTS = (  # Hz of the first three resonances of some vowels
    (730, 1090, 2440),
    (270, 2290, 3010),
    (300, 870, 2240),
    (530, 1840, 2480),
    (570, 840, 2410),
    (440, 1020, 2240),
)
_CHORDS = ((0, 4, 7, 11), (-3, 0, 4, 7), (5, 9, 12, 16), (-5, -1, 2, 7), (2, 5, 9, 12), (-1, 2, 7, 11))


class ProgrammeSound:
    """Makes any stretch of a channel's sound; `rate_hz` is samples a second."""

    def __init__(self, seed: int, *, rate_hz: int = 48_000) -> None:
        self.seed, self.rate_hz = seed, rate_hz
        self._cell = int(CELL_S * rate_hz)
        self._fade = int(_FADE_S * rate_hz)
        self._cells: OrderedDict[int, Sound] = OrderedDict()

    def __call__(self, start: int, count: int) -> Sound:
        """Samples `start` to `start + count` as a fresh (2, count) array."""
        out = np.empty((2, count), np.float32)
        done = 0
        while done < count:
            number, offset = divmod(start + done, self._cell)
            part = min(count - done, self._cell - offset)
            out[:, done : done + part] = self._render(number)[:, offset : offset + part]
            done += part
        return out

    def _render(self, number: int) -> Sound:
        if number not in self._cells:
            out = self._speech(number)
            chord = self._chord(number)
            rise = np.sin(np.linspace(0, np.pi / 2, self._fade, dtype=np.float32))
            chord[:, : self._fade] *= rise
            out += chord[:, : self._cell]
            if number > 0:
                out[:, : self._fade] += self._chord(number - 1)[:, self._cell :] * rise[::-1]
            self._cells[number] = out
            while len(self._cells) > 3:
                self._cells.popitem(last=False)
        return self._cells[number]

    def _chord(self, number: int) -> Sound:
        """A cell of one chord, and the tail that fades under the next one."""
        rng = np.random.default_rng((self.seed, 10, number))
        length = self._cell + self._fade
        t = np.arange(length, dtype=np.float32) / self.rate_hz
        vibrato = 0.9 * np.sin(2 * np.pi * rng.uniform(4.6, 5.6) * t)
        out = np.zeros((2, length), np.float32)
        for step in _CHORDS[int(rng.integers(len(_CHORDS)))]:
            pitch = 207.0 * 2 ** (step / 12)
            for partial in (1, 2, 3):
                angle = (2 * np.pi * pitch * partial) * t + partial * vibrato * rng.uniform(0.5, 1.0)
                weight, turn = rng.uniform(0.5, 1.0, 2) / partial, rng.uniform(0.0, 6.28)
                # The sides differ in phase by less than a right angle: wide, and it sums to mono.
                for side, shift in enumerate((0.0, rng.uniform(-1.2, 1.2))):
                    out[side] += np.float32(weight[side]) * np.sin(angle + np.float32(turn + shift))
        pulse = 0.75 + 0.25 * np.cos(2 * np.pi * rng.uniform(0.7, 1.3) * t + rng.uniform(0, 6.28))
        out *= pulse.astype(np.float32)
        out += rng.normal(0.0, 0.03, out.shape).astype(np.float32)  # the room
        return out * _gain(out, self.rate_hz, _MUSIC_LUFS)

    def _speech(self, number: int) -> Sound:
        """Syllables with pauses between words; nothing reaches over the edge of the cell."""
        rng = np.random.default_rng((self.seed, 11, number))
        voice = np.zeros(self._cell, np.float32)
        at, f0 = rng.uniform(0.02, 0.12), rng.uniform(105, 190)
        while True:
            length = rng.uniform(0.11, 0.24)
            if at + length > CELL_S - 0.03:
                break
            syllable = self._syllable(rng, length, f0 * rng.uniform(0.88, 1.12))
            start = int(at * self.rate_hz)
            voice[start : start + len(syllable)] += syllable
            at += length + (rng.uniform(0.12, 0.3) if rng.random() < 0.2 else rng.uniform(0.0, 0.05))
        out = np.stack([voice, np.float32(0.8) * voice])  # a little left of the middle
        return np.asarray(out * _gain(out, self.rate_hz, _SPEECH_LUFS), dtype=np.float32)

    def _syllable(self, rng: np.random.Generator, length_s: float, f0: float) -> npt.NDArray[np.float32]:
        n = int(length_s * self.rate_hz)
        phase = np.cumsum(f0 * np.linspace(1.06, 0.94, n)) / self.rate_hz
        buzz = np.diff(np.floor(phase), prepend=0.0) + rng.normal(0.0, 0.02, n)
        size = 1 << (n + 1024).bit_length()
        hz = np.fft.rfftfreq(size, 1 / self.rate_hz)
        shape = 0.004 / (1 + (hz / 3500) ** 2)
        for center, weight in zip(_FORMANTS[int(rng.integers(len(_FORMANTS)))], (1.0, 0.5, 0.2), strict=True):
            width = 60 + 0.06 * center
            shape = shape + weight / (1 + ((hz - center) / width) ** 2)
        shape = shape * (hz / 80) ** 2 / (1 + (hz / 80) ** 2) / (1 + (hz / 9000) ** 6)
        # Turning phases by the square of frequency spreads each pulse, as a throat does: a lower crest.
        turned = np.fft.rfft(buzz, size) * shape * np.exp(-1j * np.minimum(hz / 400, 8.0) ** 2)
        out = np.fft.irfft(turned, size)[:n]
        edge = min(n // 2, int(0.025 * self.rate_hz))
        ramp = 0.5 - 0.5 * np.cos(np.linspace(0, np.pi, edge))
        out[:edge] *= ramp
        out[-edge:] *= ramp[::-1]
        return np.asarray(out / max(float(np.sqrt(np.mean(out**2))), 1e-9), dtype=np.float32)


def _gain(sound: Sound, rate_hz: int, target_lufs: float) -> np.float32:
    """The factor that brings a stretch to a loudness, K-weighted in the frequency domain (ITU-R BS.1770)."""
    spectrum = np.abs(np.fft.rfft(sound, axis=1)) ** 2 * k_weight(sound.shape[1], rate_hz)
    power = 2 * float(spectrum.sum()) / sound.shape[1] ** 2
    loudness = -0.691 + 10 * np.log10(max(power, 1e-12))
    return np.float32(10 ** ((target_lufs - loudness) / 20))


def k_weight(samples: int, rate_hz: int) -> npt.NDArray[np.float64]:
    """Power response of BS.1770's two filters (its 48 kHz coefficients) at the bins of an rfft of that length."""
    z = np.exp(-2j * np.pi * np.fft.rfftfreq(samples, 1 / rate_hz) / 48_000)
    shelf = (1.53512485958697 - 2.69169618940638 * z + 1.19839281085285 * z**2) / (
        1 - 1.69065929318241 * z + 0.73248077421585 * z**2
    )
    high_pass = (1 - 2 * z + z**2) / (1 - 1.99004745483398 * z + 0.99007225036621 * z**2)
    return np.asarray(np.abs(shelf * high_pass) ** 2)
