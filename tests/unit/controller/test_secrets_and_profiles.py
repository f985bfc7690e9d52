"""What goes in and never comes out; and what a profile may say."""

import pytest

from contracts.errors import ConfigError
from contracts.fleet import StreamSpec
from contracts.profile import Profile
from controller.catalogue import installed
from controller.problems import Problem
from controller.settings import read
from controller.streams.merge import patched, replaced, validated
from controller.streams.schemas import StreamIn, shown

SECRET = "hush-hush"


def spec() -> StreamSpec:
    return StreamIn.model_validate(
        {
            "url": f"https://user:{SECRET}@origin.example/a.m3u8?token={SECRET}",
            "headers": {"X-Key": SECRET},
            "bearer": SECRET,
        }
    ).spec()


def test_nothing_that_is_shown_or_printed_holds_a_secret() -> None:
    found = shown(spec())
    assert SECRET not in str(found)
    assert found["headers"] == {"X-Key": "***", "Authorization": "***"}
    assert SECRET not in repr(spec())
    assert SECRET not in repr(StreamIn.model_validate({"url": f"http://a/?t={SECRET}", "bearer": SECRET}))


def test_what_was_shown_can_be_sent_back() -> None:
    names = set(StreamIn.model_fields)
    body = StreamIn.model_validate({k: v for k, v in shown(spec()).items() if k in names})
    assert replaced(spec(), body) == spec()


def test_a_patch_keeps_changes_and_removes() -> None:
    changed = patched(spec(), {"headers": {"X-Key": None, "X-New": "n"}, "labels": {"a": "b"}})
    assert changed.source.headers == {"Authorization": f"Bearer {SECRET}", "X-New": "n"}
    assert changed.source.url == spec().source.url
    assert patched(changed, {"bearer": None}).source.headers == {"X-New": "n"}
    assert patched(changed, {"bearer": "other"}).source.headers["Authorization"] == "Bearer other"
    assert patched(changed, {"labels": {"a": None}}).labels == {}


def test_a_masked_value_that_stands_for_nothing_is_refused() -> None:
    with pytest.raises(Problem):
        replaced(spec(), StreamIn.model_validate({"url": "http://a", "headers": {"Other": "***"}}))


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": 5, "bearer": f"{SECRET}\n"},
        {"url": "http://a", "headers": {"X": f"{SECRET}\r\nY: z"}},
        {"url": "http://a", "nonsense": SECRET},
        {"url": "http://a", "off_air": [{"zone": SECRET, "start": "01:00", "end": "02:00"}]},
    ],
)
def test_an_error_repeats_no_value(wrong: dict[str, object]) -> None:
    with pytest.raises(Problem) as problem:
        validated(wrong)
    said = problem.value.detail + "".join(w.pointer + w.detail for w in problem.value.errors)
    assert problem.value.errors
    assert SECRET not in said
    assert problem.value.__cause__ is None


def wrongs(detectors: dict[str, object]) -> list[str]:
    return [w.pointer for w in installed().wrongs(Profile.model_validate({"detectors": detectors}))]


def test_a_profile_is_checked_against_the_catalogue() -> None:
    assert wrongs({"black": {"min_seconds": 4, "mode": "report"}}) == []
    assert wrongs({"blak": {}}) == ["/detectors/blak"]
    assert wrongs({"black": {"min_seconds": -1}}) == ["/detectors/black/min_seconds"]
    assert wrongs({"black": {"min_secnds": 1}}) == ["/detectors/black"]
    assert wrongs({"black": {"min_seconds": "4"}, "silence": {"nope": 1}}) == [
        "/detectors/black/min_seconds",
        "/detectors/silence",
    ]


def test_settings_name_what_is_wrong_and_never_its_value() -> None:
    good = {"REDIS_URL": "redis://127.0.0.1:6379/0"}
    assert read(good).port == 8080
    assert SECRET not in repr(read(good | {"CONTROLLER_API_KEY": SECRET}))
    with pytest.raises(ConfigError, match="CONTROLLER_PROT"):
        read(good | {"CONTROLLER_PROT": "1"})
    with pytest.raises(ConfigError, match="CONTROLLER_PORT"):
        read(good | {"CONTROLLER_PORT": "x"})
    with pytest.raises(ConfigError, match="REDIS_URL"):
        read({})
