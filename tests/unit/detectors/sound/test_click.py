"""Click: impulses and jumps of the waveform, and the short sounds that programme has by nature."""

import numpy as np
import numpy.typing as npt
import pytest

from contracts.findings import DefectEdge, Severity
from detectors.sound.click import DETECTOR, Click, ClickParams
from tests.injection import Fault, Level, Moment, Sound
from tests.run import edges, findings, measured
from tests.sounds import RATE_HZ, SECOND, amplitude, blocks, join, noise, nothing, speech, tone

Places = npt.NDArray[np.int64]
AROUND = RATE_HZ // 50  # samples on either side, beside whose level a click is heard
PLACES = 40  # drawn, of which the one is broken where it is heard best
HEIGHTS_DB = {
    Level.JUST: (8.0, 15.0),
    Level.PLAIN: (16.0, 22.0),
    Level.GROSS: (22.0, 30.0),
}  # above what is around


def _level(samples: Sound) -> float:
    return float(np.sqrt(np.mean(samples**2)))


def _impulses(
    samples: Sound, places: list[int], height_db: tuple[float, float], rng: np.random.Generator
) -> Sound:
    """Some samples with wrong values, as bit errors and bad contacts leave them: `height_db` above what is around."""
    out = samples.copy()
    for place in places:
        height = _level(samples[:, place - AROUND : place + AROUND]) * amplitude(
            float(rng.uniform(*height_db))
        )
        length = int(rng.integers(1, 13))
        shape = rng.uniform(0.3, 1.0, length) * rng.choice((-1.0, 1.0), length)
        shape[0] = 1.0
        out[:, place : place + length] += np.asarray(min(height, 0.7) * shape, np.float32)
    return np.clip(out, -1.0, 1.0)


def _jumps(samples: Sound, places: list[int], rng: np.random.Generator) -> tuple[Sound, list[int]]:
    """The sound goes on elsewhere, as beside a lost packet: to and fro, where near a place the jump is heard best."""
    skipped = int(rng.choice((240, 480, 960, 1024)))
    last = samples.shape[1] - skipped
    used: list[int] = []
    out = samples.copy()
    for place in places:
        near = np.arange(place, min(place + 2 * AROUND, last))
        heights = np.abs(samples[:, near - 1] - samples[:, near - 1 + skipped]).max(axis=0)
        level = _level(samples[:, place - AROUND : place + AROUND])
        if not len(near) or heights.max() < amplitude(8.0) * level:
            continue
        at = int(near[int(heights.argmax())])
        shift = 0 if len(used) % 2 else skipped
        out[:, at:last] = samples[:, at + shift : last + shift]
        used.append(at)
    return out, [*used, last] if len(used) % 2 else used


def _heard(samples: Sound, drawn: Places) -> int | None:
    """Which of the places is loud and has least treble, which would hide a click; None where all are quiet."""
    around = [samples[:, place - AROUND : place + AROUND] for place in drawn]
    levels = np.array([_level(part) for part in around])
    treble = np.array([_level(np.diff(part, axis=1)) for part in around])
    loud = levels > max(amplitude(-50.0), 0.3 * levels.max())
    return (
        int(drawn[int(np.where(loud, treble / np.maximum(levels, 1e-9), np.inf).argmin())])
        if loud.any()
        else None
    )


