from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from contracts.clock import ManualClock
from contracts.fleet import Assignment, DetectorGroup, Groups, OffAir, RenditionPolicy, Stream, new_stream_id
from contracts.profile import DetectorChoice, Mode, Profile
from store.apikeys import ApiKeys
from store.assignments import Assignments, Derived, GroupLoad, assignments_of, renditions_watched
from store.configuration import Configuration, read_groups, read_profile
from store.errors import ExternalIdTaken, NotThere, RevisionConflict, StoreFull, StoreRefusal, TooLarge
from store.leases import Leases
from store.requests import Requests, Stage
from store.streams import Limits, Saved, Streams
from store.workers import Workers
from tests.store.conftest import Run
from tests.store.fleet import groups, info, onboarded, spec, wanted

CLOCK = ManualClock()


def test_ids_sort_by_time_and_place_and_tell_the_time() -> None:
    at = datetime(2026, 5, 1, 1, 2, 3, 456_000, tzinfo=UTC)
    ids = [new_stream_id(at, place) for place in range(50)] + [new_stream_id(at + timedelta(milliseconds=1))]
    assert sorted(ids) == ids
    assert len(set(ids)) == 51
    assert Stream(ids[0], 1, spec(0)).created_at == at


def test_a_stream_is_made_read_changed_and_deleted(client: Any, run: Run[Any]) -> None:
    async def scenario(c: Any) -> None:
        streams = Streams(c, CLOCK)
        made = await streams.create(spec(1, labels={"country": "at"}))
        assert made.revision == 1
        assert await streams.get(made.id) == made
        assert await streams.by_external("ext-1") == made
        changed = await streams.change(made.id, spec(2, labels={"country": "de"}), if_revision=1)
        assert (changed.id, changed.revision) == (made.id, 2)
        with pytest.raises(RevisionConflict):
            await streams.change(made.id, spec(3), if_revision=1)
        assert (await streams.change(made.id, spec(2, labels={"country": "de"}))).revision == 2  # nothing new
        with pytest.raises(NotThere):
            await streams.by_external("ext-1")
        assert await streams.ids({"country": "at"}) == []
        assert await streams.ids({"country": "de"}) == [made.id]
        with pytest.raises(RevisionConflict):
            await streams.delete(made.id, if_revision=1)
        await streams.delete(made.id, if_revision=2)
        for call in (streams.delete(made.id), streams.get(made.id), streams.change(made.id, spec(1))):
            with pytest.raises(NotThere):
                await call

    run(scenario)
    assert {key.decode() for key in client.keys("gw:*")} == {"gw:schema", "gw:findings"}


def test_bulk_onboarding_upserts_by_external_id_with_a_refusal_per_row(client: Any, run: Run[Any]) -> None:
    async def scenario(c: Any) -> list[Saved | StoreRefusal]:
        streams = Streams(c, CLOCK, Limits(streams=450))
        first = await streams.upsert_many([spec(n) for n in range(400)])
        assert [s.word for s in first if isinstance(s, Saved)] == ["created"] * 400
        assert [s.stream.id for s in first if isinstance(s, Saved)] == await streams.ids()
        huge = spec(7, off_air=[OffAir(zone="Europe/Vienna", days=("mon",), start="01:00", end="02:00")] * 32)
        big = huge.model_copy(update={"labels": {f"l{n}": "x" * 2000 for n in range(16)}})
        second = [spec(0), spec(1, profile="sport"), big, *(spec(n) for n in range(400, 460))]
        return await streams.upsert_many(second)

    rows = run(scenario)
    assert [r.word if isinstance(r, Saved) else type(r) for r in rows[:3]] == [
        "unchanged",
        "updated",
        TooLarge,
    ]
    assert [type(r) for r in rows[3:]] == [Saved] * 50 + [StoreFull] * 10


def test_two_streams_never_share_an_external_id(client: Any, run: Run[Any]) -> None:
    async def scenario(c: Any) -> None:
        streams = Streams(c, CLOCK)
        await streams.create(spec(1))
        two = await streams.create(spec(2))
        for call in (streams.create(spec(1)), streams.change(two.id, spec(1))):
            with pytest.raises(ExternalIdTaken):
                await call
        both = await asyncio.gather(*(streams.upsert(spec(9)) for _ in range(8)))
        assert len({saved.stream.id for saved in both}) == 1
        assert sorted(saved.word for saved in both) == ["created"] + ["unchanged"] * 7

    run(scenario)


