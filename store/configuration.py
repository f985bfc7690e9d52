"""Profiles and detector groups: written by the API, read by workers when they start a watch."""

from __future__ import annotations

from typing import Any

from contracts.fleet import Groups
from contracts.profile import Profile
from store import keys
from store.connect import AsyncClient, SyncClient, execute, execute_async, execute_many
from store.errors import NotThere, RevisionConflict, StoreFull, TooLarge
from store.scripts import AwaitedScript

MOST_PROFILES = 500
VERSIONS_KEPT = 50
LARGEST_PROFILE = 64 * 1024
_LATEST = "latest"


def read_profile(client: SyncClient, name: str) -> tuple[int, Profile]:
    """For workers: the latest version of a profile, two round trips; version 0 is the default nobody saved.

    NotThere, StoreUnavailable.
    """
    version = execute(client, "HGET", f"{keys.PROFILE}{name}", _LATEST)
    if version is None:
        return _unsaved(name)
    text = execute(client, "HGET", f"{keys.PROFILE}{name}", version)
    if text is None:
        raise NotThere(f"There is no profile {name!r}.")
    return int(version), Profile.model_validate_json(text)


def read_groups(client: SyncClient) -> tuple[int, Groups]:
    """For workers: (revision, groups). StoreUnavailable."""
    return _groups(execute(client, "MGET", keys.GROUPS_REVISION, keys.GROUPS))


class Configuration:
    """Profiles, versioned, and groups. Raises StoreUnavailable, and StoreRefusal as each call says."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._save_profile = AwaitedScript(client, "save_profile")
        self._save_groups = AwaitedScript(client, "save_groups")

    async def save_profile(self, profile: Profile, *, if_version: int | None = None) -> int:
        """Its new version, or the latest if nothing changed. RevisionConflict, StoreFull, TooLarge."""
        text = profile.model_dump_json()
        if len(text.encode()) > LARGEST_PROFILE:
            raise TooLarge(
                f"Profile {profile.name!r} is {len(text.encode())} bytes; at most {LARGEST_PROFILE} are kept."
            )
        expected = "" if if_version is None else if_version
        found = (
            await self._save_profile(profile.name, text, expected, MOST_PROFILES, VERSIONS_KEPT)
        ).decode()
        if found == "conflict":
            raise RevisionConflict(f"Profile {profile.name!r} was changed since version {if_version}.")
        if found == "full":
            raise StoreFull(f"There are {MOST_PROFILES} profiles already.", "Delete one.")
        return int(found)

    async def profile(self, name: str, version: int | None = None) -> tuple[int, Profile]:
        """One version of it, or the latest. NotThere; `default` is always there, at version 0 if never saved."""
        if version is None:
            latest = await execute_async(self._client, "HGET", f"{keys.PROFILE}{name}", _LATEST)
            if latest is None:
                return _unsaved(name)
            version = int(latest)
        text = await execute_async(self._client, "HGET", f"{keys.PROFILE}{name}", version)
        if text is None:
            raise NotThere(f"There is no version {version} of profile {name!r}.")
        return version, Profile.model_validate_json(text)

    async def profile_versions(self) -> dict[str, int]:
        """Every profile's latest version."""
        names = sorted(n.decode() for n in await execute_async(self._client, "SMEMBERS", keys.PROFILES))
        found = await execute_many(
            self._client, [("HGET", f"{keys.PROFILE}{name}", _LATEST) for name in names]
        )
        return {name: int(version) for name, version in zip(names, found, strict=True) if version is not None}

    async def delete_profile(self, name: str) -> None:
        """All its versions. NotThere. Whether a stream uses it is the caller's question."""
        gone, _ = await execute_many(
            self._client, [("DEL", f"{keys.PROFILE}{name}"), ("SREM", keys.PROFILES, name)]
        )
        if not gone:
            raise NotThere(f"There is no profile {name!r}.")

    async def groups(self) -> tuple[int, Groups]:
        """(revision, groups)."""
        return _groups(await execute_async(self._client, "MGET", keys.GROUPS_REVISION, keys.GROUPS))

    async def save_groups(self, groups: Groups, *, if_revision: int | None = None) -> int:
        """Their new revision. RevisionConflict. Derive all assignments afterwards."""
        expected = "" if if_revision is None else if_revision
        found = (await self._save_groups(groups.model_dump_json(), expected)).decode()
        if found == "conflict":
            raise RevisionConflict(f"The groups were changed since revision {if_revision}.")
        return int(found)


def _unsaved(name: str) -> tuple[int, Profile]:
    if name != "default":
        raise NotThere(f"There is no profile {name!r}.")
    return 0, Profile()


def _groups(found: Any) -> tuple[int, Groups]:
    revision, text = found
    return int(revision or 0), Groups.model_validate_json(text) if text is not None else Groups()
