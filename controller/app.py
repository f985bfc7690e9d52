"""The application: routes, errors, limits, and what runs beside them."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI

from contracts.addresses import AddressPolicy
from contracts.clock import Clock
from controller import health, problems
from controller.analyses.endpoints import router as analyses
from controller.analyses.jobs import Jobs
from controller.assignments.endpoints import router as assignments
from controller.background import running
from controller.catalogue import installed
from controller.context import Fleet
from controller.events.endpoints import router as events
from controller.incidents.consumer import Consumer
from controller.incidents.endpoints import router as incidents
from controller.limits import Limits
from controller.numbers import Numbers
from controller.profiles.endpoints import router as profiles
from controller.profiles.service import set_up
from controller.settings import Settings
from controller.streams.endpoints import router as streams
from store.apikeys import ApiKeys
from store.assignments import Assignments
from store.configuration import Configuration
from store.connect import AsyncClient, SyncClient
from store.defects import Defects
from store.findings import Inbox, Tail
from store.requests import Requests
from store.series import Series
from store.streams import Streams
from store.workers import Coverage, Workers

log = structlog.get_logger()

_ABOUT = """Says what is watched, and keeps what was found.

Send the API key as `Authorization: Bearer ...`. Errors are problem details (RFC 9457). Times are UTC, RFC 3339.
What is secret (query values, credentials, headers) goes in and never comes out: it reads `***`."""


def fleet_with(settings: Settings, client: AsyncClient, jobs: SyncClient, clock: Clock) -> Fleet:
    """A controller's hands on this store."""
    return Fleet(
        client=client,
        settings=settings,
        clock=clock,
        catalogue=installed(),
        policy=AddressPolicy(allow_private=settings.allow_private),
        numbers=Numbers(),
        jobs=Jobs(jobs),
        streams=Streams(client, clock),
        assignments=Assignments(client),
        inbox=Inbox(client, f"controller-{secrets.token_hex(6)}"),
        tail=Tail(client),
        defects=Defects(client),
        series=Series(client),
        coverage=Coverage(client),
        workers=Workers(client),
        configuration=Configuration(client),
        requests=Requests(client),
        api_keys=ApiKeys(client, clock),
    )


async def first_key(fleet: Fleet) -> str | None:
    """The API key that was made now, to be shown once; None when there is one already or settings give it."""
    given = fleet.settings.api_key
    if given is not None:
        return None
    made = await fleet.api_keys.create_first()
    return made[1] if made is not None else None


def create_app(fleet: Fleet, *, version: str, background: bool = True) -> FastAPI:
    """The application on a fleet whose store was checked."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await set_up(fleet)
        if not background:
            yield
            return
        async with running(fleet, Consumer(fleet)):
            yield

    app = FastAPI(title="Glitchwatch", version=version, description=_ABOUT, lifespan=lifespan)
    app.state.fleet = fleet
    problems.install(app)
    app.add_middleware(Limits, numbers=fleet.numbers, clock=fleet.clock)
    for router in (streams, profiles, assignments, incidents, analyses, events, health.router):
        app.include_router(router)
    return app
