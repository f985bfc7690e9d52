"""One fault clip: drawn, made of programme, broken, coded, damaged."""

from __future__ import annotations

import copy
import importlib
import math
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from benchmarks import programme
from benchmarks.matching import Truth
from benchmarks.media import AAC_SAMPLES, RATE_HZ, Coding, Edit, Kind, shift_clock, write
from benchmarks.programme import Log, Size
from benchmarks.sources import ROOT, Source, corpus
from benchmarks.sources import pictures as picture_sources
from benchmarks.sources import sounds as sound_sources
from tests.injection import Fault, Level, Moment, Picture, Plane, Sound

TESTS = Path("tests/unit/detectors")
MOTION = frozenset({"freeze", "stutter", "tearing", "combing", "block_corruption", "blur", "flash"})
SHOWS_IN_MOTION = frozenset({"stutter", "tearing", "combing"})  # and nowhere else
TRIED = 5  # pictures of a source in which a fault is tried
LEAST_CODES = 0.2  # 8-bit code values, a mean difference of luma: less, and nobody sees the fault
EDGES = frozenset({"tearing", "combing"})  # nor these without sharp edges,
EDGE_CODES, EDGE_SHARE = 12, 0.01  # where less than this share of the samples differs by so many codes
LEAST_SEEN_S, LEAST_SEEN = 1.5, 0.2  # and share of the pictures: with less, the clip is drawn again,
DRAWS = 6  # but not for ever
BEFORE_CUT_S = 0.5  # what begins closer to the next cut begins with that, for a viewer, too
CUT_CODES, CUT = 8.0, 2.5  # mean change in 8-bit code values, and times the one before: another shot
BEFORE_S, AFTER_S = (6.0, 9.0), (4.0, 6.0)  # programme around a fault


@dataclass(frozen=True, slots=True)
class Case:
    """One fault to be injected; all draws follow from `seed`."""

    detector: str
    family: str
    level: Level
    number: int
    seed: int
    index: int = 0  # among all cases of its detector
    of: int = 1

    @property
    def name(self) -> str:
        """What its files are called."""
        return f"{self.detector}-{self.level.name.lower()}-{self.number}"

    def rng(self, again: int = 0) -> np.random.Generator:
        """Its own draws, whatever else is scored beside it; others when drawn `again`."""
        key = (self.seed, zlib.crc32(self.detector.encode()), int(self.level), self.number)
        return np.random.default_rng((*key, again) if again else key)


def fault_of(detector: str, family: str) -> Fault | None:
    """The `FAULT` in the detector's own test file, or None where there is none."""
    if not (ROOT / TESTS / family / f"test_{detector}.py").is_file():
        return None
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    module = importlib.import_module(".".join((*TESTS.parts, family, f"test_{detector}")))
    found = getattr(module, "FAULT", None)
    return found if isinstance(found, Fault) else None


def dealt(case: Case, sources: Sequence[Source]) -> list[Source]:
    """The case's share of the footage: no clip serves two cases of one detector. Made sources differ each time."""
    rng = np.random.default_rng((case.seed, zlib.crc32(case.detector.encode())))
    footage = [source for source in sources if source.path is not None]
    made = [source for source in sources if source.path is None]
    hand = [footage[int(i)] for i in rng.permutation(len(footage))][case.index :: case.of]
    return [*hand, made[case.index % len(made)]] if made else hand


