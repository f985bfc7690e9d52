"""The moving picture of a test channel: panned landscapes, things that move, grain, and a cut every few seconds.

Every picture follows from (seed, index) alone, so that any moment can be made again and compared.
"""

from collections import OrderedDict
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.uint8]  # (height, width) code values, limited range
Picture = tuple[Plane, Plane, Plane]  # Y, Cb, Cr of 4:2:0

SCENE_S = 5.0  # on average
_JITTER_S = 1.2  # a cut comes this much sooner or later
_GRAIN_SIGMA = 1.6  # code values
_GRAIN_TILES = 4
_LUMA = (30.0, 218.0)
_CHROMA = (40.0, 216.0)


@dataclass(frozen=True, slots=True)
class _Mover:
    """Something that crosses the picture: an ellipse with a lighter core."""

    x: float
    y: float
    vx: float  # samples a picture
    sway: float  # samples
    period: float  # pictures
    radii: tuple[int, int]
    color: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _Scene:
    canvas: Picture  # larger than the picture, panned across
    start: int  # index of its first picture
    pan: tuple[int, int]  # samples a picture, even so that chroma moves with luma
    movers: tuple[_Mover, ...]


class MovingPicture:
    """Makes picture `index` of a channel; `width` and `height` are even, `fps` is pictures a second."""

    def __init__(self, seed: int, *, width: int = 640, height: int = 360, fps: int = 25) -> None:
        self.seed, self.width, self.height, self.fps = seed, width, height, fps
        self._scenes: OrderedDict[int, _Scene] = OrderedDict()
        self._scale = width / 640
        margin = 16
        rng = np.random.default_rng((seed, 1))
        shape = (_GRAIN_TILES, height + margin, width + margin)
        self._grain = np.clip(np.rint(rng.normal(0.0, _GRAIN_SIGMA, shape)), -8, 8).astype(np.int8)
        self._margin = margin

    def cut(self, scene: int) -> int:
        """Index of the first picture of a scene."""
        if scene <= 0:
            return 0
        jitter = np.random.default_rng((self.seed, 2, scene)).uniform(-_JITTER_S, _JITTER_S)
        return round((scene * SCENE_S + jitter) * self.fps)

    def scene_of(self, index: int) -> int:
        """Which scene picture `index` belongs to."""
        guess = max(0, int(index / self.fps / SCENE_S) - 1)
        while self.cut(guess + 1) <= index:
            guess += 1
        return guess

    def settled(self, index: int, seconds: float) -> int:
        """The first picture from `index` on whose scene has lasted that long."""
        earliest = self.cut(self.scene_of(index)) + round(seconds * self.fps)
        return index if index >= earliest else self.settled(earliest, seconds)

    def __call__(self, index: int) -> Picture:
        """Picture `index` as three fresh planes."""
        scene = self._scene(self.scene_of(index))
        age = index - scene.start
        y, cb, cr = self._pan(scene, age)
        for mover in scene.movers:
            self._draw(mover, age, y, cb, cr)
        self._clock(index, y, cb, cr)
        draw = np.random.default_rng((self.seed, 3, index)).integers(0, 1 << 30)
        top, left = int(draw % self._margin), int(draw // 64 % self._margin)
        tile = self._grain[
            int(draw // 4096 % _GRAIN_TILES), top : top + self.height, left : left + self.width
        ]
        cv2.add(y, tile, dst=y, dtype=cv2.CV_8U)
        return y, cb, cr

    @staticmethod
    def scaled(picture: Picture, width: int, height: int) -> Picture:
        """The same picture in another size (samples of luma)."""
        y, cb, cr = picture
        half = (width // 2, height // 2)
        return (
            np.asarray(cv2.resize(y, (width, height), interpolation=cv2.INTER_AREA), np.uint8),
            np.asarray(cv2.resize(cb, half, interpolation=cv2.INTER_AREA), np.uint8),
            np.asarray(cv2.resize(cr, half, interpolation=cv2.INTER_AREA), np.uint8),
        )

    def _pan(self, scene: _Scene, age: int) -> Picture:
        canvas = scene.canvas
        room_x, room_y = canvas[0].shape[1] - self.width, canvas[0].shape[0] - self.height
        x, y = _bounce(scene.pan[0] * age, room_x), _bounce(scene.pan[1] * age, room_y)
        half = (x // 2, y // 2)
        return (
            canvas[0][y : y + self.height, x : x + self.width].copy(),
            canvas[1][half[1] : half[1] + self.height // 2, half[0] : half[0] + self.width // 2].copy(),
            canvas[2][half[1] : half[1] + self.height // 2, half[0] : half[0] + self.width // 2].copy(),
        )

    def _draw(self, mover: _Mover, age: int, y: Plane, cb: Plane, cr: Plane) -> None:
        rx, ry = mover.radii
        span = self.width + 4 * rx
        cx = int((mover.x + mover.vx * age) % span) - 2 * rx
        cy = int(mover.y + mover.sway * np.sin(2 * np.pi * age / mover.period))
        luma = mover.color[0]
        cv2.ellipse(y, (cx, cy), (rx, ry), 0, 0, 360, luma, -1, cv2.LINE_AA)
        cv2.ellipse(
            y, (cx - rx // 4, cy - ry // 4), (rx // 2, ry // 2), 20, 0, 360, luma + 22, -1, cv2.LINE_AA
        )
        for plane, value in ((cb, mover.color[1]), (cr, mover.color[2])):
            cv2.ellipse(plane, (cx // 2, cy // 2), (rx // 2, ry // 2), 0, 0, 360, value, -1, cv2.LINE_AA)

    def _clock(self, index: int, y: Plane, cb: Plane, cr: Plane) -> None:
        seconds, picture = divmod(index, self.fps)
        text = f"{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{picture:02d}"
        size = 0.5 * self._scale
        x0, y0 = _even(16 * self._scale), _even(12 * self._scale)
        x1, y1 = x0 + _even(128 * self._scale), y0 + _even(24 * self._scale)
        y[y0:y1, x0:x1] = y[y0:y1, x0:x1] // 2 + 12
        for plane in (cb, cr):
            plane[y0 // 2 : y1 // 2, x0 // 2 : x1 // 2] = 128
        place = (x0 + int(8 * self._scale), y1 - int(7 * self._scale))
        cv2.putText(
            y, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, 205, max(1, round(self._scale)), cv2.LINE_AA
        )

    def _scene(self, number: int) -> _Scene:
        if number not in self._scenes:
            self._scenes[number] = self._compose(number)
            while len(self._scenes) > 3:
                self._scenes.popitem(last=False)
        self._scenes.move_to_end(number)
        return self._scenes[number]

    def _compose(self, number: int) -> _Scene:
        rng = np.random.default_rng((self.seed, 4, number))
        width, height = _even(self.width * 1.6), _even(self.height * 1.25)
        step = max(2, _even(2 * self._scale * 25 / self.fps))
        pan = (int(rng.choice((-1, 1))) * step * int(rng.integers(1, 3)), step * int(rng.integers(0, 2)))
        return _Scene(
            canvas=_landscape(rng, width, height),
            start=self.cut(number),
            pan=pan,
            movers=tuple(self._mover(rng) for _ in range(int(rng.integers(2, 5)))),
        )

    def _mover(self, rng: np.random.Generator) -> _Mover:
        radius = self.height * rng.uniform(0.05, 0.13)
        return _Mover(
            x=rng.uniform(0, self.width),
            y=self.height * rng.uniform(0.45, 0.85),
            vx=float(rng.choice((-1, 1))) * rng.uniform(2.0, 5.0) * self._scale * 25 / self.fps,
            sway=self.height * rng.uniform(0.01, 0.05),
            period=self.fps * rng.uniform(0.8, 2.5),
            radii=(int(radius), int(radius * rng.uniform(0.8, 1.8))),
            color=(int(rng.integers(50, 180)), int(rng.integers(85, 170)), int(rng.integers(85, 170))),
        )


def _even(value: float) -> int:
    return int(value) // 2 * 2


def _bounce(travel: int, room: int) -> int:
    """A pan that turns round at the edges of the canvas; always even."""
    if room < 2:
        return 0
    room = room // 2 * 2
    place = travel % (2 * room)
    return (place if place <= room else 2 * room - place) // 2 * 2


def _field(
    rng: np.random.Generator, width: int, height: int, coarsest: int, octaves: int, stretch: float = 1.0
) -> npt.NDArray[np.float32]:
    """Fractal noise with mean 0 and deviation 1: each octave twice as fine and weaker."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        columns = max(2, int(width / coarsest * 2**octave / stretch))
        rows = max(2, int(height / coarsest * 2**octave))
        noise = rng.normal(0.0, 1.0, (min(rows, height), min(columns, width))).astype(np.float32)
        total += 0.62**octave * cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray((total - total.mean()) / max(float(total.std()), 1e-6), dtype=np.float32)


def _landscape(rng: np.random.Generator, width: int, height: int) -> Picture:
    """Sky, ridges one behind the other, and a town: edges, texture and colour everywhere."""
    rows = np.linspace(0.0, 1.0, height, dtype=np.float32)[:, None]
    base = rng.uniform(140, 185)
    luma = base - 35 * rows + 11 * _field(rng, width, height, height // 2, 6, stretch=2.0)
    cb = np.full((height, width), rng.uniform(136, 154), np.float32) - 10 * rows
    cr = np.full((height, width), rng.uniform(108, 124), np.float32) + 8 * rows
    columns = np.arange(width)
    for layer in range(3):
        outline = height * (0.34 + 0.2 * layer) + height * 0.07 * _field(rng, width, 1, width // 4, 6)[0]
        mask = np.arange(height)[:, None] > outline[None, columns]
        texture = _field(rng, width, height, max(16, height // 6), 6)
        tone = base - rng.uniform(28, 45) * (layer + 1)
        luma = np.where(mask, max(tone, 62.0) + 17 * texture, luma)
        cb = np.where(mask, rng.uniform(98, 134) + 3 * texture, cb)
        cr = np.where(mask, rng.uniform(112, 150) + 3 * texture[::-1], cr)
    planes = [np.asarray(luma, np.float32), np.asarray(cb, np.float32), np.asarray(cr, np.float32)]
    for _ in range(int(rng.integers(5, 10))):
        _house(rng, planes)
    small = (width // 2, height // 2)
    chroma = [cv2.resize(plane, small, interpolation=cv2.INTER_AREA) for plane in planes[1:]]
    return (
        np.clip(planes[0], *_LUMA).astype(np.uint8),
        np.clip(chroma[0], *_CHROMA).astype(np.uint8),
        np.clip(chroma[1], *_CHROMA).astype(np.uint8),
    )


def _house(rng: np.random.Generator, planes: list[npt.NDArray[np.float32]]) -> None:
    height, width = planes[0].shape
    wide, tall = int(height * rng.uniform(0.12, 0.25)), int(height * rng.uniform(0.15, 0.4))
    left, foot = int(rng.uniform(0, max(1, width - wide))), int(height * rng.uniform(0.6, 0.9))
    area = np.s_[max(0, foot - tall) : foot, left : left + wide]
    shade = rng.uniform(75, 165)
    rows, columns = planes[0][area].shape
    planes[0][area] = shade + 4 * _field(rng, columns, rows, 16, 3)
    planes[1][area], planes[2][area] = rng.uniform(105, 145), rng.uniform(110, 150)
    pitch = max(6, wide // int(rng.integers(3, 6)))
    for y in range(max(0, foot - tall) + pitch // 3, foot - pitch // 2, pitch):
        for x in range(left + pitch // 4, left + wide - pitch // 2, pitch):
            lit = rng.random() < 0.4
            planes[0][y : y + pitch // 2, x : x + pitch // 2] = 200 if lit else max(45.0, shade - 45)
