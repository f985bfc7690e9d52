"""The programme is the same whenever it is made, and is ordinary programme to whoever looks for faults."""

import numpy as np
import pytest

from glitchwatch.origin.picture import MovingPicture
from glitchwatch.origin.sound import ProgrammeSound, k_weight


def test_a_picture_follows_from_seed_and_index_alone() -> None:
    forward = MovingPicture(5)
    for index in range(0, 300, 20):
        forward(index)
    for index in (280, 3, 141):
        for one, other in zip(forward(index), MovingPicture(5)(index), strict=True):
            np.testing.assert_array_equal(one, other)
    assert not np.array_equal(forward(3)[0], MovingPicture(6)(3)[0])


def test_planes_are_4_2_0_and_the_caller_may_write_on_them() -> None:
    programme = MovingPicture(1, width=320, height=180, fps=30)
    y, cb, cr = programme(7)
    assert (y.shape, cb.shape, cr.shape) == ((180, 320), (90, 160), (90, 160))
    y[:] = 16
    assert programme(7)[0].mean() > 40


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_picture_moves_is_lit_and_has_colour(seed: int) -> None:
    programme = MovingPicture(seed)
    before = programme(0)[0].astype(np.int16)
    for index in range(1, 400):
        y, cb, _cr = programme(index)
        luma = y.astype(np.int16)
        assert np.abs(luma - before).mean() / 255 > 0.004, index
        assert 70 < y.mean() < 190
        assert y.std() > 15
        assert y.min() >= 16
        assert y.max() <= 235
        assert np.abs(cb.astype(np.int16) - 128).mean() > 2
        before = luma


def test_scenes_are_cut_every_few_seconds() -> None:
    programme = MovingPicture(9)
    cuts = [programme.cut(scene) for scene in range(20)]
    lengths = np.diff(cuts) / programme.fps
    assert lengths.min() >= 2
    assert lengths.max() <= 8
    for scene, cut in enumerate(cuts):
        assert programme.scene_of(cut) == scene
        assert programme.scene_of(max(0, cut - 1)) == max(0, scene - 1)


def test_a_stretch_of_sound_follows_from_seed_and_index_alone() -> None:
    sound = ProgrammeSound(5)
    whole = sound(0, 480_000)
    for start, count in ((300_000, 5_000), (95_000, 2_000), (0, 1)):
        np.testing.assert_array_equal(ProgrammeSound(5)(start, count), whole[:, start : start + count])
    assert not np.array_equal(ProgrammeSound(6)(0, 4800), whole[:, :4800])


@pytest.mark.parametrize(("seed", "rate_hz"), [(1, 48_000), (2, 48_000), (3, 44_100)])
def test_sound_is_level_stereo_and_never_quiet_for_long(seed: int, rate_hz: int) -> None:
    sound = ProgrammeSound(seed, rate_hz=rate_hz)(0, 30 * rate_hz)
    spectrum = np.abs(np.fft.rfft(sound, axis=1)) ** 2 * k_weight(sound.shape[1], rate_hz)
    loudness = -0.691 + 10 * np.log10(2 * spectrum.sum() / sound.shape[1] ** 2)
    assert loudness == pytest.approx(-23.0, abs=0.5)
    assert np.abs(sound).max() < 0.6
    blocks = sound.reshape(2, -1, rate_hz // 10)
    level = 10 * np.log10((blocks**2).mean(axis=2))
    assert level.min() > -55
    assert float(np.corrcoef(sound[0], sound[1]).flat[1]) > 0.5
    assert np.abs(sound[0] - sound[1]).max() > 0.05


def test_sound_does_not_click_where_cells_meet() -> None:
    sound = ProgrammeSound(4)(0, 48_000 * 12)
    steps = np.abs(np.diff(sound, axis=1))
    seams = [steps[:, cell * 96_000 - 2 : cell * 96_000 + 2].max() for cell in range(1, 6)]
    assert max(seams) < np.quantile(steps, 0.999)
