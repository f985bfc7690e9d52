"""Scoring must be able to fail: a detector that says nothing and one that cries all the time score badly."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks import made, tally
from benchmarks.cases import Alarm, Case, Clean, Watched, false_alarms, fault_of, make_clip, run_clean, watch
from benchmarks.matching import Truth, match
from benchmarks.score import draw_cases
from contracts.findings import Finding, Severity
from contracts.profile import Mode
from detectors.catalogue import AnyDetector, Seat, load
from detectors.frame import SoundView
from detectors.hold import Hold
from detectors.sound.silence import Silence, SilenceParams
from glitchwatch.catalogue_docs import page
from tests.injection import Level
from tests.unit.benchmarks.findings import defect


class Mute(Silence):
    """Never says anything."""

    def sound(self, view: SoundView) -> Iterator[Finding]:
        yield from ()


class Alarmist(Silence):
    """Half of every second is a defect."""

    def __init__(self, params: SilenceParams, track: str | None) -> None:
        super().__init__(params, track)
        self._alarm = Hold(self, value="x", unit="ratio", threshold=0, open_ns=0, severity=Severity.ERROR)

    def sound(self, view: SoundView) -> Iterator[Finding]:
        yield from self._alarm.update(view.at_ns, view.at_ns // 500_000_000 % 2 == 0, 1.0)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Truth, Case]]:
    patch = pytest.MonkeyPatch()
    patch.setenv("GLITCHWATCH_CORPUS", "nowhere")
    case = Case("silence", "sound", Level.PLAIN, 0, seed=1)
    fault = fault_of(case.detector, case.family)
    assert fault is not None
    path, truth, _, _ = make_clip(case, fault, tmp_path_factory.mktemp("clip"))
    yield path, truth, case
    patch.undo()


@pytest.mark.parametrize(
    ("detector", "recall", "precise"), [(Silence, 1.0, True), (Mute, 0.0, False), (Alarmist, 0.0, False)]
)
def test_only_a_detector_that_works_scores(
    clip: tuple[Path, Truth, Case], detector: AnyDetector, recall: float, precise: bool
) -> None:
    path, truth, case = clip
    report = watch(path, [Seat(detector, detector.Params(), Mode.CHECK)])[1]
    watched = Watched(case, truth, match([truth], report.defects), "", 1.0)
    row = tally.rows([watched])["silence"]
    assert row.faults == 1
    assert row.recall == recall
    assert row.precision == (1.0 if precise else None if detector is Mute else 0.0)
    assert row.f1 == (1.0 if precise else 0.0)


def test_clean_programme_convicts_an_alarmist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GLITCHWATCH_CORPUS", "nowhere")
    monkeypatch.setattr(
        "benchmarks.cases.profiles.seats", lambda *_: [Seat(Alarmist, SilenceParams(), Mode.CHECK)]
    )
    clean = run_clean(0, 1, 4.0, tmp_path, tmp_path / "alarms")
    assert len(false_alarms([clean])) == 4
    assert tally.by_detector([clean], "silence").per_hour == pytest.approx(3600, rel=0.05)
    frames = list((tmp_path / "alarms").rglob("*.jpg"))
    assert len(frames) == 4
    assert not list(tmp_path.glob("clean-*.*"))


def test_the_same_seed_draws_the_same_clip(clip: tuple[Path, Truth, Case], tmp_path: Path) -> None:
    path, truth, case = clip
    fault = fault_of(case.detector, case.family)
    assert fault is not None
    again, same, _, _ = make_clip(case, fault, tmp_path)
    assert same == truth
    assert again.read_bytes() == path.read_bytes()


def test_every_detector_has_a_fault_or_a_reason() -> None:
    detectors = load()
    cases, without = draw_cases(detectors, seed=1, per_level=1)
    assert {case.detector for case in cases} | set(without) == set(detectors)
    assert {without.get(name) for name in ("source_stalled", "segment_missing")} == {
        "scored end to end by tests"
    }


def watched(level: Level, *, hit: bool, false: int = 0) -> Watched:
    truth = Truth("black", "video:0", 5.0, 9.0)
    reports = [defect("black", 5.1, 9.0, certain_s=7.0)] if hit else []
    reports += [defect("black", 20.0 + i, 20.5 + i) for i in range(false)] + [defect("freeze", 5.0, 9.0)]
    return Watched(Case("black", "picture", level, 0, 1), truth, match([truth], reports), "", 30.0)


def test_a_row_sums_up_the_levels_that_count() -> None:
    all_of_them = [
        watched(Level.PLAIN, hit=True),
        watched(Level.GROSS, hit=False, false=2),
        watched(Level.JUST, hit=False, false=9),
    ]
    row = tally.rows(all_of_them)["black"]
    assert (row.faults, row.found, row.missed, row.false) == (2, 1, 1, 2)
    assert (row.just_found, row.just_faults) == (0, 1)
    assert row.precision == pytest.approx(1 / 3)
    assert row.recall == 0.5
    assert row.f1 == pytest.approx(0.4)
    assert row.onset_s == pytest.approx([0.1])
    assert row.delay_s == pytest.approx([2.0])
    assert tally.confusion(all_of_them) == {"black": {"freeze": 3}}


def test_alarms_are_counted_by_the_hours_that_were_judged() -> None:
    alarms = [
        Alarm(defect("black", 1, 2), ("a",), 0),
        Alarm(defect("black", 3, 4, severity=Severity.INFO), ("a",), 0),
        Alarm(defect("black", 5, 6), ("b",), 0, known=True),
    ]
    clean = [Clean(0, {"": 1800.0, "black": 900.0}, alarms), Clean(1, {"": 1800.0, "black": 900.0})]
    rate = tally.by_detector(clean, "black")
    assert (rate.alarms, rate.hours, rate.per_hour) == (1, 0.5, 2.0)
    assert rate.at_most == pytest.approx(4.7439 / 0.5, abs=0.001)
    severities = tally.by_severity(clean)
    assert {s.value: (r.alarms, r.hours) for s, r in severities.items()} == {
        "critical": (0, 1.0),
        "error": (1, 1.0),
        "warning": (0, 1.0),
        "info": (1, 1.0),
    }


def test_the_document_is_what_the_docs_show() -> None:
    rows = tally.rows([watched(Level.PLAIN, hit=True)])
    clean = [Clean(0, {"": 3600.0, "black": 3600.0})]
    document = tally.document(7, 1, rows, clean, ["black", "freeze"], "made")
    text = page({"black": load()["black"]}, document)
    assert "seed 7" in text
    assert "0.00 (≤ 3.00)" in text
    assert "| 1 | 1 | 0 | 0 | 1 | 1 | 1 |" in text


@pytest.mark.parametrize(
    "name", ["still", "titles", "credits", "near_static", "night", "slow_pan", "on_twos"]
)
def test_made_pictures_are_pictures(name: str) -> None:
    made_of = made.pictures(name, np.random.default_rng(1), (160, 90), 25.0)
    shown = [next(made_of) for _ in range(60)]
    for picture in shown:
        assert [p.shape for p in picture] == [(90, 160), (45, 80), (45, 80)]
        assert {p.dtype for p in picture} == {np.dtype(np.uint8)}
    moves = any((a[0] != b[0]).any() for a, b in itertools.pairwise(shown))
    assert moves is (name != "still")
