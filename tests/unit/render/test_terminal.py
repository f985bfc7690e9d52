import io

import pytest
from rich.console import Console

from contracts.clock import ManualClock
from contracts.findings import Severity
from contracts.report import Report
from glitchwatch.render.progress import WatchStatus, checking, status_line
from glitchwatch.render.table import MAX_ROWS, print_report
from tests.unit.render.reports import defect, failed_report, report, rich_report


def shown(what: Report, width: int = 140) -> str:
    out = io.StringIO()
    print_report(what, Console(file=out, width=width, force_terminal=False))
    return out.getvalue()


@pytest.mark.parametrize("width", [80, 140])
def test_every_defect_is_told_with_time_place_peak_and_limit(width: int) -> None:
    text = shown(rich_report(), width)
    assert max(len(line) for line in text.splitlines()) <= width
    for said in (
        "critical", "black", "0:00:04.000 – 0:00:08.000", "dark_coverage 0.999", "← black", "audio:0 R", "still open",
        "−91.2 dBFS", "−60 dBFS", "recorded only", "16 ms", "source_stalled", "loudness_range", "1920×1080, 29.97 fps",
        "48 kHz, stereo", "FAIL: 5 defects at error or above; blind for 2.5 s",
    ):  # fmt: skip
        assert said in text


def test_what_could_not_be_seen_is_named() -> None:
    text = shown(rich_report())
    assert "watched 57.5 s, blind 2.5 s" in text
    assert "quarantined: model gave NaN at 0:00:12.000: block_corruption (video:0)" in text
    assert "not yet: av_offset (input)" in text
    assert "blind: hum (audio:0)" in text
    assert "silence (audio:0)" not in text.replace("channel_silence", "")


def test_a_healthy_input_is_three_facts_and_a_verdict() -> None:
    text = shown(report())
    assert "news.mp4" in text
    assert "watched 60.0 s, blind 0.0 s" in text
    assert text.rstrip().endswith("OK: nothing at error or above")
    assert "severity" not in text


def test_a_failed_input_says_why() -> None:
    assert "NOT ANALYSED TO THE END: Source undecodable: no track could be opened." in shown(failed_report())


def test_brackets_in_names_are_text_and_not_markup() -> None:
    odd = report(
        input=report().input.model_copy(update={"url": "[bold]x[/bold].mp4"}), defects=[defect("[red]a")]
    )
    text = shown(odd)
    assert "[bold]x[/bold].mp4" in text
    assert "[red]a" in text


def test_a_long_list_keeps_the_worst_and_says_how_many_are_left_out() -> None:
    many = [defect(f"blur{n}", severity=Severity.WARNING) for n in range(MAX_ROWS + 5)] + [
        defect("freeze_last")
    ]
    text = shown(report(defects=many))
    assert "freeze_last" in text
    assert "and 6 more" in text
    assert f"blur{MAX_ROWS - 2} " in text
    assert f"blur{MAX_ROWS} " not in text


def terminal(width: int = 100) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, width=width, force_terminal=True, color_system=None), out


def test_the_bar_shows_media_time_and_speed() -> None:
    console, out = terminal()
    clock = ManualClock()
    with checking("news.mp4", 60.0, console, clock) as advance:
        clock.advance(2.0)
        advance(30.0)
    assert "0:00:30 / 0:01:00" in out.getvalue()
    assert "15× real time" in out.getvalue()


def test_the_bar_is_drawn_a_few_times_a_second_only() -> None:
    console, out = terminal()
    clock = ManualClock()
    with checking("news.mp4", 60.0, console, clock) as advance:
        for n in range(1, 101):
            clock.advance(0.01)
            advance(n / 10)
    assert 8 <= out.getvalue().count("news.mp4") <= 14


@pytest.mark.parametrize("duration", [None, 0.0, float("inf"), float("nan")])
def test_an_unknown_duration_still_shows_how_far_it_got(duration: float | None) -> None:
    console, out = terminal()
    clock = ManualClock()
    with checking("live", duration, console, clock) as advance:
        clock.advance(1.0)
        advance(5.0)
    assert "0:00:05" in out.getvalue()


def test_a_duration_that_is_told_later_is_shown() -> None:
    console, out = terminal()
    clock = ManualClock()
    with checking("news.mp4", None, console, clock) as advance:
        clock.advance(1.0)
        advance(5.0, 20.0)
        clock.advance(1.0)
        advance(30.0)
    assert "0:00:05 / 0:00:20" in out.getvalue()
    assert "0:00:20 / 0:00:20" in out.getvalue()


def test_a_pipe_sees_neither_bar_nor_status() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=False)
    with checking("news.mp4", 60.0, console, ManualClock()) as advance:
        advance(30.0)
    with WatchStatus(console, ManualClock()) as status:
        status.update(1.0, 0.0, [("freeze", Severity.ERROR)])
    assert out.getvalue() == ""


def test_the_status_names_open_defects_worst_first() -> None:
    line = status_line(62.0, 0.0, [("blur", Severity.WARNING), ("black", Severity.CRITICAL)], None)
    assert line.plain == "● watched 0:01:02 · blind 0:00:00 · open: black, blur"


def test_the_status_says_blind_and_why() -> None:
    line = status_line(62.0, 3.0, [], "HTTP 404 for \x1bseg.ts")
    assert line.plain == "○ BLIND watched 0:01:02 · blind 0:00:03 · HTTP 404 for \ufffdseg.ts"


def test_the_status_is_drawn_at_once_when_something_changes() -> None:
    console, out = terminal()
    with WatchStatus(console, ManualClock()) as status:
        for n in range(50):
            status.update(n / 25, 0.0)
        assert "open: freeze" not in out.getvalue()
        status.update(2.0, 0.0, [("freeze", Severity.ERROR)])
    assert "open: freeze" in out.getvalue()
    assert out.getvalue().count("no defect open") == 1
