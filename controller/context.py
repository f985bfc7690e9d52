"""What every request may use: the store's parts, the catalogue, the clock, the settings."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from contracts.addresses import AddressPolicy
from contracts.clock import Clock
from controller.analyses.jobs import Jobs
from controller.catalogue import Catalogue
from controller.numbers import Numbers
from controller.problems import Problem
from controller.settings import Settings
from store.apikeys import ApiKeys
from store.assignments import Assignments
from store.configuration import Configuration
from store.connect import AsyncClient
from store.defects import Defects
from store.findings import Inbox, Tail
from store.requests import Requests
from store.series import Series
from store.streams import Streams
from store.workers import Coverage, Workers

_LONGEST_KEY = 200


@dataclass(frozen=True, slots=True)
class Fleet:
    """One controller's hands and eyes; holds nothing that another replica would miss."""

    client: AsyncClient
    settings: Settings
    clock: Clock
    catalogue: Catalogue
    policy: AddressPolicy
    numbers: Numbers
    jobs: Jobs
    streams: Streams
    assignments: Assignments
    inbox: Inbox
    tail: Tail
    defects: Defects
    series: Series
    coverage: Coverage
    workers: Workers
    configuration: Configuration
    requests: Requests
    api_keys: ApiKeys


def fleet_of(request: Request) -> Fleet:
    """The application's fleet."""
    fleet = request.app.state.fleet
    assert isinstance(fleet, Fleet)
    return fleet


FleetDep = Annotated[Fleet, Depends(fleet_of)]

_bearer = HTTPBearer(auto_error=False, description="An API key; the first is printed at the first start.")


async def require_key(
    fleet: FleetDep, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> None:
    """Raises Problem 401 unless the request carries an API key that is known."""
    token = credentials.credentials if credentials is not None else ""
    if not 0 < len(token) <= _LONGEST_KEY or not await _known(token, fleet):
        raise Problem(
            401,
            "unauthorized",
            "Send an API key as `Authorization: Bearer ...`.",
            headers={"WWW-Authenticate": 'Bearer realm="glitchwatch"'},
        )


async def _known(token: str, fleet: Fleet) -> bool:
    given = fleet.settings.api_key
    if given is not None and hmac.compare_digest(token.encode(), given.get_secret_value().encode()):
        return True
    return await fleet.api_keys.check(token) is not None
