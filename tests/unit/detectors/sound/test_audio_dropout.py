"""Audio dropout: holes with hard edges inside sound, and the gaps that programme has by nature."""

import numpy as np
import pytest

from contracts.findings import DefectEdge, Severity
from detectors.sound.audio_dropout import DETECTOR, AudioDropout, AudioDropoutParams
from tests.injection import Fault, Level, Moment, Sound
from tests.run import edges, findings, measured
from tests.sounds import RATE_HZ, SECOND, amplitude, blocks, join, music, noise, nothing, speech, tone

CODEC_FRAMES = (960, 1024, 1152)  # samples of each channel in a frame of Opus, AAC and MPEG layer II or III
BESIDE = (
    RATE_HZ // 40
)  # samples on either side of a hole that must be heard, or nobody misses what is between
AUDIBLE = 10 ** (-50 / 10)  # mean square; where programme pauses, nothing is lost


def _audible(samples: Sound, first: int, last: int, length: int, rng: np.random.Generator) -> int:
    """A place in [first, last) for a hole of `length` with sound on both sides: drawn, or the best there is; -1 where
    there is none that anybody would hear."""
    power = np.r_[0.0, np.cumsum((samples.astype(np.float64) ** 2).mean(axis=0))]
    places = rng.integers(first, max(first + 1, min(last, samples.shape[1] - length - BESIDE)), 40)
    places = np.maximum(places, BESIDE)
    before = power[places] - power[places - BESIDE]
    after = power[np.minimum(places + length + BESIDE, samples.shape[1])] - power[places + length]
    either = np.minimum(before, after) / BESIDE
    good = np.flatnonzero(either >= 0.2 * power[-1] / samples.shape[1])
    if either.max() < AUDIBLE:
        return -1
    return int(places[good[0] if len(good) else either.argmax()])


def _holes(samples: Sound, moment: Moment) -> Sound:
    """What a bad network leaves: a frame or some that are missing, again and again."""
    rng = moment.rng
    out = samples.copy()
    frame = int(rng.choice(CODEC_FRAMES))
    floor = -200.0 if rng.random() < 0.7 else -85.0
    ramp = int(rng.choice((0, 0, 48)))  # a millisecond, where the receiver mutes
    rows = slice(None) if rng.random() < 0.85 else slice(0, 1)
    begin, step = 0.0, float(rng.uniform(0.3, 0.8))
    places: list[int] = []
    while begin < samples.shape[1] / RATE_HZ - 0.25:
        if moment.level is Level.JUST:
            length = int(rng.integers(100, 500))  # 2 to 10 ms
        elif rng.random() < 0.7:
            length = frame * int(rng.integers(1, 4 if moment.level is Level.PLAIN else 10))
        else:
            length = round(RATE_HZ * 10 ** rng.uniform(-1.7, -0.8))  # 20 to 160 ms, of no codec's shape
        last = round((begin + 0.3) * RATE_HZ)
        place = _audible(samples, round(begin * RATE_HZ), last, length, rng)
        if place < 0:
            begin += step
            continue
        hole = out[rows, place : place + length]
        gain = np.zeros(hole.shape[1])
        if ramp:
            gain[:ramp], gain[-ramp:] = np.linspace(1, 0, ramp), np.linspace(0, 1, ramp)
        hole[:] = np.asarray(hole * gain + rng.normal(size=hole.shape) * amplitude(floor), np.float32)
        places += [place, place + length]
        begin = max(begin + step, (place + length) / RATE_HZ)
    if places:
        moment.broke = places[0], places[-1]
    return out


FAULT = Fault("audio_dropout", (1.5, 5.0), sound=_holes, layouts=("stereo", "5.1"))


def dropout(**params: float) -> AudioDropout:
    return DETECTOR(AudioDropoutParams(**params), "audio:0")


def holed(sound: Sound, at_s: float, length_s: float) -> Sound:
    out = sound.copy()
    out[:, round(at_s * RATE_HZ) : round((at_s + length_s) * RATE_HZ)] = 0.0
    return out


