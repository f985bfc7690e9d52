"""Known truths of the picture detectors, over drawn pictures."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.frame import Frame, Plane
from detectors.picture.black import DETECTOR as BLACK_DETECTOR
from detectors.picture.solid_color import DETECTOR as SOLID_DETECTOR
from detectors.picture_features import LUMA_CHANGE, LUMA_HALF, LUMA_HISTOGRAM, LUMA_SMALL, eight_bit
from tests.patterns import FPS, SECOND, TRACK, flat, frames, grain, panning
from tests.run import edges

SIZES = st.tuples(st.integers(1, 700), st.integers(1, 400))


@settings(max_examples=25, deadline=None)
@given(
    first=st.integers(25, 60), length=st.integers(50, 90), code=st.integers(1, 36), seed=st.integers(0, 99)
)
def test_black_is_dated_to_the_picture(first: int, length: int, code: int, seed: int) -> None:
    shown = [*panning(first / FPS), *[flat(code)] * length, *panning(1, seed=8)]
    step = SECOND // FPS
    found = [
        (edge, round(at * SECOND))
        for edge, at in edges(BLACK_DETECTOR(BLACK_DETECTOR.Params(), TRACK), frames(shown))
    ]
    assert found == [("opened", first * step), ("closed", (first + length) * step)]
    rng = np.random.default_rng(seed)
    noisy = frames(grain(flat(128), rng, 20.0) for _ in range(60))
    assert edges(BLACK_DETECTOR(BLACK_DETECTOR.Params(), TRACK), noisy) == []


@settings(max_examples=40, deadline=None)
@given(luma=st.integers(1, 254), blue=st.integers(1, 254), red=st.integers(1, 254), size=SIZES)
def test_a_flat_field_is_either_black_or_a_colour(
    luma: int, blue: int, red: int, size: tuple[int, int]
) -> None:
    shown = [flat(luma, blue, red, size)] * 55
    black = bool(edges(BLACK_DETECTOR(BLACK_DETECTOR.Params(), TRACK), frames(shown)))
    solid = bool(edges(SOLID_DETECTOR(SOLID_DETECTOR.Params(), TRACK), frames(shown)))
    coloured = max(abs(blue - 128), abs(red - 128)) >= 12
    assert black == (luma <= 37 and not coloured)
    assert solid != black


@settings(max_examples=60, deadline=None)
@given(
    size=SIZES, depth=st.sampled_from([8, 10, 12, 16]), full_range=st.booleans(), seed=st.integers(0, 9999)
)
def test_features_hold_for_any_raster_and_depth(
    size: tuple[int, int], depth: int, full_range: bool, seed: int
) -> None:
    width, height = size
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, 1 << depth, (height, width))
    plane: Plane = drawn.astype(np.uint8) if depth == 8 else drawn.astype(np.uint16)
    first = Frame(TRACK, 0, 1, plane, None, depth, full_range)
    again = Frame(TRACK, 1, 1, plane.copy(), None, depth, full_range, previous=first)
    small = first[LUMA_SMALL]
    assert small.dtype == np.uint8
    assert abs(int(small[0, 0]) - (int(plane[0, 0]) >> (depth - 8))) == 0
    histogram = first[LUMA_HISTOGRAM]
    assert histogram.whole.sum() == small.size
    assert 0 < histogram.centre.sum() <= small.size
    change = again[LUMA_CHANGE]
    assert change is not None
    assert change.mean == 0.0
    assert not change.tiles.any()
    assert first[LUMA_CHANGE] is None
    full, half = eight_bit(plane, depth), first[LUMA_HALF]
    assert full.dtype == half.dtype == np.uint8
    assert full.shape == plane.shape
    assert np.abs(full - plane / (1 << (depth - 8))).max() < 1  # 255.9 is not to be had
    assert half.shape == (max(1, height // 2), max(1, width // 2))
    if height > 1 and width > 1:
        corner = plane[:2, :2].mean() / (1 << (depth - 8))
        assert abs(float(half[0, 0]) - corner) <= 1.25


def test_features_read_planes_that_are_wider_in_memory_and_pass_them_on_uncopied() -> None:
    memory = np.random.default_rng(5).integers(0, 256, (270, 512)).astype(np.uint8)
    view = Frame(TRACK, 0, 1, memory[:, :480])
    own = Frame(TRACK, 0, 1, memory[:, :480].copy())
    assert np.shares_memory(eight_bit(view.luma, view.depth), memory)
    assert np.array_equal(view[LUMA_HALF], own[LUMA_HALF])
    assert np.array_equal(view[LUMA_SMALL], own[LUMA_SMALL])
