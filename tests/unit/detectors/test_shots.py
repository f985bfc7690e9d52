"""What rises within a shot: a cut, a fade and a single picture are told from a fault."""

import numpy as np
import pytest

from detectors.shots import Patches, Rise

STEP_NS = 200_000_000
SHOT = Patches(np.random.default_rng(1).uniform(40, 200, (9, 16)).astype(np.float32))
OTHER = Patches(np.random.default_rng(2).uniform(40, 200, (9, 16)).astype(np.float32))


def times_up(rise: Rise, seen: list[tuple[Patches, float]]) -> list[bool]:
    """Of each sample, whether the value is up."""
    return [rise.update(n * STEP_NS, patches, value) is not None for n, (patches, value) in enumerate(seen)]


def softening(**others: float) -> Rise:
    return Rise(floor=2.0, factor=2.0, plus=0.0, back=0.5, **others)  # type: ignore[arg-type]


@pytest.mark.parametrize(("seen", "told"), [(1, False), (2, True)])
def test_a_shot_must_have_been_seen_before(seen: int, *, told: bool) -> None:
    shown = [(OTHER, 1.0)] * 4 + [(SHOT, 1.0)] * seen + [(SHOT, 3.0)] * 3
    assert times_up(softening(least=2), shown)[-1] is told


@pytest.mark.parametrize("gain", [0.6, 1.6])
def test_a_pattern_of_another_contrast_is_a_fade(gain: float) -> None:
    changed = Patches(np.asarray(120 + gain * (SHOT.means - 120), np.float32))
    assert not any(times_up(softening(kept=0.8), [(SHOT, 1.0)] * 4 + [(changed, 3.0)] * 3))
    assert times_up(softening(kept=0.8), [(SHOT, 1.0)] * 4 + [(SHOT, 3.0)] * 3)[-1]


@pytest.mark.parametrize(("up", "told"), [(2, False), (3, True)])
def test_it_goes_on_over_a_cut_where_it_was_there_for_more_than_two_pictures(up: int, *, told: bool) -> None:
    rise = Rise(floor=2.0, factor=2.0, plus=0.0, back=0.5, anew=True)
    shown = [(SHOT, 1.0)] * 5 + [(SHOT, 3.0)] * up + [(OTHER, 3.0)] * 3
    assert times_up(rise, shown)[-1] is told