@pytest.mark.parametrize("length_s", [0.0213, 0.096, 0.4])
def test_golden_one_hole(length_s: float) -> None:
    found = [
        f for f in findings(dropout(), blocks(holed(noise(12), 3.05, length_s))) if isinstance(f, DefectEdge)
    ]
    assert [f.edge.value for f in found] == ["opened", "closed"]
    assert [f.at_ns / SECOND for f in found] == pytest.approx([3.05, 3.05 + length_s], abs=0.002)
    assert found[0].severity is Severity.ERROR
    assert found[0].peak.value == pytest.approx(1000 * length_s, abs=2.0)


def test_holes_close_together_are_one_defect() -> None:
    sound = holed(holed(music(14), 4.2, 0.1), 6.0, 0.064)
    assert [at for _, at in edges(dropout(), blocks(sound))] == pytest.approx([4.2, 6.064], abs=0.003)
    assert measured(dropout(), blocks(sound), "dropout_ms") == pytest.approx([100, 64], abs=2)


@pytest.mark.parametrize("first", [1, 1777, 4799])
def test_where_the_blocks_are_cut_does_not_matter(first: int) -> None:
    said = edges(dropout(), blocks(holed(noise(10), 3.0, 0.03), first=first))
    assert [at for _, at in said] == pytest.approx([3.0, 3.03], abs=0.003)


def test_a_hole_in_one_channel_is_told_with_its_name() -> None:
    sound = noise(8)
    sound[1, 100_000:102_000] = 0.0
    found = [f for f in findings(dropout(), blocks(sound)) if isinstance(f, DefectEdge)]
    assert "channel R" in (found[0].detail or "")


@pytest.mark.parametrize("make", [speech, music])
def test_silent_on_programme(make: object) -> None:
    assert callable(make)
    assert edges(dropout(), blocks(make(30))) == []


def test_notes_and_words_that_end_are_no_holes() -> None:
    envelope = np.tile(np.r_[np.ones(9600), np.linspace(1, 0, 2400), np.zeros(2400)], 30).astype(np.float32)
    for sound in (noise(9), noise(9, seed=1), tone(9, hz=333)):
        assert edges(dropout(), blocks(sound * envelope[: sound.shape[1]])) == []


def test_blows_with_silence_between_are_no_holes() -> None:
    decay = np.tile(np.exp(-np.arange(9600) / 1200), 40).astype(np.float32)
    assert edges(dropout(), blocks(noise(8, -10) * decay)) == []


def test_a_low_note_that_crosses_zero_is_no_hole() -> None:
    for hz in (20, 31, 55):
        assert edges(dropout(), blocks(tone(8, -6, hz=hz) + noise(8, -66))) == []


@pytest.mark.parametrize("after_db", [0, 18])
def test_holes_that_a_coder_leaves_before_a_blow_are_none(after_db: int) -> None:
    """It starves the short windows before an attack; the same holes in even sound are told."""
    sound = noise(9, -40)
    for at in (3.0, 4.0, 5.0):
        first, blow = round(at * RATE_HZ), round((at + 0.016) * RATE_HZ)
        sound[:, first : first + 384] = 0.0
        sound[:, blow : blow + 240] *= amplitude(after_db)
    assert bool(edges(dropout(), blocks(sound))) == (after_db == 0)


@pytest.mark.parametrize("channels", [2, 6])
def test_a_lesser_blow_is_enough_in_surround(channels: int) -> None:
    names = ("L", "R", "C", "LFE", "Ls", "Rs")[:channels]
    sound = noise(9, -40, channels=channels)
    for at in (3.0, 4.0, 5.0):
        first, blow = round(at * RATE_HZ), round((at + 0.008) * RATE_HZ)
        sound[-1, first:blow] = 0.0
        sound[-1, blow : blow + 240] *= amplitude(10.0)
    assert bool(edges(dropout(), blocks(sound, channels=names))) == (channels == 2)