def _clicks(samples: Sound, moment: Moment) -> Sound:
    """Clicks again and again, in sound that is heard: wrong samples, or jumps between two places of the sound."""
    rng = moment.rng
    places: list[int] = []
    at = float(rng.uniform(0.02, 0.1))
    while at < samples.shape[1] / RATE_HZ - 0.15:
        drawn = np.maximum(AROUND, round(at * RATE_HZ) + rng.integers(0, RATE_HZ // 20, PLACES))
        place = _heard(samples, drawn)
        places += [] if place is None else [place]
        at += float(rng.uniform(0.15, 0.7))
    used: list[int] = []
    out = samples
    if moment.level is not Level.JUST and rng.random() < 0.35:
        out, used = _jumps(samples, places, rng)
    if len(used) < 3:
        out, used = _impulses(samples, places, HEIGHTS_DB[moment.level], rng), places
    if used:
        moment.broke = used[0], used[-1] + 1
    return out


FAULT = Fault("click", (2.0, 6.0), sound=_clicks, layouts=("mono", "stereo", "5.1"))


def click(**params: float) -> Click:
    return DETECTOR(ClickParams(**params), "audio:0")


def clicked(sound: Sound, *at_s: float, dbfs: float = -6.0) -> Sound:
    out = sound.copy()
    for at in at_s:
        out[:, round(at * RATE_HZ)] += amplitude(dbfs)
    return out


def test_golden_clicks_in_speech() -> None:
    found = [
        f for f in findings(click(), blocks(clicked(speech(9), 3.1, 3.5, 4.7))) if isinstance(f, DefectEdge)
    ]
    assert [f.edge.value for f in found if f.edge.value != "updated"] == ["opened", "closed"]
    assert [f.at_ns / SECOND for f in (found[0], found[-1])] == pytest.approx([3.1, 4.7], abs=0.002)
    assert found[0].severity is Severity.WARNING
    assert "above what is around" in (found[0].detail or "")


def test_its_height_is_that_above_the_sound_around() -> None:
    low = tone(4, -20)
    bend = amplitude(-20) * (2 * np.pi * 1000 / RATE_HZ) ** 2
    (height,) = measured(click(), blocks(clicked(low, 2.0, dbfs=-26.0)), "click_height")
    assert height == pytest.approx(20 * np.log10(2 * amplitude(-26.0) / bend), abs=0.3)


def test_two_are_not_enough_and_neither_are_three_far_apart() -> None:
    assert edges(click(), blocks(clicked(speech(9), 3.1, 3.5))) == []
    assert edges(click(), blocks(clicked(speech(14), 3.1, 6.5, 10.0))) == []


def test_one_click_that_is_heard_in_all_channels_counts_once() -> None:
    sound = clicked(speech(6, channels=6), 3.1)
    sound[4:] = np.roll(sound[4:], RATE_HZ // 50, axis=1)
    names = ("L", "R", "C", "LFE", "Ls", "Rs")
    assert len(measured(click(), blocks(sound, channels=names), "click_height")) == 1


@pytest.mark.parametrize("first", [1, 1777, 4799])
def test_where_the_blocks_are_cut_does_not_matter(first: int) -> None:
    said = edges(click(), blocks(clicked(speech(9), 3.1, 3.5, 3.9), first=first))
    assert [at for edge, at in said if edge != "updated"] == pytest.approx([3.1, 3.9], abs=0.003)


@pytest.mark.parametrize("rate_hz", [16_000, 22_050, 44_100])
def test_other_rates(rate_hz: int) -> None:
    sound = tone(7, -20, hz=150, rate_hz=rate_hz) + noise(7, -60, rate_hz=rate_hz)
    for at in (2.0, 2.5, 3.0):
        sound[:, round(at * rate_hz)] += 0.5
    said = edges(click(), blocks(sound, rate_hz=rate_hz))
    assert [at for edge, at in said if edge != "updated"] == pytest.approx([2.0, 3.0], abs=0.003)


@pytest.mark.parametrize("make", [speech, noise])
def test_silent_on_programme(make: object) -> None:
    assert callable(make)
    assert edges(click(), blocks(make(30))) == []


@pytest.mark.parametrize(("spread_db", "told"), [(-15.0, True), (-10.0, False)])
def test_a_high_click_may_be_spread_over_some_milliseconds(spread_db: float, told: bool) -> None:
    sound = noise(7, -46)
    for at in (2.0, 2.4, 2.9):
        sound[:, round(at * RATE_HZ)] += amplitude(-3.0)
        sound[:, round((at + 0.0025) * RATE_HZ)] += amplitude(-3.0 + spread_db)
    assert bool(edges(click(), blocks(sound))) is told


def test_sticks_and_keys_ring_and_are_no_clicks() -> None:
    rng = np.random.default_rng(3)
    sound = 0.01 * noise(9, -20)
    for k in range(1, 40):
        blow = rng.normal(size=2400) * np.exp(-np.arange(2400) / 150) * 0.3
        sound[:, k * 10_000 : k * 10_000 + 2400] += blow.astype(np.float32)
    assert edges(click(), blocks(sound)) == []


def test_applause_is_no_row_of_clicks() -> None:
    rng = np.random.default_rng(4)
    sound = noise(8, -60)
    for place in rng.integers(0, 8 * RATE_HZ - 1200, 8 * 80).tolist():
        clap = rng.normal(size=1200) * np.exp(-np.arange(1200) / 200) * rng.uniform(0.05, 0.3)
        sound[:, place : place + 1200] += clap.astype(np.float32)
    assert edges(click(), blocks(sound)) == []


def test_sound_that_begins_or_ends_at_once_is_no_click() -> None:
    on = np.repeat(np.arange(24) % 2, RATE_HZ // 4).astype(np.float32)
    assert edges(click(), blocks(tone(6, -12, hz=440) * on)) == []
    assert edges(click(), blocks(join(nothing(1), noise(1), nothing(1), noise(1), nothing(1)))) == []