def make_clip(
    case: Case, fault: Fault, folder: Path, cache: Path, again: int = 0
) -> tuple[Path, Truth, str, float]:
    """(file in `folder`, what was injected, what it was made of, its length in s); `cache` holds masters.

    A fault that shows only in movement is drawn again where next to nothing moved.
    """
    rng = case.rng(again)
    fps = programme.RATES[int(rng.integers(len(programme.RATES)))]
    size = programme.SIZES[int(rng.integers(len(programme.SIZES)))]
    coding = Coding.draw(rng)
    start_s, length_s = float(rng.uniform(*BEFORE_S)), float(rng.uniform(*fault.lengths_s))
    first = round(start_s * fps)
    past = first + max(1, round(length_s * fps))
    start_s, end_s = float(first / fps), float(past / fps)
    total = past + round(float(rng.uniform(*AFTER_S)) * fps)
    if fault.sound is not None and coding.layout not in fault.layouts:
        coding = replace(coding, layout="stereo")
    if fault.damage is not None:
        coding = replace(
            coding, codec="libx264", ten_bits=False
        )  # what HEVC decoders conceal, nobody is told
    log = Log()
    suited = [s for s in picture_sources(corpus()) if s.fits(fault.defect) and shows(fault, s, cache)]
    footage = dealt(case, [s for s in suited if s.moving or _still_will_do(fault)])
    heard = dealt(case, [s for s in sound_sources(corpus()) if s.fits(fault.defect) and s.active])
    shown_rng = np.random.default_rng(int(rng.integers(2**32)))
    if fault.after_cut_s:
        cuts = _cuts(copy.deepcopy(shown_rng), footage, total, size, fps, cache)
        first, past = _away_from(cuts, fault.after_cut_s, first, past, fps)
        start_s, end_s, total = float(first / fps), float(past / fps), max(total, past + round(fps))
    track = programme.sound(rng, heard, round(float(total / fps) * RATE_HZ), log, even=True)
    clean = programme.pictures(shown_rng, footage, total, size, fps, cache, log, only_cuts=True)
    pictures: Iterator[Picture | None] = clean
    seen = _Seen()
    edit: Edit | None = None
    moved: tuple[frozenset[Kind], float] | None = None
    name: str | None = None
    if fault.picture is not None:
        pictures, name = _inject(clean, fault, case.level, rng, fps, first, past, seen), "video:0"
    if fault.sound is not None:
        moment = Moment(case.level, rng, float(fps), RATE_HZ, 0, 1)
        edit, start_s, end_s = _inject_sound(track, fault, moment, start_s, end_s)
        name = "audio:0" if fault.picture is None else None
    if fault.damage is not None:
        edit, name = _damage(rng, fault.damage * (0.4, 1.0, 2.5)[case.level], start_s, end_s), "video:0"
    if fault.clock_s is not None:
        coding = replace(coding, container="mpegts", b_pictures=0)
        kinds: tuple[frozenset[Kind], ...] = (
            frozenset({"video"}),
            frozenset({"audio"}),
            frozenset({"video", "audio"}),
        )
        moved = kinds[int(rng.integers(3))], _clock_step(rng, fault.clock_s, case.level)
        name = None
    path = folder / (case.name + coding.suffix)
    write(path, pictures, track, fps, coding, edit=edit)
    if again < DRAWS and not seen.is_enough(fault, fps):
        path.unlink()
        return make_clip(case, fault, folder, cache, again + 1)
    injected_s = start_s
    start_s, end_s = seen.interval(fault, fps) or (start_s, end_s)
    if moved is not None:
        path.write_bytes(shift_clock(path.read_bytes(), moved[0], start_s, moved[1]))
    # In a transport stream the sound begins with the encoder's priming, which is presented like any other.
    lead_s = AAC_SAMPLES / RATE_HZ if coding.container == "mpegts" else 0.0
    instant = fault.instant or moved is not None
    truth = Truth(
        defect=fault.defect,
        track=name,
        start_s=start_s + lead_s,
        end_s=(start_s if instant else end_s) + lead_s,
        instant=instant,
        injected_s=injected_s + lead_s if fault.defect in SHOWS_IN_MOTION else None,
    )
    shown = sorted({s.name for s in log.at(name, start_s, end_s)})
    about = f"{size[0]}x{size[1]} {float(fps):.5g}/s {coding.words}; {', '.join(shown)}"
    if moved is not None:
        about = f"{'+'.join(sorted(moved[0]))} moved by {moved[1]:+.3f} s; {about}"
    return path, truth, about, float(total / fps)


def _still_will_do(fault: Fault) -> bool:
    return fault.picture is None and fault.damage is None and fault.defect not in MOTION


@lru_cache(maxsize=1024)
def shows(fault: Fault, source: Source, cache: Path) -> bool:
    """Whether the plain fault shows in most of a few pictures of `source`."""
    if fault.shows is None:
        return True
    assert fault.picture is not None
    shown = []
    for number in range(TRIED):
        rng = np.random.default_rng(number)
        moment = Moment(Level.PLAIN, rng, 25.0, RATE_HZ, 0, 1)
        before = programme.some_picture(rng, source, cache)
        y, cb, cr = before
        after = fault.picture((y.copy(), cb.copy(), cr.copy()), moment)
        shown.append(after is None or fault.shows(before, after))
    return 2 * sum(shown) > TRIED


@dataclass(slots=True)
class _Seen:
    """The pictures from `first` until before `past` hold all that a fault visibly changed."""

    first: int = 0
    past: int = 0
    pictures: int = 0  # that differ visibly
    last_shown: Picture | None = None

    def interval(self, fault: Fault, fps: Fraction) -> tuple[float, float] | None:
        """(beginning, end) in s of what could be seen of a fault that shows only in movement."""
        if fault.defect not in SHOWS_IN_MOTION or not self.past:
            return None
        return float(self.first / fps), float(self.past / fps)

    def is_enough(self, fault: Fault, fps: Fraction) -> bool:
        """Whether a viewer had something to see, and again and again."""
        if fault.defect not in EDGES:
            return True
        length = self.past - self.first
        return float(length / fps) >= LEAST_SEEN_S and self.pictures >= LEAST_SEEN * length

    def note(self, index: int, before: Picture, after: Picture | None, fault: Fault) -> None:
        """A picture before and after the fault; one that was left out differs from what stays on the screen."""
        shown = self.last_shown if after is None else after
        if shown is not None and _visibly(before, shown, fault):
            self.first, self.past = self.first if self.past else index, index + 1
            self.pictures += 1
        self.last_shown = shown


