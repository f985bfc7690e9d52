"""Measured headroom, declared degradation, and the settings that bound them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from contracts.errors import ConfigError
from worker.headroom import HAND_BACK_S, Degrader, Headroom, Limits, limits
from worker.settings import read


def group(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "ascii")
    return root


def test_the_quota_of_a_control_group_counts(tmp_path: Path) -> None:
    second = group(tmp_path / "v2", cpu_dot_max="150000 100000", memory_dot_max="1000000")
    assert limits(root=second) == Limits(1.5, 1_000_000)
    first = group(
        tmp_path / "v1",
        **{
            "cpu__cpu.cfs_quota_us": "50000",
            "cpu__cpu.cfs_period_us": "100000",
            "memory__memory.limit_in_bytes": "7",
        },
    )
    assert limits(root=first) == Limits(0.5, 7)
    assert limits(3.0, 5, tmp_path) == Limits(3.0, 5)
    assert limits(root=group(tmp_path / "none", cpu_dot_max="max 100000")).cores >= 1


def test_room_shrinks_with_what_is_measured() -> None:
    room = Headroom(Limits(2.0, 10**9), 0.8, most=100)
    assert 0 < room.room(0, 0) < 100
    room.cores, room.bytes = 0.8, 200 * 10**6
    assert room.room(8, 0) == 8  # a tenth of a core each, 0.8 of 1.6 left
    assert room.room(8, 4) < 8
    room.cores = 1.7
    assert room.room(8, 0) == 0
    room.cores, room.bytes = 0.1, 890 * 10**6
    assert room.room(8, 0) == 0
    assert Headroom(Limits(64.0, 10**12), 1.0, most=5).room(4, 0) == 1


def test_steps_are_taken_one_by_one_and_then_a_watch_is_handed_back() -> None:
    degrader = Degrader(6.0)
    taken: list[tuple[float, int]] = []
    back: list[float] = []
    for second in range(60):
        before = degrader.step
        if degrader.look(second, [0.1, 7.0]):
            back.append(second)
        if degrader.step != before:
            taken.append((second, degrader.step))
    assert taken == [(5, 1), (10, 2)]
    assert back[0] == 10 + HAND_BACK_S
    assert all(b - a >= HAND_BACK_S for a, b in pairwise(back))


def test_steps_are_given_back_slowly() -> None:
    degrader = Degrader(6.0, step=2)
    steps = []
    for second in range(70):
        assert not degrader.look(second, [0.2])
        steps.append(degrader.step)
    assert steps[29] == 2
    assert steps[31] == 1
    assert steps[-1] == 0


def test_a_short_lag_changes_nothing() -> None:
    degrader = Degrader(6.0)
    for second in range(60):
        assert not degrader.look(second, [9.0 if second % 4 == 0 else 0.1])
    assert degrader.step == 0


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:pass-word@h/0")
    monkeypatch.setenv("WORKER_GROUP", "sound")
    settings = read()
    assert settings.redis_url == "redis://:pass-word@h/0"
    assert settings.group == "sound"
    assert "pass-word" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("WORKER_GRUOP", "x", "WORKER_GRUOP is no setting"),
        ("WORKER_LEASE_TTL_S", "soon", "WORKER_LEASE_TTL_S"),
        ("WORKER_LEASE_TTL_S", "0.1", "WORKER_LEASE_TTL_S"),
        ("REDIS_URL", "", "REDIS_URL"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://h/0")
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=words):
        read()
