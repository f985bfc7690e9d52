"""Profiles are checked against the catalogue before they are kept, and every version of them is kept."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from contracts.fleet import DetectorGroup, Groups
from contracts.profile import Profile, digest
from controller.assignments.service import reconcile
from controller.catalogue import Wrong
from controller.context import Fleet
from controller.problems import Problem, conflict, invalid, not_found
from controller.profiles.schemas import GroupOut, GroupsOut, ProfileOut
from store.errors import NotThere, RevisionConflict, StoreRefusal

DEFAULT = "default"


async def save(fleet: Fleet, profile: Profile, if_version: int | None) -> tuple[ProfileOut, bool]:
    """The profile as a new version, and whether it is the first; assignments follow. Raises Problem."""
    wrongs = fleet.catalogue.wrongs(profile)
    if wrongs:
        raise invalid("The profile does not fit the catalogue.", wrongs)
    try:
        version = await fleet.configuration.save_profile(profile, if_version=if_version)
    except RevisionConflict as error:
        raise Problem(
            412, "precondition-failed", "The profile was changed meanwhile. Read it again."
        ) from error
    except StoreRefusal as error:
        raise Problem(507, "full", error.explain()) from error
    await reconcile(fleet)
    return shown(version, profile), version == 1


async def get(fleet: Fleet, name: str, version: int | None = None) -> ProfileOut:
    """A profile, in its latest or a former version. Raises Problem 404."""
    try:
        return shown(*await fleet.configuration.profile(name, version))
    except NotThere:
        raise not_found("profile" if version is None else f"version {version} of profile", name) from None


async def delete(fleet: Fleet, name: str) -> None:
    """The profile goes, unless a stream uses it. Raises Problem."""
    if name == DEFAULT:
        raise conflict("The default profile stays. Change it instead.")
    after = ""
    while True:
        page = await fleet.streams.page(after=after, limit=500)
        user = next((stream for stream in page.streams if stream.spec.profile == name), None)
        if user is not None:
            raise conflict(f"Stream {user.id!r} uses it.")
        if page.next is None:
            break
        after = page.next
    try:
        await fleet.configuration.delete_profile(name)
    except NotThere:
        raise not_found("profile", name) from None


def shown(version: int, profile: Profile) -> ProfileOut:
    """A version of a profile as it is shown."""
    return ProfileOut.of(version, profile, digest(profile.model_dump(mode="json")))


async def groups(fleet: Fleet) -> GroupsOut:
    """The groups, what runs in each, and what waits in each."""
    revision, found = await fleet.configuration.groups()
    loads = await fleet.assignments.load([group.name for group in found.groups])
    return GroupsOut(
        revision=revision,
        groups=[
            GroupOut(**group.model_dump(), runs=runs(fleet, group), unassigned=loads[group.name].unassigned)
            for group in found.groups
        ],
    )


async def set_groups(fleet: Fleet, wanted: Sequence[DetectorGroup], if_revision: int | None) -> GroupsOut:
    """Cut the detectors anew; every assignment is derived again. Raises Problem."""
    wrongs: list[Wrong] = []
    seen: dict[str, str] = {}
    for index, group in enumerate(wanted):
        if group.name in {other.name for other in wanted[:index]}:
            wrongs.append(Wrong(f"/groups/{index}/name", "Two groups have the same name."))
        unknown = set(group.families) - set(fleet.catalogue.families)
        if unknown:
            wrongs.append(
                Wrong(f"/groups/{index}/families", f"No such family: {', '.join(sorted(unknown))}.")
            )
        if strange := fleet.catalogue.unknown(list(group.detectors)):
            wrongs.append(Wrong(f"/groups/{index}/detectors", f"No such detector: {', '.join(strange)}."))
        wrongs += [
            Wrong(f"/groups/{index}", f"{name} runs in group {seen[name]} already.")
            for name in runs(fleet, group)
            if seen.setdefault(name, group.name) != group.name
        ]
    if wrongs:
        raise invalid("The groups do not fit the catalogue.", wrongs)
    try:
        await fleet.configuration.save_groups(Groups(groups=tuple(wanted)), if_revision=if_revision)
    except RevisionConflict as error:
        raise Problem(
            412, "precondition-failed", "The groups were changed meanwhile. Read them again."
        ) from error
    await reconcile(fleet)
    return await groups(fleet)


def runs(fleet: Fleet, group: DetectorGroup) -> list[str]:
    """The detectors of a group by name: those named, those of its families; all when it names nothing."""
    if not group.families and not group.detectors:
        return sorted(fleet.catalogue.detectors)
    by_family = fleet.catalogue.families
    return sorted(
        {*group.detectors, *(name for family in group.families for name in by_family.get(family, ()))}
    )


async def set_up(fleet: Fleet) -> None:
    """At the first start: the groups that the settings name."""
    revision, _ = await fleet.configuration.groups()
    if revision == 0 and fleet.settings.groups == "families":
        families = tuple(DetectorGroup(name=name, families=(name,)) for name in fleet.catalogue.families)
        with contextlib.suppress(RevisionConflict):  # another replica was first
            await fleet.configuration.save_groups(Groups(groups=families), if_revision=0)
