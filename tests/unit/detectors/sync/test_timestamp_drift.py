"""Timestamp drift: steps of a track's clock, told once."""

from dataclasses import replace

import pytest

from contracts.findings import DefectEdge, Finding, Measurement, Severity
from detectors.events import Break, Event, Fetch, Tick
from detectors.frame import Block
from detectors.sync.timestamp_drift import DETECTOR, TimestampDrift, TimestampDriftParams
from tests.injection import Fault
from tests.run import edges, findings
from tests.sounds import SECOND, blocks, speech

FAULT = Fault("timestamp_drift", (0.0, 0.0), clock_s=(20.0, 200.0), instant=True)

MS = 1_000_000


def drift(**params: float) -> TimestampDrift:
    return DETECTOR(TimestampDriftParams(**params), None)


def ticked(*events: Event, until_s: float = 10.0) -> list[Event]:
    ticks: list[Event] = [Tick(i * SECOND // 10) for i in range(1, round(10 * until_s) + 1)]
    return sorted([*events, *ticks], key=lambda e: e.at_ns)


def defects(found: list[Finding]) -> list[DefectEdge]:
    return [f for f in found if isinstance(f, DefectEdge)]


def test_golden_a_jump_of_all_tracks_is_one_error_on_the_track_that_showed_it() -> None:
    video = Break(4 * SECOND, "video:0", "jump", 100 * SECOND)
    audio = Break(4 * SECOND + 20 * MS, "audio:0", "jump", 100 * SECOND)
    opened, closed = defects(findings(drift(), ticked(video, audio)))
    assert (opened.edge.value, opened.at_ns, opened.track) == ("opened", 4 * SECOND, "video:0")
    assert opened.severity is Severity.ERROR
    assert opened.peak.value == pytest.approx(100_000.0)
    assert "+100.000 s" in str(opened.detail)
    assert (closed.edge.value, closed.at_ns) == ("closed", 4 * SECOND + 20 * MS)
    assert closed.key == opened.key


@pytest.mark.parametrize(
    ("kind", "delta_ms", "severity"),
    [
        ("jump", -3_600_000, Severity.ERROR),
        ("gap", 499, Severity.WARNING),
        ("gap", 500, Severity.ERROR),
        ("overlap", -40, Severity.WARNING),
        ("wrap", -95_443_717, Severity.INFO),
    ],
)
def test_how_bad(kind: str, delta_ms: int, severity: Severity) -> None:
    event = Break(2 * SECOND, "video:0", kind, delta_ms * MS)  # type: ignore[arg-type]
    opened, closed = defects(findings(drift(), ticked(event)))
    assert opened.severity is severity
    assert opened.at_ns == 2 * SECOND
    assert closed.at_ns == 2 * SECOND + (delta_ms * MS if kind == "gap" else 0)


def test_what_the_source_announces_is_no_defect() -> None:
    assert edges(drift(), ticked(Break(2 * SECOND, "video:0", "signalled"))) == []


def test_a_worse_step_of_the_same_defect_is_told() -> None:
    gap, jump = Break(SECOND, "video:0", "gap", 300 * MS), Break(2 * SECOND, "video:0", "jump", 50 * SECOND)
    found = defects(findings(drift(), ticked(gap, jump)))
    assert [f.edge.value for f in found] == ["opened", "updated", "closed"]
    assert [f.severity for f in found] == [Severity.WARNING, Severity.ERROR, Severity.ERROR]


def test_a_jump_some_time_after_a_gap_is_a_defect_of_its_own_also_where_no_tick_came_between() -> None:
    lost, jump = (
        Break(20 * SECOND, "audio:0", "gap", 16 * SECOND),
        Break(38 * SECOND, "audio:0", "jump", -33 * SECOND),
    )
    late = [replace(event, track="video:0") for event in (lost, jump)]
    told = edges(drift(), [lost, jump, *late, Tick(60 * SECOND)])
    assert told == [("opened", 20.0), ("closed", 36.0), ("opened", 38.0), ("closed", 38.0)]


def test_steps_far_apart_are_two_defects() -> None:
    steps = [Break(at * SECOND, "video:0", "jump", 50 * SECOND) for at in (2, 5)]
    assert [e for e, _ in edges(drift(), ticked(*steps))] == ["opened", "closed", "opened", "closed"]


def paced(seconds: float, factor: float) -> list[Block]:
    """Sound whose timestamps run `factor` times as fast as its samples."""
    sound = blocks(speech(seconds))
    for block in sound:
        block.at_ns = round(block.at_ns * factor)
    return sound


@pytest.mark.parametrize("factor", [1.01, 0.99])
def test_timestamps_that_part_from_the_samples_are_found(factor: float) -> None:
    found = defects(findings(drift(), ticked(*paced(25, factor), until_s=30)))
    assert found[0].at_ns == pytest.approx(10 * SECOND, abs=0.3 * SECOND)  # 100 ms at 1 % take 10 s
    assert found[0].severity is Severity.WARNING
    assert found[0].peak.value == pytest.approx(100.0, abs=5.0)


@pytest.mark.parametrize("factor", [1.0, 1.001])
def test_ordinary_clocks_are_ordinary(factor: float) -> None:
    assert edges(drift(), ticked(*paced(20, factor), until_s=22)) == []


def test_the_error_of_the_clock_is_measured_once_a_second() -> None:
    said = [f for f in findings(drift(), paced(8, 1.005)) if isinstance(f, Measurement)]
    assert {f.name for f in said} == {"audio_clock_error_ms"}
    assert len(said) in (8, 9)
    assert said[-1].value == pytest.approx(35.0, abs=6.0)


def test_sound_after_a_gap_is_measured_from_there() -> None:
    before, after = blocks(speech(3)), blocks(speech(3, seed=1), at_ns=8 * SECOND)
    gap = Break(3 * SECOND, "audio:0", "gap", 5 * SECOND)
    assert [e for e, _ in edges(drift(), ticked(*before, gap, *after, until_s=12))] == ["opened", "closed"]


@pytest.mark.parametrize(("cause", "told"), [("fell_behind", 0), ("http_404", 1)])
def test_media_that_we_ourselves_were_too_slow_for_is_no_step_of_the_clock(cause: str, told: int) -> None:
    lost = Fetch(4 * SECOND, None, "segment", "u", 2, 200, 0, 0.1, cause, 2 * SECOND, given_up=True)
    gap = Break(4 * SECOND + 20 * MS, "audio:0", "gap", 2 * SECOND + 10 * MS)
    found = defects(findings(drift(), ticked(lost, gap)))
    assert len([f for f in found if f.edge.value == "opened"]) == told
