"""Which rendition and group should be watched: derived from the streams, by any number of controllers at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.fleet import Assignment, Groups, Stream, StreamSpec, WatchStatus, rendition_word
from store import keys
from store.connect import AsyncClient, execute_async, execute_many
from store.errors import NotThere
from store.scripts import AwaitedScript
from store.streams import LONGEST_PAGE, Streams

_BATCH = 200  # streams in one script call


@dataclass(frozen=True, slots=True)
class Wanted:
    """What assignments are made from, besides the streams.

    `profile_versions` gives each profile's latest version; `on_air` says whether a stream is to be watched now.
    """

    groups: Groups
    groups_revision: int
    profile_versions: Mapping[str, int]
    on_air: Callable[[Stream], bool]


@dataclass(frozen=True, slots=True)
class Derived:
    """What deriving changed; `stale` ones were changed meanwhile (-1: the groups were), and are left alone."""

    added: int = 0
    removed: int = 0
    changed: int = 0
    stale: int = 0


@dataclass(frozen=True, slots=True)
class AssignmentState:
    """One assignment and who holds it; `worker` is None while nobody does, `epoch` is the last one granted."""

    assignment: Assignment
    worker: str | None
    epoch: int | None
    claimable_from_ms: int  # by the store's clock: the lease's expiry, or since when it is free


@dataclass(frozen=True, slots=True)
class Turn:
    """One line of an assignment's history; words: claimed, released, expired."""

    at_ms: int
    word: str
    worker: str
    epoch: int


@dataclass(frozen=True, slots=True)
class GroupLoad:
    """How many assignments a group has, and how many of them nobody holds."""

    assignments: int
    unassigned: int


def renditions_watched(spec: StreamSpec) -> tuple[str, ...]:
    """The renditions that the stream's policy asks for; `highest` while none is known by name."""
    policy = spec.policy
    match policy.choose:
        case "each":
            names: Iterable[str] = spec.renditions
        case "named":
            names = policy.names
        case single:
            return (single,)
    unique = dict.fromkeys(rendition_word(name) for name in names)
    return tuple(unique)[: policy.at_most] or ("highest",)


def assignments_of(stream: Stream, wanted: Wanted) -> list[Assignment]:
    """Rendition × group, or none while it is disabled or off air."""
    if not stream.spec.enabled or not wanted.on_air(stream):
        return []
    version = wanted.profile_versions.get(stream.spec.profile, 0)
    revision = f"{stream.revision}.{version}.{wanted.groups_revision}"
    return [
        Assignment(stream.id, rendition, group.name, revision)
        for rendition in renditions_watched(stream.spec)
        for group in wanted.groups.groups
    ]


class Assignments:
    """Assignments, derived and read. Raises StoreUnavailable."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._derive = AwaitedScript(client, "derive")
        self._unassigned = AwaitedScript(client, "unassigned")

    async def derive(self, streams: Sequence[Stream], wanted: Wanted) -> Derived:
        """Make these streams' assignments what they should be; doing it twice changes nothing the second time.

        Defects that are open of an assignment that goes are closed as `stopped_watching`.
        """
        sums = [0, 0, 0, 0]
        for begin in range(0, len(streams), _BATCH):
            arguments: list[Any] = [wanted.groups_revision]
            for stream in streams[begin : begin + _BATCH]:
                derived = assignments_of(stream, wanted)
                arguments += (stream.id, stream.revision, len(derived))
                for assignment in derived:
                    arguments += (assignment.id, assignment.revision)
            answer = await self._derive(*arguments)
            sums = [a + int(b) for a, b in zip(sums, answer, strict=True)]
        return Derived(*sums)

    async def reconcile(self, streams: Streams, wanted: Wanted) -> Derived:
        """The same for all streams, page by page."""
        total, after = Derived(), ""
        while True:
            page = await streams.page(after=after, limit=LONGEST_PAGE)
            part = await self.derive(page.streams, wanted)
            total = Derived(
                total.added + part.added, total.removed + part.removed, total.changed + part.changed,
                total.stale + part.stale,
            )  # fmt: skip
            if page.next is None:
                return total
            after = page.next

    async def load(self, groups: Sequence[str]) -> dict[str, GroupLoad]:
        """How much of each group is held, in one round trip."""
        answer = await self._unassigned(*groups)
        return {
            group: GroupLoad(int(answer[2 * n]), int(answer[2 * n + 1])) for n, group in enumerate(groups)
        }

    async def of_stream(self, identity: str) -> list[AssignmentState]:
        """The assignments of one stream."""
        found = await execute_async(self._client, "HGET", keys.STREAM_ASSIGNED, identity)
        return await self._states((found or b"").decode().split())

    async def of_streams(self, identities: Sequence[str]) -> dict[str, list[AssignmentState]]:
        """The assignments of several streams."""
        if not identities:
            return {}
        found = await execute_async(self._client, "HMGET", keys.STREAM_ASSIGNED, *identities)
        lists = [(value or b"").decode().split() for value in found]
        states = {s.assignment.id: s for s in await self._states([i for part in lists for i in part])}
        return {
            identity: [states[i] for i in part if i in states]
            for identity, part in zip(identities, lists, strict=True)
        }

    async def of_worker(self, worker: str, group: str) -> list[AssignmentState]:
        """What one worker holds; looks through its whole group."""
        members = await execute_async(self._client, "ZRANGE", f"{keys.DUE}{group}", 0, -1)
        states = await self._states([member.decode() for member in members])
        return [state for state in states if state.worker == worker]

    async def history(self, assignment: str) -> list[Turn]:
        """Who had it lately, newest first."""
        rows = await execute_async(self._client, "LRANGE", f"{keys.HISTORY}{assignment}", 0, -1)
        turns = []
        for row in rows:
            at, word, worker, epoch = row.decode().split(" ")
            turns.append(Turn(int(at), word, worker, int(epoch)))
        return turns

    async def statuses(self, assignments: Sequence[str]) -> dict[str, WatchStatus]:
        """How their watches did when they last said so; what never said anything is absent."""
        if not assignments:
            return {}
        found = await execute_async(self._client, "HMGET", keys.STATUS, *assignments)
        return {
            identity: WatchStatus.model_validate_json(text)
            for identity, text in zip(assignments, found, strict=True)
            if text is not None
        }

    async def get(self, assignment: str) -> AssignmentState:
        """One assignment. NotThere."""
        found = await self._states([assignment])
        if not found:
            raise NotThere(f"There is no assignment {assignment}.")
        return found[0]

    async def _states(self, identities: Sequence[str]) -> list[AssignmentState]:
        out: list[AssignmentState] = []
        for begin in range(0, len(identities), LONGEST_PAGE):
            part = identities[begin : begin + LONGEST_PAGE]
            revisions, leases, *scores = await execute_many(
                self._client,
                [
                    ("HMGET", keys.ASSIGNMENT, *part),
                    ("HMGET", keys.LEASE, *part),
                    *(("ZSCORE", f"{keys.DUE}{identity.rpartition('/')[2]}", identity) for identity in part),
                ],
            )
            for identity, revision, lease, score in zip(part, revisions, leases, scores, strict=True):
                if revision is not None:
                    stream, rendition, group = identity.split("/")
                    epoch, _, worker = (lease or b"").decode().partition(":")
                    out.append(
                        AssignmentState(
                            Assignment(stream, rendition, group, revision.decode()),
                            worker or None,
                            int(epoch) if epoch else None,
                            int(float(score)) if score is not None else 0,
                        )
                    )
        return out
