"""Known pictures, and how they become frames as ingest would hand them over.

A picture is (Y, Cb, Cr), 4:2:0, 8 bits, limited range. Everything is drawn from a seed, so a picture is the same in
every run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from detectors.events import Event, Tick
from detectors.frame import Frame
from tests.injection import Level, Moment, Picture

WIDTH, HEIGHT = 480, 270
FPS = 25
SECOND = 1_000_000_000
TRACK = "video:0"
BLACK, WHITE, NEUTRAL = 16, 235, 128

Gray = npt.NDArray[np.uint8]  # (height, width), 8-bit code values


def flat(
    luma: int, blue: int = NEUTRAL, red: int = NEUTRAL, size: tuple[int, int] = (WIDTH, HEIGHT)
) -> Picture:
    """One colour all over."""
    width, height = size
    half = ((height + 1) // 2, (width + 1) // 2)
    return (
        np.full((height, width), luma, np.uint8),
        np.full(half, blue, np.uint8),
        np.full(half, red, np.uint8),
    )


def copied(picture: Picture) -> Picture:
    """A picture of its own, to be drawn on."""
    luma, blue, red = picture
    return luma.copy(), blue.copy(), red.copy()


@cache
def _wide(seed: int) -> Picture:
    """A landscape four pictures wide with detail at every scale, for a camera to pan over."""
    rng = np.random.default_rng(seed)
    width = 4 * WIDTH

    def detail(smallest: int) -> npt.NDArray[np.float32]:
        total = np.zeros((HEIGHT, width), np.float32)
        cell = 256
        while cell >= smallest:
            coarse = rng.normal(size=(HEIGHT // cell + 3, width // cell + 3)).astype(np.float32)
            total += cell**0.6 * cv2.resize(coarse, (width, HEIGHT), interpolation=cv2.INTER_CUBIC)
            cell //= 2
        return np.asarray((total - total.mean()) / total.std(), np.float32)

    luma = np.clip(118 + 38 * detail(2), 20, 230).astype(np.uint8)
    half = (width // 2, HEIGHT // 2)
    blue, red = (np.clip(128 + 16 * cv2.resize(detail(16), half), 40, 215).astype(np.uint8) for _ in range(2))
    return luma, blue, red


def pan(index: int, *, seed: int = 7, step: int = 6) -> Picture:
    """Picture `index` of a camera that pans `step` samples a picture, to and fro."""
    reach = 3 * WIDTH
    phase = (step * index) % (2 * reach)
    x = (phase if phase < reach else 2 * reach - phase) // 2 * 2
    luma, blue, red = _wide(seed)
    chroma = slice(x // 2, (x + WIDTH) // 2)
    return luma[:, x : x + WIDTH].copy(), blue[:, chroma].copy(), red[:, chroma].copy()


def grain(picture: Picture, rng: np.random.Generator, deviation: float) -> Picture:
    """`picture` with fresh noise on its luma."""
    luma, blue, red = picture
    noisy = luma + rng.normal(scale=deviation, size=luma.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8), blue, red


def mixed(one: Picture, other: Picture, share: float) -> Picture:
    """A dissolve: `share` of `other` over `one`."""

    def mix(a: Gray, b: Gray) -> Gray:
        return np.asarray(cv2.addWeighted(a, 1 - share, b, share, 0.0), np.uint8)

    return mix(one[0], other[0]), mix(one[1], other[1]), mix(one[2], other[2])


def written(
    picture: Picture, text: str, at: tuple[int, int], *, scale: float = 1.0, luma: int = 220, weight: int = 2
) -> Picture:
    """`picture` with a line of text whose lower left corner is at `at` (x, y)."""
    drawn = picture[0].copy()
    cv2.putText(drawn, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, luma, weight, cv2.LINE_AA)
    return drawn, picture[1], picture[2]


def titled(words: str = "THE END OF PART ONE", luma: int = 220) -> Picture:
    """A title card: text across the centre of a dark ground."""
    card = flat(30)
    for line in range(3):
        card = written(card, words, (60, 100 + 40 * line), luma=luma)
    return card


def ticker(picture: Picture, index: int, *, lines: int = 26) -> Picture:
    """`picture` with a band of running text at its foot."""
    strip = np.full((lines, 1200), 40, np.uint8)
    cv2.putText(strip, "MARKETS CLOSE HIGHER   RAIN IN THE NORTH   SCORES AT TEN   " * 2, (4, lines - 8),
                cv2.FONT_HERSHEY_SIMPLEX, 0.6, 220, 2, cv2.LINE_AA)  # fmt: skip
    luma = picture[0].copy()
    luma[-lines - 4 : -4] = np.roll(strip, -4 * index, axis=1)[:, : luma.shape[1]]
    return luma, picture[1], picture[2]


def logo(picture: Picture) -> Picture:
    """`picture` with a station's logo in its upper right corner."""
    luma = picture[0].copy()
    cv2.circle(luma, (luma.shape[1] - 30, 22), 9, 200, -1, cv2.LINE_AA)
    return luma, picture[1], picture[2]


def frame(picture: Picture, at_ns: int, duration_ns: int = SECOND // FPS) -> Frame:
    """`picture` as ingest would hand it over."""
    luma, blue, red = picture
    return Frame(TRACK, at_ns, duration_ns, luma, (blue, red))


def frames(pictures: Iterable[Picture], *, fps: float = FPS, start_s: float = 0.0) -> list[Frame]:
    """Pictures one after another."""
    step = round(SECOND / fps)
    return [frame(p, round(start_s * SECOND) + i * step, step) for i, p in enumerate(pictures)]


def panning(seconds: float, *, first: int = 0, seed: int = 7, fps: int = FPS) -> list[Picture]:
    """An ordinary moving picture."""
    return [pan(first + i, seed=seed) for i in range(round(seconds * fps))]


def ticked(events: Sequence[Frame], until_s: float) -> list[Event]:
    """`events` with ticks of 100 ms up to `until_s`."""
    ticks: list[Event] = [Tick(i * SECOND // 10) for i in range(1, round(10 * until_s) + 1)]
    return sorted([*events, *ticks], key=lambda e: e.at_ns)


def injected(
    injector: Callable[[Picture, Moment], Picture | None] | None,
    pictures: Sequence[Picture],
    first: int,
    last: int,
    level: Level,
    *,
    seed: int = 5,
) -> list[Picture | None]:
    """`pictures` with a fault in [first, last)."""
    assert injector is not None
    moment = Moment(level, np.random.default_rng(seed), float(FPS), 48_000, count=last - first)
    out: list[Picture | None] = []
    for index, picture in enumerate(pictures):
        if first <= index < last:
            moment.index = index - first
            out.append(injector(copied(picture), moment))
        else:
            out.append(picture)
    return out


def broken(
    injector: Callable[[Picture, Moment], Picture | None] | None,
    pictures: Sequence[Picture],
    first: int,
    last: int,
    level: Level = Level.GROSS,
) -> list[Frame]:
    """Frames of `pictures` with a fault in [first, last); those it leaves out are missing."""
    step = SECOND // FPS
    shown = injected(injector, pictures, first, last, level)
    return [frame(p, i * step, step) for i, p in enumerate(shown) if p is not None]