def test_pages_follow_each_other_without_gap_or_repeat(client: Any, run: Run[Any]) -> None:
    async def scenario(c: Any) -> None:
        streams = Streams(c, CLOCK)
        await streams.upsert_many(
            [spec(n, labels={"odd": str(n % 2), "third": str(n % 3)}) for n in range(25)]
        )
        for labels, count in (
            ({}, 25),
            ({"odd": "1"}, 12),
            ({"odd": "1", "third": "2"}, 4),
            ({"odd": "7"}, 0),
        ):
            names, after = [], ""
            while True:
                page = await streams.page(after=after, limit=4, labels=labels)
                assert page.total == count
                assert len(page.streams) <= 4
                names += [int(s.spec.name.split()[1]) for s in page.streams]
                if page.next is None:
                    break
                after = page.next
            expected = [
                n
                for n in range(25)
                if all({"odd": str(n % 2), "third": str(n % 3)}[k] == v for k, v in labels.items())
            ]
            assert names == expected

    run(scenario)


@pytest.mark.parametrize(
    ("policy", "names", "expected"),
    [
        ({}, (), ("highest",)),
        ({"choose": "lowest"}, ("a",), ("lowest",)),
        ({"choose": "each"}, ("1080p", "720p"), ("1080p", "720p")),
        ({"choose": "each"}, (), ("highest",)),
        ({"choose": "each", "at_most": 1}, ("1080p", "720p"), ("1080p",)),
        ({"choose": "named", "names": ("b", "b")}, ("a",), ("b",)),
    ],
)
def test_the_policy_says_which_renditions(
    policy: dict[str, Any], names: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert renditions_watched(spec(1, policy=RenditionPolicy(**policy), renditions=names)) == expected


def test_assignments_are_derived_once_whoever_does_it_however_often(client: Any, run: Run[Any]) -> None:
    async def scenario(c: Any) -> None:
        streams, assignments = Streams(c, CLOCK), Assignments(c)
        await streams.upsert_many([spec(n) for n in range(250)])
        both = wanted(groups(2))
        parts = await asyncio.gather(*(assignments.reconcile(streams, both) for _ in range(3)))
        assert sum(part.added for part in parts) == 500
        assert await assignments.reconcile(streams, both) == Derived()
        assert await assignments.load(["g0", "g1", "g2"]) == {
            "g0": GroupLoad(250, 250), "g1": GroupLoad(250, 250), "g2": GroupLoad(0, 0),
        }  # fmt: skip
        one = wanted(groups(1))
        assert (await assignments.reconcile(streams, one)).removed == 250
        dark = wanted(groups(1), on_air=lambda stream: False)
        assert (await assignments.reconcile(streams, dark)).removed == 250
        assert (await assignments.load(["g0"]))["g0"].assignments == 0

    run(scenario)


def test_who_derives_from_an_older_stream_or_older_groups_changes_nothing(client: Any, run: Run[Any]) -> None:
    async def scenario(c: Any) -> None:
        streams, assignments = Streams(c, CLOCK), Assignments(c)
        old = await streams.create(spec(1))
        new = await streams.change(old.id, spec(1, enabled=False))
        assert await assignments.derive([new], wanted()) == Derived()
        assert await assignments.derive([old], wanted()) == Derived(stale=1)
        assert await assignments.of_stream(old.id) == []
        await Configuration(c).save_groups(groups(2))
        assert (await assignments.derive([new], wanted())).stale == -1
        await streams.delete(old.id)
        assert (await assignments.derive([new], wanted(groups(2), groups_revision=1))).stale == 1

    run(scenario)


def test_states_name_the_holder(url: str, client: Any, run: Run[Any]) -> None:
    one, two = onboarded(url, 2, groups(2))
    [grant] = Leases(client).claim("a", "g0", 1)
    states = run(lambda c: Assignments(c).of_streams([one.id, two.id, "none"]))
    held = [s for part in states.values() for s in part if s.worker]
    assert [(s.assignment, s.worker, s.epoch) for s in held] == [
        (grant.lease.assignment, "a", grant.lease.epoch)
    ]
    assert held[0].claimable_from_ms == grant.lease.expiry_ms
    assert states["none"] == []
    assert [s.assignment for s in run(lambda c: Assignments(c).of_worker("a", "g0"))] == [
        grant.lease.assignment
    ]
    assert run(lambda c: Assignments(c).get(f"{one.id}/highest/g1")).worker is None
    with pytest.raises(NotThere):
        run(lambda c: Assignments(c).get("no/such/one"))


def test_the_revision_of_an_assignment_tells_all_that_a_watch_was_started_with() -> None:
    stream = Stream("s1", 4, spec(1, profile="sport"))
    [made] = assignments_of(stream, wanted(profile_versions={"sport": 7}, groups_revision=2))
    assert made == Assignment("s1", "highest", "all", "4.7.2")


def test_two_groups_never_have_one_name() -> None:
    with pytest.raises(ValidationError, match="same name"):
        Groups(groups=(DetectorGroup(name="a"), DetectorGroup(name="a")))


def test_profiles_have_versions_that_never_change(client: Any, run: Run[Any]) -> None:
    loud = Profile(
        name="sport", detectors={"loudness": DetectorChoice.model_validate({"mode": "report", "target": -23})}
    )

    async def scenario(c: Any) -> None:
        configuration = Configuration(c)
        assert await configuration.profile("default") == (0, Profile())
        with pytest.raises(NotThere):
            await configuration.profile("sport")
        assert await configuration.save_profile(loud) == 1
        assert await configuration.save_profile(loud) == 1
        assert await configuration.save_profile(Profile(name="sport"), if_version=1) == 2
        with pytest.raises(RevisionConflict):
            await configuration.save_profile(loud, if_version=1)
        assert await configuration.profile("sport", 1) == (1, loud)
        assert await configuration.profile_versions() == {"sport": 2}
        assert await asyncio.to_thread(read_profile, client, "sport") == (2, Profile(name="sport"))
        for n in range(60):
            await configuration.save_profile(
                Profile(name="many", detectors={f"d{n}": DetectorChoice(mode=Mode.OFF)})
            )
        with pytest.raises(NotThere):
            await configuration.profile("many", 10)
        assert (await configuration.profile("many", 11))[0] == 11
        await configuration.delete_profile("sport")
        with pytest.raises(NotThere):
            await asyncio.to_thread(read_profile, client, "sport")

    run(scenario)


def test_groups_have_a_revision(client: Any, run: Run[Any]) -> None:
    async def scenario(c: Any) -> None:
        configuration = Configuration(c)
        assert await configuration.groups() == (0, Groups())
        assert await configuration.save_groups(groups(3), if_revision=0) == 1
        assert await configuration.save_groups(groups(3)) == 1
        with pytest.raises(RevisionConflict):
            await configuration.save_groups(groups(2), if_revision=0)
        assert await asyncio.to_thread(read_groups, client) == (1, groups(3))

    run(scenario)


def test_a_request_with_an_idempotency_key_is_done_once(client: Any, run: Run[Any]) -> None:
    async def scenario(c: Any) -> None:
        requests = Requests(c)
        stages = [
            begun.stage for begun in await asyncio.gather(*(requests.begin("k", "print") for _ in range(5)))
        ]
        assert sorted(stages) == [Stage.IN_PROGRESS] * 4 + [Stage.YOURS]
        await requests.finish("k", b"201 made")
        done = await requests.begin("k", "print")
        assert (done.stage, done.answer) == (Stage.DONE, b"201 made")
        assert (await requests.begin("k", "another")).stage is Stage.OTHER
        await requests.begin("gone", "print")
        await requests.abandon("gone")
        assert (await requests.begin("gone", "print")).stage is Stage.YOURS
        with pytest.raises(TooLarge):
            await requests.finish("k", b"x" * 100_000)

    run(scenario)
    for key in client.keys("gw:idempotency:*"):
        assert 0 < client.ttl(key) <= 24 * 3600


def test_api_keys_are_kept_hashed_and_the_first_is_made_once(client: Any, run: Run[Any]) -> None:
    async def scenario(c: Any) -> None:
        keys = ApiKeys(c, CLOCK)
        [(first, secret)] = [m for m in await asyncio.gather(*(keys.create_first() for _ in range(5))) if m]
        assert await keys.check(secret) == first
        assert await keys.check(secret + "x") is None
        assert secret.encode() not in b"".join(k + v for k, v in client.hgetall("gw:apikey").items())
        second, other = await keys.create("ci")
        assert {k.id for k in await keys.list()} == {first.id, second.id}
        assert await keys.revoke(second.id)
        assert not await keys.revoke(second.id)
        assert await keys.check(other) is None
        assert await keys.adopt("late", "chosen") is None

    run(scenario)


def test_workers_are_seen_while_they_renew(client: Any, run: Run[Any]) -> None:
    leases = Leases(client)
    said = info("a", held=3, headroom=2, cpu=0.5)
    leases.renew(said, [])
    leases.renew(info("b"), [])
    client.zadd("gw:workers", {"b": 1})
    seen = {w.info.worker: w for w in run(lambda c: Workers(c).list())}
    assert seen["a"].info == said
    assert (seen["a"].alive, seen["b"].alive) == (True, False)
    leases.renew(info("c"), [])  # a new one: those that are long gone are forgotten
    assert [w.info.worker for w in run(lambda c: Workers(c).list())] == ["a", "c"]
    leases.goodbye("a")
    assert [w.info.worker for w in run(lambda c: Workers(c).list())] == ["c"]