def _visibly(before: Picture, shown: Picture, fault: Fault) -> bool:
    """Whether two pictures differ so that one sees it. Where all is out of focus, edges and combs have no edge."""
    difference = cv2.absdiff(before[0], shown[0])
    if cv2.mean(difference)[0] < LEAST_CODES:
        return False
    strong = cv2.countNonZero(cv2.threshold(difference, EDGE_CODES - 1, 255, cv2.THRESH_BINARY)[1])
    return fault.defect not in EDGES or strong >= EDGE_SHARE * difference.size


def _inject(
    clean: Iterator[Picture],
    fault: Fault,
    level: Level,
    rng: np.random.Generator,
    fps: Fraction,
    first: int,
    past: int,
    seen: _Seen,
) -> Iterator[Picture | None]:
    assert fault.picture is not None
    moment = Moment(level, rng, float(fps), RATE_HZ, 0, past - first)
    for index, picture in enumerate(clean):
        if first <= index < past:
            moment.index = index - first
            y, cb, cr = picture
            broken = fault.picture((y.copy(), cb.copy(), cr.copy()), moment)
            seen.note(index, picture, broken, fault)
            yield broken
        else:
            yield picture


def _inject_sound(
    track: Sound, fault: Fault, moment: Moment, start_s: float, end_s: float
) -> tuple[Edit | None, float, float]:
    """Breaks `track` in place, or says which packets to leave out; and from when to when it is broken, s."""
    assert fault.sound is not None
    a, b = round(start_s * RATE_HZ), round(end_s * RATE_HZ)
    changed = fault.sound(track[:, a:b].copy(), moment)
    if changed is None:
        return _without_sound(start_s, end_s), start_s, end_s
    track[:, a:b] = changed
    if moment.broke is not None:
        start_s, end_s = ((a + sample) / RATE_HZ for sample in moment.broke)
    return None, start_s, end_s


def _cuts(
    rng: np.random.Generator,
    footage: Sequence[Source],
    count: int,
    size: Size,
    fps: Fraction,
    cache: Path,
) -> list[float]:
    """Where the programme that `rng` makes will cut, in s: from source to source, and within one that is edited."""
    log = Log()
    cuts: list[float] = []
    before: Plane | None = None
    moved = 0.0
    clean = programme.pictures(rng, footage, count, size, fps, cache, log, only_cuts=True)
    for index, (luma, _, _) in enumerate(clean):
        change = cv2.norm(luma, before, cv2.NORM_L1) / luma.size if before is not None else 0.0
        if change >= max(CUT_CODES, CUT * moved):
            cuts.append(float(index / fps))
        before, moved = luma, change
    return sorted({*cuts, *(span.start_s for span in log.pictures)})


def _away_from(
    cuts: Sequence[float], distance_s: float, first: int, past: int, fps: Fraction
) -> tuple[int, int]:
    """The stretch, moved later until no cut lies within `distance_s` before its beginning, or right after it."""
    for cut in sorted(cuts):
        if -BEFORE_CUT_S < float(first / fps) - cut < distance_s:
            later = math.ceil((cut + distance_s) * fps) - first
            first, past = first + later, past + later
    return first, past


def _without_sound(start_s: float, end_s: float) -> Edit:
    def edit(kind: Kind, at_s: float, data: bytes) -> bytes | None:
        return None if kind == "audio" and start_s <= at_s < end_s else data

    return edit


def _damage(rng: np.random.Generator, share: float, start_s: float, end_s: float) -> Edit:
    """Flips bits in so many of the coded bytes of pictures; their first bytes, the headers, stay."""

    def edit(kind: Kind, at_s: float, data: bytes) -> bytes | None:
        if kind != "video" or not start_s <= at_s < end_s or len(data) < 64:
            return data
        out = np.frombuffer(data, np.uint8).copy()
        count = max(1, int(rng.poisson(share * (len(data) - 48))))
        places = rng.integers(48, len(data), count)
        out[places] ^= (1 << rng.integers(0, 8, count)).astype(np.uint8)
        return out.tobytes()

    return edit


def _clock_step(rng: np.random.Generator, among: tuple[float, float], level: Level) -> float:
    """A third of the range for each level, the smallest steps for the mildest."""
    steps = sorted((float(rng.uniform(*among)) for _ in range(60)), key=abs)
    return steps[int(rng.integers(20 * level, 20 * level + 20))]
