"""Whatever the raster, sampling, depth, rate or colour, every detector is shown it and none breaks."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from contracts.clock import ManualClock
from contracts.findings import Severity
from detectors.frame import Frame
from glitchwatch import profiles
from tests.injection import Picture
from tests.media import Video, write
from tests.patterns import panning
from worker.ingest.native import NativeReading
from worker.ingest.options import IngestOptions
from worker.watch import Watch

FAST = (("preset", "ultrafast"), ("threads", "1"))
QUIET = (*FAST, ("x265-params", "log-level=none:pools=none"))
PQ = (("color_trc", "smpte2084"), ("colorspace", "bt2020nc"), ("color_primaries", "bt2020"))


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of stream, and how its frames must come out."""

    codec: str = "libx264"
    pix_fmt: str = "yuv420p"
    size: tuple[int, int] = (320, 180)
    fps: int = 25
    options: tuple[tuple[str, str], ...] = FAST
    at: tuple[int, ...] | None = None
    depth: int = 8
    matrix: str = "bt601"
    transfer: str = "sdr"
    interlaced: bool = False
    top_first: bool | None = None


KINDS = {
    "8-bit 4:2:0": Kind(),
    "8-bit 4:2:2": Kind(pix_fmt="yuv422p"),
    "8-bit 4:4:4, odd": Kind(pix_fmt="yuv444p", size=(319, 181)),
    "4:2:0, odd": Kind(codec="ffv1", size=(319, 181)),
    "10-bit 4:2:0 H.264": Kind(pix_fmt="yuv420p10le", depth=10),
    "10-bit 4:2:2 H.264": Kind(pix_fmt="yuv422p10le", depth=10),
    "10-bit HEVC": Kind(codec="libx265", pix_fmt="yuv420p10le", options=QUIET, depth=10),
    "10-bit HEVC, PQ": Kind(codec="libx265", pix_fmt="yuv420p10le", options=(*QUIET, *PQ), depth=10,
                            matrix="bt2020", transfer="pq"),
    "10-bit 4:2:2, HLG": Kind(pix_fmt="yuv422p10le", depth=10, matrix="bt2020", transfer="hlg",
                              options=(*FAST, *PQ, ("color_trc", "arib-std-b67"))),
    "interlaced": Kind(options=(*FAST, ("x264-params", "tff=1")), interlaced=True, top_first=True),
    "interlaced, bottom first": Kind(
        options=(*FAST, ("x264-params", "bff=1")), interlaced=True, top_first=False
    ),
    "grey": Kind(codec="ffv1", pix_fmt="gray"),
    "portrait": Kind(size=(180, 320)),
    "high definition": Kind(size=(1280, 720), matrix="bt709"),
    "15 a second": Kind(fps=15),
    "120 a second": Kind(fps=120),
    "variable rate": Kind(at=tuple(int(t) for t in np.cumsum([20, 40, 33, 17, 60] * 8))),
}  # fmt: skip


def shown(kind: Kind, seconds: float = 1.0) -> list[Picture]:
    """A panning picture in the raster of `kind`."""
    count = len(kind.at) if kind.at else round(seconds * kind.fps)
    sized = (kind.size, ((kind.size[0] + 1) // 2, (kind.size[1] + 1) // 2))

    def fitted(plane: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
        return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.uint8)

    return [
        (fitted(y, sized[0]), fitted(u, sized[1]), fitted(v, sized[1]))
        for y, u, v in panning(count / 25)[:count]
    ]


@pytest.mark.parametrize("name", KINDS)
def test_any_stream_reaches_every_detector(name: str, tmp_path: Path) -> None:
    kind = KINDS[name]
    path = tmp_path / "clip.mkv"
    pictures = shown(kind)
    write(path, video=Video(pictures, kind.codec, kind.pix_fmt, kind.at, kind.fps, kind.options))

    reading = NativeReading(str(path), IngestOptions(open_timeout_s=5, read_timeout_s=5))
    frames = [e for e in reading.events() if isinstance(e, Frame)]
    reading.close()
    assert len(frames) == len(pictures)
    for frame in frames:
        assert (frame.width, frame.height) == kind.size
        assert (frame.depth, frame.matrix, frame.transfer) == (kind.depth, kind.matrix, kind.transfer)
        assert (frame.interlaced, frame.top_first) == (kind.interlaced, kind.top_first)
        assert (frame.chroma is None) == (kind.pix_fmt == "gray")

    report = Watch(str(path), profiles.seats(profiles.read(None), ()), version="0", clock=ManualClock()).run()
    assert report.execution.status == "complete"
    assert [c for c in report.coverage if c.fault] == []
    assert [d for d in report.defects if d.severity.rank >= Severity.ERROR.rank] == []
