"""Schedules repeat, keep their distance and stay bounded; edits of sound touch their stretch and no more."""

from itertools import islice, pairwise

import numpy as np
import pytest

from glitchwatch.origin.channel import ChannelSpec
from glitchwatch.origin.faults import ALL_KINDS, KINDS, Fault, Layer, Schedule, break_sound, draw
from glitchwatch.origin.lineup import DEMO_KINDS, LineUp
from glitchwatch.origin.sound import ProgrammeSound

RATE_HZ = 48_000


def some(seed: int, count: int = 60) -> list[Fault]:
    return list(islice(draw(seed, fps=25, segment_s=2, first_s=8), count))


def test_a_seed_repeats_its_faults() -> None:
    assert some(3) == some(3)
    assert some(3) != some(4)


@pytest.mark.parametrize("seed", range(5))
def test_faults_keep_their_distance_and_lie_on_their_grid(seed: int) -> None:
    faults = some(seed)
    assert faults[0].start_s >= 8
    for one, after in pairwise(faults):
        assert after.start_s - one.end_s >= 8 - 1e-9
    for fault in faults:
        grid = 1 / 25 if fault.kind.layer in (Layer.PICTURE, Layer.SOUND) else 2
        assert fault.start_s / grid == pytest.approx(round(fault.start_s / grid))
    assert {f.kind.name for f in faults[: len(ALL_KINDS)]} == set(ALL_KINDS)


def test_a_schedule_tells_what_overlaps_and_forgets_the_oldest() -> None:
    faults = some(1, 40)
    schedule = Schedule(iter(faults[:20]), iter(faults[20:]), remember=10)
    first = faults[0]
    assert first in schedule.overlapping(first.start_s, first.start_s + 0.01)
    assert schedule.overlapping(first.start_s - 1, first.start_s) == []
    assert schedule.before(first.start_s) == []
    assert len(schedule.before(1e9)) == 10


def test_a_moment_belongs_to_the_segment_it_begins() -> None:
    schedule = Schedule([Fault(KINDS["clock_jump"], 4.0, 4.0)])
    assert [len(schedule.overlapping(at, at + 2)) for at in (2.0, 4.0, 6.0)] == [0, 1, 0]


def broken(name: str, draw_: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Five seconds of sound before and after a fault from 1 s to 4 s."""
    clean = ProgrammeSound(2)(0, 5 * RATE_HZ)
    sound = clean.copy()
    # In two pieces, as a channel would.
    for start in (0, 2 * RATE_HZ):
        part = sound[:, start : start + 3 * RATE_HZ if start else 2 * RATE_HZ]
        break_sound(Fault(KINDS[name], 1.0, 4.0, draw_), part, start, RATE_HZ)
    return clean, sound


@pytest.mark.parametrize("name", ["silence", "channel_silence", "clipping", "loudness", "true_peak"])
def test_sound_is_broken_from_start_to_end_and_nowhere_else(name: str) -> None:
    clean, sound = broken(name)
    inside = slice(RATE_HZ, 4 * RATE_HZ)
    changed = np.flatnonzero((sound != clean).any(axis=0))
    assert RATE_HZ <= changed[0] < RATE_HZ + 200
    assert 4 * RATE_HZ - RATE_HZ // 1.4 < changed[-1] < 4 * RATE_HZ
    part = sound[:, inside]
    if name == "silence":
        assert not part.any()
    elif name == "channel_silence":
        assert [bool(row.any()) for row in part] == [False, True]
        assert not broken(name, 0.8)[1][1, inside].any()
    elif name == "clipping":
        assert (np.abs(part) == 1.0).mean() > 0.01
    elif name == "loudness":
        gain = 10 * np.log10((part**2).mean() / (clean[:, inside] ** 2).mean())
        assert 12 < gain < 19
        assert np.abs(part).max() < 0.61
    else:
        # Its crests lie between the samples: twice the rate shows them.
        spectrum = np.fft.rfft(part[0])
        finer = np.fft.irfft(np.pad(spectrum, (0, len(spectrum) - 1)), 2 * part.shape[1]) * 2
        assert np.abs(part).max() < 1.2
        assert np.abs(finer).max() > 1.25


@pytest.mark.parametrize("seed", range(5))
def test_a_minute_of_the_demo_shows_every_kind_and_ends_quietly(seed: int) -> None:
    plans = [(spec, plan.before(1e6)) for spec, plan in LineUp(seed, lasts_s=60, last_s=54).channels()]
    faults = [fault for _, plan in plans for fault in plan]
    assert {fault.kind.name for fault in faults} == set(DEMO_KINDS)
    assert all(2 <= len(plan) <= 4 for _, plan in plans)
    assert all(before.end_s + 4 < after.start_s for _, plan in plans for before, after in pairwise(plan))
    assert min(f.start_s for f in faults) == pytest.approx(14, abs=2.1)
    assert max(f.end_s for f in faults) <= 54
    again = [plan.before(1e6) for _, plan in LineUp(seed, lasts_s=60, last_s=54).channels()]
    assert again == [plan for _, plan in plans]


def test_channels_of_a_line_up_differ_in_make_and_are_due_at_different_moments() -> None:
    specs = [spec for spec, _ in LineUp(1).channels()]
    assert {spec.muxed for spec in specs} == {True, False}
    assert len({spec.phase_s % spec.segment_s for spec in specs}) == len(specs)
    assert [len(LineUp(1, count).channels()) for count in (1, 6)] == [1, 6]


def test_a_freeze_keeps_clear_of_cuts() -> None:
    programme = ChannelSpec("demo", seed=12).programme()
    for place in range(8, 60):
        faults = draw(1, ["freeze"], fps=25, segment_s=2, first_s=place, programme=programme)
        at = round(next(faults).start_s * 25)
        assert at - programme.cut(programme.scene_of(at)) >= 30
        assert 0 <= at - place * 25 < 60
