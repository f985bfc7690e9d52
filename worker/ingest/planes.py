"""Decoded libav frames as arrays: pictures as zero-copy views, sound as float32 with full scale 1.0."""

from __future__ import annotations

from typing import Any, NamedTuple

import av
import numpy as np

from detectors.frame import Matrix, Plane, Samples, Transfer

# planar YUV layouts whose planes can be viewed as they are: name -> bits
_PLANAR = {f"yuv{j}{s}p{d}": b for s in ("420", "422", "444", "440", "411", "410") for j in ("", "j")
           for d, b in (("", 8), ("9le", 9), ("10le", 10), ("12le", 12), ("14le", 14), ("16le", 16))}  # fmt: skip
_GREY = {"gray": 8, "gray9le": 9, "gray10le": 10, "gray12le": 12, "gray16le": 16}
_FULL_RANGE = 2  # AVCOL_RANGE_JPEG

# MatrixCoefficients and TransferCharacteristics of ITU-T H.273
_MATRICES: dict[int, Matrix] = {
    1: "bt709", 4: "bt601", 5: "bt601", 6: "bt601", 7: "bt709", 9: "bt2020", 10: "bt2020",
}  # fmt: skip
_TRANSFERS: dict[int, Transfer] = {16: "pq", 18: "hlg"}
HD_WIDTH, SD_HEIGHT = 1280, 576

_CHANNELS = {"FL": "L", "FR": "R", "FC": "C", "LFE": "LFE", "SL": "Ls", "SR": "Rs", "BL": "Lrs", "BR": "Rrs"}


class Picture(NamedTuple):
    """A decoded picture's planes, and what its code values mean (see `detectors.frame.Frame`)."""

    luma: Plane
    chroma: tuple[Plane, Plane] | None
    depth: int
    full_range: bool
    matrix: Matrix
    transfer: Transfer


def picture(frame: av.VideoFrame) -> Picture:
    """The planes of a decoded picture; views stay valid as long as they live.

    Layouts that are not planar YUV (RGB, palettes, bitmaps) are converted to 8-bit 4:2:0 first.
    """
    matrix, transfer = _matrix(frame), _TRANSFERS.get(int(frame.color_trc), "sdr")
    name = frame.format.name
    if name not in _PLANAR and name not in _GREY and name != "nv12":
        if frame.format.is_rgb or frame.format.has_palette:
            matrix = "bt601"  # libswscale's own choice where it makes luma
        frame = frame.reformat(format="yuv420p")
        name = "yuv420p"
    full = frame.color_range == _FULL_RANGE or name.startswith("yuvj")
    if name == "nv12":
        planes = frame.planes
        pairs = _view(planes[1], 1, columns=planes[1].width * 2)
        return Picture(_view(planes[0], 1), (pairs[:, ::2], pairs[:, 1::2]), 8, full, matrix, transfer)
    bits = _PLANAR.get(name) or _GREY[name]
    size = 1 if bits == 8 else 2
    planes = frame.planes  # made anew at each look
    luma = _view(planes[0], size)
    chroma = None if name in _GREY else (_view(planes[1], size), _view(planes[2], size))
    return Picture(luma, chroma, bits, full, matrix, transfer)


def _matrix(frame: av.VideoFrame) -> Matrix:
    """As signalled; where it is not, high definition is BT.709 and what is smaller BT.601, as players have it."""
    signalled = _MATRICES.get(int(frame.colorspace))
    if signalled is not None:
        return signalled
    return "bt709" if frame.width >= HD_WIDTH or frame.height > SD_HEIGHT else "bt601"


def _view(plane: Any, size: int, columns: int = 0) -> Plane:
    stride = plane.line_size
    if stride <= 0:  # stored bottom up: rare, and not addressable as one buffer
        raise ValueError("picture is stored bottom up")
    kind = np.uint8 if size == 1 else np.uint16
    return np.ndarray((plane.height, columns or plane.width), kind, plane, strides=(stride, size))


def sound(frame: av.AudioFrame) -> Samples:
    """(channels, samples) float32; full scale is 1.0 whatever the sample format was."""
    name = frame.format.name
    channels = frame.layout.nb_channels
    if name == "fltp":  # what nearly every decoder of sound gives
        out = np.empty((channels, frame.samples), np.float32)
        planes: tuple[Any, ...] = frame.planes
        for channel, plane in enumerate(planes):
            out[channel] = np.frombuffer(plane, np.float32, frame.samples)
        return out
    raw = frame.to_ndarray()
    if not frame.format.is_planar:
        raw = raw.reshape(-1, channels).T
    if name.startswith(("flt", "dbl")):
        return np.ascontiguousarray(raw, np.float32)
    if name.startswith("u8"):
        return (raw.astype(np.float32) - 128.0) / np.float32(128.0)
    scale = np.float32(1.0 / 32768.0) if name.startswith("s16") else np.float32(1.0 / 2147483648.0)
    return raw.astype(np.float32) * scale


def channel_names(layout: Any) -> tuple[str, ...]:
    """The control room's names of a layout's channels; one channel alone is "M".

    Where the container names none, two are left and right, and more are numbered.
    """
    names = [c.name for c in layout.channels]
    if len(names) == 1:
        return ("M",)
    if len(set(names)) < len(names) or "NONE" in names:
        return ("L", "R") if len(names) == 2 else tuple(f"ch{i + 1}" for i in range(len(names)))
    return tuple(_CHANNELS.get(n, n) for n in names)
