"""JUnit, CSV and EBU QC: well-formed, counted right, and never calling blind healthy."""

import csv
import io
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from contracts.report import Execution, Report
from glitchwatch.render import Extras, csv_, ebu_qc, junit
from tests.unit.render.reports import defect, failed_report, report, rich_report, sees

QC = {"q": ebu_qc.NAMESPACE, "g": ebu_qc.OURS}
WRITTEN = Extras(written_at=datetime(2026, 3, 1, 13, 0, tzinfo=UTC))


def suites(*reports: Report) -> ET.Element:
    return ET.fromstring(junit.render(reports))


def case(root: ET.Element, name: str) -> ET.Element:
    found = root.find(f"./testsuite/testcase[@name='{name}']")
    assert found is not None
    return found


def test_junit_counts_what_it_holds() -> None:
    root = suites(rich_report(), report(), failed_report())
    assert len(root.findall("testsuite")) == 3
    for element in root.iter():
        if element.tag not in ("testsuites", "testsuite"):
            continue
        for attribute, tag in (
            ("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped"),
        ):  # fmt: skip
            assert int(element.get(attribute, "-1")) == len(list(element.iter(tag)))


def test_junit_fails_the_detectors_whose_defects_count() -> None:
    root = suites(rich_report())
    failed = [c.get("name") for c in root.iter("testcase") if c.find("failure") is not None]
    assert failed == ["black", "block_corruption", "channel_silence", "silence", "source_stalled"]
    assert "because of black" in str(case(root, "freeze").findtext("system-out"))
    assert "clipped_run" in str(case(root, "clipping").findtext("system-out"))


def test_junit_skips_what_saw_nothing() -> None:
    root = suites(rich_report())
    skipped = {
        c.get("name"): s.get("message") for c in root.iter("testcase") if (s := c.find("skipped")) is not None
    }
    assert skipped == {"execution": "blind for 2.5 s", "av_offset": "input: not yet", "hum": "audio:0: blind"}
    quarantined = suites(report(coverage=[sees("black", fault="NaN")]))
    assert case(quarantined, "black").find("skipped") is not None


def test_junit_skips_execution_when_nothing_was_judged() -> None:
    assert case(suites(report(coverage=[])), "execution").find("skipped") is not None


@pytest.mark.parametrize("status", ["partial", "failed"])
def test_junit_makes_an_unfinished_analysis_an_error(status: Any) -> None:
    root = suites(report(execution=Execution(status=status, reason="timed out"), defects=[defect()]))
    error = case(root, "execution").find("error")
    assert error is not None
    assert (error.get("type"), error.get("message")) == (status, "timed out")
    assert root.get("errors") == "1"
    assert root.get("failures") == "1"


def test_junit_passes_a_healthy_input() -> None:
    root = suites(report())
    assert (root.get("tests"), root.get("failures"), root.get("errors"), root.get("skipped")) == (
        "4",
        "0",
        "0",
        "0",
    )


def rows(*reports: Report) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_.render(reports), newline="")))


def test_csv_has_a_row_for_each_defect_of_each_report() -> None:
    found = rows(rich_report(), report(), report(defects=[defect("freeze")]))
    assert len(found) == 10
    assert found[0]["peak_value"] == "0.999"
    assert found[1] | {"suppressed_by": "black", "counts": "false"} == found[1]
    assert found[2]["channel"] == "R"
    assert found[7]["track"] == ""
    assert found[8]["open"] == "true"
    assert found[9]["input"] == "news.mp4"
    assert {len(row) for row in found} == {len(csv_.HEADER)}


def test_csv_of_nothing_is_its_header() -> None:
    assert csv_.render([report()]) == ",".join(csv_.HEADER) + "\r\n"


def test_csv_keeps_a_header_that_others_rely_on() -> None:
    assert csv_.HEADER[:10] == (
        "input", "started_at", "defect", "detector", "family", "track", "channel", "start_s", "end_s", "length_s",
    )  # fmt: skip


def test_csv_text_is_never_a_formula_and_numbers_stay_numbers() -> None:
    (row,) = rows(report(defects=[defect(detail='=HYPERLINK("x")', threshold=-60.0)]))
    assert row["detail"] == '\'=HYPERLINK("x")'
    assert float(row["threshold"]) == -60.0


