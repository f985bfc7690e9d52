"""What a defect looked like: a small JPEG, made when the defect opened and while the picture is still at hand.

A defect is dated when the viewer saw the change, and opened when the detector was sure; the picture kept is the one
shown then, so it lies inside the defect. Memory is bounded: so many pictures in all, and so many of one defect, so
that a stream of blacks leaves room for the freeze after it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt

from contracts.errors import ConfigError
from contracts.findings import DefectEdge, Edge
from contracts.report import Defect, Report
from contracts.report import Evidence as Item
from detectors.frame import Frame, Plane

Bgr = npt.NDArray[np.uint8]  # (height, width, 3)

QUALITY = 80
MOST = 200  # pictures kept
MOST_EACH = 20  # of one defect on one track
SAME_S = 0.002  # reports round times to the millisecond

# Red and blue coefficients of luma: BT.709 from 720 lines, BT.601 below, as nothing tells a frame's own.
HD_LINES = 720
_KR_KB = {True: (0.2126, 0.0722), False: (0.299, 0.114)}


def thumbnail(frame: Frame, *, width: int = 320) -> bytes:
    """`frame` as a JPEG at most `width` samples wide, in its own proportions; never made larger.

    Planes are made small before they are made BGR. Monochrome, 4:2:0 to 4:4:4, 8 to 16 bit, either range.
    """
    bgr = _bgr(frame, max(1, min(width, frame.width)))
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        raise ValueError(f"OpenCV could not encode a picture of {bgr.shape[1]}×{bgr.shape[0]} as JPEG")
    return data.tobytes()


def _bgr(frame: Frame, width: int) -> Bgr:
    size = (width, max(1, round(frame.height * width / frame.width)))
    planes = [_small(frame.luma, size, frame.depth)]
    if frame.chroma is None:
        planes += [np.full(size[::-1], 128, np.uint8)] * 2
    else:
        planes += [_small(plane, size, frame.depth) for plane in frame.chroma]
    matrix = _to_bgr(full_range=frame.full_range, hd=frame.height >= HD_LINES)
    return cast(Bgr, cv2.transform(cv2.merge(planes), matrix))


def _small(plane: Plane, size: tuple[int, int], depth: int) -> npt.NDArray[np.uint8]:
    """`plane` in 8 bit at `size` (width, height). Halving first costs a third of one step down."""
    small: Any = plane if plane.strides[1] == plane.itemsize else np.ascontiguousarray(plane)
    while small.shape[1] >= 2 * size[0] and small.shape[0] >= 2 * size[1]:
        small = cv2.resize(small, (small.shape[1] // 2, small.shape[0] // 2), interpolation=cv2.INTER_AREA)
    if small.shape[::-1] != size:
        shrinks = small.shape[1] >= size[0]
        small = cv2.resize(small, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    if small.dtype != np.uint8:
        small = cv2.convertScaleAbs(small, alpha=1 / (1 << (depth - 8)))
    return cast("npt.NDArray[np.uint8]", small)


def _to_bgr(*, full_range: bool, hd: bool) -> npt.NDArray[np.float64]:
    """The 3×4 matrix from 8-bit Y'CbCr code values to B, G, R (BT.601, BT.709)."""
    kr, kb = _KR_KB[hd]
    kg = 1 - kr - kb
    luma, chroma, black = (1.0, 1.0, 0.0) if full_range else (255 / 219, 255 / 224, 16.0)
    to_blue, to_red = 2 * (1 - kb) * chroma, 2 * (1 - kr) * chroma
    rows = np.array(
        [
            [luma, to_blue, 0.0],
            [luma, -to_blue * kb / kg, -to_red * kr / kg],
            [luma, 0.0, to_red],
        ]
    )
    offset = -rows @ np.array([black, 128.0, 128.0])
    return np.hstack([rows, offset[:, None]])


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture kept: of which defect, opened when, and taken when (media ns)."""

    key: tuple[str, str | None, str | None]
    opened_ns: int
    at_ns: int
    jpeg: bytes


class Evidence:
    """Keeps a picture of each defect that opens, up to its bounds; `dropped` counts those it had no room for."""

    def __init__(self, *, most: int = MOST, most_each: int = MOST_EACH, width: int = 320) -> None:
        self._most, self._most_each, self._width = most, most_each, width
        self._shots: list[Shot] = []
        self._of: Counter[tuple[str, str | None, str | None]] = Counter()
        self.dropped = 0

    @property
    def shots(self) -> Sequence[Shot]:
        """The pictures kept, in the order in which they were taken."""
        return tuple(self._shots)

    def on_edge(self, edge: DefectEdge, frame: Frame | None) -> None:
        """Keep `frame`, the picture shown now, when `edge` opens a defect that nothing else explains.

        Without a frame (sound only, or nothing decoded yet) there is nothing to keep.
        """
        if edge.edge is not Edge.OPENED or frame is None or edge.suppressed_by is not None:
            return
        if len(self._shots) >= self._most or self._of[edge.key] >= self._most_each:
            self.dropped += 1
            return
        self._of[edge.key] += 1
        self._shots.append(Shot(edge.key, edge.at_ns, frame.at_ns, thumbnail(frame, width=self._width)))

    def thumbnails(self, report: Report) -> dict[int, bytes]:
        """The JPEG of each defect of `report` that has one, by the defect's index."""
        return {index: shot.jpeg for index, shot in self._matched(report.defects).items()}

    def save(self, folder: str | Path, report: Report) -> Report:
        """Write the pictures into `folder` (made when missing); `report` with their paths. Raises ConfigError.

        Names tell defect, track and time, so that saving again writes the same names.
        """
        root = Path(folder)
        defects = list(report.defects)
        try:
            root.mkdir(parents=True, exist_ok=True)
            for index, shot in self._matched(defects).items():
                path = root / f"{index:04d}-{_file_name(shot)}.jpg"
                path.write_bytes(shot.jpeg)
                item = Item(kind="frame", path=str(path), at_s=round(shot.at_ns / 1e9, 3))
                defects[index] = defects[index].model_copy(
                    update={"evidence": [*defects[index].evidence, item]}
                )
        except OSError as error:
            why = (error.strerror or type(error).__name__).lower()
            raise ConfigError(
                f"Cannot write evidence into {root}: {why}.", "Name a folder in which you may write."
            ) from error
        return report.model_copy(update={"defects": defects})

    def _matched(self, defects: Sequence[Defect]) -> dict[int, Shot]:
        waiting: dict[tuple[str, str | None, str | None], list[Shot]] = {}
        for shot in self._shots:
            waiting.setdefault(shot.key, []).append(shot)
        found: dict[int, Shot] = {}
        for index, defect in enumerate(defects):
            for shot in waiting.get((defect.defect, defect.track, defect.channel), ()):
                if abs(shot.opened_ns / 1e9 - defect.start_s) <= SAME_S:
                    found[index] = shot
                    break
        return found


def _file_name(shot: Shot) -> str:
    defect, track, channel = shot.key
    parts = [part for part in (defect, track, channel) if part]
    name = re.sub(r"[^A-Za-z0-9]+", "_", "-".join(parts))[:60]
    return f"{name}-{shot.at_ns / 1e9:.3f}s"
