"""Whatever text a stream, a server or a profile gives us, no rendering breaks."""

import csv
import io
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from contracts.findings import Severity
from contracts.report import (
    Coverage,
    Execution,
    Input,
    MeasurementValue,
    PeakValue,
    ProfileRef,
    Report,
    Tool,
    Track,
)
from glitchwatch.render import Extras, csv_, ebu_qc, html, junit
from glitchwatch.render.progress import status_line
from glitchwatch.render.table import print_report
from tests.unit.render.reports import defect
from tests.unit.render.test_html import Page, fetched

TEXT = st.text(
    st.one_of(
        st.characters(codec="utf-8"),
        st.sampled_from("\x00\x07\x1b\x7f\x9b\u202e\ufffe\uffff<>&\"']]>[/=@\r\n\t"),
    ),
    max_size=24,
)
VALUE = st.floats()
SECONDS = st.floats(-10, 1e6)
DEFECT = st.builds(
    lambda texts, times, values, severity, flags: defect(
        texts[0], times[0], times[1], detector=texts[1], family=texts[2], track=texts[3] or None,
        channel=texts[4] or None, detail=texts[5] or None, suppressed_by=texts[6] or None, severity=severity,
        open=flags[0], mode="check" if flags[1] else "report", confidence=values[0], threshold=values[1],
        peak=PeakValue(name=texts[7], value=values[2], unit=texts[8]),
    ),
    st.tuples(*[TEXT] * 9), st.tuples(SECONDS, SECONDS), st.tuples(VALUE, VALUE, VALUE), st.sampled_from(Severity),
    st.tuples(st.booleans(), st.booleans()),
)  # fmt: skip


@st.composite
def documents(draw: Any) -> Report:
    return Report(
        tool=Tool(version=draw(TEXT)),
        input=Input(
            url=draw(TEXT),
            container=draw(TEXT),
            duration_s=draw(st.none() | SECONDS),
            tracks=[Track(id=draw(TEXT), kind="audio", codec=draw(TEXT), layout=draw(TEXT), language=draw(TEXT))],
        ),
        profile=ProfileRef(name=draw(TEXT), digest=draw(TEXT)),
        execution=Execution(
            status=draw(st.sampled_from(["complete", "partial", "failed"])),
            reason=draw(st.none() | TEXT),
            watched_s=draw(SECONDS),
            blind_s=draw(SECONDS),
        ),
        defects=draw(st.lists(DEFECT, max_size=3)),
        measurements=[MeasurementValue(name=draw(TEXT), value=draw(VALUE), unit=draw(TEXT), channel=draw(TEXT))],
        coverage=[
            Coverage(
                detector=draw(TEXT), track=draw(st.none() | TEXT), watched_s=draw(SECONDS), blind_s=draw(SECONDS),
                not_yet_s=draw(SECONDS), cpu_ms_per_s=draw(VALUE), fault=draw(st.none() | TEXT),
            )
        ],
    )  # fmt: skip


def bare(text: str) -> set[str]:
    return {c for c in text if (ord(c) < 32 and c not in "\t\r\n") or 0x7F <= ord(c) < 0xA0 or c == "\u202e"}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(documents(), min_size=1, max_size=2), TEXT, st.lists(st.tuples(SECONDS, VALUE), max_size=5))
def test_no_text_and_no_number_breaks_any_format(
    reports: list[Report], name: str, curve: list[tuple[float, float]]
) -> None:
    extras = [
        Extras(
            series={name: sorted(curve), "loudness_momentary": curve},
            thumbnails={0: b"x"},
            written_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
        for _ in reports
    ]
    suite = ET.fromstring(junit.render(reports, extras))
    assert len(suite.findall("testsuite")) == len(reports)
    root = ET.fromstring(ebu_qc.render(reports, extras))
    assert len(list(root.iter(f"{{{ebu_qc.NAMESPACE}}}ItemResults"))) == len(reports)
    rows = list(csv.reader(io.StringIO(csv_.render(reports, extras), newline="")))
    assert {len(row) for row in rows} == {len(csv_.HEADER)}
    assert len(rows) == 1 + sum(len(r.defects) for r in reports)
    text = html.render(reports, extras)
    assert fetched(Page(text)) == []
    assert not bare(text)
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=False)
    for each in reports:
        print_report(each, console)
        console.print(
            status_line(1.0, 0.0, [(d.defect, d.severity) for d in each.defects], each.execution.reason)
        )
    assert not bare(out.getvalue())
