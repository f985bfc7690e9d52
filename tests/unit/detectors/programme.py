"""A synthetic programme: a panning picture with detail at every scale and speech-like stereo sound, as events.

Not footage, so it says nothing about false alarms in the field; it is what every detector must at least stay
silent on, and a place to put a fault into.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from contracts.findings import DefectEdge
from detectors.events import Break, Damage, Event, Fetch, Format, Source, Tick
from detectors.frame import Block, Frame
from tests.injection import Fault, Level, Moment, Picture, Sound

FPS, RATE_HZ = 25, 48_000
WIDTH, HEIGHT = 480, 270
VIDEO, AUDIO = "video:0", "audio:0"
SEGMENT_S = 2
LONGEST_S = 40  # of a programme
SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Broken:
    """A fault put into the programme, and where (media seconds)."""

    fault: Fault
    start_s: float
    end_s: float


@cache
def scene() -> Picture:
    """A wide still with 1/f detail, wider than the raster so that a camera can pan over it."""
    rng = np.random.default_rng(7)
    height, width = HEIGHT, 4 * WIDTH

    def field(smallest: int) -> npt.NDArray[np.float32]:
        total = np.zeros((height, width), np.float32)
        cell = 256
        while cell >= smallest:
            coarse = rng.normal(size=(height // cell + 3, width // cell + 3)).astype(np.float32)
            total += cell**0.6 * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
            cell //= 2
        return np.asarray((total - total.mean()) / total.std(), np.float32)

    luma = np.clip(118 + 38 * field(2), 20, 230).astype(np.uint8)
    half = (width // 2, height // 2)
    blue, red = (np.clip(128 + 16 * cv2.resize(field(16), half), 40, 215).astype(np.uint8) for _ in range(2))
    return luma, blue, red


def picture(index: int) -> Picture:
    """Picture `index`: the camera pans six samples a picture, to and fro, never standing still."""
    reach = 3 * WIDTH
    phase = (6 * index) % (2 * reach)
    x = (phase if phase < reach else 2 * reach - phase) // 2 * 2
    luma, blue, red = scene()
    chroma = slice(x // 2, (x + WIDTH) // 2)
    return luma[:, x : x + WIDTH], blue[:, chroma], red[:, chroma]


@cache
def sound() -> Sound:
    """(2, samples): voiced syllables over a soft bed of noise, left and right related but not equal; about -23 LUFS."""
    rng = np.random.default_rng(11)
    count = LONGEST_S * RATE_HZ
    time = np.arange(count) / RATE_HZ
    pitch = 140 + 25 * np.sin(2 * np.pi * 0.37 * time) + 12 * np.sin(2 * np.pi * 1.9 * time)
    angle = 2 * np.pi * np.cumsum(pitch) / RATE_HZ
    voice = sum(np.sin(k * angle + k * k) / k for k in range(1, 18)) * (
        0.55 + 0.45 * np.sin(2 * np.pi * 3.1 * time)
    )
    bed = [np.convolve(rng.normal(size=count + 31), np.hanning(32) / 8, "valid") for _ in range(2)]
    both = np.stack([voice + 0.25 * bed[0], 0.8 * voice + 0.25 * bed[1]])
    return (both * 0.095).astype(np.float32)


def events(seconds: float, broken: Broken | None = None) -> list[Event]:
    """The programme as ingest would deliver it, in the order of presentation, with or without a fault in it."""
    assert seconds <= LONGEST_S
    out: list[Event] = [
        Source(0, None),
        Format(0, VIDEO, "video", "h264", width=WIDTH, height=HEIGHT, fps=float(FPS)),
        Format(0, AUDIO, "audio", "aac", rate_hz=RATE_HZ, channels=("L", "R")),
    ]
    timed = [*_fetches(seconds), *_frames(seconds, broken), *_blocks(seconds, broken)]
    timed += [Tick(round(i * SECOND / 10)) for i in range(1, round(10 * seconds) + 1)]
    return sorted([*out, *timed], key=_delivered)


def rough() -> list[Event]:
    """30 s in which each kind of trouble happens once: for questions that must hold whatever a detector meets."""

    def at(seconds: float) -> int:
        return round(seconds * SECOND)

    def blacked(event: Event) -> Event:
        if isinstance(event, Frame) and at(2) <= event.at_ns < at(5):
            event.luma = np.full((HEIGHT, WIDTH), 16, np.uint8)
        if isinstance(event, Block) and at(2) <= event.at_ns < at(5):
            event.samples = np.zeros_like(event.samples)
        return event

    def lost(event: Event) -> bool:
        picture_gone = isinstance(event, Frame) and at(6) <= event.at_ns < at(9)
        sound_gone = isinstance(event, Block) and at(9) <= event.at_ns < at(11.5)
        blind = isinstance(event, Frame | Block | Fetch) and at(12) <= event.at_ns < at(24)
        return picture_gone or sound_gone or blind

    lost_segment = Fetch(
        at(6), None, "segment", "http://127.0.0.1/a/3.ts", 103, 404, 0, 0.1,
        cause="http_404", duration_ns=SEGMENT_S * SECOND, given_up=True,
    )  # fmt: skip
    troubles: list[Event] = [
        Damage(at(1.5), VIDEO, 3, "invalid data"),
        lost_segment,
        Break(at(6), VIDEO, "gap", 3 * SECOND),
        *(Source(at(12 + i), "source_stalled", "no new segment") for i in range(4)),
        *(Source(at(16 + i), "source_unreachable", "refused") for i in range(4)),
        *(Source(at(20 + i), "source_undecodable", "no picture") for i in range(4)),
        Source(at(24), None),
        Break(at(25), AUDIO, "jump", -5 * SECOND),
        Format(at(26), VIDEO, "video", "hevc", width=2 * WIDTH, height=2 * HEIGHT, fps=50.0),
        Damage(at(27), AUDIO, 1, "invalid data"),
    ]
    kept = [blacked(e) for e in events(30.0) if not lost(e)]
    return sorted([*kept, *troubles], key=_delivered)


def _delivered(event: Event) -> int:
    return event.end_ns if isinstance(event, Frame | Block) else event.at_ns


def _fetches(seconds: float) -> Iterator[Event]:
    for number in range(int(seconds / SEGMENT_S)):
        at = number * SEGMENT_S * SECOND
        address = f"http://127.0.0.1/a/{number}.ts"
        yield Fetch(at, None, "playlist", "http://127.0.0.1/a/index.m3u8", 100, 200, 600, 0.02)
        yield Fetch(
            at, None, "segment", address, 100 + number, 200, 500_000, 0.2, duration_ns=SEGMENT_S * SECOND
        )


def _moment(rate_of: float, broken: Broken) -> Moment:
    count = round((broken.end_s - broken.start_s) * rate_of)
    return Moment(Level.GROSS, np.random.default_rng(5), float(FPS), RATE_HZ, count=count)


def _frames(seconds: float, broken: Broken | None) -> Iterator[Event]:
    fault = broken.fault.picture if broken else None
    moment = _moment(FPS, broken) if broken else None
    for index in range(round(seconds * FPS)):
        shown: Picture | None = picture(index)
        at_s = index / FPS
        if broken and fault and moment and shown and broken.start_s <= at_s < broken.end_s:
            luma, blue, red = (plane.copy() for plane in shown)
            shown = fault((luma, blue, red), moment)
            moment.index += 1
        if shown is not None:
            luma, blue, red = shown
            yield Frame(VIDEO, round(at_s * SECOND), SECOND // FPS, luma, (blue, red))


def _blocks(seconds: float, broken: Broken | None) -> Iterator[Event]:
    samples = sound()[:, : round(seconds * RATE_HZ)].copy()
    lost: tuple[int, int] | None = None
    if broken and broken.fault.sound:
        first, last = round(broken.start_s * RATE_HZ), round(broken.end_s * RATE_HZ)
        changed = broken.fault.sound(samples[:, first:last].copy(), _moment(RATE_HZ, broken))
        if changed is None:
            lost = (first, last)
        else:
            samples[:, first:last] = changed
    step = RATE_HZ // 10
    for first in range(0, samples.shape[1] - step + 1, step):
        if lost is None or not lost[0] <= first < lost[1]:
            part = np.ascontiguousarray(samples[:, first : first + step])
            yield Block(AUDIO, round(first / RATE_HZ * SECOND), SECOND // 10, part, RATE_HZ, ("L", "R"))


def intervals(edges: list[DefectEdge], end_ns: int) -> list[tuple[float, float]]:
    """(start, end) in seconds of every defect, with what is still open closed at the end, as the host does."""
    begun: dict[tuple[str, str | None, str | None], int] = {}
    out: list[tuple[float, float]] = []
    for edge in edges:
        if edge.edge == "opened":
            begun[edge.key] = edge.at_ns
        elif edge.edge == "closed":
            out.append((begun.pop(edge.key) / SECOND, edge.at_ns / SECOND))
    return out + [(start / SECOND, end_ns / SECOND) for start in begun.values()]
