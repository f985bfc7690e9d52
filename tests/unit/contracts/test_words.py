"""The small words: addresses, severities, profiles, errors, metrics, clocks."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts import errors, metrics
from contracts.clock import ManualClock, SystemClock
from contracts.findings import DefectEdge, Edge, Peak, Severity
from contracts.profile import DetectorChoice, Mode, Profile, digest
from contracts.urls import HIDDEN, redact


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("clip.mp4", "clip.mp4"),
        ("folder/a b?.ts", "folder/a b?.ts"),
        ("http://h:8080/a/index.m3u8", "http://h:8080/a/index.m3u8"),
        ("https://me:secret@h/a.m3u8", "https://h/a.m3u8"),
        ("https://h/a.m3u8?token=secret&x=1", f"https://h/a.m3u8?token={HIDDEN}&x={HIDDEN}"),
        ("https://h/a.m3u8?secret", f"https://h/a.m3u8?{HIDDEN}"),
        ("https://h/a.m3u8#secret", "https://h/a.m3u8"),
    ],
)
def test_an_address_is_shown_without_what_opens_it(url: str, shown: str) -> None:
    assert redact(url) == shown


@given(
    secret=st.from_regex(r"[A-Z0-9]{12}", fullmatch=True), key=st.from_regex(r"[a-z]{1,8}", fullmatch=True)
)
def test_no_secret_survives_in_user_password_query_or_fragment(secret: str, key: str) -> None:
    for url in (
        f"https://{secret}@h/a",
        f"https://{key}:{secret}@h/a",
        f"https://h/a?{key}={secret}",
        f"https://h/a?{secret}",
        f"https://h/a?{secret}=",
        f"https://h/a?{key}=1&{secret}",
        f"https://h/a?{key}=1&{key}={secret}#{secret}",
    ):
        assert secret not in redact(url)


def test_severities_are_ordered_worst_first() -> None:
    assert [s.rank for s in (Severity.INFO, Severity.WARNING, Severity.ERROR, Severity.CRITICAL)] == [
        0,
        1,
        2,
        3,
    ]
    assert list(Severity) == sorted(Severity, key=lambda s: -s.rank)


def test_two_edges_are_of_one_defect_when_defect_track_and_channel_agree() -> None:
    def edge(at_ns: int, channel: str | None) -> DefectEdge:
        return DefectEdge(
            Edge.OPENED, "silence", "silence", "audio:0", at_ns, at_ns, Severity.ERROR,
            Peak("level", -90.0, "dBFS"), -60.0, channel=channel,
        )  # fmt: skip

    assert edge(0, "L").key == edge(5, "L").key != edge(0, "R").key


def test_a_profile_keeps_what_is_not_its_own_as_the_detectors_parameters() -> None:
    profile = Profile.model_validate(
        {"name": "news", "detectors": {"black": {"mode": "report", "min_seconds": 3.0}, "freeze": {}}}
    )
    assert profile.detectors["black"].mode is Mode.REPORT
    assert profile.detectors["black"].params == {"min_seconds": 3.0}
    assert profile.detectors["freeze"] == DetectorChoice(mode=Mode.CHECK)


@pytest.mark.parametrize("wrong", [{"nmae": "x"}, {"name": ""}, {"detectors": {"black": {"mode": "loud"}}}])
def test_a_wrong_profile_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Profile.model_validate(wrong)


def test_the_digest_follows_the_values_and_not_their_order() -> None:
    one, other = digest({"a": 1, "b": {"c": 2.5, "d": None}}), digest({"b": {"d": None, "c": 2.5}, "a": 1})
    assert one == other != digest({"a": 1, "b": {"c": 2.6, "d": None}})
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", one)


def all_errors(
    root: type[errors.GlitchwatchError] = errors.GlitchwatchError,
) -> list[type[errors.GlitchwatchError]]:
    return [root, *(e for child in root.__subclasses__() for e in all_errors(child))]


def test_every_error_has_a_code_fit_for_a_metric_label_and_stands_in_the_drawing() -> None:
    ours = [e for e in all_errors() if e.__module__ == "contracts.errors"]
    assert len(ours) >= 10
    assert [e for e in ours if not re.fullmatch(r"[a-z]+(_[a-z]+)*", e.code)] == []
    drawn = [e.__name__ for e in ours if e.__name__ in (errors.__doc__ or "")]
    assert set(drawn) >= {"ConfigError", "IngestError", "LeaseLost", "SinkError", "DetectorFault"}


def test_an_error_explains_itself_with_what_to_look_at_next() -> None:
    error = errors.SourceStalled("12 s without bytes.", "Try again.", cause="timeout")
    assert (error.explain(), error.cause, error.retryable) == (
        "12 s without bytes. Try again.",
        "timeout",
        True,
    )
    assert errors.ConfigError("No such file.").explain() == "No such file."
    assert not errors.SourceForbidden.retryable


def test_metric_names_are_unique_and_say_their_unit() -> None:
    names = [m.name for m in metrics.ALL]
    assert len(set(names)) == len(names)
    for metric in metrics.ALL:
        assert metric.name.startswith("glitchwatch_")
        assert metric.meaning
        assert metric.type != "counter" or metric.name.endswith("_total")
        assert metric.unit != "seconds" or "_seconds" in metric.name


def test_a_manual_clock_moves_only_when_told() -> None:
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    clock.sleep(1.5)
    clock.advance(0.5)
    assert clock.monotonic() == 2.0
    assert clock.now() == datetime(2026, 1, 1, 0, 0, 2, tzinfo=UTC)


def test_the_systems_clock_is_in_utc_and_never_goes_back() -> None:
    clock = SystemClock()
    first = clock.monotonic()
    assert clock.now().utcoffset() == timedelta(0)
    assert clock.monotonic() >= first
