"""Planes: views of what libav holds, whatever the layout."""

import av
import numpy as np
import pytest

from worker.ingest.planes import picture, sound

GREY = 90


def made(name: str, width: int = 50, height: int = 30) -> av.VideoFrame:
    luma = np.full((height, width), GREY, np.uint8)
    half = np.full((height // 2, width // 2), 100, np.uint8)
    rows = np.concatenate([luma.ravel(), half.ravel(), (half + 50).ravel()]).reshape(-1, width)
    return av.VideoFrame.from_ndarray(rows, format="yuv420p").reformat(format=name)


@pytest.mark.parametrize(
    ("name", "depth", "chroma"),
    [
        ("yuv420p", 8, (15, 25)),
        ("yuv422p", 8, (30, 25)),
        ("yuv444p", 8, (30, 50)),
        ("yuv420p10le", 10, (15, 25)),
        ("yuv422p12le", 12, (30, 25)),
        ("nv12", 8, (15, 25)),
        ("p010le", 8, (15, 25)),
        ("yuyv422", 8, (15, 25)),
        ("gbrp", 8, (15, 25)),
        ("rgba", 8, (15, 25)),
    ],
)
def test_any_layout_is_planes(name: str, depth: int, chroma: tuple[int, int]) -> None:
    luma, colour, bits, full, *_ = picture(made(name))
    assert (luma.shape, bits, full) == ((30, 50), depth, False)
    # Making the picture may spoil its last columns: libswscale reads past the end of unpadded rows.
    assert abs(float(luma[:, :48].mean()) / 2 ** (depth - 8) - GREY) <= 2
    assert colour is not None
    assert colour[0].shape == colour[1].shape == chroma
    assert abs(float(colour[0][:, :20].mean()) / 2 ** (depth - 8) - 100) <= 3
    assert abs(float(colour[1][:, :20].mean()) / 2 ** (depth - 8) - 150) <= 3


@pytest.mark.parametrize(("name", "depth"), [("gray", 8), ("gray10le", 10)])
def test_monochrome_has_no_chroma(name: str, depth: int) -> None:
    luma, colour, bits, *_ = picture(made(name))
    assert colour is None
    assert bits == depth
    assert luma.shape == (30, 50)


def test_full_range_is_noticed() -> None:
    frame = made("yuv420p")
    frame.color_range = 2
    assert picture(frame).full_range


def test_eight_bit_planes_are_not_copied() -> None:
    frame = made("yuv420p")
    luma = picture(frame).luma
    assert not luma.flags.owndata
    assert np.shares_memory(luma, np.frombuffer(memoryview(frame.planes[0]), np.uint8))


def test_a_view_outlives_its_frame() -> None:
    luma = picture(made("yuv420p")).luma
    for _ in range(20):
        made("yuv420p", 64, 64)
    assert (luma == GREY).all()


@pytest.mark.parametrize(
    ("size", "signalled", "matrix"),
    [
        ((720, 576), 2, "bt601"),
        ((854, 480), 2, "bt601"),
        ((1280, 536), 2, "bt709"),
        ((720, 1280), 2, "bt709"),
        ((1920, 1080), 2, "bt709"),
        ((1920, 1080), 6, "bt601"),
        ((640, 360), 1, "bt709"),
        ((640, 360), 9, "bt2020"),
    ],
)
def test_the_matrix_is_what_is_signalled_or_usual_for_the_size(
    size: tuple[int, int], signalled: int, matrix: str
) -> None:
    frame = av.VideoFrame(*size, "yuv420p")
    frame.colorspace = signalled
    assert picture(frame).matrix == matrix


def test_luma_made_of_rgb_is_bt601_whatever_the_size() -> None:
    red = np.zeros((720, 1280, 3), np.uint8)
    red[..., 0] = 255
    shown = picture(av.VideoFrame.from_ndarray(red, format="rgb24"))
    assert shown.matrix == "bt601"
    assert abs(int(shown.luma[100, 100]) - 82) <= 1  # 63 by BT.709


@pytest.mark.parametrize(
    ("signalled", "transfer"), [(2, "sdr"), (1, "sdr"), (14, "sdr"), (16, "pq"), (18, "hlg")]
)
def test_the_transfer_is_told(signalled: int, transfer: str) -> None:
    frame = made("yuv420p10le")
    frame.color_trc = signalled
    assert picture(frame).transfer == transfer


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("s16", np.int16(-16384), -0.5),
        ("s16p", np.int16(16384), 0.5),
        ("s32", np.int32(1 << 30), 0.5),
        ("flt", np.float32(0.25), 0.25),
        ("fltp", np.float32(-1.5), -1.5),
        ("dbl", np.float64(0.125), 0.125),
        ("u8", np.uint8(64), -0.5),
        ("u8p", np.uint8(128), 0.0),
    ],
)
def test_full_scale_is_one(name: str, value: np.generic, expected: float) -> None:
    planar = name.endswith("p")
    raw = np.zeros((2, 100) if planar else (1, 200), value.dtype)
    if planar:
        raw[0] = value
    else:
        raw[0, ::2] = value
    got = sound(av.AudioFrame.from_ndarray(raw, format=name, layout="stereo"))
    assert got.shape == (2, 100)
    assert got.dtype == np.float32
    assert np.allclose(got[0], expected)
