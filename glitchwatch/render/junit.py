"""JUnit XML, so that a build server shows a check as it shows its tests.

One test suite for each input, one test case for each detector: *failure* where a defect counts for the exit
status, *skipped* where the detector saw nothing, judged nothing or was quarantined. The test case `execution` says
whether the input was analysed at all: *error* when not to its end, *skipped* when part of it could not be seen.
"""

from collections.abc import Iterator, Sequence

from contracts.report import Coverage, Defect, Report
from glitchwatch.render import AnyExtras, words
from glitchwatch.render.markup import Element, add, node, xml

MAX_LINES = 200  # defects spelt out in one test case


def render(reports: Sequence[Report], extras: AnyExtras = None) -> str:
    """The reports as one JUnit document; `extras` are not shown."""
    suites = [_suite(report) for report in reports]
    root = node("testsuites", name="glitchwatch", **_totals(suites))
    root.extend(suites)
    return xml(root)


def _totals(suites: Sequence[Element]) -> dict[str, object]:
    totals: dict[str, object] = {
        name: sum(int(suite.get(name, "0")) for suite in suites)
        for name in ("tests", "failures", "errors", "skipped")
    }
    totals["time"] = f"{sum(float(suite.get('time', '0')) for suite in suites):.3f}"
    return totals


def _suite(report: Report) -> Element:
    cases = list(_cases(report))
    started = report.input.started_at
    suite = node(
        "testsuite",
        name=report.input.url or "input",
        tests=len(cases),
        failures=sum(case.find("failure") is not None for case in cases),
        errors=sum(case.find("error") is not None for case in cases),
        skipped=sum(case.find("skipped") is not None for case in cases),
        time=f"{max(report.execution.wall_s, 0.0):.3f}",
        timestamp=started.strftime("%Y-%m-%dT%H:%M:%S") if started else None,
    )
    properties = add(suite, "properties")
    for name, value in (
        ("glitchwatch.version", report.tool.version),
        ("profile", report.profile.name),
        ("profile.digest", report.profile.digest),
        ("watched_s", f"{report.execution.watched_s:.3f}"),
        ("blind_s", f"{report.execution.blind_s:.3f}"),
    ):
        add(properties, "property", name=name, value=value)
    suite.extend(cases)
    return suite


def _cases(report: Report) -> Iterator[Element]:
    yield _execution(report)
    seen: dict[str, list[Coverage]] = {}
    for row in report.coverage:
        seen.setdefault(row.detector, []).append(row)
    found: dict[str, list[Defect]] = {}
    for defect in report.defects:
        found.setdefault(defect.detector, []).append(defect)
    for detector in {**seen, **found}:
        yield _case(report, detector, seen.get(detector, []), found.get(detector, []))


def _execution(report: Report) -> Element:
    run = report.execution
    case = _named(report, "execution", run.cpu_s)
    if run.status != "complete":
        add(case, "error", words.verdict(report).text, type=run.status, message=run.reason or run.status)
    elif run.blind_s > 0:
        add(case, "skipped", message=f"blind for {words.length(run.blind_s)}")
    elif not any(words.judged(row) for row in report.coverage):
        add(case, "skipped", message="no detector could see anything of this input")
    return case


def _case(report: Report, detector: str, seen: Sequence[Coverage], found: Sequence[Defect]) -> Element:
    case = _named(report, detector, sum(row.cpu_ms_per_s * row.watched_s for row in seen) / 1000)
    bad = [d for d in found if d.counts]
    unseen = [row for row in seen if row.fault or not words.judged(row)]
    if bad:
        said = words.plural(len(bad), "defect")
        add(case, "failure", _lines(bad), type=bad[0].defect, message=f"{said}: {_one_line(bad[0])}")
    elif unseen and not any(words.judged(row) and not row.fault for row in seen):
        add(case, "skipped", message="; ".join(_unseen(row) for row in unseen))
    rest = [_one_line(d) for d in found if not d.counts][:MAX_LINES]
    if case.find("skipped") is None:
        rest += [_unseen(row) for row in seen if row.fault or row.blind_s > 0 or not words.judged(row)]
    if rest:
        add(case, "system-out", "\n".join(rest))
    return case


def _named(report: Report, name: str, seconds: float) -> Element:
    return node("testcase", classname=report.input.url or "input", name=name, time=f"{max(seconds, 0.0):.3f}")


def _unseen(row: Coverage) -> str:
    return f"{words.where(row.track)}: {words.coverage_state(row)}"


def _lines(defects: Sequence[Defect]) -> str:
    lines = [_one_line(d) for d in defects[:MAX_LINES]]
    if len(defects) > MAX_LINES:
        lines.append(f"and {len(defects) - MAX_LINES} more")
    return "\n".join(lines)


def _one_line(defect: Defect) -> str:
    end = "still open" if defect.open else words.clock(defect.end_s)
    parts = [
        f"{defect.severity.value} {words.line(defect.defect)} on {words.where(defect.track, defect.channel)}",
        f"{words.clock(defect.start_s)} – {end}",
        f"{words.peak(defect)} (limit {words.quantity(defect.threshold, defect.peak.unit)})",
    ]
    if defect.suppressed_by:
        parts.append(f"because of {words.line(defect.suppressed_by)}")
    if defect.mode == "report":
        parts.append("recorded only")
    if defect.detail:
        parts.append(words.line(defect.detail))
    return ", ".join(parts)
