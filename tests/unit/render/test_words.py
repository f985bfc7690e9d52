import math

import pytest

from contracts.findings import Severity
from contracts.report import Execution
from glitchwatch.render import words
from tests.unit.render.reports import defect, failed_report, report, rich_report, sees


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0:00:00.000"),
        (59.9996, "0:01:00.000"),
        (3725.25, "1:02:05.250"),
        (-1.5, "-0:00:01.500"),
        (math.nan, "–"),
    ],
)
def test_a_time_reads_as_hours_minutes_seconds(seconds: float, said: str) -> None:
    assert words.clock(seconds) == said


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0.999, "ratio", "0.999"),
        (-91.24, "dBFS", "−91.2 dBFS"),
        (41.0, "samples", "41 samples"),
        (0.0004, "ratio", "0.0004"),
        (1234.5, "ms", "1234 ms"),
        (-9.0142, "LUFS", "−9.01 LUFS"),
        (-math.inf, "LUFS", "−∞ LUFS"),
        (math.nan, "dB", "n/a dB"),
    ],
)
def test_a_quantity_has_its_unit_and_no_needless_digit(value: float, unit: str, said: str) -> None:
    assert words.quantity(value, unit) == said


def test_control_characters_reach_neither_terminal_nor_xml() -> None:
    assert words.line("a\x1b[31mred\x07\nb\u202ec") == "a\ufffd[31mred\ufffd b\ufffdc"


def test_the_verdict_counts_what_the_exit_status_counts() -> None:
    bad = report(
        defects=[
            defect(),
            defect("freeze", severity=Severity.ERROR),
            defect("blur", severity=Severity.WARNING),
        ]
    )
    assert words.verdict(bad) == words.Verdict("fail", "FAIL: 2 defects at error or above")
    assert bad.exit_status == 1


def test_warnings_are_mentioned_and_do_not_fail() -> None:
    warned = report(defects=[defect(str(n), severity=Severity.WARNING) for n in range(3)])
    assert words.verdict(warned) == words.Verdict("ok", "OK: nothing at error or above (3 warnings)")


def test_suppressed_and_recorded_defects_do_not_fail() -> None:
    aside = report(defects=[defect(suppressed_by="source_stalled"), defect("freeze", mode="report")])
    assert words.verdict(aside).text == "OK: nothing at error or above (1 recorded only)"


def test_an_unfinished_analysis_gives_its_reason_and_what_was_found_so_far() -> None:
    assert words.verdict(failed_report()).text.startswith("NOT ANALYSED TO THE END: Source undecodable")
    cut = report(execution=Execution(status="partial", reason="timed out"), defects=[defect()])
    assert (
        words.verdict(cut).text
        == "NOT ANALYSED TO THE END: timed out (1 defect at error or above until then)"
    )


@pytest.mark.parametrize(
    "unseen",
    [
        report(execution=Execution(status="complete", watched_s=50, blind_s=10)),
        report(coverage=[]),
        report(coverage=[sees("black", watched_s=0, blind_s=60)]),
        report(coverage=[sees("av_offset", None, not_yet_s=60)]),
        report(coverage=[sees("black"), sees("freeze", fault="broke its contract")]),
        failed_report(),
    ],
)
def test_blind_is_never_healthy(unseen: object) -> None:
    said = words.verdict(unseen)  # type: ignore[arg-type]
    assert said.level == "blind"
    assert not said.text.startswith("OK:")


def test_suppressed_defects_are_not_counted_by_severity() -> None:
    assert words.counts(rich_report().defects) == {
        Severity.CRITICAL: 3,
        Severity.ERROR: 2,
        Severity.WARNING: 2,
        Severity.INFO: 1,
    }
