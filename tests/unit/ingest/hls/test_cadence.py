"""Loads of a live playlist: soon after each segment, and but for a dozen never sooner than RFC 8216 allows."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from worker.ingest.hls.cadence import PROBES, Cadence
from worker.ingest.hls.playlist import NS, Entry, MediaPlaylist


def follow(
    loads: int, *, phase_s: float, length_s: float = 2.0, target_s: float = 2.0, jitter_s: float = 0.0
) -> tuple[list[float], list[float], list[bool]]:
    """Times of loads, how late each segment was met (in order), and whether each load brought something new."""
    rng = random.Random(5)
    out_s = [0.3 + phase_s + n * length_s + rng.uniform(0, jitter_s) for n in range(3 * loads + 20)]
    cadence, at_s, known = Cadence(), 20.0, -1
    times, late, changes = [], [], []
    for _ in range(loads):
        newest = max(n for n, out in enumerate(out_s) if out <= at_s)
        entries = tuple(
            Entry(n, f"{n}.ts", round(length_s * NS)) for n in range(max(0, newest - 5), newest + 1)
        )
        playlist = MediaPlaylist(entries, target_s, entries[0].sequence, False)
        if known >= 0:
            late += [at_s - out_s[n] for n in range(known + 1, newest + 1)]
        changed, known = newest != known, newest
        times.append(at_s)
        changes.append(changed)
        at_s = cadence.next_s(at_s, playlist, changed=changed)
    return times, late, changes


@pytest.mark.parametrize("phase_s", [0.0, 0.1, 0.55, 1.0, 1.3, 1.65, 1.99])
@pytest.mark.parametrize("jitter_s", [0.0, 0.1])
def test_after_a_while_segments_are_met_as_they_come(phase_s: float, jitter_s: float) -> None:
    _, late, _ = follow(300, phase_s=phase_s, jitter_s=jitter_s)
    settled = sorted(late[20:])
    assert settled[len(settled) // 2] < 0.4
    assert settled[int(0.95 * len(settled))] < 0.45


@pytest.mark.parametrize("phase_s", [0.0, 0.1, 0.55, 1.0, 1.3, 1.65, 1.99])
@pytest.mark.parametrize("target_s", [2.0, 6.0])
def test_the_first_segments_are_met_soon_at_less_than_two_loads_a_segment(
    phase_s: float, target_s: float
) -> None:
    times, late, _ = follow(60, phase_s=phase_s, length_s=target_s, target_s=target_s)
    assert max(late[:6]) < 0.3 * target_s
    assert max(late[6:]) < 0.1 * target_s
    assert sum(1 for at_s in times if at_s < times[0] + 6 * target_s) <= 12


@pytest.mark.parametrize(("length_s", "jitter_s"), [(2.0, 0.0), (2.0, 0.6), (1.6, 0.0), (1.0, 0.3)])
def test_loads_keep_the_distance_that_the_standard_asks_for(length_s: float, jitter_s: float) -> None:
    times, late, changes = follow(200, phase_s=0.7, length_s=length_s, jitter_s=jitter_s)
    sooner = 0
    for (before, after), changed in zip(pairwise(times), changes, strict=False):
        sooner += after - before < (2.0 if changed else 1.0) - 1e-9
        assert 0.2 - 1e-9 <= after - before <= 4.0 + 1e-9
    assert sooner <= PROBES
    assert max(late) < 4.0 + jitter_s


def test_segments_shorter_than_the_target_duration_are_loaded_at_its_pace() -> None:
    times, _, _ = follow(50, phase_s=0.2, length_s=1.5)
    assert {round(b - a, 6) for a, b in pairwise(times)} == {2.0}


def test_a_playlist_that_begins_anew_is_learned_anew() -> None:
    cadence = Cadence()
    for first in (100, 5):
        entries = (Entry(first, "a.ts", 2 * NS),)
        at = cadence.next_s(10.0, MediaPlaylist(entries, 2.0, first, False), changed=True)
        assert at == 10.5
    assert cadence.next_s(10.0, MediaPlaylist((), 2.0, 0, False), changed=False) == 11.0
