"""`make docs`: a small picture or waveform of each detector's fault, made by its own injector at its grossest.

Above, the programme as it was; below, with the fault in it. Everything is made here, so the same pictures come out of
any checkout; that two machines' libraries agree to the last bit is not promised, and nobody compares bytes.
"""

from __future__ import annotations

import zlib
from itertools import islice
from pathlib import Path

import click
import cv2
import numpy as np
import numpy.typing as npt

from benchmarks import made
from benchmarks.clips import fault_of
from benchmarks.media import RATE_HZ
from detectors.catalogue import load
from glitchwatch.render.markup import add, node, xml
from tests.injection import Fault, Level, Moment, Picture, Sound

FOLDER = Path("docs/faults")
MOST_BYTES = 15_000
FPS = 25.0
SHOWN = 4  # moments of a fault of pictures
BEFORE_S, AFTER_S = 1.0, 0.5
COLUMNS, HALF = 240, 40  # of a waveform


@click.command()
@click.option("--only", default="", help="Detectors, comma-separated.")
def main(only: str) -> None:
    """Write docs/faults/ID.png (pictures) and ID.svg (sound)."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, detector in load().items():
        fault = fault_of(name, detector.family())
        if fault is None or (only and name not in only.split(",")):
            continue
        drawn = draw(name, fault)
        if drawn is not None:
            suffix, data = drawn
            path = FOLDER / f"{name}.{suffix}"
            if not path.is_file() or path.read_bytes() != data:
                path.write_bytes(data)
                print(f"wrote {path}")


def draw(name: str, fault: Fault) -> tuple[str, bytes] | None:
    """(suffix, content); None for a fault of neither pictures nor sound."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    length_s = min(max(fault.lengths_s[0], 0.2), 4.0)
    if fault.picture is not None:
        return "png", _small(_strip(fault, rng, length_s))
    if fault.sound is not None:
        return "svg", _waveform(name, fault, rng, length_s)
    return None


def _strip(fault: Fault, rng: np.random.Generator, length_s: float) -> npt.NDArray[np.uint8]:
    """Two rows of moments, (height, width, 3) BGR."""
    assert fault.picture is not None
    count = max(SHOWN, round(length_s * FPS))
    clean = list(islice(made.pictures("landscape", rng, (320, 180), FPS), round(BEFORE_S * FPS) + count))
    clean = clean[round(BEFORE_S * FPS) :]
    moment = Moment(Level.GROSS, rng, FPS, RATE_HZ, 0, count)
    broken: list[Picture | None] = []
    for moment.index, (y, cb, cr) in enumerate(clean):
        broken.append(fault.picture((y.copy(), cb.copy(), cr.copy()), moment))
    step = count // SHOWN
    at = [min(count - 1, i * step + i % 2 * 3) for i in range(SHOWN)]  # not in step with what flickers
    return np.vstack([_row([clean[i] for i in at]), _row([broken[i] for i in at])])


def _row(pictures: list[Picture | None] | list[Picture]) -> npt.NDArray[np.uint8]:
    shown = []
    for picture in pictures:
        if picture is None:  # left out of the stream
            image = np.full((180, 320, 3), 225, np.uint8)
            cv2.line(image, (0, 0), (319, 179), (170, 170, 170), 2)
            cv2.line(image, (0, 179), (319, 0), (170, 170, 170), 2)
        else:
            y, cb, cr = (np.asarray(plane).reshape(-1) for plane in picture)
            planar = np.concatenate([y, cb, cr]).reshape(270, 320)
            image = np.asarray(cv2.cvtColor(planar, cv2.COLOR_YUV2BGR_I420), np.uint8)
        shown.append(np.pad(image, ((3, 3), (3, 3), (0, 0)), constant_values=255))
    return np.hstack(shown)


def _small(image: npt.NDArray[np.uint8]) -> bytes:
    """A PNG within `MOST_BYTES`: as large as that allows, in few colours."""
    for width in (720, 640, 560, 480, 400, 320, 240):
        size = (width, round(image.shape[0] * width / image.shape[1]))
        few = cv2.resize(image, size, interpolation=cv2.INTER_AREA) // 24 * 24 + 12
        done, data = cv2.imencode(".png", few, [cv2.IMWRITE_PNG_COMPRESSION, 9])
        if done and len(data) <= MOST_BYTES:
            return data.tobytes()
    raise RuntimeError("A picture of a fault does not fit into its bytes.")


def _waveform(name: str, fault: Fault, rng: np.random.Generator, length_s: float) -> bytes:
    """An SVG of two envelopes, of the channel that changed most."""
    assert fault.sound is not None
    a, b = round(BEFORE_S * RATE_HZ), round((BEFORE_S + length_s) * RATE_HZ)
    clean: Sound = made.sound("speech_music", 0)[:, : b + round(AFTER_S * RATE_HZ)]
    changed = fault.sound(clean[:, a:b].copy(), Moment(Level.GROSS, rng, FPS, RATE_HZ, 0, 1))
    broken = clean.copy()
    broken[:, a:b] = 0.0 if changed is None else changed
    channel = int(np.abs(broken - clean).sum(axis=1).argmax())
    svg = node(
        "svg", xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {COLUMNS * 2} {HALF * 4 + 12}", role="img"
    )
    add(svg, "title", f"{name}: above the sound as it was, below with the fault")
    left, right = (round(t / clean.shape[1] * COLUMNS * 2) for t in (a, b))
    add(svg, "rect", x=left, y=HALF * 2 + 12, width=max(2, right - left), height=HALF * 2, fill="#fde7e3")
    for row, sound in enumerate((clean, broken)):
        middle = HALF + row * (2 * HALF + 12)
        add(svg, "path", d=_envelope(sound[channel], middle), fill="#1f6fb2" if row == 0 else "#d5401e")
    return xml(svg).encode()


def _envelope(samples: npt.NDArray[np.float32], middle: float) -> str:
    parts = np.array_split(np.clip(samples, -1.0, 1.0), COLUMNS)
    tops = [f"{2 * i},{middle - HALF * max(float(p.max()), 0.01):.1f}" for i, p in enumerate(parts)]
    bottoms = [f"{2 * i},{middle - HALF * min(float(p.min()), -0.01):.1f}" for i, p in enumerate(parts)]
    return f"M{' '.join(tops)} {' '.join(reversed(bottoms))}Z"


if __name__ == "__main__":
    main()
