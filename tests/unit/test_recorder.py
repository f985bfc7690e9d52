"""The recorder: edges become defects of the report, within bounds."""

from dataclasses import replace
from itertools import pairwise

from contracts.findings import DefectEdge, Edge, Measurement, Peak, Severity
from contracts.report import Defect
from worker.sinks.record import MOST_DEFECTS, MOST_POINTS, Curve, Recorder

SECOND = 1_000_000_000


def edge(kind: Edge, at_s: float, value: float = 1.0, **changes: object) -> DefectEdge:
    made = DefectEdge(
        kind, "black", "black", "video:0", round(at_s * SECOND), round(at_s * SECOND) + 1, Severity.ERROR,
        Peak("dark_coverage", value, "ratio"), 0.98,
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def defects(recorder: Recorder, end_s: float = 100) -> list[Defect]:
    return recorder.report_defects(round(end_s * SECOND), lambda d: "picture", lambda d: "check")


def test_opened_and_closed_is_one_defect() -> None:
    recorder = Recorder()
    recorder.put(edge(Edge.OPENED, 2))
    recorder.put(edge(Edge.CLOSED, 5.5, 0.999))
    (defect,) = defects(recorder)
    assert (defect.start_s, defect.end_s, defect.open) == (2.0, 5.5, False)
    assert defect.peak.value == 0.999
    assert defect.certain_s == 2.0
    assert (defect.family, defect.mode) == ("picture", "check")


def test_what_is_open_ends_for_now_where_the_media_ends() -> None:
    recorder = Recorder()
    recorder.put(edge(Edge.OPENED, 2))
    assert recorder.started(edge(Edge.OPENED, 2).key) is not None
    (defect,) = defects(recorder, 9)
    assert (defect.end_s, defect.open) == (9.0, True)
    (defect,) = defects(recorder, 1)  # it never ends before it began
    assert defect.end_s == 2.0


def test_an_update_changes_peak_severity_and_cause() -> None:
    recorder = Recorder()
    recorder.put(edge(Edge.OPENED, 2, severity=Severity.WARNING))
    recorder.put(edge(Edge.UPDATED, 3, 7.0, severity=Severity.CRITICAL, suppressed_by="source_stalled"))
    (defect,) = defects(recorder)
    assert (defect.severity, defect.peak.value) == (Severity.CRITICAL, 7.0)
    assert defect.suppressed_by == "source_stalled"
    recorder.put(edge(Edge.UPDATED, 13, 7.0, severity=Severity.CRITICAL))
    recorder.put(edge(Edge.CLOSED, 14, 7.0, severity=Severity.CRITICAL))
    (defect,) = defects(recorder)
    assert defect.suppressed_by is None  # it outlived its cause
    assert defect.start_s == 2.0


def test_a_cause_may_be_found_after_the_defect_has_closed() -> None:
    recorder = Recorder()
    for at in (2, 4, 6):
        recorder.put(edge(Edge.OPENED, at))
        recorder.put(edge(Edge.CLOSED, at + 1))
    recorder.put(edge(Edge.UPDATED, 4, suppressed_by="source_stalled"))
    assert [d.suppressed_by for d in defects(recorder)] == [None, "source_stalled", None]


def test_defects_stand_in_order_of_time() -> None:
    recorder = Recorder()
    for at, track in ((5, "video:1"), (2, "video:0"), (7, "video:0")):
        recorder.put(edge(Edge.OPENED, at, track=track))
        recorder.put(edge(Edge.CLOSED, at + 1, track=track))
    assert [d.start_s for d in defects(recorder)] == [2.0, 5.0, 7.0]


def test_tracks_and_channels_are_defects_of_their_own() -> None:
    recorder = Recorder()
    for channel in ("L", "R", None):
        recorder.put(edge(Edge.OPENED, 1, channel=channel))
    recorder.put(edge(Edge.CLOSED, 3, channel="R"))
    assert {(d.channel, d.open) for d in defects(recorder)} == {("L", True), ("R", False), (None, True)}


def test_a_closing_edge_of_nothing_is_nothing() -> None:
    recorder = Recorder()
    recorder.put(edge(Edge.CLOSED, 3))
    assert defects(recorder) == []


def test_defects_are_bounded_and_the_rest_is_counted() -> None:
    recorder = Recorder()
    for number in range(MOST_DEFECTS + 7):
        recorder.put(edge(Edge.OPENED, number))
        recorder.put(edge(Edge.CLOSED, number + 0.5))
    assert len(defects(recorder)) == MOST_DEFECTS
    assert recorder.defects_not_kept == 7


def test_final_measurements_stand_in_the_report_and_others_are_curves() -> None:
    recorder = Recorder()
    for second in range(5):
        recorder.put(Measurement("loudness", -20.0 - second, "LUFS", second * SECOND, "audio:0"))
    recorder.put(Measurement("loudness_integrated", -23.12345, "LUFS", 5 * SECOND, "audio:0", final=True))
    (value,) = recorder.report_measurements()
    assert (value.name, value.value, value.track) == ("loudness_integrated", -23.1234, "audio:0")
    assert recorder.curves["loudness", "audio:0", None].points[-1] == (4.0, -24.0)


def test_a_long_curve_is_thinned_from_end_to_end() -> None:
    curve = Curve()
    for number in range(100_000):
        curve.add(float(number), 1.0)
    assert MOST_POINTS / 2 - 1 <= len(curve.points) <= MOST_POINTS
    times = [at for at, _ in curve.points]
    assert times == sorted(times)
    assert times[0] == 0.0
    assert times[-1] > 99_000
    steps = [b - a for a, b in pairwise(times)]
    assert max(steps) < 2 * min(steps)
