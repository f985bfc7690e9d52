"""Reports made by hand, with every kind of defect there is."""

from datetime import UTC, datetime
from typing import Any

from contracts.findings import Severity
from contracts.report import (
    Coverage,
    Defect,
    Evidence,
    Execution,
    Input,
    MeasurementValue,
    PeakValue,
    ProfileRef,
    Report,
    Tool,
    Track,
)

VIDEO = Track(id="video:0", kind="video", codec="h264", width=1920, height=1080, fps=29.97)
AUDIO = Track(id="audio:0", kind="audio", codec="aac", sample_rate_hz=48_000, channels=2, layout="stereo")


def defect(name: str = "black", start: float = 4.0, end: float = 8.0, **changes: Any) -> Defect:
    fields: dict[str, Any] = {
        "defect": name,
        "detector": name,
        "family": "picture",
        "track": "video:0",
        "start_s": start,
        "end_s": end,
        "open": False,
        "severity": Severity.CRITICAL,
        "confidence": 1.0,
        "peak": PeakValue(name="dark_coverage", value=0.999, unit="ratio"),
        "threshold": 0.98,
    }
    return Defect(**(fields | changes))


def sees(detector: str, track: str | None = "video:0", **changes: Any) -> Coverage:
    fields: dict[str, Any] = {
        "detector": detector,
        "track": track,
        "watched_s": 60.0,
        "blind_s": 0.0,
        "cpu_ms_per_s": 0.8,
    }
    return Coverage(**(fields | changes))


def report(**changes: Any) -> Report:
    """A healthy one, but for what is changed."""
    fields: dict[str, Any] = {
        "tool": Tool(version="0.1.0"),
        "input": Input(url="news.mp4", container="mov,mp4", duration_s=60.0, tracks=[VIDEO, AUDIO]),
        "profile": ProfileRef(name="default", digest="sha256:00"),
        "execution": Execution(status="complete", watched_s=60.0, wall_s=4.2, cpu_s=5.0),
        "coverage": [sees("black"), sees("freeze"), sees("silence", "audio:0")],
    }
    return Report(**(fields | changes))


def _peak(name: str, value: float, unit: str) -> PeakValue:
    return PeakValue(name=name, value=value, unit=unit)


def rich_report() -> Report:
    """Every kind of defect, a quarantined detector, one that was blind and one that has not judged yet."""
    sound: dict[str, Any] = {"family": "sound", "track": "audio:0"}
    return report(
        input=Input(
            url="https://cdn.example/live/news/index.m3u8?token=***",
            started_at=datetime(2026, 3, 1, 12, 0, tzinfo=UTC),
            container="hls",
            duration_s=60.0,
            tracks=[VIDEO, AUDIO],
        ),
        execution=Execution(status="complete", watched_s=57.5, blind_s=2.5, wall_s=4.2, cpu_s=5.0),
        defects=[
            defect(evidence=[Evidence(kind="frame", path="evidence/black.jpg", at_s=4.1)]),
            defect(
                "freeze",
                4.0,
                8.0,
                severity=Severity.ERROR,
                suppressed_by="black",
                peak=_peak("frame_difference", 0.0004, "ratio"),
                threshold=0.001,
            ),
            defect(
                "channel_silence",
                10.0,
                22.5,
                severity=Severity.ERROR,
                channel="R",
                peak=_peak("level", -91.2, "dBFS"),
                threshold=-60.0,
                **sound,
            ),
            defect(
                "clipping",
                12.25,
                12.266,
                severity=Severity.WARNING,
                peak=_peak("clipped_run", 41, "samples"),
                threshold=3.0,
                confidence=0.8,
                detail="flat tops below full scale, at −0.4 dBFS",
                **sound,
            ),
            defect(
                "loudness",
                0.0,
                60.0,
                severity=Severity.WARNING,
                mode="report",
                peak=_peak("loudness_integrated", -18.2, "LUFS"),
                threshold=-23.0,
                **sound,
            ),
            defect(
                "mono", 0.0, 60.0, severity=Severity.INFO, peak=_peak("correlation", 1.0, "ratio"), **sound
            ),
            defect(
                "block_corruption",
                30.0,
                31.2,
                severity=Severity.ERROR,
                peak=_peak("corrupted_area", 0.232, "ratio"),
                threshold=0.01,
            ),
            defect(
                "source_stalled",
                40.0,
                42.5,
                severity=Severity.CRITICAL,
                track=None,
                family="transport",
                peak=_peak("blind_time", 2.5, "s"),
                threshold=0.0,
                detail="12 s without bytes from seg_8841.ts",
            ),
            defect(
                "silence",
                55.0,
                60.0,
                open=True,
                severity=Severity.CRITICAL,
                peak=_peak("level", -88.0, "dBFS"),
                threshold=-60.0,
                **sound,
            ),
        ],
        measurements=[
            MeasurementValue(name="loudness_integrated", value=-18.21, unit="LUFS", track="audio:0"),
            MeasurementValue(name="loudness_range", value=6.4, unit="LU", track="audio:0"),
            MeasurementValue(name="true_peak", value=-0.21, unit="dBTP", track="audio:0"),
            MeasurementValue(name="dark_coverage_p95", value=0.42, unit="ratio", track="video:0"),
        ],
        coverage=[
            sees("black", watched_s=57.5, blind_s=2.5),
            sees("freeze", watched_s=57.5, blind_s=2.5),
            sees("block_corruption", watched_s=12.0, blind_s=45.5, fault="model gave NaN at 0:00:12.000"),
            sees("av_offset", None, watched_s=57.5, not_yet_s=57.5),
            sees("blur", watched_s=57.5, not_yet_s=10.0),
            sees("hum", "audio:0", watched_s=0.0, blind_s=60.0),
            *(sees(name, "audio:0", watched_s=57.5) for name in ("channel_silence", "clipping", "loudness")),
            sees("mono", "audio:0"),
            sees("silence", "audio:0"),
            sees("source_stalled", None, watched_s=57.5, blind_s=2.5),
        ],
    )


def failed_report() -> Report:
    """The input ended early."""
    return report(
        input=Input(url="broken.ts"),
        execution=Execution(status="failed", reason="Source undecodable: no track could be opened."),
        coverage=[],
    )
