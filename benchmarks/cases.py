"""One fault clip, or one stretch of clean programme: made, coded, watched as `glitchwatch check` does."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks import beside, programme
from benchmarks.clips import Case, fault_of, make_clip
from benchmarks.matching import Matched, Truth, counts, match
from benchmarks.media import RATE_HZ, Coding, write
from benchmarks.programme import Log, Size
from benchmarks.sources import Source, corpus
from benchmarks.sources import pictures as picture_sources
from benchmarks.sources import sounds as sound_sources
from contracts.clock import SystemClock
from contracts.profile import DetectorChoice, Profile
from contracts.report import Defect, Report
from detectors.catalogue import Seat
from glitchwatch import __version__, profiles
from worker.watch import Watch


@dataclass(frozen=True, slots=True)
class Watched:
    """What became of a case."""

    case: Case
    truth: Truth
    matched: Matched
    detail: str  # sources and coding
    seconds: float
    clip: str | None = None  # kept where it was missed
    theirs: Matched | None = None  # what FFmpeg's own filter said of the same clip


@dataclass(frozen=True, slots=True)
class Alarm:
    """A finding in clean programme."""

    defect: Defect
    sources: tuple[str, ...]
    stretch: int
    known: bool = False  # the footage itself shows it


@dataclass(frozen=True, slots=True)
class Clean:
    """A stretch of clean programme, watched."""

    number: int
    judged_s: Mapping[str, float]  # by detector; "" is the whole
    alarms: list[Alarm] = field(default_factory=list)
    material: frozenset[str] = frozenset()
    theirs: list[Defect] | None = None  # what FFmpeg's filters said of it


@dataclass(frozen=True, slots=True)
class Work:
    """Where things lie: clips while they are watched, masters between runs, what is kept."""

    scratch: Path
    masters: Path
    out: Path
    ffmpeg: str | None = None  # the binary, where one is at hand
    named: tuple[str, ...] = ()  # detectors that clean programme is shown to even though they are on trial


def run_case(case: Case, work: Work) -> Watched:
    """Make the clip, watch it and remove it; a miss is kept."""
    fault = fault_of(case.detector, case.family)
    assert fault is not None
    path, truth, detail, length_s = make_clip(case, fault, work.scratch, work.masters)
    report = watch(path, seats((case.detector,)))[1]
    matched = match([truth], report.defects)
    theirs = None
    if truth.defect in beside.FILTERS and work.ffmpeg is not None:
        theirs = match([truth], beside.watch(work.ffmpeg, path, [truth.defect]))
    clip = None
    if matched.missed:
        (work.out / "missed").mkdir(parents=True, exist_ok=True)
        clip = str(work.out / "missed" / path.name)
        shutil.copy(path, clip)
    path.unlink()
    return Watched(case, truth, matched, detail, length_s, clip, theirs)


def seats(named: Sequence[str] = ()) -> list[Seat]:
    """All detectors of the default profile, and those `named`."""
    return profiles.seats(Profile(detectors={name: DetectorChoice() for name in named}), ())


def watch(path: Path, which: Sequence[Seat] | None = None) -> tuple[Watch, Report]:
    """Watch a file to its end as `glitchwatch check` does, in this process."""
    run = Watch(str(path), seats() if which is None else which, version=__version__, clock=SystemClock())
    return run, run.run()


def run_clean(number: int, seed: int, length_s: float, work: Work) -> Clean:
    """Make a stretch of clean programme, watch it, and keep it with pictures where it raised an alarm."""
    rng = np.random.default_rng((seed, 1 << 20, number))
    fps = programme.RATES[int(rng.integers(len(programme.RATES)))]
    size: Size = programme.SIZES[int(rng.integers(len(programme.SIZES)))]
    coding = Coding.draw(rng)
    log, evidence = Log(), work.out / "alarms"
    count = round(length_s * fps)
    pictures = programme.pictures(rng, picture_sources(corpus()), count, size, fps, work.masters, log)
    track = programme.sound(rng, sound_sources(corpus()), round(length_s * RATE_HZ), log)
    path = work.scratch / f"clean-{number}{coding.suffix}"
    write(path, pictures, track, fps, coding)
    run, report = watch(path, seats(work.named))
    if report.defects:
        report = run.evidence.save(evidence / f"clean-{number}", report)
    alarms = [_alarm(defect, log, number) for defect in report.defects if defect.suppressed_by is None]
    theirs = beside.watch(work.ffmpeg, path, list(beside.FILTERS)) if work.ffmpeg is not None else None
    if any(loud(alarm) and not alarm.known for alarm in alarms):
        evidence.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, evidence / path.name)
    path.unlink()
    judged = {"": report.execution.watched_s}
    for row in report.coverage:
        judged[row.detector] = max(judged.get(row.detector, 0.0), row.watched_s - row.not_yet_s)
    return Clean(
        number=number,
        judged_s=judged,
        alarms=alarms,
        material=frozenset(span.source.name for span in (*log.pictures, *log.sounds)),
        theirs=theirs,
    )


def _alarm(defect: Defect, log: Log, stretch: int) -> Alarm:
    shown: list[Source] = log.at(defect.track, defect.start_s, defect.end_s)
    known = any(defect.defect in source.excused for source in shown)
    return Alarm(defect, tuple(source.name for source in shown), stretch, known)


def false_alarms(clean: Sequence[Clean]) -> list[Alarm]:
    """The alarms that the footage does not excuse, mere properties included."""
    return [alarm for stretch in clean for alarm in stretch.alarms if not alarm.known]


def loud(alarm: Alarm) -> bool:
    """Whether it would have been counted as a hit, were there a fault."""
    return counts(alarm.defect)
