"""Scoring must be able to fail: a detector that says nothing and one that cries all the time score badly."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import bars, beside, made, sources, tally
from benchmarks.cases import Alarm, Clean, Watched, Work, false_alarms, run_clean, watch
from benchmarks.clips import Case, dealt, fault_of, make_clip, shows
from benchmarks.footage import Footage
from benchmarks.matching import Truth, match
from benchmarks.runs import Results, Run, merged
from benchmarks.score import draw_cases
from benchmarks.sources import Source
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
    path, truth, _, _ = make_clip(
        case, fault, tmp_path_factory.mktemp("clip"), tmp_path_factory.mktemp("masters")
    )
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
    monkeypatch.setattr("benchmarks.cases.seats", lambda *_: [Seat(Alarmist, SilenceParams(), Mode.CHECK)])
    clean = run_clean(0, 1, 4.0, Work(tmp_path, tmp_path, tmp_path))
    assert len(false_alarms([clean])) == 4
    assert tally.by_detector([clean], "silence").per_hour == pytest.approx(3600, rel=0.05)
    frames = list((tmp_path / "alarms").rglob("*.jpg"))
    assert len(frames) == 4
    assert not list(tmp_path.glob("clean-*.*"))


def test_the_same_seed_draws_the_same_clip(clip: tuple[Path, Truth, Case], tmp_path: Path) -> None:
    path, truth, case = clip
    fault = fault_of(case.detector, case.family)
    assert fault is not None
    again, same, _, _ = make_clip(case, fault, tmp_path, tmp_path)
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
    assert tally.raised(all_of_them) == {"black": {"freeze": 3, "black": 3}}


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
    results = Results([watched(Level.PLAIN, hit=True)], clean, seeds=[7])
    document = tally.document(results, rows, ["black", "freeze"], "made", None)
    text = page({"black": load()["black"]}, document)
    assert "seeds 7" in text
    assert "0.00 (≤ 3.00)" in text
    assert "| 1 | 1 | 0 | 0 | 1 | 1 | 1 |" in text


def test_what_was_not_scored_anew_stays_as_it_was_published() -> None:
    def published(*scored: str, hours: float, f1: float, seeds: str) -> dict[str, Any]:
        row = {"faults": 2, "F1": f1, "false alarms per clean hour": f"{f1}"}
        return {
            "seeds": seeds, "faults": 3 * len(scored), "mean F1": f1, "hours of clean programme": hours,
            "programme": seeds, "false alarms an hour (error)": seeds,
            "detectors": {name: [row if name in scored else {}] for name in ("black", "freeze", "hum")},
            "raised": {name: {"clips": 3, name: 2} for name in scored},
            "beside FFmpeg": [{"who": "x", "what": name, "F1": f1} for name in scored], "footage": [],
        }  # fmt: skip

    old = published("black", "freeze", hours=2.0, f1=0.9, seeds="1")
    both = tally.completed(published("freeze", hours=0.0, f1=1.0, seeds="2"), old)
    assert [cells.get("F1") for [cells] in both["detectors"].values()] == [0.9, 1.0, None]
    assert (both["seeds"], both["faults"], both["mean F1"], both[tally.KEPT]) == ("2, 1", 6, 0.95, "black")
    assert both["hours of clean programme"] == 2.0
    assert (
        both["detectors"]["freeze"][0]["false alarms per clean hour"] == "0.9"
    )  # of the programme that was judged
    assert [row["F1"] for row in both["beside FFmpeg"]] == [0.9, 1.0]
    again = tally.completed(published("black", "freeze", "hum", hours=1.0, f1=0.8, seeds="3"), both)
    assert (again["seeds"], again["hours of clean programme"], again["programme"]) == ("3", 1.0, "3")
    assert tally.KEPT not in again


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


def test_no_clip_serves_two_cases_of_one_detector() -> None:
    footage = [Source(f"{n}.mp4", Path(f"{n}.mp4"), "natural") for n in range(20)]
    cases = [Case("black", "picture", Level.PLAIN, n, seed=3, index=n, of=15) for n in range(15)]
    hands = [[s.name for s in dealt(case, [*footage, *sources.MADE_PICTURES])] for case in cases]
    real = [name for hand in hands for name in hand if not name.startswith(sources.MADE)]
    assert sorted(real) == sorted(s.name for s in footage)
    assert all(hand[-1].startswith(sources.MADE) for hand in hands)


def test_footage_in_which_a_fault_does_not_show_is_not_used(tmp_path: Path) -> None:
    banding, freeze = fault_of("banding", "picture"), fault_of("freeze", "picture")
    assert banding is not None
    assert freeze is not None
    titles, pan = (Source(sources.MADE + name, None, "made") for name in ("titles", "slow_pan"))
    assert shows(banding, pan, tmp_path)
    assert not shows(banding, titles, tmp_path)
    assert shows(freeze, titles, tmp_path)


def test_a_run_that_was_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    run = Run(tmp_path, 5, "abc")
    one, clean = (
        watched(Level.PLAIN, hit=True, false=1),
        Clean(0, {"": 9.0}, [Alarm(defect("black", 1, 2), ("a",), 0)]),
    )
    run.add("one", one)
    run.add("clean", clean)
    with run.path.open("ab") as file:
        file.write(b'{"key": "cut of')
    again = Run(tmp_path, 5, "abc")
    assert again.done == {"one": one, "clean": clean}
    assert Run(tmp_path, 5, "other code").done == {}


def test_runs_of_parts_make_one_table(tmp_path: Path) -> None:
    for age, (seed, code, hits) in enumerate([(1, "new", [True]), (2, "old", [False, False])]):
        run = Run(tmp_path, seed, code)
        for number, hit in enumerate(hits):
            run.add(f"black {number}", watched(Level.PLAIN, hit=hit))
        run.add("clean", Clean(seed, {"": 1.0}))
        if code == "old":
            run.add("f", Footage("f", "hard", "slides", "complete", []))
        os.utime(run.path, (1000 - age, 1000 - age))
    everything = merged(tmp_path)
    assert [bool(w.matched.hits) for w in everything.watched] == [True]
    assert [c.number for c in everything.clean] == [1]
    assert [f.name for f in everything.footage] == ["f"]
    assert everything.seeds == [1, 2]


def test_each_bar_can_be_missed() -> None:
    good = tally.rows([watched(Level.PLAIN, hit=True)])
    assert bars.unmet(good, [Clean(0, {"": 3600.0})]) == []
    assert [line.partition(" ")[0] for line in bars.unmet(tally.rows([watched(Level.PLAIN, hit=False)]), [])] == [
        "black:", "all",
    ]  # fmt: skip
    late = tally.rows([watched(Level.PLAIN, hit=True)])
    late["black"].onset_s[:] = [0.9]
    assert "onset error" in bars.unmet(late, [])[0]
    for severity, said in ((Severity.ERROR, 1), (Severity.WARNING, 0)):
        noisy = Clean(0, {"": 3600.0}, [Alarm(defect("black", 1, 2, severity=severity), ("a",), 0)])
        assert len(bars.unmet(good, [noisy])) == said
    twice = Clean(
        0, {"": 3600.0}, [Alarm(defect("black", t, 9, severity=Severity.WARNING), ("a",), 0) for t in (1, 4)]
    )
    assert len(bars.unmet(good, [twice])) == 1


def test_what_ffmpeg_prints_is_read() -> None:
    black = "[blackdetect @ 0x1] black_start:4.04 black_end:8.04 black_duration:4\n"
    silence = "Duration: 00:00:12.50, start\n[s] silence_start: -0.01\n[s] silence_end: 3.5 | d\n[s] silence_start: 9\n"
    freeze = "lavfi.freezedetect.freeze_start: 2.5\nlavfi.freezedetect.freeze_duration: 3\n"
    freeze += "lavfi.freezedetect.freeze_end: 5.5\n"
    assert [(d.start_s, d.end_s) for d in beside.said("black", black)] == [(4.04, 8.04)]
    assert [(d.start_s, d.end_s) for d in beside.said("silence", silence)] == [(0.0, 3.5), (9.0, 12.5)]
    assert [(d.start_s, d.end_s) for d in beside.said("freeze", freeze)] == [(2.5, 5.5)]