def qc(*reports: Report) -> ET.Element:
    return ET.fromstring(ebu_qc.render(reports, [WRITTEN] * len(reports)))


def verdicts(root: ET.Element) -> dict[str, str]:
    return {
        str(item.findtext("q:EBUQCName", namespaces=QC)): str(
            item.findtext("q:ExtensionProperties/g:Verdict", namespaces=QC)
        )
        for item in root.iterfind(".//q:ItemResult", QC)
    }


def test_ebu_qc_tells_ran_from_passed() -> None:
    root = qc(rich_report())
    assert verdicts(root) == {
        "black": "failed", "freeze": "inconclusive", "block_corruption": "failed", "av_offset": "notRun",
        "blur": "passed", "hum": "notRun", "channel_silence": "failed", "clipping": "passed", "loudness": "recorded",
        "mono": "passed", "silence": "failed", "source_stalled": "failed",
    }  # fmt: skip
    for item in root.iterfind(".//q:ItemResult", QC):
        verdict = item.findtext("q:ExtensionProperties/g:Verdict", namespaces=QC)
        result = item.findtext("q:CheckResult", namespaces=QC)
        assert result == {"passed": "true", "failed": "false"}.get(str(verdict))
        if verdict == "notRun":
            assert item.findtext("q:ExecutionStatus", namespaces=QC) == "error"


def test_ebu_qc_items_bear_the_catalogue_number_where_there_is_one() -> None:
    numbers = {
        str(i.findtext("q:EBUQCName", namespaces=QC)): i.findtext("q:EBUQCID", namespaces=QC)
        for i in qc(rich_report()).iterfind(".//q:ItemResult", QC)
    }
    assert numbers["black"] == "0272B"
    assert numbers["silence"] == "0078B"
    assert numbers["clipping"] == "0005B"
    assert numbers["channel_silence"] == "glitchwatch-channel-silence"


def test_ebu_qc_results_and_items_of_the_profile_match_one_to_one() -> None:
    root = qc(rich_report())
    items = [i.findtext("q:InstanceId", namespaces=QC) for i in root.iterfind(".//q:Item", QC)]
    results = [i.findtext("q:InstanceId", namespaces=QC) for i in root.iterfind(".//q:ItemResult", QC)]
    assert items == results
    assert len(set(items)) == len(items)


def test_ebu_qc_occurrences_have_a_time_range_and_an_open_one_has_no_end() -> None:
    ranges = {
        str(o.findtext("q:Name", namespaces=QC)): (
            o.findtext("q:Locator/q:Start", namespaces=QC),
            o.findtext("q:Locator/q:End", namespaces=QC),
        )
        for o in qc(rich_report()).iterfind(".//q:Output", QC)
    }
    assert ranges["black"] == ("4.000", "8.000")
    assert ranges["silence"] == ("55.000", None)


def test_ebu_qc_of_an_unfinished_analysis_has_an_error_and_no_result() -> None:
    root = qc(failed_report())
    assert root.findtext("q:ExecutionStatus", namespaces=QC) == "error"
    assert "no track could be opened" in str(root.findtext("q:ErrorDescription", namespaces=QC))
    assert root.find("q:CheckResult", QC) is None


@pytest.mark.parametrize(("what", "result"), [(report(), "true"), (report(defects=[defect()]), "false")])
def test_ebu_qc_result_of_the_whole(what: Report, result: str) -> None:
    assert qc(what).findtext("q:CheckResult", namespaces=QC) == result


def test_ebu_qc_several_inputs_share_a_group() -> None:
    root = qc(rich_report(), failed_report())
    groups = {r.findtext("q:ReportGroupId", namespaces=QC) for r in root.iterfind("q:Report", QC)}
    assert root.tag == f"{{{ebu_qc.OURS}}}Reports"
    assert len(groups) == 1
    assert None not in groups


def test_ebu_qc_is_the_same_for_the_same_report_and_time() -> None:
    assert ebu_qc.render([rich_report()], WRITTEN) == ebu_qc.render([rich_report()], WRITTEN)
    assert "<LastModifiedDateTime>2026-03-01T13:00:00Z<" in ebu_qc.render([rich_report()], WRITTEN)
