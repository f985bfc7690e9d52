import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from contracts.findings import Severity
from contracts.report import (
    Coverage,
    Defect,
    Execution,
    Input,
    MeasurementValue,
    PeakValue,
    ProfileRef,
    Report,
    Status,
    Tool,
    Track,
)


def defect(**changes: Any) -> Defect:
    values: dict[str, Any] = {
        "defect": "black", "detector": "black", "family": "picture", "track": "video:0", "start_s": 4.0, "end_s": 8.0,
        "open": False, "severity": Severity.ERROR, "confidence": 1.0, "threshold": 0.98,
        "peak": PeakValue(name="dark_coverage", value=0.999, unit="ratio"),
    }  # fmt: skip
    return Defect(**(values | changes))


def report(status: Status = "complete", *defects: Defect) -> Report:
    return Report(
        tool=Tool(version="0.1.0"),
        input=Input(
            url="a.mp4",
            container="mov,mp4",
            duration_s=12.0,
            tracks=[
                Track(id="video:0", kind="video", codec="h264", width=960, height=540, fps=25.0),
                Track(id="audio:0", kind="audio", codec="aac", sample_rate_hz=48000, channels=2),
            ],
        ),
        profile=ProfileRef(name="default", digest="sha256:00"),
        execution=Execution(status=status, watched_s=12.0, wall_s=1.9, cpu_s=2.0),
        defects=list(defects),
        measurements=[
            MeasurementValue(name="loudness_integrated", value=-23.1, unit="LUFS", track="audio:0")
        ],
        coverage=[
            Coverage(detector="freeze", track="video:0", watched_s=12.0, blind_s=0.0, cpu_ms_per_s=0.8)
        ],
    )


def test_the_fields_that_other_programs_read_are_there_under_their_names() -> None:
    document = json.loads(report("complete", defect()).to_json())
    assert document["schema"] == "glitchwatch.report/1"
    promised = {
        "tool": {"name", "version"},
        "input": {"url", "started_at", "container", "duration_s", "tracks"},
        "profile": {"name", "digest"},
        "execution": {"status", "reason", "watched_s", "blind_s", "wall_s", "cpu_s"},
    }
    for part, names in promised.items():
        assert names <= set(document[part]), part
    promised_of_each = {
        "defects": {
            "defect", "detector", "family", "track", "start_s", "end_s", "open", "severity", "confidence",
            "peak", "threshold", "suppressed_by", "evidence",
        },
        "measurements": {"name", "value", "unit", "track"},
        "coverage": {"detector", "track", "watched_s", "blind_s", "cpu_ms_per_s"},
    }  # fmt: skip
    for part, names in promised_of_each.items():
        assert names <= set(document[part][0]), part


def test_a_track_holds_only_what_applies_to_its_kind() -> None:
    video, audio = json.loads(report().to_json())["input"]["tracks"]
    assert video == {
        "id": "video:0", "kind": "video", "codec": "h264", "width": 960, "height": 540, "fps": 25.0,
    }  # fmt: skip
    assert audio == {"id": "audio:0", "kind": "audio", "codec": "aac", "sample_rate_hz": 48000, "channels": 2}


def test_a_document_survives_being_written_and_read() -> None:
    before = report("partial", defect(track=None, suppressed_by="source_stalled"))
    assert Report.model_validate_json(before.to_json()) == before


def test_a_wall_clock_start_is_written_in_utc() -> None:
    text = Input(url="x", started_at=datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)).model_dump_json()
    assert json.loads(text)["started_at"] == "2026-03-04T05:06:07Z"


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError):
        Tool.model_validate({"name": "glitchwatch", "version": "1", "colour": "red"})


@pytest.mark.parametrize(
    ("status", "defects", "expected"),
    [
        ("complete", [], 0),
        ("complete", [defect()], 1),
        ("complete", [defect(severity=Severity.CRITICAL)], 1),
        ("complete", [defect(severity=Severity.WARNING), defect(severity=Severity.INFO)], 0),
        ("complete", [defect(mode="report")], 0),
        ("complete", [defect(suppressed_by="source_stalled")], 0),
        ("partial", [], 3),
        ("failed", [defect()], 3),
    ],
)
def test_exit_status(status: Status, defects: list[Defect], expected: int) -> None:
    assert report(status, *defects).exit_status == expected