def test_one_pause_of_a_gate_that_is_not_empty_is_none() -> None:
    sound = noise(8, -35)
    sound[:, 3 * RATE_HZ : round(3.05 * RATE_HZ)] *= amplitude(-46.0)
    assert edges(dropout(), blocks(sound)) == []


@pytest.mark.parametrize("release_s", [0.002, 0.03])
def test_a_gate_that_shuts_between_words_makes_no_holes(release_s: float) -> None:
    word = np.r_[np.ones(7200), np.exp(-np.arange(4800) / (release_s * RATE_HZ)), np.zeros(2400)]
    gate = np.tile(word.astype(np.float32), 35)
    for sound in (noise(9, -24), noise(9, -40, seed=1), tone(9, hz=333)):
        assert edges(dropout(), blocks(sound * gate[: sound.shape[1]])) == []


@pytest.mark.parametrize(("starts_db", "told"), [(-17.0, False), (-6.0, True)])
def test_what_fades_in_behind_a_cut_is_a_beginning(starts_db: float, *, told: bool) -> None:
    sound = holed(noise(8, -25), 3.0, 0.4)
    first = round(3.4 * RATE_HZ)
    sound[:, first : first + RATE_HZ // 125] *= amplitude(starts_db)
    assert bool(edges(dropout(), blocks(sound))) is told


def test_longer_is_silence_and_not_ours() -> None:
    assert edges(dropout(), blocks(join(noise(3), nothing(0.7), noise(3)))) == []


def test_a_very_short_hole_counts_where_it_is_not_alone() -> None:
    once = holed(noise(10), 3.0, 0.004)
    assert edges(dropout(), blocks(once)) == []
    said = edges(dropout(), blocks(holed(once, 4.0, 0.005)))
    assert [at for edge, at in said if edge != "updated"] == pytest.approx([3.0, 4.005], abs=0.002)


def test_one_hole_in_surround_may_be_the_coder_and_two_are_not() -> None:
    names = ("L", "R", "C", "LFE", "Ls", "Rs")
    once = noise(10, channels=6)
    once[2, 3 * RATE_HZ : round(3.05 * RATE_HZ)] = 0.0
    assert edges(dropout(), blocks(once, channels=names)) == []
    said = edges(dropout(), blocks(holed(once, 4.0, 0.05), channels=names))
    assert [at for edge, at in said if edge != "updated"] == pytest.approx([3.0, 4.05], abs=0.003)


def test_holes_in_two_channels_within_one_event_are_no_company() -> None:
    """As the coder of a surround track empties the moments around a blow."""
    names = ("L", "R", "C", "LFE", "Ls", "Rs")
    sound = noise(10, channels=6)
    sound[0, 3 * RATE_HZ : round(3.007 * RATE_HZ)] = 0.0
    sound[4, round(3.045 * RATE_HZ) : round(3.05 * RATE_HZ)] = 0.0
    assert edges(dropout(), blocks(sound, channels=names)) == []


def test_one_gap_is_where_pieces_join_that_are_unlike() -> None:
    stereo, mono = noise(2, -23.0), np.repeat(noise(2, -23.0, channels=1), 2, axis=0)
    quiet = noise(2, -38.0, seed=1)
    for pieces in ((stereo, mono), (mono, stereo), (stereo, quiet), (quiet, stereo)):
        assert edges(dropout(), blocks(join(pieces[0], nothing(0.1), pieces[1]))) == []
    for piece in (stereo, mono):
        assert [e for e, _ in edges(dropout(), blocks(join(piece, nothing(0.1), piece)))] == [
            "opened",
            "closed",
        ]
    twice = join(stereo, nothing(0.1), mono[:, : RATE_HZ // 2], nothing(0.1), mono)
    assert [e for e, _ in edges(dropout(), blocks(twice))] == ["opened", "closed"]
