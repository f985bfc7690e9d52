"""Pictures and sound made here, of the kinds that detectors take for faults: stills, titles, credits, night, quiet."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.media import RATE_HZ
from glitchwatch.origin.picture import MovingPicture
from glitchwatch.origin.sound import ProgrammeSound
from tests.injection import Picture, Sound

Size = tuple[int, int]  # width, height of luma

_WORDS = (
    "NIGHT TRAIN",
    "a film by",
    "with",
    "The Harbour",
    "Part Two",
    "Written and",
    "directed by",
    "Music",
    "Editor",
)
_NAMES = (
    "A. Larsen",
    "M. Okafor",
    "T. Weiss",
    "J. Moreau",
    "K. Sato",
    "R. Silva",
    "E. Novak",
    "P. Byrne",
    "L. Haddad",
)


def pictures(name: str, rng: np.random.Generator, size: Size, fps: float) -> Iterator[Picture]:
    """The pictures of the made source `name`, without end. Raises KeyError for another name."""
    return _MAKERS[name](rng, size, fps)


def _landscape(rng: np.random.Generator, size: Size, fps: float) -> Iterator[Picture]:
    moving = MovingPicture(int(rng.integers(1 << 30)), width=size[0], height=size[1], fps=max(1, round(fps)))
    index = int(rng.integers(0, 2000))
    while True:
        yield moving(index)
        index += 1


def photo(rng: np.random.Generator, size: Size) -> Picture:
    """One landscape."""
    return next(_landscape(rng, size, 25))


def _still(rng: np.random.Generator, size: Size, fps: float) -> Iterator[Picture]:
    picture = photo(rng, size)
    while True:
        yield picture


def _slow_pan(rng: np.random.Generator, size: Size, fps: float) -> Iterator[Picture]:
    """A photograph, moved and enlarged slowly, with sub-sample steps."""
    picture = photo(rng, (size[0] * 3 // 2 // 2 * 2, size[1] * 3 // 2 // 2 * 2))
    drift = rng.uniform(-6, 6, 2) * size[0] / 640  # samples a second
    growth = rng.uniform(-0.01, 0.01)  # a second
    index = 0
    while True:
        t = index / fps
        zoom = 1.25 * (1 + growth * t)
        out = []
        for plane, half in zip(picture, (1, 2, 2), strict=True):
            rows, columns = size[1] // half, size[0] // half
            centre = np.array(plane.shape[::-1]) / 2 + drift * t / half
            matrix = np.array(
                [[zoom / 1.25, 0, centre[0] - columns / 2], [0, zoom / 1.25, centre[1] - rows / 2]],
                np.float64,
            )
            flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            out.append(
                np.asarray(
                    cv2.warpAffine(
                        plane, matrix, (columns, rows), flags=flags, borderMode=cv2.BORDER_REFLECT
                    ),
                    np.uint8,
                )
            )
        yield (out[0], out[1], out[2])
        index += 1


def _flat(size: Size, luma: int) -> Picture:
    half = (size[1] // 2, size[0] // 2)
    return (
        np.full((size[1], size[0]), luma, np.uint8),
        np.full(half, 128, np.uint8),
        np.full(half, 128, np.uint8),
    )


def _write(
    luma: npt.NDArray[np.uint8], text: str, middle: tuple[float, float], height: float, value: int
) -> None:
    font = cv2.FONT_HERSHEY_DUPLEX
    scale = height / 22
    (wide, tall), _ = cv2.getTextSize(text, font, scale, 1)
    place = (int(middle[0] - wide / 2), int(middle[1] + tall / 2))
    cv2.putText(luma, text, place, font, scale, value, max(1, round(scale)), cv2.LINE_AA)


def _titles(rng: np.random.Generator, size: Size, fps: float) -> Iterator[Picture]:
    """Title cards, white on black or the other way, each for three seconds with a fade of its own."""
    while True:
        paper, ink = (17, 225) if rng.random() < 0.7 else (228, 40)
        card = _flat(size, paper)
        for line in range(int(rng.integers(1, 3))):
            text = str(rng.choice(_WORDS))
            _write(card[0], text, (size[0] / 2, size[1] * (0.45 + 0.14 * line)), size[1] / 11, ink)
        plain = _flat(size, paper)[0]
        length, ramp = int(fps * rng.uniform(2.0, 3.5)), max(1, int(fps * 0.5))
        for index in range(length):
            share = min(1.0, (index + 1) / ramp, (length - index) / ramp)
            luma = card[0] if share == 1.0 else cv2.addWeighted(card[0], share, plain, 1 - share, 0)
            yield np.asarray(luma, np.uint8), card[1], card[2]


def _credits(rng: np.random.Generator, size: Size, fps: float) -> Iterator[Picture]:
    """Names that roll upwards on black."""
    pitch = size[1] / 9
    roll = np.full((int(pitch * 40), size[0]), 17, np.uint8)
    for line in range(40):
        if rng.random() < 0.8:
            words = f"{rng.choice(_WORDS)}   {rng.choice(_NAMES)}"
            _write(roll, words, (size[0] / 2, pitch * (line + 0.5)), size[1] / 20, 215)
    _, cb, cr = _flat(size, 17)
    step = max(1, round(size[1] / 7 / fps))
    at = 0
    while True:
        at = (at + step) % (roll.shape[0] - size[1])
        yield roll[at : at + size[1]].copy(), cb, cr


def _grainy(rng: np.random.Generator, picture: Picture, sigma: float) -> Iterator[Picture]:
    tall, wide = picture[0].shape
    grain = [rng.normal(0, sigma, (tall + 32, wide + 32)).astype(np.int8) for _ in range(4)]
    while True:
        y, x, which = int(rng.integers(32)), int(rng.integers(32)), int(rng.integers(4))
        luma = cv2.add(picture[0], grain[which][y : y + tall, x : x + wide], dtype=cv2.CV_8U)
        yield np.asarray(luma, np.uint8), picture[1], picture[2]


def _near_static(rng: np.random.Generator, size: Size, fps: float) -> Iterator[Picture]:
    """A camera on a tripod before nothing that moves: only its noise tells that time goes on."""
    yield from _grainy(rng, photo(rng, size), rng.uniform(1.5, 3.0))


def _night(rng: np.random.Generator, size: Size, fps: float) -> Iterator[Picture]:
    """Dark, with a few lights that flicker a little, under camera noise."""
    y, cb, cr = photo(rng, size)
    dark = (16 + (y.astype(np.float32) - 16) * 0.22).astype(np.uint8)
    for _ in range(int(rng.integers(3, 9))):
        place = (int(rng.integers(size[0])), int(rng.integers(size[1])))
        cv2.circle(dark, place, int(rng.integers(1, 4)), int(rng.integers(120, 220)), -1, cv2.LINE_AA)
    chroma = [np.asarray(128 + (plane.astype(np.int16) - 128) // 4, np.uint8) for plane in (cb, cr)]
    yield from _grainy(rng, (dark, chroma[0], chroma[1]), 1.6)


def _on_twos(rng: np.random.Generator, size: Size, fps: float) -> Iterator[Picture]:
    """Drawn animation: flat colours, each picture shown twice."""
    background = _flat(size, int(rng.integers(90, 190)))
    for plane, low, high in zip(background, (60, 100, 100), (200, 150, 150), strict=True):
        tall, wide = plane.shape
        plane[tall * 2 // 3 :] = int(rng.integers(low, high))
        for _ in range(6):
            left, span = int(rng.integers(wide)), int(rng.integers(wide // 12, wide // 4))
            plane[tall // 3 : tall * 2 // 3, left : left + span] = int(rng.integers(low, high))
    colours = [
        int(rng.choice((34, 224))),
        int(rng.integers(90, 170)),
        int(rng.integers(90, 170)),
    ]  # seen everywhere
    speed, bounce = rng.uniform(0.1, 0.3) * size[0], rng.uniform(1.0, 2.0)
    index = 0
    while True:
        t = index // 2 * 2 / fps
        x = (speed * t) % (size[0] * 1.14) - 0.07 * size[0]
        y = size[1] * (0.55 - 0.15 * abs(np.sin(np.pi * bounce * t)))
        out = []
        for plane, half, colour in zip(background, (1, 2, 2), colours, strict=True):
            drawn = plane.copy()
            cv2.circle(drawn, (int(x / half), int(y / half)), size[1] // 8 // half, colour, -1, cv2.LINE_AA)
            out.append(drawn)
        yield (out[0], out[1], out[2])
        index += 1


_MAKERS = {
    "landscape": _landscape,
    "landscape2": _landscape,
    "still": _still,
    "slow_pan": _slow_pan,
    "titles": _titles,
    "credits": _credits,
    "near_static": _near_static,
    "night": _night,
    "on_twos": _on_twos,
}


@lru_cache(maxsize=8)
def sound(name: str, seed: int, seconds: int = 20) -> Sound:
    """The made sound `name` as (2, samples) at 48 kHz. Raises KeyError for another name."""
    programme = ProgrammeSound(seed)(0, seconds * RATE_HZ)
    if name in ("speech_music", "speech_music2"):
        return programme
    rng = np.random.default_rng((seed, 20))
    t = np.arange(programme.shape[1], dtype=np.float32) / RATE_HZ
    if name == "fading_music":  # it swells, dies away, not to what is silent by definition, and comes back
        swell = 10 ** (-2.0 * (0.5 - 0.5 * np.cos(2 * np.pi * t / 9.0)))
        return np.asarray(programme * swell, np.float32)
    if name == "quiet_dialogue":
        talks = np.interp(t, np.arange(0, seconds + 2, 1.0), rng.random(seconds + 2) > 0.35) > 0.5
        smooth = np.convolve(talks.astype(np.float32), np.ones(960, np.float32) / 960, "same")
        room = rng.normal(0, 10 ** (-62 / 20), programme.shape).astype(np.float32)
        return np.asarray(programme * smooth * 0.25 + room, np.float32)
    raise KeyError(name)
