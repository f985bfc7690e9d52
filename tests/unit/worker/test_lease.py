"""Leases: renewed in one call, dropped when lost, kept through an outage for the grace and no longer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from contracts.clock import ManualClock
from contracts.errors import SinkError
from contracts.fleet import (
    Assignment,
    Checkpoint,
    DetectorGroup,
    Grant,
    Lease,
    Stream,
    StreamSource,
    StreamSpec,
    WatchStatus,
    WorkerInfo,
)
from contracts.profile import Profile
from store.leases import Held, Released, Renewal
from worker.lease import Gone, Granted, Keeper

AT = datetime(2026, 1, 1, tzinfo=UTC)
INFO = WorkerInfo(worker="w", group="all", version="1", host="h", started_at=AT, capacity=10)
STATUS = WatchStatus(state="watching", since=AT)


class Store:
    def __init__(self) -> None:
        self.free: list[str] = []
        self.away = False
        self.renewal = Renewal(0)
        self.renewed: list[list[Held]] = []
        self.claims = 0

    def claim(self, worker: str, group: str, most: int) -> list[Grant]:
        self._answer()
        self.claims += 1
        taken, self.free = self.free[:most], self.free[most:]
        spec = StreamSpec(name="s", source=StreamSource(url="http://o/x.m3u8"))
        return [
            Grant(
                Lease(Assignment(name, "highest", group, "r1"), worker, 5, 0), Stream(name, 1, spec), None, ()
            )
            for name in taken
        ]

    def renew(self, info: WorkerInfo, held: Sequence[Held]) -> Renewal:
        self._answer()
        self.renewed.append(list(held))
        return self.renewal

    def release(self, worker: str, released: Sequence[Released]) -> tuple[str, ...]:
        self._answer()
        self.free += [item.assignment.split("/")[0] for item in released]
        return tuple(item.assignment for item in released)

    def goodbye(self, worker: str) -> None:
        self._answer()

    def _answer(self) -> None:
        if self.away:
            raise SinkError("away")


class Configuration:
    away = False

    def profile(self, name: str) -> Profile | None:
        if self.away:
            raise SinkError("away")
        return Profile() if name == "default" else None

    def group(self, name: str) -> DetectorGroup | None:
        return DetectorGroup(name=name)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def keeper(store: Store, clock: ManualClock) -> Keeper:
    return Keeper(store, Configuration(), clock, ttl_s=3.0, grace_s=60.0)


def events(keeper: Keeper) -> list[str]:
    out = []
    while not keeper.events.empty():
        event = keeper.events.get()
        out.append(event.why if isinstance(event, Gone) else f"granted {event.grant.lease.assignment.stream}")
    return out


def test_it_claims_no_more_than_there_is_room_for(store: Store, keeper: Keeper) -> None:
    store.free = ["a", "b", "c"]
    keeper.beat(INFO, 2)
    assert events(keeper) == ["granted a", "granted b"]
    keeper.beat(INFO, 0)
    assert store.claims == 1
    assert [held.assignment for held in store.renewed[-1]] == ["a/highest/all", "b/highest/all"]


@pytest.mark.parametrize("word", ["lost", "removed", "changed"])
def test_what_is_not_ours_any_more_is_told_once(store: Store, keeper: Keeper, word: str) -> None:
    store.free = ["a"]
    keeper.beat(INFO, 1)
    events(keeper)
    store.renewal = Renewal(0, **{word: ("a/highest/all",)})
    keeper.beat(INFO, 0)
    keeper.beat(INFO, 0)
    assert events(keeper) == [word]
    assert keeper.held == {}


def test_an_outage_shorter_than_the_grace_changes_nothing_and_holders_come_before_claims(
    store: Store, keeper: Keeper, clock: ManualClock
) -> None:
    store.free = ["a"]
    keeper.beat(INFO, 1)
    events(keeper)
    store.away = True
    for _ in range(30):
        clock.advance(1)
        keeper.beat(INFO, 1)
    assert keeper.held == {"a/highest/all": 5}
    store.away, store.free, claims = False, ["b"], store.claims
    clock.advance(1)
    keeper.beat(INFO, 1)
    assert store.claims == claims
    granted_after = 0
    while not (said := events(keeper)):
        clock.advance(1)
        keeper.beat(INFO, 1)
        granted_after += 1
    assert said == ["granted b"]
    assert granted_after == 3


def test_after_the_grace_all_leases_are_dropped(store: Store, keeper: Keeper, clock: ManualClock) -> None:
    store.free = ["a"]
    keeper.beat(INFO, 1)
    events(keeper)
    store.away = True
    clock.advance(60.5)
    keeper.beat(INFO, 0)
    assert events(keeper) == ["grace"]
    assert keeper.held == {}


def test_a_refused_finding_means_a_lost_lease_of_that_epoch_only(store: Store, keeper: Keeper) -> None:
    store.free = ["a"]
    keeper.beat(INFO, 1)
    events(keeper)
    keeper.fenced("a/highest/all", 4)
    assert events(keeper) == []
    keeper.fenced("a/highest/all", 5)
    assert events(keeper) == ["lost"]


def test_a_checkpoint_goes_with_the_next_renewal_and_then_rests(
    store: Store, keeper: Keeper, clock: ManualClock
) -> None:
    store.free = ["a"]
    keeper.beat(INFO, 1)
    keeper.keep("a/highest/all", Checkpoint(media_sequence=3), STATUS)
    keeper.beat(INFO, 0)
    keeper.beat(INFO, 0)
    assert [h.checkpoint for h in store.renewed[-2]] == [Checkpoint(media_sequence=3)]
    assert [h.checkpoint for h in store.renewed[-1]] == [None]
    keeper.keep("a/highest/all", Checkpoint(media_sequence=4), STATUS, urgent=True)
    keeper.beat(INFO, 0)
    assert [h.checkpoint for h in store.renewed[-1]] == [Checkpoint(media_sequence=4)]


def test_a_grant_that_cannot_be_configured_is_given_back(store: Store, clock: ManualClock) -> None:
    configuration = Configuration()
    configuration.away = True
    keeper = Keeper(store, configuration, clock, ttl_s=3.0, grace_s=60.0)
    store.free = ["a"]
    keeper.beat(INFO, 1)
    assert keeper.held == {}
    assert store.free == ["a"]
    assert events(keeper) == []


def test_a_profile_that_is_not_there_is_said(store: Store, keeper: Keeper) -> None:
    store.free = ["a"]
    keeper.beat(INFO, 1)
    event = keeper.events.get()
    assert isinstance(event, Granted)
    assert event.refused == ""
